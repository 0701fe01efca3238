"""The routes under `/v1/orders`: they translate, and decide nothing."""

from orders.api import batches, orders, stream

# Fixed words before ids: what comes first is asked first.
ROUTERS = (stream.router, batches.router, orders.router)
