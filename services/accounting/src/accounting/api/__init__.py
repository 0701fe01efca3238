"""The routes under `/v1/accounting`: they translate, and decide nothing."""

from accounting.api import (
    documents,
    gateway,
    journal,
    payments,
    periods,
    refunds,
    reports,
)

ROUTERS = (
    journal.router,
    documents.router,
    refunds.router,
    payments.router,
    gateway.router,
    periods.router,
    reports.router,
)
