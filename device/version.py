"""Version of the device software. It is compared with the `min_device_version` of a bundle."""

from __future__ import annotations

VERSION = "0.2.0"


def version_key(version: str) -> tuple[int, ...]:
    """`"1.10.2"` → (1, 10, 2), for comparing. Raises ValueError for anything but numbers and dots."""
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{version!r} is not a version: write numbers separated by dots.")
    return tuple(int(part) for part in parts)
