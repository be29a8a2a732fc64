"""Fits the net of `lock` on the clock's own beats, and prints how well it tells the beats that are held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from training.beat_net.likely_hands import likely_hands
from training.lock_net.takes import Batch, Singles, batch_of, performed, simulated
from training.options import CACHE, SEED
from training.playing_figures.following import DOSES, load_performances

RATE, WARM_STEPS, DECAY, LARGEST_NORM, TAKES_A_STEP = 4e-3, 30, 1e-2, 1.0, 32
"""Greatest learning rate, steps in which it rises, weight decay, greatest norm of the gradient, takes in a step."""
MOST_ONSETS = 200
"""Onsets of a take that the fit uses, ornaments among them."""
OTHERS = 5
"""One take of other pieces is played for so many takes of the fit."""
WAYS = ("count-in", *reversed(DOSES))
"""Ways of playing that are judged: as performed after taps, and with half, a quarter and none of the rubato."""


@click.command()
@CACHE
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the fit; takes there are used.")
@click.option("--takes", type=click.IntRange(OTHERS), default=320, show_default=True, help="Simulated takes.")
@click.option("--epochs", type=click.IntRange(1), default=8, show_default=True, help="Times that every take is read.")
@SEED
@click.option("--npz", type=click.Path(path_type=Path), help="File for the box, as device/following/lock_net.npz.")
@click.option("--performances", type=click.Path(path_type=Path), help="Real performances to judge the fit on.")
def lock(
    cache: Path, out: Path, takes: int, epochs: int, seed: int, npz: Path | None, performances: Path | None
) -> None:
    """Fit the net that tells by the clock's history whether its beat is right.

    The clock follows simulated takes, which takes .4 s for each on a free core. They are kept in the folder of the fit.
    Fit again after each change of the clock or of its nets, in a new folder.
    """
    from training.lock_net.net import FITS, for_the_box, scaled, scales_of

    out.mkdir(parents=True, exist_ok=True)
    batch = kept(out / "takes.npz", lambda: simulated(*likely_hands(cache, "train"), takes, seed))
    others = kept(out / "others.npz", lambda: simulated(*likely_hands(cache, "valid"), takes // OTHERS, seed))
    batch = first_onsets(batch)
    scales = scales_of(batch)
    nets = [fitted(batch, others, scales, epochs, seed + i, out) for i in range(FITS)]
    if npz is not None:
        np.savez_compressed(npz, **for_the_box(nets, scales)._asdict())

    def show(name: str, judged: Batch) -> None:
        x = scaled(judged, scales)
        odds = np.mean([net.predict(x, batch_size=TAKES_A_STEP, verbose=0)[..., 0] for net in nets], axis=0)
        for kind, value in (("before", judged.lock), ("new", 1 / (1 + np.exp(-odds)))):
            click.echo(f"{name:24s}{kind:8s}" + "".join(f"{figure:8.3f}" for figure in told(judged, value)))

    click.echo(f"{'':32s}{'AUC':>8s}{'sure':>8s}{'low':>8s}")
    show("simulated, count-in", others)
    if performances is not None:
        pieces = load_performances(performances)
        for way in WAYS:
            show(way, kept(out / f"{way}.npz", lambda way=way: performed(pieces, way)))


def fitted(batch: Batch, others: Batch, scales: tuple[Singles, Singles], epochs: int, seed: int, out: Path) -> Any:
    """Return a net that is fitted on `batch`, and judged after each epoch on `others`. Its history and its weights are
    kept in the folder `out`."""
    import keras

    from training.lock_net.net import lock_net, scaled

    keras.utils.set_random_seed(seed)
    net = lock_net()
    steps = epochs * -(-len(batch.right) // TAKES_A_STEP)
    rate = keras.optimizers.schedules.CosineDecay(
        RATE / 40, max(1, steps - WARM_STEPS), alpha=0.02, warmup_target=RATE, warmup_steps=WARM_STEPS
    )
    net.compile(
        keras.optimizers.AdamW(rate, DECAY, clipnorm=LARGEST_NORM), keras.losses.BinaryCrossentropy(from_logits=True)
    )
    net.fit(
        scaled(batch, scales),
        batch.right[..., None],
        sample_weight=batch.weight,
        batch_size=TAKES_A_STEP,
        epochs=epochs,
        validation_data=(scaled(others, scales), others.right[..., None], others.weight),
        verbose=2,
        callbacks=[keras.callbacks.CSVLogger(str(out / f"history-{seed}.csv"))],
    )
    net.save_weights(out / f"seed-{seed}.weights.h5")
    return net


def kept(path: Path, made: Any) -> Batch:
    """Return the takes in the file `path`, which is written first, with the takes that `made` returns, if it is not
    there."""
    if not path.exists():
        batch = batch_of(made())
        np.savez_compressed(path, **{field.name: getattr(batch, field.name) for field in fields(Batch)})
    with np.load(path, allow_pickle=False) as data:
        return Batch(**data)


def first_onsets(batch: Batch) -> Batch:
    """Return `batch` with the first MOST_ONSETS onsets of each take, and without weight for later beats."""
    early = batch.last < MOST_ONSETS
    return replace(
        batch,
        inputs=batch.inputs[:, :MOST_ONSETS],
        last=np.minimum(batch.last, MOST_ONSETS - 1),
        weight=batch.weight * early,
        judged=batch.judged & early,
    )


def told(batch: Batch, lock: Any) -> Iterator[float]:
    """Yield how well `lock` [b, m] tells the right beats that are judged: its AUC, the share of the other beats with a
    lock above .5, and the share of the right beats with a lock below .5. NaN without beats of both kinds."""
    judged, right = batch.judged, batch.right > 0
    good, bad = lock[judged & right], np.sort(lock[judged & ~right])
    if not len(good) or not len(bad):
        yield from (float("nan"),) * 3
        return
    above = np.searchsorted(bad, good, "left") + np.searchsorted(bad, good, "right")
    yield float(above.mean() / 2 / len(bad))
    yield float((bad > 0.5).mean())
    yield float((good < 0.5).mean())
