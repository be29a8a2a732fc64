"""Defines a line of the table of a long run: a measured figure and its limit."""

from __future__ import annotations

from dataclasses import dataclass

from tests.pace import TIMED


@dataclass(frozen=True)
class Figure:
    """A line of the table: a measured figure and its limit."""

    part: str
    name: str
    value: str
    limit: str
    good: bool
    of_speed: bool = False
    """Whether a slow or busy machine alone can miss the limit. The short form judges these only in `make timed`."""


def missed(figures: list[Figure]) -> list[Figure]:
    """Return the figures that miss their limits. Those that depend on the machine's speed count in `make timed`."""
    return [figure for figure in figures if not figure.good and (TIMED or not figure.of_speed)]


def table(figures: list[Figure], head: bool = True) -> str:
    """Return the table as Markdown."""
    lines = ["| part | figure | measured | limit |", "|---|---|---|---|"] if head else []
    for figure in figures:
        mark = "" if figure.good else " **missed**"
        lines.append(f"| {figure.part} | {figure.name} | {figure.value}{mark} | {figure.limit} |")
    return "\n".join(lines)
