"""Rows as CSV, for spreadsheets: amounts are numbers, and text is never a formula."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy import RowMapping

from accounting.api.formats import CSV, VARIES
from chassis.shedding import at_most
from chassis.web import etag, is_known, respond

REPORTS_AT_ONCE = 3
# One bound for all reports: the connections are bookkeeping's first.
REPORT = at_most(REPORTS_AT_ONCE)
# A spreadsheet calculates what starts like this, whoever wrote it.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def as_csv(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any] | RowMapping]
) -> str:
    """Lines without their header: see `header`."""
    lines = StringIO()
    csv.writer(lines).writerows([_cell(row[name]) for name in columns] for row in rows)
    return lines.getvalue()


def header(columns: Sequence[str]) -> str:
    return as_csv(columns, [dict(zip(columns, columns, strict=True))])


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return value


def respond_sheet(
    request: Request,
    media: str,
    view: BaseModel,
    row_of: type[BaseModel],
    rows: Sequence[BaseModel],
) -> Response:
    """A report as the caller wants it: all of it as JSON, or its rows as CSV."""
    if media != CSV:
        return respond(request, view, headers=VARIES)
    columns = list(row_of.model_fields)
    sheet = header(columns) + as_csv(columns, map(BaseModel.model_dump, rows))
    headers = {"ETag": etag(sheet.encode()), **VARIES}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(sheet, headers=headers, media_type=CSV)
