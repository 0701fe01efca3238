"""Who may read what: a customer's token sees the customer's papers, not the books."""

from typing import Annotated

from chassis.auth import Caller, needs, needs_staff

Reader = Annotated[Caller, needs("accounting.read")]
BOOKKEEPERS = needs_staff("accounting.read")
Writer = Annotated[Caller, needs_staff("accounting.write")]
