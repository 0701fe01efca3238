"""What Orderly's services tell each other, and nothing else."""

from contracts import accounting, inventory, orders

EVENTS = (*orders.EVENTS, *inventory.EVENTS, *accounting.EVENTS)
