"""Text as it can be printed: nothing invisible, nothing missing, room to break."""

import unicodedata
from typing import Any

from accounting.press.fonts import covered

# Joiners shape letters; every other invisible character could only mislead.
_JOINERS = "\u200c\u200d"
_ROOM_TO_BREAK = "\u200b"
_LONGEST = 20


def all_printable(content: Any) -> Any:
    """The same content, each of its strings as it can be printed."""
    match content:
        case str():
            return printable(content)
        case list():
            return [all_printable(part) for part in content]
        case dict():
            return {name: all_printable(part) for name, part in content.items()}
        case _:
            return content


def printable(text: str) -> str:
    seen = "".join(map(_seen, unicodedata.normalize("NFC", text)))
    return " ".join(map(_breakable, seen.split()))


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    if category == "Cf" and character not in _JOINERS:
        return ""
    if ord(character) in covered():
        return character
    # An accent or variant of what stands before; else what it is, to be looked up.
    return "" if category == "Mn" else f"[U+{ord(character):04X}]"


def _breakable(word: str) -> str:
    parts = range(0, len(word), _LONGEST)
    return _ROOM_TO_BREAK.join(word[start : start + _LONGEST] for start in parts)
