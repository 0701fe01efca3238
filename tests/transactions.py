"""Where the source opens transactions, and what work is done in each: read from it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from typing_extensions import override

ROOT = Path(__file__).parents[1]
# Which of a call's arguments is the work.
CARRIERS = {"transact": 0, "answer": 1}
# What begins or ends a transaction, or makes what could.
OPENERS = {
    *("begin", "begin_nested", "commit", "rollback", "prepare", "transaction"),
    *("connect", "create_engine", "create_async_engine", "create_pool"),
}
BY_SQL = re.compile(r"\s*(BEGIN|START TRANSACTION|COMMIT|PREPARE TRANSACTION)\b")


@dataclass(frozen=True)
class Source:
    """A module, as text and as it is imported."""

    name: str
    tree: ast.Module

    @property
    def module(self) -> Any:
        return import_module(self.name)


def sources() -> list[Source]:
    """What runs in a service's process: all but the kit that tests are made with."""
    folders = [ROOT / "libs/chassis/src", *sorted(ROOT.glob("services/*/src"))]
    return [
        Source(".".join(path.relative_to(folder).with_suffix("").parts), _parse(path))
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if path != folder / "chassis/testing.py"
    ]


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), path)


@dataclass
class _Sites(ast.NodeVisitor):
    source: Source
    found: list[str] = field(default_factory=list)
    scopes: list[ast.AST] = field(default_factory=list)

    @override
    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within(node)

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within(node)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._within(node)

    @override
    def visit_Call(self, node: ast.Call) -> None:
        is_method = isinstance(node.func, ast.Attribute)
        place = CARRIERS.get(_last_name(node.func)) if is_method else None
        if isinstance(node.func, ast.Name) and node.func.id == "transact":
            place = CARRIERS["transact"]
        if place is not None and len(node.args) > place:
            self.found.append(self._name(node.args[place]))
        self.generic_visit(node)

    def _within(self, node: ast.AST) -> None:
        self.scopes.append(node)
        self.generic_visit(node)
        self.scopes.pop()

    def _name(self, work: ast.expr) -> str:
        """As the place to die at is named: by the function's qualified name."""
        match work:
            case ast.Call(func=ast.Name(id="partial"), args=[first, *_]):
                return self._name(first)
            case ast.Name(id=name) if name in self._nested():
                return f"{self.source.name}.{self._nested()[name]}"
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                of = next(s for s in self.scopes if isinstance(s, ast.ClassDef))
                return f"{self.source.name}.{of.name}.{name}"
            case ast.Name() | ast.Attribute():
                return self._imported(ast.unparse(work))
            case _:
                return f"{self.source.name}: {ast.unparse(work)}"

    def _nested(self) -> dict[str, str]:
        """Functions in the functions that we are in, and what they are called with."""
        return {
            inner.name: f"{_path(self.scopes[: depth + 1])}.<locals>.{inner.name}"
            for depth, scope in enumerate(self.scopes)
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
            for inner in scope.body
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
        }

    def _imported(self, expression: str) -> str:
        found = self.source.module
        for name in expression.split("."):
            found = getattr(found, name, None)
        if not hasattr(found, "__qualname__"):
            return f"{self.source.name}: {expression}"
        return f"{found.__module__}.{found.__qualname__}"


def _path(scopes: list[ast.AST]) -> str:
    """The qualified name of the innermost of these."""
    path = ""
    for scope in scopes:
        assert isinstance(scope, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        path += scope.name
        path += "." if isinstance(scope, ast.ClassDef) else ".<locals>."
    return path.removesuffix(".<locals>.").removesuffix(".")


def _last_name(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def works() -> Iterator[str]:
    """The work of every transaction, by the name that its failpoints have."""
    for source in sources():
        sites = _Sites(source)
        sites.visit(source.tree)
        yield from sites.found


def ways_around() -> Iterator[str]:
    """Where a connection or a transaction is opened or ended, whoever does it."""
    for source in sources():
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(func=ast.Attribute(ast.Name("ticket"), "begin")):
                    pass  # of a request: the admission's
                case ast.Call(func=called) if _last_name(called) in OPENERS:
                    yield f"{source.name}: {ast.unparse(called)}"
                case ast.Constant(value=str(text)) if BY_SQL.match(text):
                    yield f"{source.name}: {text}"
                case _:
                    pass
