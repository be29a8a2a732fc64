"""Defines the base class of the settings that the manifest of a bundle (a set of trained models) stores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Spec:
    """Base class of settings that can be stored as JSON: a tuple becomes a list, and a list becomes a tuple again."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as the manifest stores them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the settings from the fields in the manifest.

        Raises TypeError for an unknown name, or a missing name that has no default.
        """
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
