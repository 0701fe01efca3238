"""The figures as a document, a table, and plots."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.machine import describe

JSON = dict[str, Any]

RESULTS = Path(__file__).with_name("results")

# What is wanted: a ratio of two figures of this run, or a figure, and its bound.
GOALS = (
    ("accept / baseline", "accept", "baseline", 1 / 20),
    ("accept / http_only", "accept", "http_only", 1.6),
    ("settle / baseline", "settle", "baseline", 1 / 8),
)


def summarise(found: JSON) -> JSON:
    costs = {
        name: found[name]["cpu_ms_per_order"]
        for name in ("accept", "settle", "baseline", "http_only", "batch")
        if name in found
    }
    postgres = {
        name: found[name]["postgres_us_per_order"]
        for name in ("accept", "limit")
        if name in found
    }
    summary: JSON = {"cpu_ms_per_order": costs, "postgres_us_per_order": postgres}
    for name, typical in found.get("at_70_percent", {}).items():
        summary[name] = {"p99_ms_at_70_percent": typical["p99_ms"]}
    if "hot_sku" in found:
        summary["hot_sku_over_spread"] = found["hot_sku"]["over_spread"]
    return summary | {"goals": _goals(summary)}


def _goals(summary: JSON) -> list[JSON]:
    costs, postgres = summary["cpu_ms_per_order"], summary["postgres_us_per_order"]
    figures = [
        (name, costs[over] / costs[under], bound)
        for name, over, under, bound in GOALS
        if over in costs and under in costs
    ]
    if {"accept", "limit"} <= postgres.keys():
        share = postgres["accept"] / postgres["limit"]
        figures.append(("PostgreSQL, accept / limit", share, 2))
    if "hot_sku_over_spread" in summary:
        figures.append(("hot SKU / spread", summary["hot_sku_over_spread"], 1.05))
    if "accept" in summary:
        latency = summary["accept"]["p99_ms_at_70_percent"]
        figures.append(("p99 of accepting at 70 %, ms", latency, 50))
    return [
        {"goal": name, "is": round(value, 4), "at_most": bound, "met": value <= bound}
        for name, value, bound in figures
    ]


def write(result: JSON, name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    for stem in (name, "latest"):
        (RESULTS / f"{stem}.json").write_text(json.dumps(result, indent=2) + "\n")
    text = table(result)
    (RESULTS / "latest.txt").write_text(text)
    print(text)
    curves = result["measured"].get("accept", {})
    if "by_load" in curves:
        _plot_load(curves["by_load"])
        _plot_batches(curves["by_batch"], result["cpu_ms_per_order"])
    print(f"{RESULTS / name}.json")


def keep(what: str, found: JSON) -> None:
    """The figures of a script of its own, beside those of the full runs."""
    now = datetime.now(UTC)
    told = {"machine": describe(), "at": now.isoformat(timespec="seconds"), **found}
    file = RESULTS / f"{what}-{now:%Y%m%dT%H%M%S}.json"
    file.write_text(json.dumps(told, indent=2) + "\n")
    print(file)


def table(result: JSON) -> str:
    rows = [
        ("CPU per order", "ms"),
        *(
            (f"  {name}", f"{ms:.3f}")
            for name, ms in result["cpu_ms_per_order"].items()
        ),
        ("PostgreSQL's part of it", "µs"),
        *((f"  {n}", f"{us:.1f}") for n, us in result["postgres_us_per_order"].items()),
        *_rates(result["measured"]),
        *_idle(result["measured"].get("idle", {})),
        ("Goals", "at most"),
        *map(_goal, result["goals"]),
    ]
    return "".join(f"{name:34}{value}\n" for name, value in rows)


def _goal(goal: JSON) -> tuple[str, str]:
    said = "reached" if goal["met"] else "NOT reached"
    return f"  {goal['goal']}", f"{goal['is']:.3f} ({goal['at_most']:.3g}) {said}"


def _rates(measured: JSON) -> list[tuple[str, str]]:
    rows = [("Each second", "p50, p99, p99.9 ms; % of a core that others took")]
    reading = measured.get("reading", {})
    typical = {
        f"{name} at 70 %": found
        for name, found in measured.get("at_70_percent", {}).items()
    }
    for name, found in [*measured.items(), *typical.items(), *reading.items()]:
        if "per_second" not in found:
            continue
        told = [f"{found['per_second']:.0f}"]
        if "p50_ms" in found:
            latencies = [found[key] for key in ("p50_ms", "p99_ms", "p99_9_ms")]
            told.append(", ".join(f"{ms:.1f}" for ms in latencies))
        if "stolen_percent" in found:
            told.append(f"{found['stolen_percent']:.1f}")
        rows.append((f"  {name}", "; ".join(told)))
    return rows


def _idle(parts: JSON) -> list[tuple[str, str]]:
    rows = [("Idle", "% CPU, wake-ups/s, transactions/s, MB")] if parts else []
    for name, found in parts.items():
        figures = (
            found["cpu_percent"],
            found["wakeups_per_second"],
            found["transactions_per_second"],
            found["memory_mb"],
        )
        rows.append((f"  {name}", ", ".join(map(str, figures))))
    return rows


def _plot_load(steps: list[JSON]) -> None:
    figure, (rates, latencies) = plt.subplots(1, 2, figsize=(10, 4))
    offered = [step["offered"] for step in steps]
    rates.plot(offered, [step["per_second"] for step in steps], marker="o")
    rates.plot(offered, offered, linestyle=":", color="grey")
    rates.set(xlabel="offered, orders/s", ylabel="accepted, orders/s")
    for name in ("p50", "p99", "p99_9"):
        values = [step[f"{name}_ms"] for step in steps]
        latencies.plot(offered, values, marker="o", label=name.replace("_", "."))
    latencies.set(
        xlabel="offered, orders/s", ylabel="ms to a durable 201", yscale="log"
    )
    _in_plain_numbers(latencies.yaxis)
    latencies.legend()
    _save(figure, "load")


def _plot_batches(steps: list[JSON], costs: JSON) -> None:
    figure, axes = plt.subplots(figsize=(7, 4))
    sizes = [step["orders_per_commit"] for step in steps]
    axes.plot(sizes, [s["cpu_ms_per_order"] for s in steps], marker="o", label="all")
    database = [step["postgres_us_per_order"] / 1000 for step in steps]
    axes.plot(sizes, database, marker="o", label="PostgreSQL")
    axes.axhline(costs["http_only"], linestyle=":", color="grey", label="HTTP only")
    axes.set(xlabel="orders a commit", ylabel="CPU, ms an order", xscale="log")
    _in_plain_numbers(axes.xaxis)
    axes.legend()
    _save(figure, "batches")


def _in_plain_numbers(axis: Any) -> None:
    """1, 2, 5, 10, 20, 50 instead of powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(RESULTS / f"{name}.png", dpi=120)
    plt.close(figure)
