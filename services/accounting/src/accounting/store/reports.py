"""Reports: receivables by age, tax by rate, revenue by day or channel."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import RowMapping, text

from chassis.database import Tx

By: TypeAlias = Literal["day", "channel"]


class Owed(Struct, frozen=True, kw_only=True):
    """What a customer owes in a currency, by the days it is overdue."""

    customer_id: str
    currency: str
    current: int
    days_1_30: int
    days_31_60: int
    days_61_90: int
    over_90: int
    credits: int


class Taxed(Struct, frozen=True, kw_only=True):
    """What was invoiced and credited at a rate, and the tax on it."""

    rate: str | None
    currency: str
    invoiced_net: int
    invoiced_tax: int
    credited_net: int
    credited_tax: int


class Earned(Struct, frozen=True, kw_only=True):
    """Income of a day or a channel; `discounts` and `returns` lessen it."""

    day: date | None = None
    channel: str | None = None
    currency: str
    sales: int
    shipping: int
    discounts: int
    returns: int


# Documents say what is settled of them today. For a day in the past, that is worked out
# anew: payments by their allocation, and credit notes as they are credited, to the
# oldest of their order's invoices first. Orders that owe nothing now are not read,
# unless something came after that day.
_AGEING = text(
    """
    WITH paid_later AS (
        SELECT document_id, sum(allocated.amount) AS amount
        FROM payments JOIN payment_allocations AS allocated ON payment_id = id
        WHERE received_on > :as_of GROUP BY document_id
    ), touched AS (
        SELECT order_id FROM documents WHERE total > paid + credited
        UNION SELECT order_id FROM documents WHERE issued_on > :as_of
        UNION SELECT order_id FROM documents JOIN paid_later ON document_id = id
    ), known AS (
        SELECT id, order_id, series, customer_id, currency, due_on,
            total - paid + coalesce(paid_later.amount, 0) AS unpaid
        FROM documents JOIN touched USING (order_id)
        LEFT JOIN paid_later ON document_id = id
        WHERE issued_on <= :as_of
    ), of_orders AS (
        SELECT order_id, customer_id, currency,
            coalesce(sum(unpaid) FILTER (WHERE series = 'INV'), 0) AS invoiced,
            coalesce(sum(unpaid) FILTER (WHERE series = 'CRN'), 0) AS credited
        FROM known GROUP BY order_id, customer_id, currency
    ), invoices AS (
        SELECT customer_id, currency, due_on, least(
            unpaid,
            greatest(0, sum(unpaid) OVER (PARTITION BY order_id ORDER BY id) - credited)
        ) AS open
        FROM known JOIN of_orders USING (order_id, customer_id, currency)
        WHERE series = 'INV'
    ), items AS (
        SELECT customer_id, currency, due_on, open, 0 AS credit FROM invoices
        UNION ALL
        SELECT customer_id, currency, NULL, 0, greatest(0, credited - invoiced)
        FROM of_orders
        UNION ALL
        SELECT customer_id, currency, NULL, 0, unallocated FROM payments
        WHERE received_on <= :as_of AND unallocated > 0
    )
    SELECT customer_id, currency,
        coalesce(sum(open) FILTER (WHERE due_on >= :as_of), 0) AS current,
        coalesce(sum(open) FILTER
            (WHERE due_on BETWEEN :as_of - 30 AND :as_of - 1), 0) AS days_1_30,
        coalesce(sum(open) FILTER
            (WHERE due_on BETWEEN :as_of - 60 AND :as_of - 31), 0) AS days_31_60,
        coalesce(sum(open) FILTER
            (WHERE due_on BETWEEN :as_of - 90 AND :as_of - 61), 0) AS days_61_90,
        coalesce(sum(open) FILTER (WHERE due_on < :as_of - 90), 0) AS over_90,
        sum(credit) AS credits
    FROM items GROUP BY customer_id, currency HAVING sum(open) + sum(credit) > 0
    ORDER BY customer_id, currency
    """.replace(":as_of", "CAST(:as_of AS date)")
)

_TAX = text(
    """
    SELECT rate, currency,
        coalesce(sum(part.net) FILTER (WHERE series = 'INV'), 0) AS invoiced_net,
        coalesce(sum(part.tax) FILTER (WHERE series = 'INV'), 0) AS invoiced_tax,
        coalesce(sum(part.net) FILTER (WHERE series = 'CRN'), 0) AS credited_net,
        coalesce(sum(part.tax) FILTER (WHERE series = 'CRN'), 0) AS credited_tax
    FROM documents,
        json_to_recordset(taxes) AS part (rate text, net bigint, tax bigint)
    WHERE issued_on BETWEEN :since AND :until
    GROUP BY rate, currency ORDER BY currency, CAST(rate AS numeric) NULLS FIRST, rate
    """
)

_REVENUE = """
    SELECT {by}, postings.currency,
        coalesce(sum(credit - debit) FILTER (WHERE account = '4000'), 0) AS sales,
        coalesce(sum(credit - debit) FILTER (WHERE account = '4010'), 0) AS shipping,
        coalesce(sum(debit - credit) FILTER (WHERE account = '4100'), 0) AS discounts,
        coalesce(sum(debit - credit) FILTER (WHERE account = '4200'), 0) AS returns
    FROM entries JOIN postings ON entry_id = entries.id {joined}
    WHERE effective_on BETWEEN :since AND :until
        AND account IN ('4000', '4010', '4100', '4200')
    GROUP BY 1, 2 ORDER BY 1, 2
    """
_REVENUE_BY = {
    "day": text(_REVENUE.format(by="effective_on AS day", joined="")),
    "channel": text(
        _REVENUE.format(by="channel", joined="LEFT JOIN orders ON orders.id = order_id")
    ),
}


async def ageing(tx: Tx, as_of: date) -> list[Owed]:
    """Who owes what at the end of a day, and what is to whose credit."""
    rows = await tx.execute(_AGEING, {"as_of": as_of})
    return [Owed(**_integers(row)) for row in rows.mappings()]


async def tax(tx: Tx, since: date, until: date) -> list[Taxed]:
    """Per rate and currency, from the documents issued on these days."""
    rows = await tx.execute(_TAX, {"since": since, "until": until})
    return [Taxed(**_integers(row)) for row in rows.mappings()]


async def revenue(tx: Tx, by: By, since: date, until: date) -> list[Earned]:
    rows = await tx.execute(_REVENUE_BY[by], {"since": since, "until": until})
    return [Earned(**_integers(row)) for row in rows.mappings()]


def _integers(row: RowMapping) -> dict[str, Any]:
    """PostgreSQL's sums of bigint are numeric."""
    return {
        name: int(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
    }
