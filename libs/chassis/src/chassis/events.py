"""Events: what travels between services, how it is read, and who handles it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar, overload
from uuid import UUID

from msgspec import Struct
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from chassis import queues, tracing
from chassis.database import Tx

CONTENT_TYPE = "application/json"


class Event(BaseModel):
    """A past fact, told to other services. Contracts grow: readers skip the new."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]


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


@dataclass(frozen=True, kw_only=True)
class Envelope(Generic[E_co]):
    """An event as it arrived: its data and its CloudEvents attributes."""

    id: UUID
    source: str
    subject: str
    time: datetime
    sequence: int | None
    traceparent: str | None
    data: E_co
    raw: Any = field(
        default=None, repr=False, compare=False
    )  # as sent: for dead letters


@dataclass(frozen=True)
class Unreadable:
    """Something in a message that no handler can be given, as it was sent."""

    raw: Any
    reason: str


class _Attributes(BaseModel):
    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    subject: str
    time: AwareDatetime
    sequence: int | None = None
    traceparent: str | None = None


_ATTRIBUTES = TypeAdapter(_Attributes)

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
    _known: dict[str, type[Event]] = field(default_factory=dict)

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
            self._known.update({type_.type: type_ for type_ in types})
            return handle

        return register

    @property
    def types(self) -> frozenset[str]:
        """What is handled here; everything else is left out of the inbox too."""
        return frozenset(self._known)

    def read(self, body: str) -> list[Envelope[Event] | Unreadable]:
        """Take a message apart; events nobody here handles are left out."""
        try:
            items = from_json(body)
        except ValueError as error:
            return [Unreadable(body, f"not JSON: {error}")]
        if not isinstance(items, list):
            return [Unreadable(body, "not a JSON array of CloudEvents")]
        return [event for item in items if (event := self._event(item)) is not None]

    def _event(self, item: Any) -> Envelope[Event] | Unreadable | None:
        try:
            attributes = _ATTRIBUTES.validate_python(item)
            known = self._known.get(attributes.type)
            if known is None:
                return self._unknown(item, attributes.type)
            data = known.model_validate(item.get("data"))
        except ValidationError as error:
            return Unreadable(item, _without_input(error))
        return Envelope(
            id=attributes.id,
            source=attributes.source,
            subject=attributes.subject,
            time=attributes.time,
            sequence=attributes.sequence,
            traceparent=tracing.accepted(attributes.traceparent),
            data=data,
            raw=item,
        )

    def _unknown(self, item: Any, type_: str) -> Unreadable | None:
        """A type we never heard of is for others; a version we cannot read is not."""
        fact, _, version = type_.rpartition(".v")
        if any(known.rpartition(".v")[0] == fact for known in self._known):
            return Unreadable(item, f"unknown version v{version} of {fact}")
        return None

    async def dispatch(self, tx: Tx, events: Sequence[Envelope[Event]]) -> None:
        for subscription in self._subscriptions:
            matching = [e for e in events if type(e.data) in subscription.types]
            if matching:
                await subscription.handle(tx, matching)


def about(raw: Any) -> dict[str, str]:
    """The subject of an event as it was sent, by the name that its data has for it.

    So logs call it the same whoever tells of it, also where nobody can read the event.
    """
    subject = raw.get("subject") if isinstance(raw, dict) else None
    if not isinstance(subject, str):
        return {}
    data = raw.get("data")
    ids = data.items() if isinstance(data, dict) else ()
    names = (name for name, id_ in ids if id_ == subject and name.endswith("_id"))
    return {next(names, "subject"): subject}


def _without_input(error: ValidationError) -> str:
    """The findings without the values: dead letters are read by people."""
    return "; ".join(
        f"{'.'.join(map(str, finding['loc']))}: {finding['msg']}"
        for finding in error.errors(include_input=False, include_url=False)
    )


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
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(id),
        "source": source,
        "type": type,
        "subject": subject,
        "time": time.isoformat(),
        "datacontenttype": CONTENT_TYPE,
    }
    if sequence is not None:
        attributes["sequence"] = sequence
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    head = to_json(attributes).decode().removesuffix("}")
    return queues.transportable(f'{head},"data":{data}}}')
