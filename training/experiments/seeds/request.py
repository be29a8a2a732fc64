"""Holds what `python -m training seeds` is asked for, and what follows from the options together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.experiments.music_generation.setup import ENTRIES
from training.experiments.seeds.setup import CHORALES, SEEDS

BESIDE = ("truth", "shipped", "tonic", "rolled")
"""Left hands to compare with. They are not fitted here."""
BACH, SONGS = "bach", "mg-truth"
"""The net that writes chorales, and the true songs beside the nets that write songs."""
FAMILIES = (*BESIDE, *SEEDS, *CHORALES, BACH, SONGS, *ENTRIES)
WRITERS = (BACH, *ENTRIES)
"""Families that write music from nothing."""


@dataclass(frozen=True, kw_only=True)
class SeedsRequest:
    """The options of the command by the names of their parameters (`seeds --help` explains them).

    `families` are the values of `--family`, and `most` is the option `--songs`.
    """

    action: str
    families: tuple[str, ...]
    again: bool
    steps: int | None
    units: int | None
    layers: int | None
    rate: float | None
    most: int
    pick: str
    k: int
    p: float
    temperature: float
    start: int
    length: int
    seed: int
    midi: Path | None
    cache: Path
    out: Path

    @property
    def chosen(self) -> tuple[str, ...]:
        """The families that were asked for, or all."""
        return self.families or FAMILIES

    @property
    def changes(self) -> dict[str, int | float | None]:
        """What the options change in the configuration of a family; None for what stays."""
        return {"units": self.units, "layers": self.layers, "steps": self.steps, "rate": self.rate}
