"""What can be told of the console from its files alone."""

import json
import re
from itertools import product
from pathlib import Path
from string import ascii_uppercase

from accounting.domain.currencies import minor_digits
from orderly.audit import COMPARISONS

CONSOLE = Path(__file__).parents[2] / "console"
PAGES = [CONSOLE / "index.html"]
OWN = [
    path
    for path in CONSOLE.rglob("*.js")
    if not path.is_relative_to(CONSOLE / "vendor")
]


def test_the_audit_in_the_browser_compares_what_the_command_compares():
    text = (CONSOLE / "lib" / "comparisons.js").read_text()
    rows = re.findall(r"^  (\[.*\]),$", text, re.MULTILINE)

    assert [json.loads(row) for row in rows] == [
        [
            one.what,
            f"{one.left.service}.{one.left.name}",
            f"{one.right.service}.{one.right.name}",
        ]
        for one in COMPARISONS
    ]


def test_amounts_have_the_digits_that_documents_have():
    text = (CONSOLE / "lib" / "currencies.js").read_text()
    rows = re.findall(r'"(\d)": \[(.*?)\]', text, re.DOTALL)
    others = {
        code: int(digits)
        for digits, codes in rows
        for code in re.findall(r"[A-Z]{3}", codes)
    }
    codes = map("".join, product(ascii_uppercase, repeat=3))

    assert others == {
        code: minor_digits(code) for code in codes if minor_digits(code) != 2
    }


def test_nothing_is_loaded_from_elsewhere():
    elsewhere = re.compile(r"(src|href|from|url\()\s*=?\s*[\"']?https?:")
    for path in [*PAGES, *OWN, CONSOLE / "style.css"]:
        assert not elsewhere.search(path.read_text()), path


def test_what_is_typed_is_not_overwritten_when_the_page_is_drawn_again():
    """Drawing sets `value` anew: only what is told of each change may be given one."""
    fields = re.compile(r"<\$\{(?:Field|Select)\}(.*?)/>", re.DOTALL)
    for path in OWN:
        for attributes in fields.findall(path.read_text()):
            if re.search(r"\bvalue=", attributes):
                assert "onChange=" in attributes, f"{path}: {attributes}"


def test_every_module_that_is_imported_is_there():
    for path in OWN:
        for name in re.findall(r'^} from "(\..*)";$', path.read_text(), re.MULTILINE):
            assert (path.parent / name).resolve().is_file(), f"{path}: {name}"


def test_every_file_is_of_a_kind_that_production_knows():
    terraform = (CONSOLE.parent / "terraform" / "console.tf").read_text()
    kinds = set(re.findall(r'^    (\w+) += "\w+/', terraform, re.MULTILINE))
    files = {path for path in CONSOLE.rglob("*") if path.is_file()}
    left_out = {path for path in files if path.name in ("README.md", "config.json")}

    assert {path.suffix[1:] for path in files - left_out} == kinds


def test_what_is_vendored_comes_with_its_licence():
    assert {path.name for path in (CONSOLE / "vendor").iterdir()} == {
        "LICENSE-htm.txt",
        "LICENSE-preact.txt",
        "README.md",
        "preact-htm.js",
    }
