"""What Orders is configured with, besides what every service is."""

from pydantic import Field, PositiveFloat
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
