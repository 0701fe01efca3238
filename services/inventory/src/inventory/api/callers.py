"""Who may ask Inventory for what."""

from typing import Annotated

from chassis.auth import Caller, needs, needs_staff

Reader = Annotated[Caller, needs("inventory.read")]
# Orders' reservations and the movements they caused are not told to other customers.
StaffReader = Annotated[Caller, needs_staff("inventory.read")]
Writer = Annotated[Caller, needs_staff("inventory.write")]
# A checkout's token need not be able to do anything else.
Holder = Annotated[Caller, needs("inventory.hold", "inventory.write")]
