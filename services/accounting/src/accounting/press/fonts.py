"""The fonts documents are set in: those of two wheels and no others.

They have the scripts of the world, but for hieroglyphs and the like. Chinese is set in
the Japanese forms.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path

import typst
import uharfbuzz

PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
_BEST = ("Noto Sans", "Noto Sans CJK JP")


def all_fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=list(map(_folder, PACKAGES)),
    )


def in_turn(families: list[str]) -> list[str]:
    """The order in which they are asked for a character's glyph."""
    return [*_BEST, *(family for family in families if family not in _BEST)]


@cache
def covered() -> frozenset[int]:
    """The code points that there is a glyph for."""
    found: set[int] = set()
    for package in PACKAGES:
        for path in Path(_folder(package)).glob("*.[ot]t[fc]"):
            face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path))
            found.update(face.unicodes)
    return frozenset(found)


def _folder(package: str) -> str:
    return str(files(package))
