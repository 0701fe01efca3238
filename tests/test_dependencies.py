"""docs/dependencies.md gives the reason for every dependency, and for nothing else."""

import re
import tomllib
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[1]
DOCUMENT = (CLONE / "docs" / "dependencies.md").read_text()
PROJECTS = sorted(
    path
    for within in (".", "libs/*", "services/*")
    for path in CLONE.glob(f"{within}/pyproject.toml")
)
OURS = {path.parent.name for path in PROJECTS}


def needed_by(project: Path) -> set[str]:
    """What it installs, is built with and is developed with; not what is our own."""
    content = tomllib.loads(project.read_text())
    requirements = [
        *content["project"]["dependencies"],
        *content.get("build-system", {}).get("requires", ()),
        *content.get("dependency-groups", {}).get("dev", ()),
    ]
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}
    return names - OURS


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_each_dependency_has_its_reason(project: Path):
    assert needed_by(project) <= set(re.findall(r"[\w-]+", DOCUMENT))


def test_what_has_a_reason_is_a_dependency():
    tables = re.findall(r"^\| ([a-z][^|]*) \|", DOCUMENT, re.MULTILINE)
    listed = {
        re.split(r"[^\w-]", name)[0] for row in tables for name in row.split(", ")
    }

    needed = set().union(*map(needed_by, PROJECTS)) | {"ministack"}
    assert listed <= needed
