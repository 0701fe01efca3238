"""The routes under `/v1/inventory`: they translate, and decide nothing."""

from inventory.api import (
    holds,
    products,
    reservations,
    returns,
    shipments,
    stock,
)

ROUTERS = (
    products.router,
    stock.router,
    holds.router,
    reservations.router,
    shipments.router,
    returns.router,
)
