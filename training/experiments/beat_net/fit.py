"""Fits the net that tells the beat from onsets alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import numpy as np

from training.experiments.beat_net.inputs import WIDTH, heard, inputs_of
from training.experiments.beat_net.likely_hands import likely_hands
from training.experiments.beat_net.playing import play
from training.scored_hands import Floats, ScoredHand

BATCH, ONSETS = 32, 160
"""Takes in a step, and onsets in a take."""
BLOCK, USES = 96, 8
"""Takes that are played at a time, and the number of batches that are drawn from them."""
RATE, WARM_STEPS, DECAY, LARGEST_NORM = 2e-3, 200, 1e-3, 0.7
"""Greatest learning rate, steps in which it rises, weight decay, and greatest norm of the gradient."""
ORNAMENT = 0.3
"""Weight of an ornament in the loss."""
VALID_TAKES, EPOCH_STEPS = 192, 250
"""Takes of other pieces after each epoch, and the most steps of an epoch."""
WAYS = ("count-in", "r25", "flat", "no count-in")
"""Ways of playing that are judged: as performed after taps, with a quarter and none of the rubato, without taps."""


class Takes:
    """Plays takes by number, so that a fit that is resumed gets those that would have come next."""

    def __init__(self, hands: list[ScoredHand], share: Floats, seed: int) -> None:
        """`share` [hands] is the probability with which each hand is drawn."""
        self._hands, self._share, self._seed = hands, share, seed
        self._block = lru_cache(2)(self._played_block)

    def batch(self, number: int) -> tuple[Any, Any]:
        """Return inputs [BATCH, ONSETS, WIDTH] and truths [BATCH, ONSETS, 3] of the batch with this number."""
        rng = np.random.default_rng([self._seed, 1, number])
        x, y = self._block(number // USES)
        which = rng.choice(BLOCK, BATCH, replace=False)
        return x[which], y[which]

    def _played_block(self, number: int) -> tuple[Any, Any]:
        return self.played(np.random.default_rng([self._seed, 0, number]), BLOCK)

    def played(self, rng: np.random.Generator, takes: int) -> tuple[Any, Any]:
        """Play so many takes. Return their inputs [takes, ONSETS, WIDTH] and truths [takes, ONSETS, 3]."""
        x = np.zeros((takes, ONSETS, WIDTH), np.float32)
        y = np.zeros((takes, ONSETS, 3), np.float32)
        for i, which in enumerate(rng.choice(len(self._hands), takes, p=self._share)):
            take = play(self._hands[which], rng, ONSETS)
            music = heard(take)
            until = min(ONSETS, len(take.time_s))
            x[i, :until] = inputs_of(music)[:until]
            weight = np.where(take.is_ornament > 0, ORNAMENT, 1.0)
            truth = np.stack((take.place % 1.0, np.log2(take.beat_s / music.unit_s), weight), 1)
            y[i, :until] = truth[:until]
        return x, y


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the fit; a fit there goes on.")
@click.option("--steps", type=click.IntRange(1), default=20000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--performances", type=click.Path(path_type=Path), help="Real performances to judge the fit on.")
def beat(cache: Path, out: Path, steps: int, seed: int, performances: Path | None) -> None:
    """Fit the net that tells the beat from taps and onsets, without the clock's grid.

    With KERAS_BACKEND=jax a step takes a fraction of the time. With --performances the command prints how often the net
    and the clock know the place of an onset.
    """
    import keras

    from training.experiments.beat_net.judge import shares_right
    from training.experiments.beat_net.net import beat_net, loss, right
    from training.fitting import callbacks, divided, feed

    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    epochs, each = divided(steps, EPOCH_STEPS)
    batches = feed(Takes(*likely_hands(cache, "train"), seed).batch, each)
    others = Takes(*likely_hands(cache, "valid"), seed).played(np.random.default_rng(seed), VALID_TAKES)
    rate = keras.optimizers.schedules.CosineDecay(
        RATE * 0.01, max(1, epochs * each - WARM_STEPS), alpha=0.02, warmup_target=RATE, warmup_steps=WARM_STEPS
    )
    net = beat_net()
    optimizer = keras.optimizers.AdamW(rate, DECAY, beta_2=0.99, global_clipnorm=LARGEST_NORM)
    net.compile(optimizer, loss, metrics=[right])
    net.fit(batches, epochs=epochs, validation_data=others, verbose=2, callbacks=callbacks(out, epochs, batches))
    net.save_weights(out / "last.weights.h5")
    if performances is None:
        return
    for way in WAYS:
        shares = shares_right(net, performances, way)
        click.echo(f"{way}: right onsets: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))
