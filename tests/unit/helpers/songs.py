"""Short invented songs on sixteenth steps, for tests of the seeds."""

from __future__ import annotations

import numpy as np

from training.experiments.seeds.data import Song

STEPS = 40
CHANGED_FROM = 24


def invented(seed: int, changed: bool = False) -> Song:
    """A melody above some chords; `changed` plays another melody from a step on."""
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed + 100)
    keys = np.zeros((4, STEPS, 88), bool)
    for step in range(STEPS):
        top = int((other if changed and step >= CHANGED_FROM else rng).integers(45, 60))
        keys[0, step, top] = keys[1, step, top] = True
        keys[2, step, [15 + step // 16, 19 + step // 16]] = True
        keys[3, step] = keys[2, step] if step % 4 == 0 else False
    return Song(str(seed), keys[0], keys[1], keys[2], keys[3], np.arange(STEPS) % 16, 16)
