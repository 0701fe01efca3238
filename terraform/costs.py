"""What Orderly costs a month on AWS, from the prices and assumptions in costs.toml.

python terraform/costs.py                           prints it
python terraform/costs.py docs/deploy.md            writes it between its marks there
python terraform/costs.py --check docs/deploy.md    complains where that is stale
"""

import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("costs.toml")
HOURS = 730  # of a month, as AWS reckons
SECONDS = HOURS * 3600
MILLION = 1_000_000
KB_PER_GB = MILLION
# What one LCU of the balancer carries.
LCU_GB_PER_HOUR = 1
LCU_CONNECTIONS_PER_SECOND = 25

BEGIN = "<!-- costs: written by terraform/costs.py from terraform/costs.toml -->"
END = "<!-- costs: end -->"


@dataclass(frozen=True, kw_only=True)
class Price:
    usd: float
    per: str
    source: str
    free: float = 0

    def of(self, quantity: float) -> float:
        return max(0, quantity - self.free) * self.usd


@dataclass(frozen=True, kw_only=True)
class Assumption:
    value: float
    says: str


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """An environment, and how many orders it gets in a month."""

    name: str
    orders: int
    tasks_min: int
    vcpu: float
    gb: float
    acu: float
    instances: int
    clients: int
    zones: int
    events_per_message: float
    messages_per_call: float
    io_optimized: bool = False
    audited: bool = False


@dataclass(frozen=True, kw_only=True)
class Figures:
    prices: Mapping[str, Price]
    workload: Mapping[str, Assumption]
    scenarios: Sequence[Scenario]

    @classmethod
    def read(cls, path: Path = FIGURES) -> "Figures":
        figures: dict[str, Any] = tomllib.loads(path.read_text())
        return cls(
            prices={name: Price(**it) for name, it in figures["prices"].items()},
            workload={
                name: Assumption(**it) for name, it in figures["workload"].items()
            },
            scenarios=[Scenario(**it) for it in figures["scenarios"]],
        )


@dataclass(frozen=True)
class Month:
    """The bill of one scenario, line by line, in dollars."""

    figures: Figures
    scenario: Scenario

    def lines(self) -> dict[str, float]:
        return {
            "Fargate": self._fargate(),
            "Load balancer": self._balancer(),
            "CloudFront": self._cloudfront(),
            "WAF": self._waf(),
            "Aurora, compute": self._aurora_compute(),
            "Aurora, storage of one month and I/O": self._aurora_storage(),
            "SNS and SQS": self._messages(),
            "Logs": self._cost("logs", self._gb("log_kb")),
            "Metrics and traces": self._signals(),
            "Cognito": self._cognito(),
            "Audit": self._audit(),
            "Alarms, dashboard, keys, secret, images": self._small_things(),
        }

    def egress(self) -> dict[str, float]:
        """What each choice of `egress` adds."""
        zones, data = self.scenario.zones, self._gb("egress_kb")
        return {
            "public": self._hourly("ipv4", self.tasks),
            "nat": self._hourly("nat", zones)
            + self._hourly("ipv4", zones)
            + self._cost("nat_data", data),
            "endpoints": self._hourly("endpoint", zones * self._is("endpoints"))
            + self._cost("endpoint_data", data),
        }

    @property
    def tasks(self) -> int:
        busy_vcpus = self._rate * self._is("peak") * self._is("cpu_ms") / 1000
        wanted = ceil(busy_vcpus / self._is("utilization") / self.scenario.vcpu)
        return max(wanted, round(self.scenario.tasks_min * self._is("services")))

    @property
    def storage_grows_by(self) -> float:
        """What keeping this month's orders costs in every month that follows."""
        return self._cost(f"{self._aurora}_storage", self._gb("storage_kb"))

    def _fargate(self) -> float:
        return self._hourly(
            "fargate_vcpu", self.tasks * self.scenario.vcpu
        ) + self._hourly("fargate_gb", self.tasks * self.scenario.gb)

    def _balancer(self) -> float:
        per_second = self._rate * self._is("requests")
        lcus = max(
            self._gb("request_kb", each="requests") / HOURS / LCU_GB_PER_HOUR,
            per_second
            / self._is("requests_per_connection")
            / LCU_CONNECTIONS_PER_SECOND,
        )
        return self._hourly("balancer", 1) + self._hourly("balancer_lcu", lcus)

    def _cloudfront(self) -> float:
        return self._cost("cloudfront", self._millions("requests")) + self._cost(
            "cloudfront_out", self._gb("answer_kb", each="requests")
        )

    def _waf(self) -> float:
        return (
            self._cost("waf_acl", 1)
            + self._cost("waf_rule", self._is("waf_rules"))
            + self._cost("waf_requests", self._millions("requests"))
        )

    def _aurora_compute(self) -> float:
        return self._hourly(self._aurora, self.scenario.acu * self.scenario.instances)

    def _aurora_storage(self) -> float:
        ios = 0 if self.scenario.io_optimized else self._millions("ios")
        return self.storage_grows_by + self._cost("aurora_io", ios)

    def _messages(self) -> float:
        published = self._millions("events") / self.scenario.events_per_message
        delivered = self._millions("deliveries") / self.scenario.events_per_message
        received_and_deleted = 2 * delivered / self.scenario.messages_per_call
        polled = self._is("polls") * self._is("queues_per_service") * self.tasks
        return self._cost("sns", published) + self._cost(
            "sqs", received_and_deleted + polled / MILLION
        )

    def _signals(self) -> float:
        told_of = self._is("metrics" if self.scenario.orders else "standing")
        traced_gb = self._gb("span_kb") * self._is("trace_sampling")
        return self._cost("metric", told_of) + self._cost("spans", traced_gb)

    def _cognito(self) -> float:
        tokens = self.scenario.clients * self._is("tokens_per_client")
        return self._cost("cognito_client", self.scenario.clients) + self._cost(
            "cognito_token", tokens / 1000
        )

    def _audit(self) -> float:
        """Its client and secret above all: the task itself runs for minutes."""
        if not self.scenario.audited:
            return 0
        hours = self._is("audits") * self._is("audit_minutes") / 60
        return (
            self._cost("cognito_client", 1)
            + self._cost("cognito_token", self._is("audits") / 1000)
            + self._cost("secret", 1)
            + self._cost("composite_alarm", 1)
            + self._cost("fargate_vcpu", hours * self._is("audit_vcpu"))
            + self._cost("fargate_gb", hours * self._is("audit_gb"))
        )

    def _small_things(self) -> float:
        counted = {
            "alarm": "alarms",
            "composite_alarm": "composite_alarms",
            "dashboard": "dashboards",
            "key": "keys",
            "secret": "secrets",
            "images": "image_gb",
        }
        return sum(self._cost(price, self._is(it)) for price, it in counted.items())

    @property
    def _aurora(self) -> str:
        return "aurora_optimized" if self.scenario.io_optimized else "aurora"

    @property
    def _rate(self) -> float:
        return self.scenario.orders / SECONDS

    def _millions(self, per_order: str) -> float:
        return self.scenario.orders * self._is(per_order) / MILLION

    def _gb(self, kb: str, *, each: str | None = None) -> float:
        times = self._is(each) if each else 1
        return self.scenario.orders * times * self._is(kb) / KB_PER_GB

    def _is(self, assumption: str) -> float:
        return self.figures.workload[assumption].value

    def _cost(self, price: str, quantity: float) -> float:
        return self.figures.prices[price].of(quantity)

    def _hourly(self, price: str, quantity: float) -> float:
        return self._cost(price, quantity * HOURS)


SAID_OF_A_SCENARIO: Mapping[str, Callable[[Month], str]] = {
    "orders a month": lambda it: f"{it.scenario.orders:,}",
    "tasks, all three services": lambda it: f"{it.tasks}",
    "vCPU of a task": lambda it: f"{it.scenario.vcpu:g}",
    "GB of a task": lambda it: f"{it.scenario.gb:g}",
    "database instances": lambda it: f"{it.scenario.instances}",
    "ACU of each, in the mean": lambda it: f"{it.scenario.acu:g}",
    "Aurora I/O-Optimized": lambda it: "yes" if it.scenario.io_optimized else "no",
    "machine clients of Cognito": lambda it: f"{it.scenario.clients}",
    "audited": lambda it: "yes" if it.scenario.audited else "no",
    "zones": lambda it: f"{it.scenario.zones}",
    "events in a message": lambda it: f"{it.scenario.events_per_message:g}",
    "messages in a call": lambda it: f"{it.scenario.messages_per_call:g}",
}


def report(figures: Figures) -> str:
    """The tables, in Markdown."""
    months = [Month(figures, scenario) for scenario in figures.scenarios]
    return "\n\n".join(
        "\n".join(part)
        for part in (
            _table(["US dollars a month", *_names(months)], _bill(months)),
            [_AUDIT],
            _storage(months),
            ["What is assumed of an order, and of a month:"],
            _table(["Assumption", "Figure"], _assumptions(figures)),
            ["What a scenario is:"],
            _table(["Scenario", *_names(months)], _scenarios(months)),
            ["Prices, us-east-1, on demand, without tax:"],
            _table(["Price", "US dollars", "Free", "Source"], _prices(figures)),
        )
    )


_AUDIT = (
    "Every total of what is audited has the audit's task in it. With `endpoints`"
    " Terraform starts none, as the front door is out of its reach: it costs as much"
    " wherever it is started then."
)


def _names(months: Iterable[Month]) -> list[str]:
    return [month.scenario.name for month in months]


def _bill(months: Sequence[Month]) -> Iterator[list[str]]:
    lines = [month.lines() for month in months]
    for name in lines[0]:
        yield [name, *(_usd(each[name]) for each in lines)]
    sums = [sum(each.values()) for each in lines]
    yield ["**without egress**", *(f"**{_usd(it)}**" for it in sums)]
    egress = [month.egress() for month in months]
    for choice in egress[0]:
        yield [f"egress `{choice}`", *(_usd(each[choice]) for each in egress)]
    totals = {
        choice: [it + each[choice] for it, each in zip(sums, egress, strict=True)]
        for choice in egress[0]
    }
    for choice, amounts in totals.items():
        yield [f"**all, with `{choice}`**", *(f"**{_usd(it)}**" for it in amounts)]
    yield [
        "a thousand orders, with `nat`",
        *(_of_a_thousand(*it) for it in zip(months, totals["nat"], strict=True)),
    ]


def _of_a_thousand(month: Month, amount: float) -> str:
    orders = month.scenario.orders
    return f"{amount / orders * 1000:.2f}" if orders else ""


def _storage(months: Iterable[Month]) -> list[str]:
    return [
        "Storage is that of one month's orders. Each month that is kept costs as much"
        " again: "
        + ", ".join(
            f"{_usd(month.storage_grows_by)} at {month.scenario.name}"
            for month in months
            if month.scenario.orders
        )
        + "."
    ]


def _assumptions(figures: Figures) -> Iterator[list[str]]:
    for it in figures.workload.values():
        yield [it.says, f"{it.value:,g}" if it.value < MILLION else f"{it.value:,}"]


def _scenarios(months: Sequence[Month]) -> Iterator[list[str]]:
    for says, of in SAID_OF_A_SCENARIO.items():
        yield [says, *(of(month) for month in months)]


def _prices(figures: Figures) -> Iterator[list[str]]:
    for name, price in figures.prices.items():
        what = name.replace("_", " ")
        free = f"{price.free:g}" if price.free else ""
        yield [f"{what}: {price.per}", f"{price.usd:g}", free, price.source]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _usd(amount: float) -> str:
    return f"{amount:,.0f}"


def with_report(document: str, text: str) -> str:
    """The document, with the report where its marks are."""
    before, found, rest = document.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"there is no place for the costs: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    text = report(Figures.read())
    match arguments:
        case []:
            print(text)
        case ["--check", name]:
            document = Path(name).read_text()
            if with_report(document, text) != document:
                sys.exit(f"Stale: {name}. Write anew: python terraform/costs.py {name}")
        case [name]:
            path = Path(name)
            path.write_text(with_report(path.read_text(), text))
        case _:
            sys.exit("usage: python terraform/costs.py [[--check] DOCUMENT]")


if __name__ == "__main__":
    main(sys.argv[1:])
