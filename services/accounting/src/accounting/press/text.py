"""Text as it can be printed: nothing invisible, nothing missing, room to break."""

import re
import unicodedata
from typing import Any

from accounting.press.fonts import covered

# Joiners shape letters; every other invisible character could only mislead.
_JOINERS = "\u200c\u200d"
_ROOM_TO_BREAK = "\u200b"
_LONGEST = 20
# After a hyphen, as people do; elsewhere only where there is none for too long.
_BREAKS = re.compile(
    rf"-{{{_LONGEST}}}(?=.)|-(?=[^-])|[^-]{{{_LONGEST}}}(?=[^-])", re.DOTALL
)


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
    if len(word) <= _LONGEST:
        return word
    return _BREAKS.sub(rf"\g<0>{_ROOM_TO_BREAK}", word)
