"""The device's own version, which a bundle's `min_device_version` is compared with."""

from __future__ import annotations

VERSION = "0.2.0"


def version_key(version: str) -> tuple[int, ...]:
    """`"1.10.2"` → (1, 10, 2), for comparing; raises ValueError for anything but numbers and dots."""
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{version!r} is not a version: numbers and dots are.")
    return tuple(int(part) for part in parts)
