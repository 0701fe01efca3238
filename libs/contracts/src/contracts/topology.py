"""Who publishes, and who listens. Local set-up reads it; Terraform is held to it."""

from chassis.topology import Queue, Topic, Topology

ORDERS = Topic(name="orderly-orders")
INVENTORY = Topic(name="orderly-inventory")
ACCOUNTING = Topic(name="orderly-accounting")

INVENTORY_FROM_ORDERS = Queue(
    name="orderly-inventory-from-orders", owner="inventory", hears=ORDERS
)
ACCOUNTING_FROM_ORDERS = Queue(
    name="orderly-accounting-from-orders", owner="accounting", hears=ORDERS
)
ORDERS_FROM_INVENTORY = Queue(
    name="orderly-orders-from-inventory", owner="orders", hears=INVENTORY
)
ACCOUNTING_FROM_INVENTORY = Queue(
    name="orderly-accounting-from-inventory", owner="accounting", hears=INVENTORY
)
ORDERS_FROM_ACCOUNTING = Queue(
    name="orderly-orders-from-accounting", owner="orders", hears=ACCOUNTING
)
# Orders writes to this one itself while its database does not answer.
ORDERS_INTAKE = Queue(name="orderly-orders-intake", owner="orders", hears=None)

TOPOLOGY = Topology(
    topics=(ORDERS, INVENTORY, ACCOUNTING),
    queues=(
        INVENTORY_FROM_ORDERS,
        ACCOUNTING_FROM_ORDERS,
        ORDERS_FROM_INVENTORY,
        ACCOUNTING_FROM_INVENTORY,
        ORDERS_FROM_ACCOUNTING,
        ORDERS_INTAKE,
    ),
)
