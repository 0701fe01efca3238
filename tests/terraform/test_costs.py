"""What a month on AWS costs: terraform/costs.py."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import pytest
from terraform.costs import (
    BEGIN,
    END,
    Figures,
    Month,
    Price,
    main,
    report,
    with_report,
)
from typing_extensions import override

It = TypeVar("It")


class Watched(dict[str, It]):
    """Remembers what was asked of it."""

    def __init__(self, them: Mapping[str, It]) -> None:
        super().__init__(them)
        self.asked: set[str] = set()

    @override
    def __getitem__(self, name: str) -> It:
        self.asked.add(name)
        return super().__getitem__(name)


@pytest.fixture
def figures():
    return Figures.read()


@pytest.fixture
def idle(figures):
    return Month(figures, figures.scenarios[0])


def with_orders(month, orders):
    return replace(month, scenario=replace(month.scenario, orders=orders))


def total(month):
    return sum(month.lines().values())


def test_what_is_free_costs_nothing_and_the_rest_its_price():
    price = Price(usd=0.5, per="million", source="", free=1)

    assert price.of(0.5) == 0
    assert price.of(3) == 1.0


def test_tasks_that_idle_cost_their_vcpus_and_memory(idle):
    three_tasks = 3 * 730 * (0.25 * 0.03238 + 0.5 * 0.00356)

    assert idle.lines()["Fargate"] == pytest.approx(three_tasks)


def test_a_database_that_sleeps_costs_nothing(idle):
    assert idle.lines()["Aurora, compute"] == 0


@pytest.mark.parametrize(
    ("choice", "dollars"),
    [
        ("public", 3 * 730 * 0.005),
        ("nat", 2 * 730 * (0.045 + 0.005)),
        ("endpoints", 8 * 2 * 730 * 0.01),
    ],
)
def test_egress_costs_by_the_hour_before_any_data(idle, choice, dollars):
    assert idle.egress()[choice] == pytest.approx(dollars)


def test_fuller_messages_cost_less(idle):
    alone = with_orders(idle, 10_000_000)
    bundled = replace(alone, scenario=replace(alone.scenario, events_per_message=10))

    assert bundled.lines()["SNS and SQS"] < alone.lines()["SNS and SQS"] / 5


def test_tasks_follow_the_orders_from_the_minimum_up(idle):
    assert with_orders(idle, 1000).tasks == 3
    assert with_orders(idle, 500_000_000).tasks > 30


def test_no_line_gets_cheaper_with_more_orders(idle):
    few = with_orders(idle, 1_000_000).lines()
    many = with_orders(idle, 50_000_000).lines()

    assert [line for line in few if many[line] < few[line]] == []


def test_every_price_and_every_assumption_is_reckoned_with(figures):
    prices, workload = Watched(figures.prices), Watched(figures.workload)
    watched = replace(figures, prices=prices, workload=workload)

    for scenario in watched.scenarios:
        month = Month(watched, scenario)
        month.lines()
        month.egress()

    assert prices.asked == set(figures.prices)
    assert workload.asked == set(figures.workload)


def test_the_report_adds_the_lines_up(figures, idle):
    row = next(
        line
        for line in report(figures).splitlines()
        if line.startswith("| **without egress**")
    )

    assert f"**{total(idle):,.0f}**" in row


def test_the_report_says_what_a_thousand_orders_cost(figures):
    some, many = (Month(figures, scenario) for scenario in figures.scenarios[-2:])
    few, less = (
        (total(month) + month.egress()["nat"]) / thousands
        for month, thousands in ((some, 1000), (many, 100_000))
    )

    told = f"| a thousand orders, with `nat` |  |  | {few:.2f} | {less:.2f} |"
    assert told in report(figures)


def test_an_audit_is_paid_for_where_there_is_one(idle):
    audited = Month(idle.figures, replace(idle.scenario, audited=True))
    without = Month(idle.figures, replace(idle.scenario, audited=False))

    assert 6 < total(audited) - total(without) < 8


@pytest.mark.parametrize("choice", ["public", "nat", "endpoints"])
def test_every_total_of_what_is_audited_has_the_audit_in_it(figures, choice):
    months = [Month(figures, scenario) for scenario in figures.scenarios]
    row = next(
        line
        for line in report(figures).splitlines()
        if line.startswith(f"| **all, with `{choice}`**")
    )

    with_audit = [f"**{total(it) + it.egress()[choice]:,.0f}**" for it in months]
    assert row.split(" | ")[1:] == [*with_audit[:-1], f"{with_audit[-1]} |"]
    assert all(it.lines()["Audit"] for it in months if it.scenario.audited)


def test_the_report_goes_between_its_marks_and_nowhere_else():
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    assert with_report(document, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


@pytest.mark.parametrize("document", ["nothing", f"{BEGIN} no end", f"no start {END}"])
def test_a_document_without_a_place_for_it_is_refused(document):
    with pytest.raises(ValueError, match="no place for the costs"):
        with_report(document, "new")


def test_a_stale_document_is_noticed_and_written_anew(tmp_path):
    document = tmp_path / "deploy.md"
    document.write_text(f"{BEGIN}\nold\n{END}\n")

    with pytest.raises(SystemExit, match="Stale"):
        main(["--check", str(document)])
    main([str(document)])
    main(["--check", str(document)])


def test_without_a_document_the_report_is_printed(capsys, figures):
    main([])

    assert capsys.readouterr().out == report(figures) + "\n"


def test_other_arguments_are_refused():
    with pytest.raises(SystemExit, match="usage"):
        main(["--check", "docs/deploy.md", "docs/costs.md"])
