"""In which format a caller wants the answer: Accept, as RFC 9110 reads it."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request

from chassis.errors import Refused

JSON = "application/json"
PDF = "application/pdf"
CSV = "text/csv"
VARIES = {"Vary": "Accept"}


class NotAcceptable(Refused):
    """The caller takes no format that this is to be had in."""

    status = HTTPStatus.NOT_ACCEPTABLE
    code = "not_acceptable"


def accepted(request: Request, *offered: str) -> str:
    """The offered format the caller likes best; of equals, the first one."""
    header = ",".join(request.headers.getlist("accept"))
    ranges = list(_ranges(header)) or [("*/*", 1.0)]
    best = max(offered, key=lambda media: _quality(media, ranges))
    if not _quality(best, ranges):
        raise NotAcceptable(f"This can be had as {' or '.join(offered)}.")
    return best


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for item in header.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        if media:
            yield media, _weight(dict(p.split("=", 1) for p in parameters if "=" in p))


def _weight(parameters: Mapping[str, str]) -> float:
    try:
        return min(max(float(parameters.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 0.0  # nobody can tell how much it is wanted


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """As the most specific range has it that the format is in."""
    weights = dict(ranges)
    for range_ in (media, f"{media.split('/', maxsplit=1)[0]}/*", "*/*"):
        if range_ in weights:
            return weights[range_]
    return 0.0


def as_well(*formats: str) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: what a 200 may also be, besides JSON, and that it may be neither."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {
        200: {"content": dict.fromkeys(formats, schema)},
        406: {"description": "Accept names no format that this is to be had in"},
    }
