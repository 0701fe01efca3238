"""What Orders is configured with, besides what every service is."""

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    intake_most_waiting: PositiveInt = Field(
        default=4096, description="orders that wait to be written; more are turned away"
    )
    spill_after_s: PositiveFloat = Field(
        default=2,
        description="of a silent database, then orders go to the intake queue",
    )
