from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, ValidationError
from pydantic import (
    BaseModel,
    Field,
    PlainSerializer,
    computed_field,
    field_serializer,
)

from chassis.written import written


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Part(BaseModel):
    name: str
    colour: Colour | None = None


class Whole(BaseModel):
    id: UUID
    parts: tuple[Part, ...]
    spare: Part | None
    named: dict[str, int]
    rate: Annotated[str | None, Field(exclude_if=lambda rate: rate is None)] = None
    count: Annotated[int, Field(ge=0)] = 0
    flag: bool
    on: date
    at: datetime
    anything: Any


times = st.datetimes(timezones=st.just(UTC))
wholes = st.builds(Whole, at=times, anything=st.text() | st.none() | st.integers())


class Line(Struct, frozen=True):
    name: str
    secret: str
    colour: Colour = Colour.RED


@given(wholes)
def test_it_is_what_the_model_writes(whole):
    assert written(Whole, whole).decode() == whole.model_dump_json()


def test_what_has_the_fields_is_written_without_its_others():
    assert written(Part, Line("soap", "42")) == b'{"name":"soap","colour":"red"}'


@pytest.mark.parametrize("name", [None, 7])
def test_a_field_of_another_type_is_refused(name):
    with pytest.raises(ValidationError):
        written(Part, Line(name, "42"))


def test_a_field_that_is_missing_is_refused():
    with pytest.raises(ValidationError):
        written(Whole, Line("soap", "42"))


class Computed(BaseModel):
    @computed_field
    def length(self) -> int:
        return 3


class Serialised(BaseModel):
    length: int

    @field_serializer("length")
    def in_words(self, length: int) -> str:
        return "three" if length else "none"


class Hidden(BaseModel):
    name: Annotated[str, Field(exclude=True)]


class Renamed(BaseModel):
    name: Annotated[str, Field(serialization_alias="title")]


class Turned(BaseModel):
    name: Annotated[str, PlainSerializer(str.upper)]


class TurnedWithin(BaseModel):
    name: list[Annotated[str, PlainSerializer(str.upper)]]


class Whimsical(BaseModel):
    name: Annotated[str, Field(exclude_if=lambda name: not name)] = ""


@pytest.mark.parametrize(
    "model", [Computed, Serialised, Hidden, Renamed, Turned, TurnedWithin, Whimsical]
)
def test_a_model_that_says_more_than_its_fields_is_refused(model):
    with pytest.raises(TypeError, match=r"more than|otherwise than"):
        written(model, Line("soap", "42"))
