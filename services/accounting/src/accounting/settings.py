"""What accounting is configured with."""

from pydantic import Field, PositiveFloat, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ACCOUNTING_")

    gateway_secrets: tuple[SecretStr, ...] = Field(
        default=(),
        description="JSON list of what the payment gateway signs its events with:"
        " several while one replaces another, none while no gateway reports",
    )
    gap_asked_after_s: PositiveFloat = Field(
        default=60,
        description="how long a fact of an order may be missing before Orders is asked"
        " to announce it again",
    )
    gap_alarm_after_s: PositiveFloat = Field(
        default=600, description="how long, before it is an alarm"
    )
