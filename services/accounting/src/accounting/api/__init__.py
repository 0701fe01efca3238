"""The routes under `/v1/accounting`: they translate, and decide nothing."""

from accounting.api import documents, journal, periods, refunds

ROUTERS = (journal.router, documents.router, refunds.router, periods.router)
