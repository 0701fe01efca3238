"""The fields that several of Accounting's bodies and views have, and their bounds."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

MAX_AMOUNT = 10**15

Amount = Annotated[int, Field(ge=1, le=MAX_AMOUNT, description="in minor units")]
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


def example(**fields: Any) -> ConfigDict:
    return ConfigDict(from_attributes=True, json_schema_extra={"examples": [fields]})
