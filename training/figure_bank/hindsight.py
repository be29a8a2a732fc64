"""`python -m training hindsight` fits the net that finds the chords of past half beats again, from what followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt

from device.left_hand.chord_net import CHANNELS, DELAY, PLACES, shipped_arrays
from device.left_hand.hindsight_net import FILE, GUESSES, HEADS
from training.figure_bank.chords import (
    BATCH,
    DROPPED,
    REPORT,
    UNITS,
    Params,
    first_params,
    logits_of,
    losses,
    read,
    store,
    updater,
)
from training.figure_bank.half_beats import HalfBeats
from training.options import CACHE, SEED

FRAMES = 96
"""Number of half beats in a training example."""
FIT_HEADS = (*HEADS, ("left", 1))
"""The outputs that are fitted, as in `training.figure_bank.chords`. "left" is left out of the file."""
HEAD_WEIGHTS = {"triads": 1.0, "left": 0.5}
"""Weights of the heads' losses."""
FOLLOWED = 8
"""Half beats that must follow a half beat if it counts in the report."""
JUDGED = 200
"""Half beats of a validation piece up to which the report reads it."""
TOGETHER, WHOLE = 64, 128
"""Pieces that the chord net reads at once, and the number of half beats of which their length is a multiple."""

Floats = npt.NDArray[np.float32]


class Heard(NamedTuple):
    """Holds a piece, and `guesses` [n, 24]: the probabilities of the chord net's answer in hindsight at each half beat.

    A guess is for the triad `DELAY` half beats earlier.
    """

    piece: HalfBeats
    guesses: npt.NDArray[np.float16]


def with_guesses(pieces: list[HalfBeats]) -> list[Heard]:
    """Return each piece with the guesses of the shipped chord net."""
    import jax

    params = {name: array.astype(np.float32) for name, array in shipped_arrays().items()}
    answer = jax.jit(lambda heard, place: jax.nn.softmax(logits_of(params, heard, place)[..., 36:60]))
    found: list[Heard | None] = [None] * len(pieces)
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i].heard))
    for begin in range(0, len(order), TOGETHER):
        chosen = order[begin : begin + TOGETHER]
        longest = max(len(pieces[i].heard) for i in chosen)
        size = -(-longest // WHOLE) * WHOLE
        heard = np.zeros((size, TOGETHER, len(CHANNELS), 12), np.float32)
        place = np.zeros((size, TOGETHER, PLACES), np.float32)
        for column, i in enumerate(chosen):
            heard[: len(pieces[i].heard), column] = pieces[i].heard
            place[: len(pieces[i].heard), column] = pieces[i].place
        share = np.asarray(answer(heard, place)).astype(np.float16)
        for column, i in enumerate(chosen):
            found[i] = Heard(pieces[i], share[: len(pieces[i].heard), column])
    return [heard_piece for heard_piece in found if heard_piece is not None]


def stack(parts: list[tuple[Heard, int, int]]) -> dict[str, npt.NDArray[Any]]:
    """Return stretches of pieces as one batch: arrays [FRAMES, stretches, ...] by name, from the newest half beat back.

    Each part is a piece and its half beats from a first one to the one before the last number. Row r describes what was
    heard in the half beat that is asked for, r + 1 half beats before the end, and has its targets. The guess of the
    chord net is 0 in the first rows, because it comes `DELAY` half beats late. Rows that are filled up have the target
    -1, which stands for none.
    """
    n = len(parts)
    out: dict[str, npt.NDArray[Any]] = {
        "heard": np.zeros((FRAMES, n, len(CHANNELS) + GUESSES, 12), np.float32),
        "place": np.zeros((FRAMES, n, PLACES), np.float32),
        "triads": np.full((FRAMES, n), -1),
        "left": np.full((FRAMES, n, 12), -1.0, np.float32),
    }
    for column, ((piece, guesses), begin, end) in enumerate(parts):
        asked = np.arange(end - 2, begin - 1, -1)[:FRAMES]
        size = len(asked)
        # the inputs `heard` of a half beat describe the half beat before it
        out["heard"][:size, column, : len(CHANNELS)] = piece.heard[asked + 1]
        known = asked + DELAY < end
        out["heard"][:size, column, len(CHANNELS) :][known] = guesses[asked[known] + DELAY].reshape(-1, GUESSES, 12)
        out["place"][:size, column] = piece.place[asked]
        out["triads"][:size, column] = piece.triad[asked]
        out["left"][:size, column] = piece.left[asked]
    return out


def batches(pieces: list[Heard], batch: int, seed: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yield batches of `batch` random stretches of `pieces`, see `stack`, without end."""
    rng = np.random.default_rng(seed)
    lengths = np.array([len(piece.piece.heard) for piece in pieces], float) ** 0.75
    while True:
        parts = []
        for i in rng.choice(len(pieces), batch, p=lengths / lengths.sum()):
            total = len(pieces[i].piece.heard)
            end = int(rng.integers(min(2 * FOLLOWED, total), total + 1))
            parts.append((pieces[i], max(0, end - FRAMES - 1), end))
        yield stack(parts)


def fit(train: list[Heard], valid: list[Heard], steps: int, seed: int, out: Path) -> Params:
    """Fit the net with `steps` batches, and return its weights as arrays by name.

    Every `REPORT` batches it prints the loss and the share of right chords in the pieces `valid`, and writes the
    weights to `out`.
    """
    import jax
    import jax.numpy as jnp

    update = updater(steps, partial(losses, heads=FIT_HEADS, weights=HEAD_WEIGHTS))
    answer = jax.jit(logits_of)
    params = jax.tree.map(jnp.asarray, first_params(UNITS, seed, len(CHANNELS) + GUESSES, FIT_HEADS))
    mean, square = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
    feed, rng = batches(train, BATCH, seed), np.random.default_rng([seed, 1])
    ends = [min(JUDGED, len(piece.piece.heard)) for piece in valid]
    judged = stack([(piece, max(0, end - FRAMES - 1), end) for piece, end in zip(valid, ends, strict=True)])
    for at in range(1, steps + 1):
        keep = (rng.random((BATCH, 12 * UNITS)) >= DROPPED).astype(np.float32) / (1 - DROPPED)
        params, mean, square, value = update(params, mean, square, float(at), next(feed), keep)
        if at % REPORT == 0 or at == steps:
            logits = np.asarray(answer(params, judged["heard"], judged["place"]))
            click.echo(f"{at:6d}  loss {float(value):.3f}  right on validation: {_report(logits, judged)}")
            store(params, out, HEADS)
    return {name: np.asarray(array) for name, array in params.items()}


def _report(logits: Floats, judged: dict[str, npt.NDArray[Any]]) -> str:
    target = judged["triads"][FOLLOWED:]
    guess = judged["heard"][FOLLOWED:, :, len(CHANNELS) :].reshape(*target.shape, 24)
    rows = {"this net": logits[FOLLOWED:, :, :24], "chord net": guess}
    return ", ".join(f"{name} {(row.argmax(axis=-1) == target)[target >= 0].mean():.3f}" for name, row in rows.items())


@click.command()
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=FILE, show_default=True, help="File of weights to write."
)
@click.option("--steps", default=900, show_default=True, help="Batches of stretches.")
@SEED
def hindsight(cache: Path, out: Path, steps: int, seed: int) -> None:
    """Fit the net of past chords on the prepared pieces, with the shipped chord net, and write its weights."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    train, valid = (with_guesses(read(cache, split, seed)) for split in ("train", "valid"))
    click.echo(f"{len(train)} pieces, {sum(len(p.piece.heard) for p in train)} half beats; {len(valid)} for validation")
    store(fit(train, valid, steps, seed, out), out, HEADS)
    click.echo(f"{out.stat().st_size / 1000:.0f} kB in {out.name}")
