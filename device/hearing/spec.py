"""Base of the dataclasses that the manifest of a bundle stores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Spec:
    """Converts the fields to JSON types and back: a tuple becomes a list, and a list becomes a tuple."""

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for the manifest."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from the manifest. Raises TypeError for an unknown name, or a missing name that has no default."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
