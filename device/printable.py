"""Makes text from outside safe to show: names of ports, tracks and files, and words of manifests and of other programs.

Such text may hold line feeds and escape codes. systemd would take a line feed for the start of another message, and a
terminal would obey an escape code.
"""

from __future__ import annotations

UNPRINTABLE = "?"
"""Stands for each character that cannot be shown."""
LONGEST_SHOWN = 60
"""Characters of a word from outside that a sentence shows."""


def count_of(number: int, thing: str) -> str:
    """Return a number with the name of what is counted: "1 note", "2 notes". `thing` is the singular."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return `text` as one line without characters that control a terminal.

    A space replaces each run of blanks that holds a line feed, a tab or another blank but the space. UNPRINTABLE
    replaces each other character that `str.isprintable` refuses: control characters, marks that change the direction
    of writing, and halves of surrogate pairs.
    """
    if text.isprintable():
        return text
    words = text.split(" ")
    return " ".join("".join(c if c.isprintable() else UNPRINTABLE for c in " ".join(word.split())) for word in words)


def shortened(text: str) -> str:
    """Return `text`, or its first LONGEST_SHOWN characters and three dots. A damaged file may hold very long words."""
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def is_plain_text(decoded: str) -> bool:
    """Return whether bytes that were decoded with errors="replace" are nothing but text.

    The last character may be wrong, because the bytes may have been cut within it.
    """
    inner = decoded[:-1]
    return bool(decoded) and all((c.isprintable() or c in "\t\r\n") and c != "\N{REPLACEMENT CHARACTER}" for c in inner)
