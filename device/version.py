"""Holds the version of the device software. It is compared with the `min_device_version` of a bundle."""

from __future__ import annotations

VERSION = "0.2.0"


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version as a tuple, so that two versions can be compared. "1.10.2" gives (1, 10, 2).

    Raises ValueError if the text is not made of numbers separated by dots.
    """
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{version!r} is not a version: write numbers separated by dots.")
    return tuple(int(part) for part in parts)
