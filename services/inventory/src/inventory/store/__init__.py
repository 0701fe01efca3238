"""Inventory's SQL, as functions on `tx`.

Locks are taken in one order everywhere: products by SKU, then reservations by order id.
A product's row is the lock of all its stock: it is there before the first receipt, and
whoever holds it knows that nobody else changes its stock, backorders or cost.
"""
