"""`python -m training chords` fits the neural net that predicts the chord of the coming half beat."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from device.left_hand.chord_net import CHANNELS, DELAY, FILE, HEADS, PLACES
from training.corpora.pieces import load_pieces
from training.figure_bank.half_beats import HalfBeats, half_beats_of
from training.options import CACHE, SEED

FRAMES = 160
"""Number of half beats in a training example."""
VOICES = 0.3
"""Share of the Lieder that are also read with the singer's voice as the right hand."""
UNITS = 24
"""Number of the net's units for each pitch class."""
FIT_HEADS = (*HEADS, ("left", 1))
"""The heads (groups of outputs) that are fitted, each with its number of outputs for a pitch class.

"left" is the probability that a left hand sounds each pitch class in the coming beat. This head helps the fit and is
left out of the file.
"""
BATCH = 24
HEAD_WEIGHTS = {"triads": 1.0, "top": 0.3, "left": 1.0, "hindsight": 0.5}
"""Weights of the heads' losses."""
PEAK, WARM_UP, LAST = 6e-3, 0.05, 0.02
"""Highest learning rate of Adam, share of the steps before it is reached, and last rate as a share of the highest."""
DECAY, CLIP = 1e-4, 1.0
"""Weight decay, and the limit of the gradient's norm."""
DROPPED = 0.15
"""Share of the units whose output is set to 0 before the dense layer in training (dropout)."""
REPORT = 100
"""Number of batches between two lines of the log. The weights are stored at the same times."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Params = dict[str, Any]


def read(cache: Path, split: str, seed: int) -> list[HalfBeats]:
    """Read the pieces of a split from `cache`, and return the training data of each (see `HalfBeats`).

    Other versions of a piece that is there already are left out. In the split "train", some pieces are read with late
    onsets, and some Lieder a second time with the voice as the right hand. `seed` draws which.
    """
    rng = np.random.default_rng(seed)
    found = []
    for corpus in ("lieder", "chopin", "pop909"):
        for piece in load_pieces(cache, corpus, split):
            if not piece.primary:
                continue
            late = bool(split == "train" and rng.random() < 0.5)
            voices = [False, True] if split == "train" and corpus == "lieder" and rng.random() < VOICES else [False]
            found += [half for voice in voices if (half := half_beats_of(piece, late, voice)) is not None]
    return found


def batches(pieces: list[HalfBeats], batch: int, seed: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yield batches of `batch` random stretches of `pieces`, as arrays by name (see `stack`), without end.

    After the end of a piece the targets are -1.
    """
    rng = np.random.default_rng(seed)
    lengths = np.array([len(piece.heard) for piece in pieces], float) ** 0.75
    while True:
        chosen = rng.choice(len(pieces), batch, p=lengths / lengths.sum())
        parts = []
        for i in chosen:
            begin = int(rng.integers(max(1, len(pieces[i].heard) - FRAMES // 2))) if rng.random() < 0.6 else 0
            parts.append((pieces[i], slice(begin, begin + FRAMES)))
        yield stack(parts)


def stack(parts: list[tuple[HalfBeats, slice]]) -> dict[str, npt.NDArray[Any]]:
    """Return stretches of pieces as one batch: arrays [FRAMES, stretches, ...] by name.

    Each part is a piece and a slice of at most FRAMES half beats. `heard` and `place` are the net's inputs.
    They are filled up with 0. The other arrays are targets. They are filled up with -1, which stands for no
    target. The target `hindsight` is the triad DELAY half beats earlier.
    """
    n = len(parts)
    out: dict[str, npt.NDArray[Any]] = {
        "heard": np.zeros((FRAMES, n, len(CHANNELS), 12), np.float32),
        "place": np.zeros((FRAMES, n, PLACES), np.float32),
        "triads": np.full((FRAMES, n), -1),
        "top": np.full((FRAMES, n), -1),
        "hindsight": np.full((FRAMES, n), -1),
        "left": np.full((FRAMES, n, 12), -1.0, np.float32),
    }
    for row, (piece, part) in enumerate(parts):
        size = len(piece.heard[part])
        out["heard"][:size, row] = piece.heard[part]
        out["place"][:size, row] = piece.place[part]
        out["triads"][:size, row] = piece.triad[part]
        out["top"][:size, row] = piece.top[part]
        out["left"][:size, row] = piece.left[part]
        out["hindsight"][DELAY:size, row] = piece.triad[part][: size - DELAY]
    return out


def first_params(
    units: int, seed: int, channels: int = len(CHANNELS), heads: tuple[tuple[str, int], ...] = FIT_HEADS
) -> Params:
    """Return random weights with which the fit begins, as arrays by name for `device.left_hand.chord_net.ChordNet`.

    `channels` is the number of inputs for each pitch class, and `heads` are the outputs, see `FIT_HEADS`.
    """
    rng = np.random.default_rng(seed)
    outputs = sum(number for _, number in heads)

    def draw(*shape: int, fan_in: int) -> Floats:
        return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)

    return {
        "heard": draw(12, channels, 3 * units, fan_in=4 * channels),
        "place": draw(PLACES, 3 * units, fan_in=PLACES),
        "past": draw(12, units, 3 * units, fan_in=12 * units),
        "bias": np.zeros((2, 3 * units), np.float32),
        "out": draw(12, units, outputs, fan_in=12 * units),
        "out_bias": np.zeros(outputs, np.float32),
    }


def logits_of(params: Params, heard: Any, place: Any, keep: Any = None) -> Any:
    """Return the net's outputs [T, n, 72] before the softmax, for T half beats of n stretches.

    `keep` [n, 12 units] scales the output of each unit; it is used for dropout.
    """
    import jax
    import jax.numpy as jnp

    interval = (np.arange(12)[None] - np.arange(12)[:, None]) % 12

    def wide(weights: Any) -> Any:
        return weights[interval].transpose(2, 0, 3, 1).reshape(12 * weights.shape[1], 12 * weights.shape[2])

    recurrent, out = wide(params["past"]), wide(params["out"])
    bias = jnp.repeat(params["bias"], 12, axis=1)
    steps, n = heard.shape[:2]
    size = len(recurrent)
    inside = heard.reshape(steps, n, -1) @ wide(params["heard"])
    inside = inside + jnp.repeat(place @ params["place"], 12, axis=2) + bias[0]

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        past = state @ recurrent + bias[1]
        gates = jax.nn.sigmoid(x[:, : 2 * size] + past[:, : 2 * size])
        new = jnp.tanh(x[:, 2 * size :] + gates[:, size:] * past[:, 2 * size :])
        state = gates[:, :size] * state + (1 - gates[:, :size]) * new
        return state, state

    _, states = jax.lax.scan(step, jnp.zeros((n, size)), inside)
    if keep is not None:
        states = states * keep
    return states @ out + jnp.repeat(params["out_bias"], 12)


def losses(
    params: Params,
    batch: Params,
    keep: Any = None,
    heads: tuple[tuple[str, int], ...] = FIT_HEADS,
    weights: Mapping[str, float] = HEAD_WEIGHTS,
) -> Any:
    """Return the weighted sum of the losses of `heads`, each a mean over the half beats that have a target."""
    import jax
    import jax.numpy as jnp

    logits = logits_of(params, batch["heard"], batch["place"], keep)
    total, begin = 0.0, 0
    for name, number in heads:
        part = logits[..., begin : begin + 12 * number]
        begin += 12 * number
        target = batch[name]
        if name == "left":
            cost = jnp.where(target >= 0, jnp.logaddexp(0.0, part) - target * part, 0.0).sum(axis=-1)
            known = target[..., 0] >= 0
        else:
            known = target >= 0
            share = jax.nn.log_softmax(part)
            cost = -jnp.take_along_axis(share, jnp.maximum(target, 0)[..., None], axis=-1)[..., 0]
        total = total + weights[name] * (cost * known).sum() / jnp.maximum(known.sum(), 1)
    return total


def updater(steps: int, loss: Callable[..., Any]) -> Any:
    """Return the function of one step of Adam that fits a net by `loss` in `steps` batches.

    It takes the weights, their first and second moments, the number of the step from 1, the batch and the units to
    keep, see `logits_of`. It returns new weights and moments, and the loss of the batch.
    """
    import jax
    import jax.numpy as jnp

    def rate(at: Any) -> Any:
        warm = at / (WARM_UP * steps)
        cosine = LAST + (1 - LAST) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(at / steps, 1.0)))
        return PEAK * jnp.minimum(warm, cosine)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(params: Params, mean: Params, square: Params, at: Any, batch: Params, keep: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(params, batch, keep)
        norm = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient)))
        gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, CLIP / norm), gradient)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g**2, square, gradient)
        one, two, speed = 1 - 0.9**at, 1 - 0.999**at, rate(at)
        params = jax.tree.map(
            lambda p, m, s: p - speed * (m / one / (jnp.sqrt(s / two) + 1e-8) + DECAY * p), params, mean, square
        )
        return params, mean, square, value

    return update


def fit(train: list[HalfBeats], valid: list[HalfBeats], steps: int, seed: int, out: Path, units: int = UNITS) -> Params:
    """Fit the net with `steps` batches, and return its weights as arrays by name.

    Every `REPORT` batches it prints the loss and the share of right chords in the pieces `valid`, and writes the
    weights to `out`.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp

    update = updater(steps, losses)
    answer = jax.jit(logits_of)
    params = jax.tree.map(jnp.asarray, first_params(units, seed))
    mean, square = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
    feed, rng = batches(train, BATCH, seed), np.random.default_rng([seed, 1])
    judged = stack([(piece, slice(0, FRAMES)) for piece in valid])
    for at in range(1, steps + 1):
        keep = (rng.random((BATCH, 12 * units)) >= DROPPED).astype(np.float32) / (1 - DROPPED)
        params, mean, square, value = update(params, mean, square, float(at), next(feed), keep)
        if at % REPORT == 0 or at == steps:
            logits = np.asarray(answer(params, judged["heard"], judged["place"]))
            click.echo(f"{at:6d}  loss {float(value):.3f}  right on validation: {_report(logits, judged)}")
            store(params, out)
    return {name: np.asarray(array) for name, array in params.items()}


def _report(logits: Floats, judged: dict[str, npt.NDArray[Any]]) -> str:
    triad, hindsight = logits[..., :24].argmax(axis=-1), logits[..., 36:60].argmax(axis=-1)
    hit, known, place = triad == judged["triads"], judged["triads"] >= 0, judged["place"]
    rows = {
        "on beats": known & (place[..., 4] == 0),
        "on bar lines": known & (place[..., 6] == 1),
        "on later half beats": known & (place[..., 4] == 1),
    }
    words = [f"{name} {hit[rows[name]].mean():.3f}" for name in rows]
    late = judged["hindsight"] >= 0
    return ", ".join([*words, f"in hindsight {(hindsight == judged['hindsight'])[late].mean():.3f}"])


def store(params: Params, out: Path, heads: tuple[tuple[str, int], ...] = HEADS) -> None:
    """Write the weights to the file `out` as 16-bit floats, with the outputs of `heads`, which are the first ones."""
    arrays = {name: np.asarray(array).astype(np.float16) for name, array in params.items()}
    kept = sum(number for _, number in heads)
    arrays |= {name: arrays[name][..., :kept] for name in ("out", "out_bias")}
    np.savez_compressed(out, **arrays)


@click.command()
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=FILE, show_default=True, help="File of weights to write."
)
@click.option("--steps", default=2400, show_default=True, help="Batches of stretches.")
@click.option("--units", default=UNITS, show_default=True, help="Units for each pitch class.")
@SEED
def chords(cache: Path, out: Path, steps: int, units: int, seed: int) -> None:
    """Fit the chord net on the prepared pieces and write its weights as 16-bit floats."""
    train, valid = read(cache, "train", seed), read(cache, "valid", seed)
    click.echo(f"{len(train)} pieces, {sum(len(p.heard) for p in train)} half beats; {len(valid)} for validation")
    store(fit(train, valid, steps, seed, out, units), out)
    click.echo(f"{out.stat().st_size / 1000:.0f} kB in {out.name}")
