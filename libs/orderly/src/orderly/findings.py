"""What an audit found, as a person reads it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from orderly import audit
from orderly.audit import Broken, Disagreement, Figure, Outcome, Report
from orderly.console import COLOURS, console
from orderly.operations import JSON
from orderly.words import some

SHOWN = 50
GOOD, BAD = "green", "bold red"


@contextmanager
def progress() -> Iterator[audit.Progress]:
    """A bar while something takes long; nothing of it stays."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda doing, done, of: bar.update(
            task, description=doing, completed=done, total=of
        )


def report(found: Report) -> RenderableType:
    parts: list[RenderableType] = [_table(found.outcomes)]
    parts += [_broken(one) for one in found.broken]
    parts += [_queue(queue) for queue in found.queues]
    disagreements = [one for outcome in found.outcomes for one in outcome.disagreements]
    parts += [_disagreement(one) for one in disagreements[:SHOWN]]
    if len(disagreements) > SHOWN:
        parts.append(Text(f"… and {len(disagreements) - SHOWN:,} more", style=BAD))
    parts.append(verdict(found))
    return Group(*parts)


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("what", "", "", "orders that disagree")
    for column in table.columns[1:]:
        column.justify = "right"
    for outcome in outcomes:
        count = len(outcome.disagreements)
        comparison = outcome.comparison
        table.add_row(
            comparison.what,
            _sum(comparison.left, outcome.left),
            _sum(comparison.right, outcome.right),
            Text(f"{count:,}" if count else "none", style=BAD if count else GOOD),
        )
    return table


def _sum(figure: Figure, amount: int) -> Text:
    return Text.assemble((figure.service, COLOURS[figure.service]), f" {amount:,}")


def _disagreement(one: Disagreement) -> Text:
    comparison = one.comparison
    return Text.assemble(
        (f"order {one.order_id}", BAD),
        f": {comparison.what}:"
        f" {_named(comparison.left)} {one.left:,},"
        f" {_named(comparison.right)} {one.right:,}",
    )


def _named(figure: Figure) -> str:
    return f"{figure.service}.{figure.name}"


def _broken(one: Broken) -> Text:
    check = one.check
    lines = Text.assemble(
        (f"{one.service}: {check['name']}", BAD), f" does not hold: {check['detail']}"
    )
    for offender in check["offenders"]:
        about = (offender[name] for name in ("order_id", "sku", "what"))
        lines.append(
            f"\n  {' '.join(filter(None, about))}:"
            f" expected {offender['expected']:,}, found {offender['actual']:,}"
        )
    return lines.append("\n  … and more") if check["more"] else lines


def _queue(queue: JSON) -> Text:
    problem = (
        f" does not answer: {queue['error']}"
        if queue["error"]
        else f" has {some(queue['dead_letters'], 'dead letter')}:"
        " `orderly dead-letters`"
    )
    return Text.assemble((queue["name"], BAD), problem)


def verdict(found: Report) -> Text:
    what = f"{some(found.orders, 'order')}, {some(found.checks, 'check')}"
    if found.clean:
        return Text(f"The three services agree: {what}.", style=GOOD)
    return Text(f"The three services do not agree: {what}.", style=BAD)
