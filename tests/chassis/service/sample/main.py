from collections.abc import Sequence
from typing import Annotated, ClassVar
from uuid import UUID, uuid4

import sqlalchemy as sa
from fastapi import Request, Response
from pydantic import BaseModel, Field
from pydantic_settings import SettingsConfigDict
from typing_extensions import override

from chassis import outbox, web
from chassis.auth import needs
from chassis.batching import GroupCommit
from chassis.bodies import RequestBody, reads, text
from chassis.database import Tx, columns_of, insert_many
from chassis.digest import Check, Digest, Part
from chassis.errors import NotFound
from chassis.events import Announcement, Envelope, Event, Router
from chassis.idempotency import Answer, Once
from chassis.lifecycle import Parts, Runtime, Service
from chassis.routing import HttpRouter
from chassis.settings import ServiceSettings
from chassis.topology import Queue, Topic, Topology
from sample.schema import heard, notes

TOPIC = Topic(name="sample")
QUEUE = Queue(
    name="sample-from-sample", owner="sample", hears=TOPIC, visibility_timeout_s=5
)
TOPOLOGY = Topology(topics=(TOPIC,), queues=(QUEUE,))


IMPOSSIBLE = "impossible"


class NoteTaken(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "sample.note_taken.v1"

    note_id: UUID
    text: str


class NoteBody(RequestBody):
    text: Annotated[str, text(100)]
    stars: int = 0


class NoteView(BaseModel):
    id: UUID
    text: str


async def take(tx: Tx, texts: Sequence[str]) -> list[NoteView]:
    """Fails for the note that says so, as a command that cannot be done would."""
    if IMPOSSIBLE in texts:
        raise ValueError("impossible")
    taken = [NoteView(id=uuid4(), text=text) for text in texts]
    rows = [view.model_dump() for view in taken]
    await tx.execute(insert_many(notes, "id", "text"), columns_of(rows, ("id", "text")))
    await outbox.publish(
        tx,
        [
            Announcement(NoteTaken(note_id=view.id, text=view.text), str(view.id))
            for view in taken
        ],
    )
    return taken


events = Router()


@events.on(NoteTaken)
async def hear(tx: Tx, taken: list[Envelope[NoteTaken]]) -> None:
    if any(event.data.text == "poison" for event in taken):
        raise ValueError("cannot hear this")
    rows = [{"note_id": event.data.note_id} for event in taken]
    await tx.execute(insert_many(heard, "note_id"), columns_of(rows, ("note_id",)))


router = HttpRouter(prefix="/v1/sample")


@router.post(
    "/notes",
    status_code=201,
    response_model=NoteView,
    dependencies=[needs("sample.write")],
)
async def take_note(body: Annotated[NoteBody, reads(NoteBody)], once: Once) -> Response:
    async def work(tx: Tx) -> Answer:
        (view,) = await take(tx, [body.text])
        return Answer(201, view, f"/v1/sample/notes/{view.id}")

    return await once.answer(body, work)


@router.get(
    "/notes/{note_id}", response_model=NoteView, dependencies=[needs("sample.read")]
)
async def get_note(note_id: UUID, request: Request) -> Response:
    async def find(tx: Tx) -> NoteView:
        row = (
            await tx.execute(sa.select(notes).where(notes.c.id == note_id))
        ).one_or_none()
        if row is None:
            raise NotFound("There is no such note.")
        return NoteView(id=row.id, text=row.text)

    return web.respond(request, await request.app.state.database.transact(find))


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    crash: bool = Field(default=False, description="have a part that dies")


class Crashing(GroupCommit[str, NoteView]):
    @override
    async def run(self) -> None:
        raise ValueError("a part that dies")


# As if notes were orders, with as many letters, that were heard so many times.
DIGEST = Digest(
    parts=(
        Part(
            order_id=notes.c.id,
            figures={"orders": sa.literal(1), "letters": sa.func.length(notes.c.text)},
        ),
        Part(order_id=heard.c.note_id, figures={"heard": sa.literal(1)}),
    ),
    checks=(
        Check(
            name="heard_once",
            says="no note is heard twice",
            offenders=sa.select(
                heard.c.note_id.label("order_id"),
                sa.literal(1).label("expected"),
                sa.func.count().label("actual"),
            )
            .group_by(heard.c.note_id)
            .having(sa.func.count() > 1),
        ),
    ),
)


def build(runtime: Runtime[Settings]) -> Parts:
    app = web.create_app("sample", description="Notes.", routers=[router])
    part = Crashing if runtime.settings.crash else GroupCommit[str, NoteView]
    return Parts(
        app=app,
        group_commits=[part(lambda texts: runtime.database.transact(take, texts))],
        digest=DIGEST,
    )


SERVICE = Service(
    name="sample",
    settings=Settings,
    announces=TOPIC,
    hears={QUEUE: events},
    build=build,
)
