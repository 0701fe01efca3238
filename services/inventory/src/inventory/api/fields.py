"""The fields that several of Inventory's bodies and views have, and their bounds."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from contracts.inventory import Sku

MAX_UNITS = 1_000_000
MAX_COST = 1_000_000_000  # with the units of a receipt, the books can hold it

Code = Sku
LineNumber = Annotated[int, Field(ge=1, le=500)]
Units = Annotated[int, Field(ge=1, le=MAX_UNITS)]
Cost = Annotated[int, Field(ge=0, le=MAX_COST, description="in minor units")]


def example(**fields: Any) -> ConfigDict:
    return ConfigDict(from_attributes=True, json_schema_extra={"examples": [fields]})
