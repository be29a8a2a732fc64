"""Checks that the values in a manifest are in range. A value out of range could take memory or time without end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from device.hearing.features import FeatureSpec

LONGEST_TEXT = 200
"""Largest number of characters of a name, a version, a time or a commit."""
MOST_FILES = 32
"""Largest number of files, and of models, in a bundle. A bundle has about seven files."""
_RATE, _HOP, _WINDOW = (8_000, 384_000), (16, 8_192), (16, 65_536)
"""Lowest and highest allowed values: of the sample rate in Hz, and of the hop and a window in samples."""
_BINS, _BINS_PER_OCTAVE = (1, 4_096), (1, 1_200)
MOST_WINDOWS = 16
LARGEST_GATE = 1e6
"""Largest absolute value that a number of the gate may have.

Real ones are far smaller: thresholds are below 10, times below a minute.
"""


def check_number(name: str, value: object, low: float, high: float, whole: bool = False) -> None:
    """Raise ValueError unless `value` is a number from `low` to `high`, and a whole number if `whole` is true.

    The error names the value `name`. True and False do not count as numbers.
    """
    kind = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        raise ValueError(
            f"{name} must be a {'whole ' if whole else ''}number from {low:g} to {high:g}, not {str(value)[:40]!r}"
        )


def check_text(name: str, value: str) -> None:
    """Raise ValueError unless `value` is one line of at most LONGEST_TEXT printable characters."""
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise ValueError(f"{name} must be at most {LONGEST_TEXT} printable characters, not {value[:40]!r}")


def check_features(spec: FeatureSpec) -> None:
    """Raise ValueError if a value of `spec` is of the wrong type or out of range."""
    check_number("sample_rate", spec.sample_rate, *_RATE, whole=True)
    check_number("hop", spec.hop, *_HOP, whole=True)
    check_number("bins", spec.bins, *_BINS, whole=True)
    check_number("bins_per_octave", spec.bins_per_octave, *_BINS_PER_OCTAVE, whole=True)
    check_number("lowest_hz", spec.lowest_hz, 1, spec.sample_rate / 2)
    check_number("floor_db", spec.floor_db, -300, -1)
    for name in ("window_lengths", "window_falls"):
        values = getattr(spec, name)
        if not isinstance(values, tuple) or not 1 <= len(values) <= MOST_WINDOWS:
            raise ValueError(f"{name} must be a list of 1 to {MOST_WINDOWS} numbers")
        for value in values:
            check_number(name, value, *_WINDOW, whole=True)
    if len(spec.window_lengths) != len(spec.window_falls):
        raise ValueError("window_lengths and window_falls must be lists of one length")
    for length, fall in zip(spec.window_lengths, spec.window_falls, strict=True):
        check_number("window_falls", fall, 1, length - 1, whole=True)


def check_gate(values: Mapping[str, Any]) -> None:
    """Raise ValueError unless every value is a number or a list of 1 to 16 numbers, at most LARGEST_GATE from 0."""
    for name, value in values.items():
        items: Sequence[object] = value if isinstance(value, list | tuple) else [value]
        if not 1 <= len(items) <= 16:
            raise ValueError(f"{name} must be a number or a list of at most 16 numbers")
        for item in items:
            check_number(name, item, -LARGEST_GATE, LARGEST_GATE)


def check_tolerance(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a share from 0 to 1."""
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError(f"{name} must be a number from 0 to 1, not {value}")
