"""Orders as a process: its parts, and what they hear and announce."""

from chassis.batching import GroupCommit
from chassis.lifecycle import Parts, Runtime, Service
from chassis.waiting import Waiters
from chassis.web import create_app
from contracts import topology
from orders import api, commands, handlers, store
from orders.domain import Order
from orders.settings import Settings


def build(runtime: Runtime[Settings]) -> Parts:
    database = runtime.database
    intake: GroupCommit[Order, commands.Answer] = GroupCommit(
        lambda asked: database.transact(commands.place_orders, asked)
    )
    app = create_app(
        "orders",
        description="Takes orders from every channel, and knows where each one stands.",
        routers=[api.router],
        cors_origins=runtime.settings.cors_origins,
    )
    waiters = Waiters(database, store.find_decided)
    app.state.intake = intake
    app.state.waiters = waiters
    return Parts(app=app, group_commits=[intake], waiters=[waiters])


SERVICE = Service(
    name="orders",
    settings=Settings,
    announces=topology.ORDERS,
    hears={
        topology.ORDERS_FROM_INVENTORY: handlers.from_inventory,
        topology.ORDERS_FROM_ACCOUNTING: handlers.from_accounting,
    },
    build=build,
)
