"""Reads what is to be printed from standard input, as JSON, and writes the PDF."""

import json
import os
import sys
from datetime import UTC, datetime
from importlib.resources import files

import typst

from accounting.press import fonts
from accounting.press.text import all_printable

NICENESS = 10  # who waits for a document can wait for those who book
TEMPLATE = "document.typ"


def main() -> None:
    os.nice(NICENESS)
    content = json.load(sys.stdin.buffer)
    sys.stdout.buffer.write(set_document(content))


def set_document(content: dict[str, object]) -> bytes:
    """PDF/A: made to be kept, and refused by Typst if a character has no glyph."""
    chosen = fonts.all_fonts()
    said = all_printable(content) | {"fonts": fonts.in_turn(chosen.families())}
    pdf = typst.compile(
        files("accounting.press").joinpath(TEMPLATE).read_bytes(),
        format="pdf",
        font_paths=chosen,
        sys_inputs={"document": json.dumps(said)},
        pdf_standards=["a-2u"],
        timestamp=datetime.fromisoformat(str(content["issued_on"])).replace(tzinfo=UTC),
    )
    if not isinstance(pdf, bytes):
        raise TypeError("a PDF is one file")
    return pdf


if __name__ == "__main__":
    main()
