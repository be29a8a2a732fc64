"""Fits the net that tells the beat from onsets alone."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from training.beat_net.likely_hands import likely_hands
from training.beat_net.takes import Takes, TakesAhead
from training.options import CACHE, SEED

RATE, WARM_STEPS, DECAY, LARGEST_NORM = 2e-3, 200, 1e-3, 0.7
"""Greatest learning rate, steps in which it rises, weight decay, and greatest norm of the gradient."""
VALID_TAKES, EPOCH_STEPS = 192, 250
"""Takes of other pieces after each epoch, and the most steps of an epoch."""
WAYS = ("count-in", "r25", "flat", "no count-in")
"""Ways of playing that are judged: as performed after taps, with a quarter and none of the rubato, without taps."""


@click.command()
@CACHE
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the fit; a fit there goes on.")
@click.option("--steps", type=click.IntRange(1), default=16000, show_default=True, help="Batches.")
@SEED
@click.option("--start", type=click.Path(path_type=Path), help="Weights to go on from, with half of the learning rate.")
@click.option("--npz", type=click.Path(path_type=Path), help="File for the box, as device/following/beat_net.npz.")
@click.option("--performances", type=click.Path(path_type=Path), help="Real performances to judge the fit on.")
def beat(
    cache: Path, out: Path, steps: int, seed: int, start: Path | None, npz: Path | None, performances: Path | None
) -> None:
    """Fit the net that tells the beat from taps and onsets, without the clock's grid.

    With KERAS_BACKEND=jax a step takes a fraction of the time. With --performances the command prints how often the net
    and the clock know the place of an onset.
    """
    import keras

    from training.beat_net.judge import shares_right
    from training.beat_net.net import beat_net, for_the_box, loss, right
    from training.fitting import callbacks, divided, feed

    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    epochs, each = divided(steps, EPOCH_STEPS)
    ahead = TakesAhead(cache, seed, start is None)
    batches = feed(ahead.batch, each)
    others = Takes(*likely_hands(cache, "valid"), seed).played(np.random.default_rng(seed), VALID_TAKES)
    net = beat_net()
    if start is not None:
        net.load_weights(start)
    top = RATE if start is None else RATE / 2
    rate = keras.optimizers.schedules.CosineDecay(
        top * 0.01, max(1, epochs * each - WARM_STEPS), alpha=0.02, warmup_target=top, warmup_steps=WARM_STEPS
    )
    optimizer = keras.optimizers.AdamW(rate, DECAY, beta_2=0.99, global_clipnorm=LARGEST_NORM)
    net.compile(optimizer, loss, metrics=[right])
    # in order, because each block of takes serves successive batches
    net.fit(
        batches,
        epochs=epochs,
        validation_data=others,
        shuffle=False,
        verbose=2,
        callbacks=callbacks(out, epochs, batches),
    )
    ahead.close()
    net.save_weights(out / "last.weights.h5")
    if npz is not None:
        np.savez_compressed(npz, **{name: w.astype(np.float16) for name, w in for_the_box(net)._asdict().items()})
    if performances is None:
        return
    for way in WAYS:
        shares = shares_right(net, performances, way)
        click.echo(f"{way}: right onsets: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))
