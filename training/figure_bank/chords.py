"""`python -m training chords` fits the net that finds the chord of the coming beat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from device.left_hand.chord_net import BEAT_INPUTS, FILE, beat_inputs
from training.accompanist.data import grid_of, right_hands
from training.corpora.pieces import HandLabel, Piece, load_pieces
from training.figure_bank.corpus import CENTRED_TRIADS, on_grid

BEATS = 192
"""Beats of a training example."""
LATE = 0.5
"""Share of training pieces in which an onset on the last step before a beat is not known yet, as on the device."""
UNITS = 160

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Beats:
    """The beats of a piece.

    `x` [beats, BEAT_INPUTS] are the inputs of the net. `chord` [beats] is the triad of both hands in the beat's half
    bar, or -1 in silence. `top` [beats] is the pitch class of the right hand's highest key on the beat, or -1 in
    silence.
    """

    x: Floats
    chord: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]


def beats_of(piece: Piece, rng: np.random.Generator, late: bool | None = None) -> Beats | None:
    """Return the beats of a piece. Returns None if a hand has fewer than 16 notes."""
    right_notes, left_notes = right_hands(piece, rng), piece.of(HandLabel.LEFT)
    if len(right_notes) < 16 or len(left_notes) < 16:
        return None
    steps, quarters = grid_of(piece)
    right, left = on_grid(right_notes, quarters), on_grid(left_notes, quarters)
    late = bool(rng.random() < LATE) if late is None else late
    weight = np.zeros((len(steps) + 1, 12), np.float32)
    for hand, share in ((left, 1.0), (right, 0.5)):
        roll = np.zeros((len(steps), 12), np.float32)
        for a, b, pitch in zip(hand.first, hand.end, hand.pitch, strict=True):
            roll[a:b, pitch % 12] = share
        weight[1:] += np.cumsum(roll, axis=0)
    order = np.argsort(right.first, kind="stable")
    first, end, pitch = right.first[order], right.end[order], right.pitch[order]
    rows, chords, tops = [], [], []
    for step in steps:
        if not step.is_beat:
            continue
        meter, now = step.meter, step.index
        lo = np.searchsorted(first, now - 64)
        hi = np.searchsorted(first, now - 1 if late else now)
        rows.append(beat_inputs(first[lo:hi], end[lo:hi], pitch[lo:hi], now, step.beat, meter))
        bar = meter.steps_per_bar
        half = bar // 2 if bar % (2 * meter.steps_per_beat) == 0 else bar
        begin = now - step.position % half
        both = weight[min(max(begin, 0) + half, len(steps))] - weight[max(begin, 0)]
        sounds = pitch[lo:][(first[lo:] <= now) & (end[lo:] > now)]
        tops.append(int(sounds.max()) % 12 if len(sounds) else -1)
        chords.append(int(np.argmax(CENTRED_TRIADS @ both)) if both.any() else -1)
    return Beats(np.array(rows), np.array(chords), np.array(tops))


def turned(piece: Beats, part: slice, by: int) -> tuple[Floats, Ints, Ints]:
    """Return some beats of a piece, transposed up by `by` semitones: inputs, triads and highest pitch classes."""
    x, chord, top = piece.x[part], piece.chord[part], piece.top[part]
    moved = x.copy()
    for channel in range(4):
        columns = slice(12 * channel, 12 * channel + 12)
        moved[:, columns] = np.roll(x[:, columns], by, axis=1)
    chord = np.where(chord < 0, -1, (chord % 12 + by) % 12 + chord // 12 * 12)
    return moved, chord, np.where(top < 0, -1, (top + by) % 12)


def batches(pieces: list[Beats], batch: int, seed: int) -> Iterator[tuple[Floats, list[Ints]]]:
    """Yield batches of random stretches in random keys. After the end of a piece the targets are -1."""
    rng = np.random.default_rng(seed)
    lengths = np.array([len(piece.x) for piece in pieces], float)
    while True:
        xs = np.zeros((batch, BEATS, BEAT_INPUTS), np.float32)
        chords, tops = np.full((batch, BEATS), -1), np.full((batch, BEATS), -1)
        for row, i in enumerate(rng.choice(len(pieces), batch, p=lengths / lengths.sum())):
            begin = int(rng.integers(max(1, len(pieces[i].x) - BEATS // 2))) if rng.random() < 0.6 else 0
            x, chord, top = turned(pieces[i], slice(begin, begin + BEATS), int(rng.integers(12)))
            xs[row, : len(x)], chords[row, : len(x)], tops[row, : len(x)] = x, chord, top
        yield xs, [chords, tops]


def fit(train: list[Beats], valid: list[Beats], steps: int, seed: int, units: int = UNITS) -> dict[str, Floats]:
    """Fit the net with `steps` batches and return its arrays. Prints the share of right chords on the way."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((BEATS, BEAT_INPUTS))
    hidden = keras.layers.Dropout(0.1)(inputs)
    hidden = keras.layers.GRU(units, return_sequences=True, name="gru")(hidden)
    hidden = keras.layers.Dropout(0.3)(hidden)
    heads = [keras.layers.Dense(24, name="out")(hidden), keras.layers.Dense(12, name="top")(hidden)]
    model = keras.Model(inputs, heads)
    rate = keras.optimizers.schedules.CosineDecay(3e-4, steps, 0.02, warmup_target=4e-3, warmup_steps=steps // 10)

    def loss(y: object, logits: object) -> object:
        return keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True, ignore_class=-1)
        )

    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3, clipnorm=1.0), loss=[loss, loss], loss_weights=[1.0, 0.5]
    )
    feed = batches(train, 32, seed)
    x = np.zeros((len(valid), BEATS, BEAT_INPUTS), np.float32)
    y, z = np.full((len(valid), BEATS), -1), np.full((len(valid), BEATS), -1)
    for row, piece in enumerate(valid):
        size = min(len(piece.x), BEATS)
        x[row, :size], y[row, :size], z[row, :size] = piece.x[:BEATS], piece.chord[:BEATS], piece.top[:BEATS]
    for at in range(steps):
        value = model.train_on_batch(*next(feed))
        if (at + 1) % 200 == 0 or at + 1 == steps:
            chord, top = (np.asarray(out).argmax(axis=2) for out in model.predict(x, verbose=0))
            right = float((chord == y)[y >= 0].mean()), float((top == z)[z >= 0].mean())
            click.echo(f"{at + 1:6d}  loss {float(value[0]):.3f}  right on validation: chords {right[0]:.3f}, ")
            click.echo(f"        the melody's next key {right[1]:.3f}")
    kernel, recurrent, bias = model.get_layer("gru").get_weights()
    out, out_bias = model.get_layer("out").get_weights()
    top_out, top_bias = model.get_layer("top").get_weights()
    return {
        "kernel": kernel,
        "recurrent": recurrent,
        "bias": bias,
        "out": np.hstack([out, top_out]),
        "out_bias": np.concatenate([out_bias, top_bias]),
    }


def read(cache: Path, split: str, seed: int) -> list[Beats]:
    """Return the beats of all pieces of a split."""
    rng = np.random.default_rng(seed)
    return [
        beats
        for corpus in ("lieder", "chopin", "pop909")
        for piece in load_pieces(cache, corpus, split)
        if piece.primary and (beats := beats_of(piece, rng, None if split == "train" else False)) is not None
    ]


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=FILE, show_default=True)
@click.option("--steps", default=2400, show_default=True, help="Batches of 32 stretches.")
@click.option("--seed", default=1, show_default=True)
def chords(cache: Path, out: Path, steps: int, seed: int) -> None:
    """Fit the chord net on the prepared pieces and write its weights as 16-bit floats."""
    train, valid = read(cache, "train", seed), read(cache, "valid", seed)
    click.echo(f"{len(train)} pieces, {sum(len(p.x) for p in train)} beats; {len(valid)} for validation")
    arrays = fit(train, valid, steps, seed)
    np.savez_compressed(out, **{name: array.astype(np.float16) for name, array in arrays.items()})
    click.echo(f"{out.stat().st_size / 1000:.0f} kB in {out.name}")
