"""Who may read what: a customer's token sees the customer's papers, not the books."""

from typing import Annotated

from fastapi import Depends

from chassis.auth import Caller, needs
from chassis.errors import Forbidden

Reader = Annotated[Caller, needs("accounting.read")]


class NotForCustomers(Forbidden):
    """The books are the retailer's."""

    code = "not_for_customers"


def _bookkeepers_only(caller: Reader) -> None:
    if caller.customer_id is not None:
        raise NotForCustomers("A customer's token does not open the books.")


BOOKKEEPERS = Depends(_bookkeepers_only)
