"""Whoever is woken by an alarm finds what to do under its name."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TERRAFORM = ROOT / "terraform"
HEADINGS = re.findall(
    r"^## `(.+)`$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE
)
# What names are made of, each by one that there is.
FILLED_IN = {
    "${var.name}-": "",
    "${each.key}": "intake",
}
FULL_NAME = "${local.full_name}"
OWNERS = {"audit": "audit"}  # by the module's folder; the others are services'
NOUNS = {"service": "(orders|inventory|accounting)", "queue": "[a-z-]+"}
SYSTEM = "(orders|inventory|accounting|database|edge|audit|intake)"


def alarms() -> set[str]:
    """The names of all alarms, without what comes before all of them."""
    written = [
        name.replace(FULL_NAME, OWNERS.get(file.parent.name, "orders"))
        for file in TERRAFORM.rglob("*.tf")
        for name in re.findall(r'alarm_name\s+= "(.+)"', file.read_text())
    ]
    return (
        {filled_in(name) for name in written if "database" not in name}
        | database_alarms()
        | own_alarms()
    )


def filled_in(name: str) -> str:
    for variable, value in FILLED_IN.items():
        name = name.replace(variable, value)
    return name


def database_alarms() -> set[str]:
    text = (TERRAFORM / "modules" / "database" / "alarms.tf").read_text()
    keys = re.findall(r"^      (\w+) = \{$", text, re.MULTILINE)
    return {f"database-{key.replace('_', '-')}" for key in keys}


def own_alarms() -> set[str]:
    """Of what the services tell of themselves."""
    figures = TERRAFORM / "metrics.json"
    return set(json.loads(figures.read_text())["alarms"]) if figures.exists() else set()


def is_under(alarm: str, heading: str) -> bool:
    pattern = SYSTEM if heading == "<system>" else heading
    for noun, names in NOUNS.items():
        pattern = pattern.replace(f"<{noun}>", names)
    return re.fullmatch(pattern, alarm) is not None


def test_every_alarm_has_one_heading():
    assert len(alarms()) > 12
    found = {
        alarm: [heading for heading in HEADINGS if is_under(alarm, heading)]
        for alarm in alarms()
    }

    assert {alarm: seen for alarm, seen in found.items() if len(seen) != 1} == {}


def parts() -> dict[str, str]:
    """What is written of each alarm."""
    text = (ROOT / "docs" / "runbook.md").read_text()
    _, *found = re.split(r"^## ", text, flags=re.MULTILINE)
    return {
        head.strip("`"): body
        for head, _, body in (part.partition("\n") for part in found)
        if head.startswith("`")
    }


@pytest.mark.parametrize("alarm", parts())
def test_of_each_alarm_it_is_said_what_it_means_what_to_do_and_what_was_seen(alarm):
    words = re.findall(r"^\*\*(.+?)\*\*:", parts()[alarm], re.MULTILINE)

    assert words[0] == "Means"
    assert {"Do", "Look", "Look and do"} & set(words)
    assert words[-1] in ("Seen", "Not seen")


def test_no_heading_is_there_twice():
    assert len(HEADINGS) == len(set(HEADINGS))
