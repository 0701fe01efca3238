"""`/healthz`: alive, for balancers; touches nothing. `/readyz`: ready, for people."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import JSONResponse

Check = Callable[[], Awaitable[None]]
CHECK_TIMEOUT_S = 5


class Health:
    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self.leaving = False
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route("/healthz", self._alive)
        self.router.add_api_route("/readyz", self._ready)

    async def _alive(self) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def _ready(self) -> JSONResponse:
        findings = await asyncio.gather(
            *(_finding(check) for check in self._checks.values())
        )
        report = dict(zip(self._checks, findings, strict=True))
        if self.leaving:
            report["process"] = "leaving"
        ready = all(finding == "ok" for finding in report.values())
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": report},
            status_code=200 if ready else 503,
        )


async def _finding(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:
        return f"{type(error).__name__}"
    return "ok"
