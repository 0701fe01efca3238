"""SNS and SQS: the few calls Orderly makes, on clients that are made once.

Clients read the endpoint, region and credentials from the usual AWS_* environment.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from yarl import URL

from chassis.failpoints import reach

BATCH_ENTRIES = 10  # what one AWS batch call takes
LONG_POLL_S = 20
MESSAGE_BYTES = 256 * 1024  # what SNS takes, at most
# What a call raises when AWS does not answer, or will not do it.
NO_ANSWER = (BotoCoreError, ClientError, OSError, TimeoutError)

_MESSAGES = msgspec.json.Decoder(dict[str, list[dict[str, str | dict[str, Any]]]])

_WAITING = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
_DELAYED = "ApproximateNumberOfMessagesDelayed"


def transportable(json: str) -> str:
    """JSON text without the two characters that SQS refuses and JSON need not escape.

    Somebody will have them in their name, and nothing must wait behind that.
    """
    if json.isascii():
        return json
    return json.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One SQS message as received; the receipt is what deletes or extends it."""

    id: str
    body: str
    receipt: str
    received_count: int = 1
    sent_at: datetime | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """Messages that wait, and those that somebody has in hand. SQS says: about."""

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        return self.waiting + self.in_flight


@dataclass(frozen=True)
class NotSent:
    """An entry of a batch call that AWS did not take, with its reason.

    `for_ever`: it is this entry's own fault, and asking again would change nothing.
    """

    index: int
    reason: str
    for_ever: bool = False


class QueueAway(ConnectionError):
    """The queue does not take what it is given."""


class Aws:
    def __init__(self, sqs: Any, sns: Any, *, region: str, account_id: str) -> None:
        self.sqs = sqs
        self.sns = sns
        self._region = region
        self._account_id = account_id
        self._urls: dict[str, str] = {}
        self._nothing_older: dict[str, datetime] = {}

    def topic_arn(self, name: str) -> str:
        return f"arn:aws:sns:{self._region}:{self._account_id}:{name}"

    def queue_arn(self, name: str) -> str:
        return f"arn:aws:sqs:{self._region}:{self._account_id}:{name}"

    async def queue_url(self, name: str) -> str:
        if name not in self._urls:
            answer = await self.sqs.get_queue_url(QueueName=name)
            self._urls[name] = answer["QueueUrl"]
        return self._urls[name]

    async def publish(self, topic: str, bodies: Sequence[str]) -> list[NotSent]:
        """Publish at most ten bodies; whatever SNS did not confirm is in the answer."""
        # Not left to SNS, which refuses the whole call, or breaks off one too long.
        too_large = [
            NotSent(index, f"larger than {MESSAGE_BYTES} bytes", for_ever=True)
            for index, body in enumerate(bodies)
            if len(body.encode()) > MESSAGE_BYTES
        ]
        passed_over = {refused.index for refused in too_large}
        entries = [
            {"Id": str(index), "Message": body}
            for index, body in enumerate(bodies)
            if index not in passed_over
        ]
        if not entries:
            return too_large
        answer = await self.sns.publish_batch(
            TopicArn=self.topic_arn(topic), PublishBatchRequestEntries=entries
        )
        reach("published", topic)
        return too_large + _not_confirmed(answer, entries)

    async def send(self, queue: str, body: str, attributes: Mapping[str, str]) -> None:
        """Send one message; what SQS refuses is a `ClientError`."""
        try:
            await self.sqs.send_message(
                QueueUrl=await self.queue_url(queue),
                MessageBody=transportable(body),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
        except (BotoCoreError, ClientError, OSError) as error:
            if _is_refusal(error):
                raise
            raise QueueAway(f"{queue} does not answer") from error
        reach("sent", queue)

    async def send_many(self, queue: str, bodies: Sequence[str]) -> None:
        """Send at most ten bodies, all of them; some may be sent when it raises."""
        entries = [
            {"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)
        ]
        try:
            answer = await self.sqs.send_message_batch(
                QueueUrl=await self.queue_url(queue), Entries=entries
            )
        except (BotoCoreError, ClientError, OSError) as error:
            raise QueueAway(f"{queue} does not answer") from error
        reach("sent", queue)
        if refused := _not_confirmed(answer, entries):
            raise QueueAway(f"{queue} did not take all: {refused[0].reason}")

    async def count(self, queue: str) -> Counts:
        answer = await self.sqs.get_queue_attributes(
            QueueUrl=await self.queue_url(queue),
            AttributeNames=[_WAITING, _IN_FLIGHT, _DELAYED],
        )
        found = answer["Attributes"]
        return Counts(
            waiting=int(found.get(_WAITING, 0)) + int(found.get(_DELAYED, 0)),
            in_flight=int(found.get(_IN_FLIGHT, 0)),
        )

    async def depth(self, queue: str) -> int:
        """About how many messages there are, those in flight and delayed too."""
        return (await self.count(queue)).total

    async def receive(
        self, queue: str, *, wait_s: int = LONG_POLL_S, hide_s: int | None = None
    ) -> list[Message]:
        """At most ten messages, hidden from others as long as the queue or we say."""
        began = datetime.now(UTC)
        hidden = {} if hide_s is None else {"VisibilityTimeout": hide_s}
        answer = await self.sqs.receive_message(
            QueueUrl=await self.queue_url(queue),
            MaxNumberOfMessages=BATCH_ENTRIES,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=["All"],
            **hidden,
        )
        messages = [_message(raw) for raw in answer.get("Messages", ())]
        if messages:
            reach("received", queue)
        if messages or wait_s:  # a short poll asks not all of SQS: empty says nothing
            sent = (message.sent_at for message in messages)
            self._nothing_older[queue] = min(filter(None, sent), default=began)
        return messages

    def waits_since(self, queue: str) -> datetime | None:
        """Nothing in the queue is older, as far as was seen when last received here."""
        return self._nothing_older.get(queue)

    async def delete(self, queue: str, messages: Sequence[Message]) -> list[NotSent]:
        """Delete at most ten messages."""
        entries = [
            {"Id": str(index), "ReceiptHandle": message.receipt}
            for index, message in enumerate(messages)
        ]
        answer = await self.sqs.delete_message_batch(
            QueueUrl=await self.queue_url(queue), Entries=entries
        )
        reach("deleted", queue)
        return _not_confirmed(answer, entries)

    async def hide(
        self, queue: str, messages: Sequence[Message], *, for_s: int
    ) -> list[NotSent]:
        """Keep at most ten messages hidden from now for so long; 0 hands them back."""
        entries = [
            {
                "Id": str(index),
                "ReceiptHandle": message.receipt,
                "VisibilityTimeout": for_s,
            }
            for index, message in enumerate(messages)
        ]
        answer = await self.sqs.change_message_visibility_batch(
            QueueUrl=await self.queue_url(queue), Entries=entries
        )
        return _not_confirmed(answer, entries)


def _is_refusal(error: Exception) -> bool:
    """A no that stays one, and neither AWS's absence nor its "not now"."""
    if not isinstance(error, ClientError):
        return False
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    is_ours = status < HTTPStatus.INTERNAL_SERVER_ERROR
    return is_ours and "Throttl" not in error.response["Error"]["Code"]


def _message(raw: Mapping[str, Any]) -> Message:
    attributes, of_sqs = raw.get("MessageAttributes", {}), raw.get("Attributes", {})
    sent_ms = of_sqs.get("SentTimestamp")
    return Message(
        id=raw["MessageId"],
        body=raw["Body"],
        receipt=raw["ReceiptHandle"],
        received_count=int(of_sqs.get("ApproximateReceiveCount", 1)),
        sent_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC) if sent_ms else None,
        attributes={
            name: value["StringValue"]
            for name, value in attributes.items()
            if "StringValue" in value
        },
    )


def _not_confirmed(
    answer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> list[NotSent]:
    """Trust only what was named as done: an entry that is in neither list was not."""
    confirmed = {entry["Id"] for entry in answer.get("Successful", ())}
    failed = {entry["Id"]: entry for entry in answer.get("Failed", ())}
    return [
        _not_sent(int(entry["Id"]), failed.get(entry["Id"]))
        for entry in entries
        if entry["Id"] not in confirmed
    ]


def _not_sent(index: int, failure: Mapping[str, Any] | None) -> NotSent:
    if failure is None:
        return NotSent(index, "not in the answer")
    return NotSent(
        index,
        f"{failure['Code']}: {failure.get('Message', '')}",
        # A wrong key or policy is called the sender's fault too, and can be put right.
        for_ever=bool(failure.get("SenderFault"))
        and failure["Code"].startswith("InvalidParameter"),
    )


@asynccontextmanager
async def connect(*, region: str, account_id: str) -> AsyncIterator[Aws]:
    config = AioConfig(
        parameter_validation=False,
        user_agent="orderly",  # botocore would put its own together for each call
        max_pool_connections=50,
        connect_timeout=5,
        read_timeout=LONG_POLL_S + 10,
        retries={"total_max_attempts": 1},  # the loops that call decide when to retry
    )
    session = get_session()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                session.create_client(service, region_name=region, config=config)
            )
            for service in ("sqs", "sns")
        ]
        sqs, sns = (client.meta.events for client in clients)
        sqs.register("before-parse.sqs.ReceiveMessage", _read_messages)
        sns.register("before-call.sns.PublishBatch", _write_form)
        yield Aws(clients[0], clients[1], region=region, account_id=account_id)


def _write_form(params: dict[str, Any], **_: Any) -> None:
    """Write it here: urllib would take its bytes one by one, and longer than all else.

    SNS reads nothing but forms.
    """
    params["body"] = URL.build(query=params["body"]).raw_query_string.encode()


def _read_messages(
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Read them here: botocore would look at each field, after the slower JSON.

    Whatever is no list of messages is left to it.
    """
    if response_dict["status_code"] == HTTPStatus.OK:
        with suppress(msgspec.DecodeError):
            customized_response_dict |= _MESSAGES.decode(response_dict["body"])
            response_dict["body"] = b"{}"
