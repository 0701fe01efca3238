"""The conventional shop: FastAPI, the ORM, a synchronous driver, a commit per order.

    DATABASE_URL=… JWKS=… ISSUER=… uvicorn bench.baseline.app:app

Written as its documentation teaches, and right: stock is locked before it is taken, in
the order of SKUs, and order, lines, stock and ledger are one transaction. It has no
idempotency, no events, no documents, no returns.
"""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, ForeignKey, create_engine, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    sessionmaker,
)

# As many as FastAPI has threads; with the default of 15 it would lock up under load.
CONNECTIONS = 40

engine = create_engine(os.environ["DATABASE_URL"], pool_size=CONNECTIONS)
sessions = sessionmaker(engine)
keys = KeySet.import_key_set(json.loads(os.environ["JWKS"]))
claims = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": os.environ["ISSUER"]}, exp={"essential": True}
)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Stock(Base):
    __tablename__ = "stock"
    sku: Mapped[str] = mapped_column(primary_key=True)
    on_hand: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    channel: Mapped[str]
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    reference: Mapped[str] = mapped_column(index=True)
    currency: Mapped[str]
    ship_to: Mapped[dict[str, str]] = mapped_column(JSON)
    payment_reference: Mapped[str] = mapped_column(unique=True)
    shipping: Mapped[int]
    total: Mapped[int]
    status: Mapped[str]
    placed_at: Mapped[datetime]
    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.line")


class OrderLine(Base):
    __tablename__ = "order_lines"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("stock.sku"))
    quantity: Mapped[int]
    unit_price: Mapped[int]
    tax: Mapped[int]


class LedgerRow(Base):
    __tablename__ = "ledger"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    account: Mapped[str]
    amount: Mapped[Decimal]
    posted_at: Mapped[datetime]


class LineIn(BaseModel):
    sku: str
    quantity: int = Field(ge=1)
    unit_price: int = Field(ge=0)
    tax: int = Field(ge=0)


class ShippingIn(BaseModel):
    price: int
    tax: int


class PaymentIn(BaseModel):
    method: str
    provider: str
    reference: str
    captured: int


class OrderIn(BaseModel):
    channel: str
    customer_id: str
    reference: str
    currency: str
    lines: list[LineIn] = Field(min_length=1)
    shipping: ShippingIn
    ship_to: dict[str, str]
    payment: PaymentIn
    total: int


class LineOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    line: int
    sku: str
    quantity: int
    unit_price: int
    tax: int


class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    status: str
    channel: str
    customer_id: str
    reference: str
    currency: str
    lines: list[LineOut]
    ship_to: dict[str, str]
    total: int
    placed_at: datetime


def current_client(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> str:
    try:
        token = jwt.decode(credentials.credentials, keys, algorithms=["ES256"])
        claims.validate(token.claims)
    except (JoseError, ValueError) as error:
        raise HTTPException(401) from error
    return str(token.claims["client_id"])


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/orders", status_code=201)
def place_order(
    body: OrderIn, client: Annotated[str, Depends(current_client)]
) -> OrderOut:
    with sessions.begin() as session:
        customer = session.get(Customer, body.customer_id)
        if customer is None:
            raise HTTPException(422, f"{client} has no such customer")
        _take_stock(session, body.lines)
        order = _order(body)
        session.add(order)
        session.flush()
        session.add_all(_postings(order))
        return OrderOut.model_validate(order)


def _take_stock(session: Session, lines: list[LineIn]) -> None:
    wanted = {line.sku for line in lines}
    found = session.scalars(
        select(Stock).where(Stock.sku.in_(wanted)).order_by(Stock.sku).with_for_update()
    )
    shelves = {shelf.sku: shelf for shelf in found}
    for line in lines:
        shelf = shelves.get(line.sku)
        if shelf is None or shelf.on_hand < line.quantity:
            raise HTTPException(409, f"{line.sku} is sold out")
        shelf.on_hand -= line.quantity


def _order(body: OrderIn) -> Order:
    due = sum(line.quantity * line.unit_price + line.tax for line in body.lines)
    if due + body.shipping.price + body.shipping.tax != body.total:
        raise HTTPException(422, "the order does not add up")
    return Order(
        channel=body.channel,
        customer_id=body.customer_id,
        reference=body.reference,
        currency=body.currency,
        ship_to=body.ship_to,
        payment_reference=body.payment.reference,
        shipping=body.shipping.price,
        total=body.total,
        status="confirmed",
        placed_at=datetime.now(UTC).replace(tzinfo=None),
        lines=[
            OrderLine(line=number, **line.model_dump())
            for number, line in enumerate(body.lines, 1)
        ],
    )


def _postings(order: Order) -> list[LedgerRow]:
    amounts = {"1000": Decimal(order.total), "4000": -Decimal(order.total)}
    return [
        LedgerRow(
            order_id=order.id, account=account, amount=amount, posted_at=order.placed_at
        )
        for account, amount in amounts.items()
    ]
