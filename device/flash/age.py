"""Refuses an old bundle, because everyone who has seen one signed upload could send it again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from device.bundles.bundle import Bundle
from device.bundles.manifest import LARGEST_MANIFEST, MANIFEST, Manifest, read_manifest
from device.bundles.slots import NAMES, SHORT, Slots
from device.errors import BundleError
from device.system.untrusted_files import read_small

MOST_AHEAD = timedelta(days=366)
"""Longest time by which a bundle may be made after the box's clock and after the shipped bundle. A Pi without a network
may be months behind. A bundle from a later year would keep all others out until then."""


def check_age(slots: Slots, manifest: Manifest, digest: str) -> None:
    """Raise BundleError if the bundle with this `manifest` and `digest` is older than the newest that passed a trial.

    A bundle that a rollback can return to, or has returned to, is let through. Raises BundleError also for a bundle
    from the future.
    """
    made = made_at(manifest.created)
    latest = max(datetime.now(UTC), made_at(Bundle.open(slots.shipped).manifest.created)) + MOST_AHEAD
    if made > latest:
        raise BundleError(
            f"The bundle was made at {manifest.created}, in the future, and is refused: set the workstation's clock "
            f"and export the bundle again."
        )
    good = {slots.id(name) for name in NAMES if (verdict := slots.verdict(name)) is not None and verdict.good}
    if digest[:SHORT] in good:
        return
    newest = newest_here(slots)
    if newest is not None and made < made_at(newest):
        raise BundleError(
            f"The bundle was made at {manifest.created}, before the newest that has played here ({newest}), and is "
            f"refused: roll back to play the previous bundle, or export this one again."
        )


def newest_here(slots: Slots) -> str | None:
    """Return the creation time, as text, of the newest bundle that passed a trial here or plays now.

    None if none can be read.
    """
    good = [name for name in NAMES if (verdict := slots.verdict(name)) is not None and verdict.good]
    folders = [slots.current(), *(slots.folder(name) for name in good)]
    times = [slots.newest(), *(_created(folder / MANIFEST) for folder in folders)]
    known = [created for created in times if created is not None]
    return max(known, key=made_at, default=None)


def made_at(created: str) -> datetime:
    """Return the time `created` of a manifest, in UTC if the text has no zone.

    Raises BundleError if it is not a time.
    """
    try:
        when = datetime.fromisoformat(created)
        return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    except ValueError:
        raise BundleError(f"{MANIFEST}: created is {created!r}, not a time: export the bundle again.") from None


def _created(path: Path) -> str | None:
    try:
        created = read_manifest(read_small(path, LARGEST_MANIFEST), str(path)).created
        made_at(created)
    except (OSError, BundleError):
        return None
    return created
