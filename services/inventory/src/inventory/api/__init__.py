"""The routes under `/v1/inventory`: they translate, and decide nothing."""

from inventory.api import products, reservations, stock

ROUTERS = (products.router, stock.router, reservations.router)
