"""Accounting's metrics, named once."""

from chassis.metrics import counter, gauge

ENTRIES = counter("orderly.accounting.entries", "{entry}", "Journal entries posted")
PARKED = gauge(
    "orderly.accounting.parked",
    "{event}",
    "Facts of orders that wait for an earlier one",
)
UNNUMBERED = gauge(
    "orderly.accounting.unnumbered", "{document}", "Documents without their number"
)
