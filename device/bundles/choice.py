"""Chooses the bundle that plays at a start: that of the active slot, else the other good one, else the shipped one."""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass

from device.bundles.bundle import Bundle
from device.bundles.slots import NAMES, TRIAL, LockedError, Slots
from device.errors import UserError

log = logging.getLogger("lefthand")


@dataclass(frozen=True)
class Choice:
    """Holds the bundle to play, and one sentence for each bundle that was refused before it, with the reason."""

    bundle: Bundle
    refused: tuple[str, ...] = ()


def open_current(slots: Slots | None = None) -> Bundle:
    """Open and return the bundle that plays now. Log the reason for each bundle that is refused.

    If a trial of a new bundle was cut short, the trial is ended first, so that the earlier bundle plays again. If that
    cannot be written to the disk, a warning is logged. Raises BundleError if not even the shipped bundle can be used.
    """
    slots = slots or Slots()
    _end_a_trial_cut_short(slots)
    choice = choose(slots)
    for sentence in choice.refused:
        log.error("%s Another bundle plays instead; flash a good one.", sentence)
    return choice.bundle


def choose(slots: Slots) -> Choice:
    """Return the bundle of the active slot, opened, or a replacement if that bundle is refused. Changes nothing.

    A bundle is refused if it is damaged or not signed by a key that this box trusts. Then the bundle in the other slot
    is opened if it passed its trial, and else the shipped one. Raises BundleError if not even that can be used.
    """
    active = slots.active()
    if active is None:
        return Choice(slots.open(None))
    others = [name for name in NAMES if name != active and (found := slots.verdict(name)) is not None and found.good]
    refused: list[str] = []
    for name in (active, *others):
        try:
            return Choice(slots.open(name), tuple(refused))
        except UserError as error:
            refused.append(str(error))
    return Choice(slots.open(None), tuple(refused))


def _end_a_trial_cut_short(slots: Slots) -> None:
    if not (slots.root / TRIAL).exists():
        return
    try:
        with slots.locked(0):
            if (said := slots.recover()) is not None:
                log.warning("%s", said)
    except LockedError:
        pass  # a trial is running, and this start is part of it
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSPC):
            raise
        log.warning("A trial was cut short and cannot be flipped back: %s cannot be written.", slots.root)
