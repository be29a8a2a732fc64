"""Fits the templates of `device.following.beat_gaps`: the times between the onsets of right hands, in beats.

Stretches of the scores are played with simulated rubato at a random tempo, and the device's own code makes histograms
of them. The fit tells the true beat from its multiples and parts and from other lengths. It needs no performance.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from device.clock.meter import Meter
from device.errors import UserError
from device.following.beat_gaps import BEATS, BINS, FILE, KINDS, LOWEST, REACH, SECONDS, SPREAD, GapHistograms, kind_of
from training.corpora.pieces import CORPORA, load_pieces
from training.options import CACHE
from training.scored_hands import scored_hands

Array = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]

LEVELS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
"""Tempi, as a share of the true one, that the fit must tell from the true tempo."""
TRUE = LEVELS.index(1.0)
OTHERS, OTHER_OCTAVES = 6, (0.15, 1.6)
"""Number of other tempi that are drawn, and the least and greatest octaves by which they are off."""
ONSETS = (24, 130)
"""Least and greatest number of onsets of a stretch (the greatest is not reached)."""
LEAST_NOTES, CHORD_BEATS = 40, 1e-3
"""A hand with fewer notes is left out. Notes that are closer than this many felt beats are one onset."""
USUAL_S, OCTAVES = 0.6, 1.2
"""Length of a beat in seconds, and the octaves by which it is drawn shorter or longer."""
BEAT_SD, DRIFT_SD, PLACE_SD = 0.06, 0.03, 0.025
"""Standard deviations of the simulated rubato: of each beat's length, of its drift from beat to beat (both relative),
and of the place of an onset in beats."""
STRETCHES = {"duple": 2, "triple": 3, "compound": 3}
"""Number of stretches of each hand of a Lied, by template."""
CHOPIN = 4
"""Factor of this number for Chopin's pieces, the only ones that are written for the piano alone. The songs of POP909
have one stretch each, because there are many of them."""
RIDGE, SMOOTH, STEPS = 1e-4, 3e-4, 150
"""Weights of the squares of the template's values and of their differences, and the most steps of the fit."""


def with_rubato(place: Array, rng: np.random.Generator) -> Array:
    """Return times [n], in usual beats, of onsets at `place` [n] in beats, played with simulated rubato."""
    begin = int(np.floor(place[0])) - 1
    beats = int(place[-1]) + 4 - begin
    drift = np.cumsum(rng.normal(0, DRIFT_SD, beats))
    length = np.exp(rng.normal(0, BEAT_SD, beats) + drift - drift.mean())
    time = np.interp(place - begin, np.arange(beats + 1), np.append(0.0, np.cumsum(length)))
    return np.sort(time + rng.normal(0, PLACE_SD, len(place)))


def in_beats(histograms: Array, beat_s: float) -> Samples:
    """Return the histograms [KINDS, SECONDS] with times as shares of `beat_s` seconds, [KINDS * BEATS]."""
    place = (np.arange(BEATS) / BINS - REACH + np.log2(beat_s) - LOWEST) * BINS
    spread = (np.convolve(row, SPREAD, "same") for row in histograms)
    return np.concatenate([np.interp(place, np.arange(SECONDS), row, left=0.0, right=0.0) for row in spread]).astype(
        np.float32
    )


def samples(onsets: Array, meter: Meter, rng: np.random.Generator) -> Samples | None:
    """Return what a random stretch of `onsets` [n, 2] looks like at the true tempo and at others, [tempi, features].

    The true tempo is in row `TRUE`. Returns None if there are too few onsets.
    """
    n = min(int(rng.integers(*ONSETS)), len(onsets) - 1)
    if n < ONSETS[0]:
        return None
    at = int(rng.integers(0, len(onsets) - n))
    place, pitch = onsets[at : at + n].T
    beat_s = USUAL_S * 2 ** rng.uniform(-OCTAVES, OCTAVES)
    gaps = GapHistograms()
    for time, key in zip(with_rubato(place, rng) * beat_s, pitch, strict=True):
        gaps.hear(float(time), int(key))
    tempi = [*LEVELS, *2 ** (rng.choice([-1, 1], OTHERS) * rng.uniform(*OTHER_OCTAVES, OTHERS))]
    return np.array([in_beats(gaps.per_onset(), beat_s / tempo) for tempo in tempi])


def fit(x: Samples) -> Array:
    """Return the template [KINDS, BEATS] that tells row `TRUE` from the other rows of each of `x` [n, tempi, features].

    It is a multinomial logistic regression. Neighbouring values of the template are pulled to each other.
    """
    n, tempi, features = x.shape
    flat = x.reshape(-1, features)

    def loss(w: Array) -> tuple[float, Array]:
        z = (flat @ w.astype(np.float32)).reshape(n, tempi)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -float(np.mean(np.log(p[:, TRUE] + 1e-12)))
        p[:, TRUE] -= 1
        step = np.diff(w.reshape(KINDS, BEATS), axis=1)
        pull = np.zeros((KINDS, BEATS))
        pull[:, 1:] += step
        pull[:, :-1] -= step
        slope = (p.reshape(-1) @ flat).astype(np.float64) / n + 2 * RIDGE * w + 2 * SMOOTH * pull.ravel()
        return value + RIDGE * float(w @ w) + SMOOTH * float((step**2).sum()), slope

    found = minimize(loss, np.zeros(features), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.asarray(found.x).reshape(KINDS, BEATS)


@click.command()
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=FILE, show_default=True, help="File of templates to write."
)
def gaps(cache: Path, out: Path) -> None:
    """Fit the templates of the times between onsets, from which the clock finds the tempo without a count-in."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[Samples]] = {kind: [] for kind in STRETCHES}
    for corpus in CORPORA:
        pieces = [piece for piece in load_pieces(cache, corpus, "train") if piece.primary and len(piece.downbeats)]
        for piece in pieces:
            for hand in scored_hands(piece, CHORD_BEATS):
                if hand.keys.sum() < LEAST_NOTES:
                    continue
                onsets, meter = np.column_stack([hand.place, hand.top]), hand.meter
                kind = kind_of(meter)
                if meter.beat_type != 4 and not meter.compound:
                    continue
                stretches = 1 if corpus == "pop909" else STRETCHES[kind] * (CHOPIN if corpus == "chopin" else 1)
                for _ in range(stretches):
                    sample = samples(onsets, meter, rng)
                    rows[kind] += [] if sample is None else [sample]
    if not all(rows.values()):
        raise UserError(f"Too few pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
    templates = {}
    for kind, seen in rows.items():
        x = np.array(seen)
        template = fit(x)
        right = float(((x[:, : len(LEVELS)] @ template.ravel().astype(np.float32)).argmax(axis=1) == TRUE).mean())
        click.echo(f"{kind}: {len(x)} stretches, the true tempo fits best in {right:.3f} of them")
        templates[kind] = template.astype(np.float32)
    np.savez_compressed(out, **templates)
