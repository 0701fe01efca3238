from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter

from chassis.bodies import RequestBody, parse
from chassis.errors import Unprocessable


class Circle(RequestBody):
    shape: Literal["circle"]
    radius: int


class Square(RequestBody):
    shape: Literal["square"]
    side: int


class Drawing(RequestBody):
    shapes: tuple[Annotated[Circle | Square, Field(discriminator="shape")], ...]


@pytest.mark.parametrize(
    ("shape", "pointer"),
    [
        ('{"shape": "circle", "radius": "1"}', "/shapes/0/radius"),
        ('{"shape": "circle"}', "/shapes/0/radius"),
        ('{"shape": "square", "side": 1, "color": "red"}', "/shapes/0/color"),
        ('{"shape": "line"}', "/shapes/0"),
        ('"circle"', "/shapes/0"),
    ],
)
def test_a_fault_points_at_what_was_sent_and_not_at_a_branch_of_a_union(shape, pointer):
    with pytest.raises(Unprocessable) as refused:
        parse(TypeAdapter(Drawing), f'{{"shapes": [{shape}]}}')

    assert [fault.pointer for fault in refused.value.faults] == [pointer]
