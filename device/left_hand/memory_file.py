"""Stores the memory of phrases between days, so that the box knows a piece that it has heard before."""

from __future__ import annotations

import logging
from pathlib import Path

from device.left_hand.phrase_memory import MOST_BYTES, PhraseMemory
from device.system.durable_files import PRIVATE, write_durably
from device.system.paths import state_dir
from device.system.untrusted_files import read_small

FILE = "phrases.json"

log = logging.getLogger("lefthand")


def read_memory(folder: Path | None = None) -> PhraseMemory:
    """Read the memory from `folder`, by default the state directory, and return it. It is empty if there is no file.

    If the file is damaged, a warning is logged, and the memory is empty. The next session's end replaces the file.
    """
    path = (state_dir() if folder is None else folder) / FILE
    try:
        return PhraseMemory.unpacked(read_small(path, MOST_BYTES))
    except FileNotFoundError:
        return PhraseMemory(keeps=True)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be used (%s): the phrases are learnt again.", path, error)
        return PhraseMemory(keeps=True)


def keep_memory(memory: PhraseMemory, folder: Path | None = None) -> None:
    """Write the memory into `folder`, by default the state directory. An error of the disk is logged, not raised.

    After a power cut, either the old or the new file is complete. Other accounts may not read what the player played.
    """
    path = (state_dir() if folder is None else folder) / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, memory.packed(), PRIVATE)
    except OSError as error:
        log.warning("the phrases of this session cannot be stored (%s).", error.strerror)
