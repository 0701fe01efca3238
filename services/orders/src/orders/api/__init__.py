"""The routes under `/v1/orders`: they translate, and decide nothing."""

from orders.api import (
    batches,
    cancellations,
    counts,
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
    counts.router,
    listing.router,
    orders.router,
    timeline.router,
    cancellations.router,
    returns.router,
)
