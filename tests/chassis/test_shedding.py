import asyncio

import httpx

from chassis.routing import HttpRouter
from chassis.shedding import at_most
from chassis.web import create_app


async def test_who_is_too_many_is_told_at_once_and_the_next_one_is_let_in(counted):
    is_in, may_go = asyncio.Event(), asyncio.Event()
    router = HttpRouter(dependencies=[at_most(1)])

    @router.get("/list")
    async def list_things() -> list[str]:
        is_in.set()
        await may_go.wait()
        return []

    app = create_app("things", description="Things.", routers=[router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        first = asyncio.create_task(client.get("/list"))
        await is_in.wait()
        shed = await client.get("/list")
        may_go.set()
        answers = [await first, await client.get("/list")]

    assert (shed.status_code, shed.json()["code"]) == (503, "too_many_waiting")
    assert shed.headers["retry-after"] == "1"
    assert [answer.status_code for answer in answers] == [200, 200]
    assert counted()["orderly.requests.shed"] == {"": 1}
