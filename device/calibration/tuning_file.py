"""Stores the tuning of the piano between runs, so that the next run hears it right from the first note."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

from device.hearing.tuning import MOST_CENTS
from device.system.durable_files import write_durably
from device.system.paths import state_dir
from device.system.untrusted_files import read_small

SCHEMA = 1
"""Version of the file's format."""
FILE = "tuning.json"

log = logging.getLogger("lefthand")


def read_tuning(folder: Path | None = None) -> float:
    """Return the stored tuning in cents above A4 = 440 Hz from `folder`, by default the state directory.

    Returns 0 if there is none. If the file is damaged, one sentence goes to the log; the next measurement replaces it.
    """
    path = (state_dir() if folder is None else folder) / FILE
    try:
        data = json.loads(read_small(path))
        cents = data["cents"] if data["schema"] == SCHEMA else None
        if isinstance(cents, bool) or not isinstance(cents, int | float) or not math.isfinite(cents):
            raise ValueError(f"it is not of schema {SCHEMA}")
        if abs(cents) > MOST_CENTS:
            raise ValueError(f"{cents:g} cents is not within {MOST_CENTS:g}")
    except FileNotFoundError:
        return 0.0
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        log.warning("%s cannot be used (%s): the tuning is measured again.", path, error)
        return 0.0
    return float(cents)


def write_tuning(cents: float, folder: Path | None = None) -> None:
    """Write the tuning in cents to `folder`, by default the state directory.

    A power cut leaves either the new file or the old one. Raises OSError if the disk refuses it.
    """
    path = (state_dir() if folder is None else folder) / FILE
    write_durably(path, json.dumps({"schema": SCHEMA, "cents": cents}).encode() + b"\n")


class TuningKeeper:
    """Writes the tuning when it has changed. `tuning` is the one that is stored now, in cents above A4 = 440 Hz."""

    def __init__(self, tuning: float) -> None:
        self._stored = tuning
        self._fails = False

    def keep(self, tuning: float) -> None:
        """Write `tuning` if it differs from the stored one.

        If the disk refuses it, log that once and write nothing more.
        """
        if tuning == self._stored or self._fails:
            return
        try:
            write_tuning(tuning)
        except OSError as error:
            self._fails = True
            log.warning(
                "the tuning of the piano cannot be stored (%s): it is measured again next time.", error.strerror
            )
            return
        self._stored = tuning
        log.info("the piano is tuned %+.0f cents from A4 = 440 Hz, and is heard so", tuning)
