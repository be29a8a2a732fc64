"""Compares the messages of two MIDI files, of which one may be that of a live run and the other its replay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

import mido
import pytest

TICK_S = 0.0015
"""Seconds. A message's time is rounded to the ticks of its file, and two files can have different ticks."""
Messages: TypeAlias = dict[str, list[float]]
"""The times of each message in seconds."""


def messages(path: Path, until_s: float = math.inf) -> Messages:
    """Return the messages of a MIDI file before `until_s` seconds."""
    at_s, found = 0.0, dict[str, list[float]]()
    for message in mido.MidiFile(path):
        at_s += message.time
        if not message.is_meta and at_s < until_s:
            found.setdefault(str(message.copy(time=0)), []).append(at_s)
    return found


def same(one: Messages, other: Messages) -> bool:
    """Return whether two files have the same messages at the same times."""
    return one.keys() == other.keys() and all(
        times == pytest.approx(other[text], abs=TICK_S) for text, times in one.items()
    )


def strikes(sent: Messages) -> list[float]:
    """Return the times of the strikes in seconds."""
    return [at_s for text, times in sent.items() if "note_on" in text for at_s in times]
