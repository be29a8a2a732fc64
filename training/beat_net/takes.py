"""Plays the takes of a fit by number, in a process of its own: a thread beside the fit would slow both."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from training.beat_net.inputs import WIDTH, heard, inputs_of
from training.beat_net.likely_hands import likely_hands
from training.beat_net.playing import play
from training.scored_hands import Floats, ScoredHand

BATCH, ONSETS = 32, 160
"""Takes in a batch, and onsets in a take."""
BLOCK, USES = 96, 8
"""Takes that are played at a time, and the number of batches that are drawn from them."""
FREER_BATCHES = 3000
"""Number of the batch from which on the whole dose of rubato is played. It grows from 0 with the number."""
ORNAMENT = 0.3
"""Weight of an ornament in the loss."""


class Takes:
    """Plays blocks of takes. A block with a number is always the same, so a resumed fit gets those that come next."""

    def __init__(self, hands: list[ScoredHand], share: Floats, seed: int, begins: bool = True) -> None:
        """`share` [hands] is the probability of each hand. `begins`: the first takes have no rubato."""
        self._hands, self._share, self._seed, self._begins = hands, share, seed, begins

    def block(self, number: int) -> tuple[Any, Any]:
        """Return the inputs [BLOCK, ONSETS, WIDTH] and truths [BLOCK, ONSETS, 3] of the block with this number."""
        free = min(1.0, number * USES / FREER_BATCHES) if self._begins else 1.0
        return self.played(np.random.default_rng([self._seed, 0, number]), BLOCK, free)

    def played(self, rng: np.random.Generator, takes: int, free: float = 1.0) -> tuple[Any, Any]:
        """Play so many takes. Return their inputs [takes, ONSETS, WIDTH] and truths [takes, ONSETS, 3].

        `free` (0 to 1) multiplies the dose of rubato.
        """
        x = np.zeros((takes, ONSETS, WIDTH), np.float32)
        y = np.zeros((takes, ONSETS, 3), np.float32)
        for i, which in enumerate(rng.choice(len(self._hands), takes, p=self._share)):
            take = play(self._hands[which], rng, ONSETS, free)
            music = heard(take)
            until = min(ONSETS, len(take.time_s))
            x[i, :until] = inputs_of(music)[:until]
            weight = np.where(take.is_ornament > 0, ORNAMENT, 1.0)
            truth = np.stack((take.place % 1.0, np.log2(take.beat_s / music.unit_s), weight), 1)
            y[i, :until] = truth[:until]
        return x, y


class TakesAhead:
    """Gives the batches of a fit by number. Another process plays the next block meanwhile."""

    def __init__(self, cache: Path, seed: int, begins: bool = True) -> None:
        """Start the process. `cache` has the prepared pieces. `begins`: the first takes have no rubato."""
        self._seed = seed
        self._player = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (cache, seed, begins))
        self._blocks: dict[int, Future[tuple[Any, Any]]] = {}

    def batch(self, number: int) -> tuple[Any, Any]:
        """Return inputs [BATCH, ONSETS, WIDTH] and truths [BATCH, ONSETS, 3] of the batch with this number."""
        block = number // USES
        asked = {n: self._blocks.get(n) or self._player.submit(_block, n) for n in (block, block + 1)}
        self._blocks = asked
        x, y = asked[block].result()
        which = np.random.default_rng([self._seed, 1, number]).choice(BLOCK, BATCH, replace=False)
        return x[which], y[which]

    def close(self) -> None:
        """End the process."""
        self._player.shutdown(cancel_futures=True)


_takes: Takes | None = None


def _begin(cache: Path, seed: int, begins: bool) -> None:
    global _takes
    _takes = Takes(*likely_hands(cache, "train"), seed, begins)


def _block(number: int) -> tuple[Any, Any]:
    assert _takes is not None
    return _takes.block(number)
