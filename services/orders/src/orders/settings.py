"""What Orders is configured with, besides what every service is."""

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    rescue_ages_s: tuple[PositiveFloat, ...] = Field(
        default=(60, 300, 1500),
        min_length=1,
        description="at which ages an undecided order or an unanswered cancellation"
        " is announced again",
    )
    rescue_then_every_s: PositiveFloat = Field(
        default=3600, description="after the last of these ages, how often"
    )
    watchdog_every_s: PositiveFloat = Field(
        default=15, description="how often the watchdog looks"
    )
    intake_most_waiting: PositiveInt = Field(
        default=4096, description="orders that wait to be written; more are turned away"
    )
    spill_after_s: PositiveFloat = Field(
        default=2,
        description="of a silent database, then orders go to the intake queue",
    )
