"""Currencies: how many of their digits are the minor unit's, as ISO 4217 has it.

CLDR, which libraries read, says how amounts are usually shown, and there dinars of
Serbia and pounds of Lebanon have none: what is stored in hundredths would grow.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal

_OTHERS: Mapping[int, Collection[str]] = {
    0: (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"),
        *("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    ),
    3: ("BHD", "IQD", "JOD", "KWD", "LYD", "OMN", "TND"),
    4: ("CLF", "UYW"),
}
_DIGITS = {code: digits for digits, codes in _OTHERS.items() for code in codes}


def minor_digits(currency: str) -> int:
    return _DIGITS.get(currency, 2)


def as_written(amount: int, currency: str) -> str:
    """An amount in minor units as people write it: `1,234.50`."""
    return f"{Decimal(amount).scaleb(-minor_digits(currency)):,f}"
