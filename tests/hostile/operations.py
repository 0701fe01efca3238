"""What can be asked of a service: the operations of its OpenAPI."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import httpx

from tests.test_services import SERVICES

SERIES = {"get_invoice": "INV", "get_credit_note": "CRN"}
NOBODYS: Mapping[str, str] = {
    "number": "{series}-2026-999999",
    "sku": "NO-SUCH",
    "code": "NOWHERE",
    "period": "2020-01",
}


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    description: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.description["operationId"])

    @property
    def scopes(self) -> set[str]:
        (scheme,) = self.description.get("security", [{}])
        return {scope for scopes in scheme.values() for scope in scopes}

    @property
    def streams(self) -> bool:
        return self.name == "stream_orders"

    @property
    def parameters(self) -> list[tuple[str, str]]:
        parameters = self.description.get("parameters", ())
        return [(one["in"], one["name"]) for one in parameters]

    @property
    def shape(self) -> tuple[object, ...]:
        """What those have in common whose heads are read alike."""
        headers = {name for place, name in self.parameters if place == "header"}
        reads = "requestBody" in self.description
        return self.method, self.streams, reads, frozenset(headers)

    def example(self) -> Any:
        """Of the body that it reads."""
        content = self.description["requestBody"]["content"]
        (body,) = content.values()
        document = _document(self.path.split("/")[2])
        schema = document["components"]["schemas"][
            body["schema"]["$ref"].split("/")[-1]
        ]
        return schema["examples"][0]

    def path_of(self, found: Mapping[str, str]) -> str:
        path = self.path
        for parameter in self.description.get("parameters", ()):
            if parameter["in"] == "path":
                name = parameter["name"]
                value = found.get(name) or NOBODYS.get(name) or str(uuid4())
                path = path.replace(f"{{{name}}}", value)
        return path.replace("{series}", SERIES.get(self.name, ""))

    async def ask(
        self,
        client: httpx.AsyncClient,
        found: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> httpx.Response:
        # The head of a stream, which has no end.
        method = "HEAD" if self.streams else self.method
        return await client.request(method, self.path_of(found), headers=headers)


@cache
def _document(name: str) -> dict[str, Any]:
    (service,) = (service for service in SERVICES if service.name == name)
    return service.unserved().openapi()


@cache
def operations_of(name: str) -> list[Operation]:
    return [
        Operation(method.upper(), path, description)
        for path, methods in _document(name)["paths"].items()
        for method, description in methods.items()
    ]
