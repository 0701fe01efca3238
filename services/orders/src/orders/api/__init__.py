"""The routes under `/v1/orders`: they translate, and decide nothing."""

from orders.api import cancellations, listing, orders, returns, timeline

ROUTERS = (
    listing.router,
    orders.router,
    timeline.router,
    cancellations.router,
    returns.router,
)
