"""Reads the lines of a table of a capture, which grew line by line and may have been cut off."""

from __future__ import annotations


def lines_after(header: str, content: bytes) -> list[str]:
    """Return the lines after the first one in the content of a file, without their ends.

    A recording that was cut off may end within a line, or with zeros. Such a line is left out. Raises ValueError if the
    first line is not `header`.
    """
    rows = content.partition(b"\0")[0].decode("ascii", "replace")
    lines = rows[: rows.rfind("\n") + 1].splitlines()
    if lines and lines[0] != header.rstrip():
        raise ValueError(f"its first line is not {header.rstrip()}")
    return lines[1:]
