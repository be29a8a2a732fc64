"""`python -m training figures` builds the bank of left-hand figures (short patterns) that the device plays.

The bank holds excerpts from the Lieder (CC0) and Chopin (CC BY) alone. No notes come from POP909: it gives only
statistics of its songs, and weights and spreads of a model. The model predicts from the right hand in what manner a
left hand plays.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from device.left_hand.figure_bank import CONTEXT_LIMIT, FILE, GROUPS, MANNER_UNIT
from training.corpora.pieces import load_pieces
from training.figure_bank.corpus import LeftHandExcerpt, excerpts_of
from training.figure_bank.song_statistics import song_statistics
from training.options import CACHE, SEED

MOST_EXCERPTS = 1100
"""Excerpts in the bank. With more, the file would exceed 200 kB."""
DRAWS = 6000
"""Number of right hands of each kind (songs, piano music) for which a left hand is drawn at random.

The excerpts nearest to these draws most often are kept.
"""
NEAR_COUNTS = (1.0, 0.5, 0.25)
"""What a draw counts for the nearest excerpt and for the next two."""
RIDGE = 20.0
"""Strength of the penalty on large weights in the fit of the model. A larger value makes the weights smaller."""
POP = "pop909"
Floats = npt.NDArray[np.float64]


def features_of(context: Floats, group: npt.NDArray[np.int64]) -> Floats:
    """Return the model's inputs [n, 2 c + groups] for standardised contexts [n, c] and groups [n].

    A context describes a right hand in numbers. A group is a number for the metre. The inputs are the contexts, their
    squares, and a one in the column of the group.
    """
    return np.hstack([context, context**2, np.eye(len(GROUPS))[group]])


def fit_bank(named: list[tuple[str, LeftHandExcerpt]], seed: int = 1) -> dict[str, npt.NDArray[np.generic]]:
    """Fit the model of manners, choose excerpts, and return all arrays of the bank's file by name.

    `named` holds pairs of corpus and excerpt. Left hands are drawn from the model with `seed`. The excerpts from piano
    music that are nearest to these draws most often are kept. The statistics of the songs are in the result too.
    """
    excerpts = [excerpt for _, excerpt in named]
    song = np.array([corpus == POP for corpus, _ in named])
    names = np.array([excerpt.piece for excerpt in excerpts])
    pieces, piece = np.unique(names, return_inverse=True)
    group = np.array([excerpt.group for excerpt in excerpts])
    context = np.array([excerpt.context for excerpt in excerpts])
    manner = np.array([excerpt.manner for excerpt in excerpts])
    middle, spread = context.mean(axis=0), context.std(axis=0)
    # a number's unit is its spread within the two kinds of music, so that both kinds are matched as finely
    manner_middle = manner.mean(axis=0)
    manner_spread = np.sqrt(0.5 * (manner[song].var(axis=0) + manner[~song].var(axis=0)))
    inputs = features_of(np.clip((context - middle) / spread, -CONTEXT_LIMIT, CONTEXT_LIMIT), group)
    targets = (manner - manner_middle) / manner_spread
    models = [_regression(inputs[song == kind], targets[song == kind], piece[song == kind]) for kind in (False, True)]
    count = _times_nearest(inputs, targets, group, song, models, seed)
    chosen = np.sort(np.argsort(-count, kind="stable")[:MOST_EXCERPTS])
    chosen = chosen[~song[chosen]]
    arrays = _pack([excerpts[i] for i in chosen])
    arrays |= {
        "strikes": np.array([manner_middle[0], manner_spread[0]]),
        "piece": piece[chosen].astype(np.int16),
        "group": group[chosen].astype(np.int8),
        "manner": np.rint(targets[chosen] * MANNER_UNIT).clip(-127, 127).astype(np.int8),
        "middle": middle,
        "spread": spread,
        "gate": _gate(inputs, song),
        "weights": np.array([weights for weights, _, _ in models]),
        "offset": np.array([offset for _, offset, _ in models]),
        "noise": np.array([noise for _, _, noise in models]),
    }
    four_four = GROUPS.index((16, 4))
    return arrays | song_statistics([e for corpus, e in named if corpus == POP and e.group == four_four])


def _times_nearest(
    inputs: Floats,
    targets: Floats,
    group: npt.NDArray[np.int64],
    song: npt.NDArray[np.bool_],
    models: list[tuple[Floats, Floats, Floats]],
    seed: int,
) -> Floats:
    """Return how often each of n excerpts is near to a manner that is drawn for a right hand [n]. Songs have 0.

    `inputs` [n, i], `targets` [n, m], `group` [n] and `song` [n] describe the excerpts, and `models` are the results of
    `_regression` for piano music and for songs. The nearest excerpt of the same metre counts 1, the next two less.
    """
    rng = np.random.default_rng(seed)
    own = np.flatnonzero(~song)
    count = np.zeros(len(inputs))
    for kind, (weights, offset, noise) in zip((False, True), models, strict=True):
        for row in rng.choice(np.flatnonzero(song == kind), DRAWS):
            draw = inputs[row] @ weights + offset + noise @ rng.standard_normal(targets.shape[1])
            there = own[group[own] == group[row]]
            near = there[np.argsort(((targets[there] - draw) ** 2).sum(axis=1))[: len(NEAR_COUNTS)]]
            count[near] += NEAR_COUNTS
    return count


def _gate(inputs: Floats, song: npt.NDArray[np.bool_]) -> Floats:
    """Fit a logistic regression that tells a song's melody from the right hand of piano music.

    Returns its weights [inputs + 1]; the last one is the constant.
    """
    from scipy.optimize import minimize

    x = np.hstack([inputs, np.ones((len(inputs), 1))])
    share = np.where(song, 0.5 / song.mean(), 0.5 / (~song).mean())

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w
        p = 1 / (1 + np.exp(-z))
        value = float((share * (np.logaddexp(0, z) - song * z)).mean() + 1e-3 * (w @ w))
        return value, x.T @ (share * (p - song)) / len(x) + 2e-3 * w

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def _regression(inputs: Floats, targets: Floats, piece: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Fit `targets` by a ridge regression on `inputs`.

    Returns the weights, the offset, and the Cholesky factor of the covariance of the pieces' mean errors.
    """
    mean = inputs.mean(axis=0)
    x = inputs - mean
    w = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (targets - targets.mean(axis=0)))
    offset = targets.mean(axis=0) - mean @ w
    rest = targets - inputs @ w - offset
    by_piece = np.array([rest[piece == p].mean(axis=0) for p in np.unique(piece)])
    cov = np.cov(by_piece.T)
    return w, offset, np.linalg.cholesky(cov + 1e-3 * np.eye(len(cov)))


def _pack(excerpts: list[LeftHandExcerpt]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the excerpts as arrays by name. A bar that occurs more than once is stored once."""
    known: dict[bytes, int] = {}
    bars: list[npt.NDArray[np.uint8]] = []
    number = np.zeros((len(excerpts), len(excerpts[0].bars)), np.int16)
    for i, excerpt in enumerate(excerpts):
        for j, bar in enumerate(excerpt.bars):
            small = bar.astype(np.uint8)
            key = small.tobytes()
            if key not in known:
                known[key] = len(bars)
                bars.append(small)
            number[i, j] = known[key]
    return {
        "notes": np.concatenate(bars),
        "bar_notes": np.array([len(bar) for bar in bars], np.uint8),
        "bars": number,
        "lifts": np.array([excerpt.lifts for excerpt in excerpts]).clip(-60, 60).astype(np.int8),
        "anchor": np.array([excerpt.anchor for excerpt in excerpts], np.uint8),
    }


@click.command()
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=FILE, show_default=True, help="File of figures to write."
)
@SEED
def figures(cache: Path, out: Path, seed: int) -> None:
    """Build the bank of left-hand figures, such as bass and chords, from the prepared pieces of the training split."""
    rng = np.random.default_rng(seed)
    named = [
        (corpus, excerpt)
        for corpus in ("chopin", "lieder", POP)
        for piece in load_pieces(cache, corpus, "train")
        if piece.primary
        for excerpt in excerpts_of(piece, rng)
    ]
    arrays = fit_bank(named, seed)
    np.savez_compressed(out, **arrays)
    click.echo(
        f"{len(named)} excerpts read, {len(arrays['group'])} kept, {len(arrays['bar_notes'])} different bars, "
        f"{len(arrays['notes'])} notes, {out.stat().st_size / 1000:.0f} kB in {out.name}"
    )
