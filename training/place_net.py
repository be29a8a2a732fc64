"""Fits the net of `device.following.place_net`: at which sixteenth of the beat an onset lies, by the onsets around it.

Right hands and voices of scores are played with simulated rubato, and the device's own code makes the features of their
onsets. In stretches of 8, 20 and 40 onsets the sum of the net's scores must be greatest for the true grid, among all
grids that are moved by some sixteenths of a beat. The fit needs no performance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.errors import UserError
from device.following.place_net import AFTER, BEFORE, FEATURES, FILE, GAP_BINS, HEIGHT_RATE, gap_shares, melody_features
from training.corpora.pieces import CORPORA, load_pieces
from training.options import CACHE
from training.scored_hands import scored_hands

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

SIXTEENTHS = (4, 6)
"""Sixteenths of the beats for which a net is fitted: of a quarter, and of a dotted quarter."""
LEAST_ONSETS = 64
"""A hand with fewer onsets is left out."""
OFF = 0.3
"""An onset that is farther from every sixteenth, in sixteenths, is not judged. It may be a note of a triplet."""
BEAT_SD, DRIFT_SD, PLACE_SD, TEMPO_SD = 0.06, 0.03, 0.02, 0.03
"""Standard deviations of the simulated playing: of each beat's length, of its drift from beat to beat (both relative),
of the place of an onset in beats, and of the length of a beat that the clock would know (relative)."""
FOLLOWS = (0.4, 0.3, 0.2, 0.1)
"""The clock's beat is the mean of this beat and of the three before it, with these weights."""
TAKES = {"pop909": 1, "chopin": 4, "lieder": 2}
"""How often each hand of a corpus is played. Chopin's pieces are the only ones that are written for the piano alone."""
JUDGED, SUMS, SHARES = 40, (8, 20, 40), (0.3, 0.4, 0.3)
"""Onsets of a stretch in the fit, the numbers of onsets whose scores are added up, and their shares in the loss."""
HIDDEN, LATER, DROPPED, DROPPED_HIDDEN = 32, 32, 0.15, 0.4
"""Size of the two hidden layers, and the shares of the features and of the first layer that are left out by chance."""
RATE, RIDGE, BATCH, STEPS = 2e-3, 1e-4, 64, {4: 1200, 6: 600}
"""Greatest learning rate (it falls to 0), weight of the squares, stretches in a step, and the number of steps."""


def grid_of(meter: Meter) -> tuple[int, int]:
    """Return the sixteenths that the net of a metre tells apart, or 0, and how often they are in a felt beat."""
    if meter.compound:
        return (6, 1) if meter.beat_type == 8 else (0, 1)
    return {4: (4, 1), 2: (4, 2)}.get(meter.beat_type, (0, 1))


def with_rubato(place: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return times [n] of onsets at `place` [n] in beats, and the length of a beat there as a clock may know it [n].

    Both are in usual beats.
    """
    begin = int(np.floor(place[0])) - 1
    beats = int(place[-1]) + 4 - begin
    drift = np.cumsum(rng.normal(0, DRIFT_SD, beats))
    length = rng.normal(0, BEAT_SD, beats) + drift - drift.mean()
    time = np.interp(place - begin, np.arange(beats + 1), np.append(0.0, np.cumsum(np.exp(length))))
    known = np.convolve(np.pad(length, (len(FOLLOWS) - 1, 0), mode="edge"), FOLLOWS, "valid")
    beat = np.exp(np.interp(place - begin - 0.5, np.arange(beats), known) + rng.normal(0, TEMPO_SD))
    return np.maximum.accumulate(time + rng.normal(0, PLACE_SD, len(place))), beat


def features(time: Array, beat: Array, top: Array, keys: Places) -> Features:
    """Return what the net sees of each onset, [n, FEATURES]. `time` and `beat` are in the same unit of time."""
    out = np.zeros((len(time), FEATURES), np.float32)
    out[:, :GAP_BINS] = gap_shares(np.diff(time, append=time[-1] + beat[-1]) / beat)
    mean, before = float(top[0]), int(top[0])
    for row, pitch, number in zip(out, top.tolist(), keys.tolist(), strict=True):
        mean += HEIGHT_RATE * (pitch - mean)
        row[GAP_BINS:] = melody_features(int(pitch) - before, number, (pitch - mean) / 12)
        before = int(pitch)
    return out


def takes(cache: Path, split: str) -> dict[int, list[tuple[Features, Places]]]:
    """Return features and places of played hands, by the sixteenths of the beat. A place is -1 between sixteenths.

    Raises UserError if the cache has no pieces for one of the nets.
    """
    rng = np.random.default_rng(1)
    found: dict[int, list[tuple[Features, Places]]] = {sixteenths: [] for sixteenths in SIXTEENTHS}
    for corpus in CORPORA:
        for piece in load_pieces(cache, corpus, split):
            if not piece.primary or not len(piece.downbeats):
                continue
            for hand in scored_hands(piece):
                sixteenths, repeats = grid_of(hand.meter)
                if not sixteenths or len(hand.place) < LEAST_ONSETS:
                    continue
                at = hand.place * repeats * sixteenths
                known = np.where(np.abs(at - np.rint(at)) < OFF, np.rint(at).astype(np.int64) % sixteenths, -1)
                for _ in range(TAKES[corpus]):
                    time, beat = with_rubato(hand.place, rng)
                    found[sixteenths].append((features(time, beat / repeats, hand.top, hand.keys), known))
    if not all(found.values()):
        raise UserError(f"Too few pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
    return found


def net_of(sixteenths: int) -> Any:
    """Return a new net. It turns features [b, n, FEATURES] into scores [b, n - BEFORE - AFTER, sixteenths]."""
    import tensorflow as tf

    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((None, FEATURES)),
            layers.Dropout(DROPPED),
            layers.Conv1D(HIDDEN, BEFORE + 1 + AFTER, activation="relu"),
            layers.Dropout(DROPPED_HIDDEN),
            layers.Conv1D(LATER, 1, activation="relu"),
            layers.Conv1D(sixteenths, 1),
        ]
    )


def by_shift(scores: Any, places: Any) -> Any:
    """Return the sums [b, n + 1, sixteenths] of the scores up to each onset, for the grid moved by some sixteenths.

    `scores` is [b, n, sixteenths] and `places` [b, n]. An onset whose place is -1 adds nothing.
    """
    import tensorflow as tf

    sixteenths = scores.shape[-1]
    moved = (np.arange(sixteenths)[:, None] + np.arange(sixteenths)) % sixteenths
    rows = tf.gather(scores, tf.gather(tf.constant(moved), tf.maximum(places, 0)), batch_dims=2)
    rows -= tf.reduce_mean(rows, -1, keepdims=True)
    rows *= tf.cast(places >= 0, rows.dtype)[..., None]
    return tf.pad(tf.cumsum(rows, 1), [[0, 0], [1, 0], [0, 0]])


def fit(played: list[tuple[Features, Places]], sixteenths: int, steps: int, rng: np.random.Generator) -> Any:
    """Return a net fitted to the played hands in so many steps. Hands that are too short are left out."""
    import tensorflow as tf

    whole = BEFORE + JUDGED + AFTER
    played = [take for take in played if len(take[1]) >= whole]
    stretches = np.array([len(places) for _, places in played], float)
    net, optimizer = net_of(sixteenths), tf.keras.optimizers.Adam(RATE)

    def one_step(x: Any, places: Any) -> None:
        with tf.GradientTape() as tape:
            sums = by_shift(net(x, training=True), places)
            loss = RIDGE * tf.add_n([tf.reduce_sum(w * w) for w in net.trainable_weights if len(w.shape) > 1])
            for onsets, share in zip(SUMS, SHARES, strict=True):
                ends = sums[:, ::onsets]
                parts = ends[:, 1:] - ends[:, :-1]
                loss -= share * tf.reduce_mean(tf.nn.log_softmax(parts)[..., 0])
        optimizer.apply_gradients(zip(tape.gradient(loss, net.trainable_weights), net.trainable_weights, strict=True))

    step = tf.function(one_step)
    for number in range(steps):
        optimizer.learning_rate.assign(RATE * max(0.02, 1 - number / steps))
        x, places = [], []
        for i in rng.choice(len(played), BATCH, p=stretches / stretches.sum()):
            at = int(rng.integers(0, len(played[i][1]) - whole + 1))
            x.append(played[i][0][at : at + whole])
            places.append(played[i][1][at + BEFORE : at + BEFORE + JUDGED])
        step(tf.constant(np.array(x)), tf.constant(np.array(places)))
    return net


def right_share(net: Any, played: list[tuple[Features, Places]], onsets: int = 48) -> float:
    """Return the share of stretches of so many onsets in which the true grid has the greatest sum of scores."""
    import tensorflow as tf

    right: list[bool] = []
    for x, places in played:
        if len(places) >= BEFORE + onsets + AFTER:
            sums = by_shift(net(x[None], training=False), tf.constant(places[None, BEFORE : len(places) - AFTER]))
            ends = sums.numpy()[0, ::onsets]
            right += (np.diff(ends, axis=0).argmax(axis=1) == 0).tolist()
    return float(np.mean(right))


@click.command()
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=FILE, show_default=True, help="File of weights to write."
)
def place(cache: Path, out: Path) -> None:
    """Fit the net that judges the place of notes in the beat, for the clock without a count-in."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    played, others = takes(cache, "train"), takes(cache, "valid")
    layers: dict[str, npt.NDArray[np.float16]] = {}
    for sixteenths in SIXTEENTHS:
        net = fit(played[sixteenths], sixteenths, STEPS[sixteenths], rng)
        right = right_share(net, others[sixteenths])
        click.echo(f"{sixteenths} sixteenths: the true grid is best in {right:.3f} of the stretches of 48 onsets")
        for i, weights in enumerate(net.get_weights()):
            layers[f"{sixteenths}_{i}"] = weights.reshape(-1, weights.shape[-1]).astype(np.float16)
            if weights.ndim == 1:
                layers[f"{sixteenths}_{i}"] = weights.astype(np.float16)
    np.savez_compressed(out, **layers)
