"""The shipped bundle and the demo recording, for tests that must pass with any weights."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.bundles.bundle import Bundle, default_bundle
from device.events import Note, NoteEnded, NoteHeard
from device.files.sound.file import SoundFile
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops

DEMO = Path(__file__).parents[3] / "demo" / "right-hand.flac"

Samples = NDArray[np.float32]


@cache
def bundle() -> Bundle:
    return Bundle.open(default_bundle())


@cache
def recording() -> tuple[Samples, int]:
    """Return the demo's samples and their rate in Hz."""
    sound = SoundFile(DEMO)
    return sound.read(), sound.rate


@cache
def demo(seconds: float) -> Samples:
    """Return the first `seconds` of the demo at the model's rate, cut to whole hops."""
    samples, rate = recording()
    spec = bundle().features
    hops = Hops(rate, spec.sample_rate, spec.hop).push(samples[: round(seconds * rate)])
    return np.concatenate([hop for hop, _ in hops])


def hear(hearing: Hearing, samples: Samples) -> list[NoteHeard | NoteEnded]:
    """Return the events of `hearing` for samples at the model's rate."""
    hop, rate = hearing.spec.hop, hearing.spec.sample_rate
    told: list[NoteHeard | NoteEnded] = []
    for end in range(hop, len(samples) + 1, hop):
        told += hearing.step(samples[end - hop : end], end / rate)
    return told


def notes(told: Iterable[NoteHeard | NoteEnded]) -> list[Note]:
    return [event.note for event in told if isinstance(event, NoteHeard)]


def share_found(wanted: list[Note], found: list[Note], within_s: float) -> float:
    """Return the share of the notes in both lists with a match of the same pitch in the other list (an F1)."""
    left = list(found)
    matched = 0
    for note in wanted:
        near = [n for n in left if n.pitch == note.pitch and abs(n.onset_s - note.onset_s) <= within_s]
        if near:
            left.remove(min(near, key=lambda n: abs(n.onset_s - note.onset_s)))
            matched += 1
    return 2 * matched / max(len(wanted) + len(found), 1)
