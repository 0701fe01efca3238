"""What is true of each of the three services, because it is true of all."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

import accounting.main
import inventory.main
import orders.main
from chassis import migrations
from chassis.testing import routes_without_scope
from contracts.topology import TOPOLOGY

SERVICES = (orders.main.SERVICE, inventory.main.SERVICE, accounting.main.SERVICE)
MODULES = [
    "api",
    "commands",
    "domain",
    "handlers",
    "main",
    "schema",
    "settings",
    "store",
]
# The gateway has no token: it signs what it sends (tests/accounting/test_gateway.py).
SIGNED = {"accounting": ["POST /v1/accounting/gateway-events"]}

# What a schema may say: whoever reads it passes over all else. Then where it has others
# in it: one, several, or several by name.
SAYS = {
    *("$ref", "title", "description", "default", "examples", "type", "const", "enum"),
    *("format", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems"),
    *("required", "discriminator"),
}
HAS_ONE = {"items", "additionalProperties", "propertyNames"}
HAS_SEVERAL = {"anyOf", "oneOf", "allOf"}

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)


@each_service
@pytest.mark.parametrize("module", MODULES)
def test_it_has_the_modules_that_the_others_have(service, module):
    assert import_module(f"{service.name}.{module}").__doc__


@each_service
def test_its_readme_answers_what_the_others_answer(service):
    folder = Path(__file__).parents[1] / "services" / service.name
    headings = [
        line.removeprefix("## ")
        for line in (folder / "README.md").read_text().splitlines()
        if line.startswith("## ")
    ]

    assert headings == [
        "Owns",
        "May be asked",
        "Hears",
        "Announces",
        "Tables",
        "Watch",
        "Run it alone",
    ]


@each_service
def test_its_migrations_follow_each_other_as_their_files_count_them(service):
    scripts = ScriptDirectory(str(migrations.folder(service.name)))
    newest_first = list(scripts.walk_revisions())
    revisions = [script.revision for script in newest_first]

    assert revisions == sorted(revisions, reverse=True)
    assert revisions == [
        Path(script.path).name.partition("_")[0] for script in newest_first
    ]
    assert revisions[0] == migrations.newest(service.name)


@each_service
def test_each_of_its_routes_states_its_scope(service):
    assert routes_without_scope(service.unserved()) == SIGNED.get(service.name, [])


@each_service
def test_generated_clients_get_a_name_for_each_operation(service):
    paths = service.unserved().openapi()["paths"]
    names = [
        operation["operationId"]
        for operations in paths.values()
        for operation in operations.values()
    ]

    assert len(set(names)) == len(names) > 0
    assert all(name.isidentifier() for name in names)


@each_service
def test_its_document_has_an_example_of_all_that_is_sent_and_answered(service):
    document = service.unserved().openapi()
    without = [
        f"{method} {path} {what} {media_type}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for what, part in {
            "body": operation.get("requestBody", {}),
            **operation["responses"],
        }.items()
        for media_type, content in part.get("content", {}).items()
        if "json" in media_type and not has_example(content, document)
    ]

    assert without == []


def has_example(content: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    if "example" in content or "examples" in content:
        return True
    schema = content["schema"]
    return all(
        document["components"]["schemas"][one["$ref"].rpartition("/")[2]].get(
            "examples"
        )
        for one in schema.get("anyOf", [schema])
    )


@each_service
def test_its_document_has_no_words_that_json_schema_does_not_know(service):
    """As bounds in the wrong place become: they would be kept by nobody."""
    document = service.unserved().openapi()

    said = {
        word for top in schemas(document) for schema in within(top) for word in schema
    }

    assert "type" in said
    assert said <= SAYS | HAS_ONE | HAS_SEVERAL | {"properties"}


def schemas(node: Any) -> Iterator[Any]:
    """Those that a document has, each with others in it."""
    if isinstance(node, list):
        for part in node:
            yield from schemas(part)
    elif isinstance(node, dict):
        yield from node.get("schemas", {}).values()
        for key, part in node.items():
            if key == "schema":
                yield part
            elif key not in {"schemas", "example", "examples"}:
                yield from schemas(part)


def within(schema: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, dict):  # `additionalProperties: true`
        return
    yield schema
    for word, said in schema.items():
        if word in HAS_ONE:
            yield from within(said)
        elif word in HAS_SEVERAL:
            yield from (one for part in said for one in within(part))
        elif word == "properties":
            yield from (one for part in said.values() for one in within(part))


@each_service
def test_it_hears_the_queues_that_are_its_own(service):
    own = {queue.name for queue in TOPOLOGY.queues_of(service.name)}

    assert {queue.name for queue in service.hears} == own
