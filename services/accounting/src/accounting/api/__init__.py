"""The routes under `/v1/accounting`: they translate, and decide nothing."""

from accounting.api import documents, gateway, journal, payments, refunds

ROUTERS = (
    journal.router,
    documents.router,
    refunds.router,
    payments.router,
    gateway.router,
)
