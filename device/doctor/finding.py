"""What one check of `lefthand doctor` has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["good", "notice", "broken"]


@dataclass(frozen=True)
class Finding:
    """A line: `name` is what was looked at, `text` what is so, `remedy` what to do where it is not good."""

    name: str
    level: Level
    text: str
    remedy: str = ""

    def line(self, width: int) -> str:
        """For a person, the name filled up to `width`."""
        mark = {"good": "ok ", "notice": "-- ", "broken": "NOT"}[self.level]
        return f"{mark} {self.name:<{width}}  {self.text}" + (f" {self.remedy}" if self.remedy else "")


def good(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, "good", text)


def notice(name: str, text: str, remedy: str = "") -> Finding:
    """It plays, but this should be known."""
    return Finding(name, "notice", text, remedy)


def broken(name: str, text: str, remedy: str = "") -> Finding:
    """It will not play, or not in time."""
    return Finding(name, "broken", text, remedy)
