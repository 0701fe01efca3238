"""Who may ask Orders for what, and whose orders they see."""

from typing import Annotated

from chassis.auth import Caller, MissingScope, needs
from chassis.errors import Forbidden
from orders.api.bodies import OrderBody

Reader = Annotated[Caller, needs("orders.read")]
Writer = Annotated[Caller, needs("orders.write")]


class OtherCustomer(Forbidden):
    code = "other_customer"


def may_see(caller: Caller, customer_id: str | None) -> bool:
    return caller.customer_id in {None, customer_id}


def check_may_place(caller: Caller, body: OrderBody) -> None:
    if f"channel.{body.channel}" not in caller.scopes:
        raise MissingScope(f"The token lacks the scope channel.{body.channel}.")
    if not may_see(caller, body.customer_id):
        raise OtherCustomer("The token is for the orders of another customer.")
