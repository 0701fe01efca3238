"""What can be told of the Docker files without Docker."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

CLONE = Path(__file__).parents[2]
COMPOSE = (CLONE / "docker-compose.yml").read_text()
DOCKERFILE = (CLONE / "services" / "Dockerfile").read_text()
EXAMPLE = (CLONE / ".env.example").read_text()
LOCK = CLONE / "uv.lock"


def test_each_setting_is_in_the_example_with_its_default():
    used = set(re.findall(r"\$\{(\w+):?-([^}]*)\}", COMPOSE))

    assert set(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE)) == used


def test_images_of_others_are_of_a_fixed_version():
    images = re.findall(r"^ +image: (.*)$", COMPOSE, re.MULTILINE)
    others = {image for image in images if not image.startswith("orderly-")}
    bases = {
        base
        for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
        if ":" in base
    }

    assert others | bases == {
        "caddy:2",
        "ghcr.io/astral-sh/uv:0.13",
        "localstack/localstack:4.14.0",
        "postgres:17",
        "python:${PYTHON}-slim",
    }


def test_nobody_but_this_machine_reaches_a_port():
    published = re.findall(r"^ +ports:\n((?: +- .*\n)+)", COMPOSE, re.MULTILINE)
    ports = [port for block in published for port in re.findall(r"- (.*)", block)]

    assert ports == ["127.0.0.1:${ORDERLY_PORT:-8080}:8080"]


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_nothing_has_to_be_compiled_for_an_image(architecture):
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    tag = f"cp{python.replace('.', '')}"
    without = [
        package["name"]
        for package in needed_by("orderly", "orders", "inventory", "accounting")
        if not any(
            fits(wheel["url"], tag, architecture) for wheel in package.get("wheels", ())
        )
    ]

    assert without == []


def needed_by(*names: str) -> Iterator[dict[str, Any]]:
    """What these packages are installed with, extras included, and is not ours."""
    locked = tomllib.loads(LOCK.read_text())["package"]
    packages = {package["name"]: package for package in locked}
    found, left = set(names), list(names)
    while left:
        package = packages[left.pop()]
        extras = package.get("optional-dependencies", {}).values()
        needs = chain(package.get("dependencies", ()), *extras)
        wanted = {need["name"] for need in needs} - found
        found |= wanted
        left += wanted
        if "wheels" in package or "sdist" in package:
            yield package


def fits(url: str, tag: str, architecture: str) -> bool:
    _, interpreter, abi, platform = url.removesuffix(".whl").rsplit("-", 3)
    if platform == "any":
        return True
    on_debian = "manylinux" in platform and architecture in platform
    return on_debian and (tag in interpreter or abi in {"abi3", "none"})
