"""Defines the result of one check of `lefthand doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from device.printable import printable

Level: TypeAlias = Literal["good", "notice", "broken"]
Place: TypeAlias = Literal["", "inputs", "outputs", "calibration", "recordings", "models", "log"]
"""A part of the page. The page has a sentence with a link for each (`places` in device/page/static/texts.js)."""


@dataclass(frozen=True)
class Finding:
    """Holds the result of one check: one line of the report.

    `name` is the check, `text` its result, and `remedy` what to do about it. `remedy` may be empty.
    `place` is the part of the page where the owner can do something about it. The page names it in place of `remedy`,
    which may be a command for a terminal. It is empty if there is no such part.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""
    place: Place = ""

    def line(self, width: int) -> str:
        """Return the finding as one line of text, with the name padded to `width` characters."""
        mark = {"good": "ok ", "notice": "-- ", "broken": "NOT"}[self.level]
        return printable(f"{mark} {self.name:<{width}}  {self.text}" + (f" {self.remedy}" if self.remedy else ""))


def good(name: str, text: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(name, "good", text)


def notice(name: str, text: str, remedy: str = "", place: Place = "") -> Finding:
    """Return a finding that does not keep the box from playing, but that its owner should know."""
    return Finding(name, "notice", text, remedy, place)


def broken(name: str, text: str, remedy: str = "", place: Place = "") -> Finding:
    """Return a finding that keeps the box from playing, or from playing on time."""
    return Finding(name, "broken", text, remedy, place)
