"""The routes under `/v1/orders`: they translate, and decide nothing."""

from orders.api import (
    batches,
    cancellations,
    listing,
    orders,
    returns,
    stream,
    timeline,
)

# Fixed words before ids: what comes first is asked first.
ROUTERS = (
    stream.router,
    batches.router,
    listing.router,
    orders.router,
    timeline.router,
    cancellations.router,
    returns.router,
)
