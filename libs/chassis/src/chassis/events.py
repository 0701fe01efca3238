"""Events: what travels between services, how it is read, and who handles it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar, overload
from uuid import UUID

from msgspec import DecodeError, Meta, Raw, Struct, convert, json

from chassis import queues, tracing
from chassis.database import Tx

CONTENT_TYPE = "application/json"


class Event(Struct, frozen=True, kw_only=True):
    """A past fact, told to other services. Contracts grow: readers skip the new."""

    type: ClassVar[str]


# A time that says of which zone it is.
Time: TypeAlias = Annotated[datetime, Meta(tz=True)]

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class Announcement(Struct, frozen=True):
    """An event about to be published, and what it is about.

    `data` is the event, or what has the fields of this `kind` of event. What is done as
    a batch may serve many traces: `traceparent` says which one this is.
    """

    data: Any
    subject: str
    sequence: int | None = None
    traceparent: str | None = None
    kind: type[Event] | None = None

    @property
    def event(self) -> type[Event]:
        return self.kind or type(self.data)

    @property
    def data_on_the_wire(self) -> str:
        event = convert(self.data, self.event, from_attributes=True)
        return json.encode(event).decode()


class Envelope(Struct, Generic[E_co], frozen=True, kw_only=True):
    """An event as it arrived: its data and its CloudEvents attributes."""

    id: UUID
    source: str
    subject: str
    time: datetime
    sequence: int | None
    traceparent: str | None
    data: E_co
    sent: bytes | None = None  # its JSON as it came; of those made here there is none

    @property
    def alone(self) -> str:
        """A message that has nothing else in it."""
        if self.sent is None:
            raise ValueError("It was made here: nobody sent it.")
        return _alone(self.sent)

    @property
    def data_as_sent(self) -> str:
        """With what this version does not know: the next one may."""
        if self.sent is None:
            return json.encode(self.data).decode()
        return bytes(_EVENT.decode(self.sent).data).decode()


class Unreadable(Struct, frozen=True):
    """A message, all or the part of it that no handler can be given, as it was sent."""

    alone: str
    reason: str


class _CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    # As a literal, what else is said would be quoted in the reason.
    specversion: Annotated[str, Meta(pattern=r"^1\.0\Z")]
    id: UUID
    source: str
    type: str
    subject: str
    time: Time
    sequence: int | None = None
    traceparent: str | None = None
    data: Raw = Raw(b"null")  # others may tell of what has none


class _Written(_CloudEvent, frozen=True, kw_only=True):
    datacontenttype: str


_ITEMS = json.Decoder(list[Raw])
_EVENT = json.Decoder(_CloudEvent)

Handle = Callable[[Tx, list[Envelope[Any]]], Awaitable[None]]
H = TypeVar("H", bound=Handle)


@dataclass(frozen=True)
class _Subscription:
    types: frozenset[type[Event]]
    handle: Handle


@dataclass
class Router:
    """Which function handles which events. What is on no router is for others."""

    _subscriptions: list[_Subscription] = field(default_factory=list)
    _known: dict[str, json.Decoder[Event]] = field(default_factory=dict)

    @overload
    def on(
        self, type_: type[E], /
    ) -> Callable[
        [Callable[[Tx, list[Envelope[E]]], Awaitable[None]]],
        Callable[[Tx, list[Envelope[E]]], Awaitable[None]],
    ]: ...

    # Of several types: mypy would look for one that they all are, not for their union.
    @overload
    def on(self, *types: type[Event]) -> Callable[[H], H]: ...

    def on(self, *types: type[Event]) -> Callable[[H], H]:
        """Have the decorated function get all the events of these types at hand."""

        def register(handle: H) -> H:
            self._subscriptions.append(_Subscription(frozenset(types), handle))
            self._known.update({type_.type: json.Decoder(type_) for type_ in types})
            return handle

        return register

    @property
    def types(self) -> frozenset[str]:
        """What is handled here; everything else is left out of the inbox too."""
        return frozenset(self._known)

    def read(self, body: str) -> list[Envelope[Event] | Unreadable]:
        """Take a message apart; events nobody here handles are left out."""
        try:
            items = _ITEMS.decode(body)
        except (ValueError, RecursionError) as error:
            return [Unreadable(body, f"not a JSON array of CloudEvents: {error}")]
        return [event for item in items if (event := self._event(item)) is not None]

    def _event(self, item: Raw) -> Envelope[Event] | Unreadable | None:
        sent = bytes(item)
        try:
            event = _EVENT.decode(sent)
            known = self._known.get(event.type)
            if known is None:
                reason = self._unknown(event.type)
                return Unreadable(_alone(sent), reason) if reason else None
            data = known.decode(event.data)
        except (DecodeError, RecursionError) as error:
            return Unreadable(_alone(sent), _reason(error))
        return Envelope(
            id=event.id,
            source=event.source,
            subject=event.subject,
            time=event.time,
            sequence=event.sequence,
            traceparent=tracing.accepted(event.traceparent),
            data=data,
            sent=sent,
        )

    def _unknown(self, type_: str) -> str:
        """A type we never heard of is for others; a version we cannot read is not."""
        fact, _, version = type_.rpartition(".v")
        if any(known.rpartition(".v")[0] == fact for known in self._known):
            return f"unknown version v{version} of {fact}"
        return ""

    async def dispatch(self, tx: Tx, events: Sequence[Envelope[Event]]) -> None:
        for subscription in self._subscriptions:
            matching = [e for e in events if type(e.data) in subscription.types]
            if matching:
                await subscription.handle(tx, matching)


def event_in(alone: str) -> Mapping[str, Any]:
    """The event of a message that has nothing else in it, as it was sent."""
    try:
        items = json.decode(alone)
    except (ValueError, RecursionError):
        return {}
    match items:
        case [dict() as event]:
            return event
        case _:
            return {}


def about(event: Mapping[str, Any]) -> dict[str, str]:
    """The subject of an event as it was sent, by the name that its data has for it.

    So logs call it the same whoever tells of it, also where nobody can read the event.
    """
    subject = event.get("subject")
    if not isinstance(subject, str):
        return {}
    data = event.get("data")
    ids = data.items() if isinstance(data, dict) else ()
    names = (name for name, id_ in ids if id_ == subject and name.endswith("_id"))
    return {next(names, "subject"): subject}


def _alone(event: bytes) -> str:
    return f"[{event.decode()}]"


def _reason(error: Exception) -> str:
    """What is wrong and where, without the value: dead letters are read by people."""
    what, at, place = str(error).rpartition(" - at ")
    if at and not what.startswith(("Expected", "Object missing")):
        return f"Invalid{at}{place}"
    return str(error)


def to_wire(  # noqa: PLR0913 - the attributes of CloudEvents
    *,
    id: UUID,
    source: str,
    type: str,
    subject: str,
    time: datetime,
    sequence: int | None,
    traceparent: str | None,
    data: str,
) -> str:
    """One CloudEvent as JSON; `data` is put in as the text it already is."""
    event = _Written(
        specversion="1.0",
        id=id,
        source=source,
        type=type,
        subject=subject,
        time=time,
        datacontenttype=CONTENT_TYPE,
        sequence=sequence,
        traceparent=traceparent,
        data=Raw(data.encode()),
    )
    return queues.transportable(json.encode(event).decode())
