"""Defines a configuration of `python -m training notes`: the family of its net, its input and its fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from device.errors import UserError
from device.events import KEYS
from training.experiments.older_transcribers.chunks import Chunks
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.frame_scores import NAMES

FITTED = ("cnn", "crnn", "transformer")
"""Families that this command fits."""
GIVEN = ("shipped", "pyin", "neural")
"""Families that need no fit: the shipped transcriber, probabilistic YIN, and SwiftF0."""
OPTIMISERS = ("adam", "adamw", "rmsprop", "sgd")


@dataclass(frozen=True)
class NotesSetup:
    """Holds one configuration of an older transcriber and its fit.

    `c` multiplies the width of every layer. With 2 `phases` another net finds silence first. If `names` is true, the
    net names 12 pitch classes in place of 88 keys. Raises UserError if a value is not allowed.
    """

    family: str = "cnn"
    spectrum: Spectrum = field(default_factory=Spectrum)
    phases: int = 1
    names: bool = False
    batch_seconds: float = 4.0
    c: int = 4
    lr: float = 1e-3
    epochs: int = 8
    batch: int = 8
    optimiser: str = "adam"
    gamma: float = 0.1
    milestones: tuple[int, ...] = ()
    patience: int = 4
    workers: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.family not in FITTED:
            raise UserError(f"The family {self.family!r} is not fitted: choose one of {', '.join(FITTED)}.")
        if self.phases not in (1, 2):
            raise UserError(f"--phases {self.phases} is neither 1 nor 2.")
        if self.optimiser not in OPTIMISERS:
            raise UserError(f"There is no optimiser {self.optimiser!r}: choose one of {', '.join(OPTIMISERS)}.")
        if self.batch_seconds < 4 * self.spectrum.hop_s:
            raise UserError(f"--batch-seconds {self.batch_seconds:g} is shorter than four frames.")
        for name in ("c", "epochs", "batch", "workers", "patience", "lr", "gamma"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} must be above 0, not {getattr(self, name)}.")

    @property
    def width(self) -> int:
        """Return the number of columns of the labels: 88 keys or 12 names."""
        return NAMES if self.names else KEYS

    @property
    def chunks(self) -> Chunks:
        """Return the lengths of the chunks into which recordings are cut."""
        return Chunks.of_seconds(self.batch_seconds, self.spectrum.hop_s)

    @property
    def name(self) -> str:
        """Return the name that the fit's folder has if the user gives none."""
        phases = "-two-phases" if self.phases == 2 else ""
        return f"{self.family}-{self.spectrum.name}-{self.width}{phases}"

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as a dict, to write into the fit's folder."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> NotesSetup:
        """Return the configuration from a dict that was read from the fit's folder."""
        return cls(**{**d, "spectrum": Spectrum(**d["spectrum"]), "milestones": tuple(d["milestones"])})


def fit_folder(cache: Path, name: str, *, dev: bool) -> Path:
    """Return the path of the folder of a fit.

    `dev` selects the fit of the action `train-val`, which watched the development recordings.
    """
    return cache / "fits" / "notes" / (f"{name}-dev" if dev else name)
