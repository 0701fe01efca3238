"""What accounting is configured with."""

from pydantic import BaseModel, Field, PositiveFloat, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class Seller(BaseModel, frozen=True, extra="forbid"):
    """Who sells: what the law wants to see on an invoice."""

    name: str = Field(min_length=1, max_length=200)
    address: tuple[str, ...] = Field(min_length=1, description="line by line")
    tax_id: str = Field(min_length=1, description="VAT number or the like")
    contact: tuple[str, ...] = Field(default=(), description="telephone, e-mail, web")
    payment_details: str | None = Field(
        default=None, description="where an invoice is paid to, if it is not paid yet"
    )


EXAMPLE_SELLER = Seller(
    name="Example Shop Ltd",
    address=("1 Example Quay", "T12 X000 Cork", "Ireland"),
    tax_id="IE0000000X",
    contact=("shop@example.com",),
    payment_details="IBAN IE00 EXAM 0000 0000 0000 00, Example Bank",
)


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ACCOUNTING_")

    seller: Seller = Field(
        default=EXAMPLE_SELLER,
        description="JSON of {name, address[], tax_id, contact[], payment_details}",
    )
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
