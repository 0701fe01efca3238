"""The routes under `/v1/orders`: they translate, and decide nothing."""

from orders.api import orders

ROUTERS = (orders.router,)
