"""What a run came to, as a person reads it."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.chaos.run import Result

SHOWN = 20

console = Console(width=100)


def report(result: Result, kept: str) -> RenderableType:
    parts: list[RenderableType] = [_counts("fault", result.faults)]
    parts += [_counts("what calls, messages and commits met with", result.met)]
    parts += [_counts("answer", result.answers)]
    parts += [
        Text(f"{one.invariant}: {one.what}: {one.where}", style="bold red")
        for one in result.violations[:SHOWN]
    ]
    parts.append(_verdict(result, kept))
    return Group(*parts)


def _counts(what: str, counted: dict[str, int]) -> Table:
    table = Table(what, "")
    table.columns[1].justify = "right"
    for name, count in sorted(counted.items()):
        if count:
            table.add_row(name, f"{count:,}")
    return table


def _verdict(result: Result, kept: str) -> Text:
    told = (
        f"seed {result.seed}: {result.orders:,} orders,"
        f" {sum(result.answers.values()):,} answers,"
        f" {result.faults.total()} faults, {result.met.total():,} calls and commits"
        f" that met one, {result.restarts} restarts,"
        f" {result.samples} snapshots, quiet after {result.settled_s} s:"
        f" {len(result.violations)} violations"
    )
    if not result.violations:
        return Text(told, style="green")
    return Text(f"{told}\nlogs, history and faults: {kept}", style="bold red")
