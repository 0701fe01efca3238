"""The same HTTP exchange as placing an order, and no database behind it.

    JWKS_URL=… ISSUER=… uvicorn bench.http_only:app

A plain FastAPI route: no middleware, no traces, no problems. The token is verified once
and then known, the body is validated by the same model, and the answer is the same
document. What Orders costs beyond this is what it does.
"""

import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import TypeAdapter

from chassis.auth import Authenticator
from chassis.settings import Issuer
from orders.api.bodies import OrderBody
from orders.api.views import OrderView

app = FastAPI()
authenticator = Authenticator(
    [
        Issuer(
            issuer=os.environ["ISSUER"],
            jwks_url=os.environ["JWKS_URL"],
            audience="orderly",
        )
    ]
)
body_of = TypeAdapter(OrderBody).validate_json
bearer = HTTPBearer()


async def current_client(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
) -> str:
    return (await authenticator.caller(credentials.credentials)).client


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/orders", status_code=201)
async def place_order(
    request: Request, _client: Annotated[str, Depends(current_client)]
) -> Response:
    body = body_of(await request.body())
    view = _view(body)
    return Response(view.model_dump_json(), 201, media_type="application/json")


def _view(body: OrderBody) -> OrderView:
    now = datetime.now(UTC)
    units = dict.fromkeys(
        ("reserved", "backordered", "shipped", "cancelled", "returned"), 0
    )
    return OrderView.model_validate(
        {
            **body.model_dump(exclude={"lines", "payment", "policy"}),
            "id": uuid4(),
            "number": "W-1000001",
            "status": "placed",
            "policy": body.policy or "all_or_nothing",
            "lines": [
                {"line": number, "pending": line.quantity, **vars(line), **units}
                for number, line in enumerate(body.lines, 1)
            ],
            "payment": {**vars(body.payment), "status": "captured"},
            "version": 1,
            "placed_at": now,
            "decided_at": None,
            "updated_at": now,
            "attention": None,
        }
    )
