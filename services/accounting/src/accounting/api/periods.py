"""Periods: which are open, and closing one."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from accounting.api.callers import BOOKKEEPERS, Writer
from accounting.commands.periods import close_period as close
from accounting.domain.periods import Month
from accounting.store import periods
from accounting.store.periods import Period
from chassis.errors import MEDIA_TYPE
from chassis.pages import Page
from chassis.routing import HttpRouter
from chassis.web import database_of, respond

router = HttpRouter(prefix="/v1/accounting", tags=["periods"])

YEAR_MONTH = r"^(19|2\d)\d\d-(0[1-9]|1[0-2])$"


class PeriodView(BaseModel):
    period: str
    status: Literal["open", "closed"]
    closed_at: datetime | None
    closed_by: str | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": "2026-03",
                    "status": "closed",
                    "closed_at": "2026-04-02T09:30:00Z",
                    "closed_by": "staff",
                }
            ]
        }
    )

    @classmethod
    def of(cls, period: Period) -> Self:
        return cls(
            period=str(period.month),
            status="closed" if period.closed_at else "open",
            closed_at=period.closed_at,
            closed_by=period.closed_by,
        )


# Async: FastAPI takes dependencies that are not to a thread and back.
async def _month(
    period: Annotated[
        str, Path(pattern=YEAR_MONTH, description="yyyy-mm", examples=["2026-03"])
    ],
) -> Month:
    return Month(date.fromisoformat(f"{period}-01"))


@router.get("/periods", response_model=Page[PeriodView], dependencies=[BOOKKEEPERS])
async def list_periods(request: Request) -> Response:
    """List the periods until today, the newest first, on one page."""
    current = Month.of(datetime.now(UTC).date())
    found = await database_of(request).transact(periods.find, current)
    views = [PeriodView.of(period) for period in found]
    return respond(request, Page(items=views, next_cursor=None))


@router.post(
    "/periods/{period}/close",
    response_model=PeriodView,
    responses={
        409: {
            "description": "Something is missing: `missing` says what",
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": {
                        "code": "period_not_closable",
                        "missing": [
                            {
                                "what": "facts_parked",
                                "detail": "2 facts wait for an earlier one.",
                            }
                        ],
                    },
                }
            },
        }
    },
)
async def close_period(
    caller: Writer,
    request: Request,
    month: Annotated[Month, Depends(_month)],
) -> Response:
    """Close a month for good; closing it again changes nothing."""
    state = request.app.state
    period = await close(state.database, state.aws, month, caller.client_id)
    return respond(request, PeriodView.of(period))
