"""Draws pictures that show how far one can trust the notes that the transcriber hears.

They show the confidence, the delay, the share of missed notes against false notes, and the net's doubt (the variance
over runs with dropout).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from device.events import LOWEST_KEY
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import GateSpec
from device.settings.choices import AS_FITTED
from training.hearing_figures.cases import Case
from training.hearing_figures.measure import BINS
from training.hearing_figures.mistakes import judge
from training.transcriber.gate_fit import pass_gate

HIT, MISSED, GHOST = "#2b8a3e", "#e8590c", "#c2255c"
"""Colours of hits, missed labels and false notes in all pictures."""
CONFIDENCES = (0.1, 0.2, 0.35, AS_FITTED, 0.65, 0.8, 0.9)
"""Values of the confidence setting that are marked on the curve of missed against false notes."""
PASSES = 16
"""Number of runs of the net with dropout. The doubt is the variance over these runs."""
DROPPED = 0.1
"""Share of values that dropout sets to 0 in each run."""
DOUBTED_S = 12.0
"""Seconds of a take that each of the `PASSES` runs processes. The time is short because the runs are slow."""


def reliability(cases: list[Case]) -> Callable[[Any], None]:
    """Return a function that draws the share of heard notes that are correct at each confidence.

    It draws into the matplotlib figure that it is given: a line for all notes, and one for each octave with enough
    notes.
    """
    rows = confidences(cases)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="grey", lw=0.8)
        octaves = sorted({pitch // 12 for _, _, pitch in rows})
        for octave, lw in ((None, 2.5), *((o, 0.9) for o in octaves)):
            part = sorted((c, hit) for c, hit, pitch in rows if octave in (None, pitch // 12))
            if len(part) >= 4 * BINS:
                bins = np.array_split(np.array(part, np.float64), BINS)
                name = "all" if octave is None else f"C{octave - 1} to B{octave - 1}"
                axes.plot([b[:, 0].mean() for b in bins], [b[:, 1].mean() for b in bins], ".-", lw=lw, label=name)
        axes.set(xlabel="confidence", ylabel="share of hits", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.legend(fontsize="small")

    return draw


def confidences(cases: list[Case]) -> list[tuple[float, bool, int]]:
    """Return (confidence, whether it is a hit, MIDI pitch) of every note heard in `cases`."""
    rows = []
    for case in cases:
        hits = {j for _, j in case.judged.hits}
        pitches = case.heard.notes[:, 2].astype(int)
        rows += [(float(c), j in hits, int(pitches[j])) for j, c in enumerate(case.heard.confidence)]
    return rows


def delays(cases: list[Case]) -> Callable[[Any], None]:
    """Return a function that draws a histogram of the delays of the hits into a matplotlib figure.

    A delay is the time in ms from the labelled onset to the transcriber's decision.
    """
    late = [1000 * (case.heard.decided_s[j] - case.take.notes[i, 0]) for case in cases for i, j in case.judged.hits]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.hist(late, bins=np.arange(0, 120, 2), color=HIT)
        axes.set(xlabel="decided after the labelled onset, ms", ylabel="notes")

    return draw


def missed_against_false(cases: list[Case], gate: GateSpec, hop_s: float) -> list[tuple[float, float, float]]:
    """Return (confidence, share of missed labels, false notes a minute) for each of `CONFIDENCES`.

    For each value, the gate of the transcriber decides again which notes it reports.
    """
    points = []
    for confidence in CONFIDENCES:
        trial = gate.asked(confidence)
        missed = false = labels = 0
        for case in cases:
            judged = judge(pass_gate(case.posteriors, trial, hop_s)[0], case.take.notes)
            missed, false, labels = (
                missed + len(judged.missed),
                false + len(judged.ghosts),
                labels + len(case.take.notes),
            )
        minutes = sum(len(case.take.audio) / case.take.rate for case in cases) / 60
        points.append((confidence, missed / labels, false / minutes))
    return points


def curve(points: list[tuple[float, float, float]]) -> Callable[[Any], None]:
    """Return a function that draws missed labels against false notes into a matplotlib figure.

    `points` come from `missed_against_false`. The shipped setting is marked.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([false for _, _, false in points], [100 * missed for _, missed, _ in points], ".-")
        for confidence, missed, false in points:
            axes.annotate(f"{confidence:g}", (false, 100 * missed), fontsize="small")
            if confidence == AS_FITTED:
                axes.plot([false], [100 * missed], "o", color=MISSED, label="as shipped")
        axes.set(xlabel="false notes a minute", ylabel="missed, %", xlim=(0, None), ylim=(0, None))
        axes.legend()

    return draw


def look_ahead(cases: list[Case]) -> Callable[[Any], None]:
    """Return a function that draws the onset F1 against the longest delay that is allowed into a matplotlib figure.

    A hit counts only if the transcriber decided it within this delay after the labelled onset.
    """
    late_ms = np.array(
        [1000 * (case.heard.decided_s[j] - case.take.notes[i, 0]) for case in cases for i, j in case.judged.hits]
    )
    found, wanted = (sum(len(notes) for notes in every) for every in _notes(cases))
    within = np.arange(0, 121, 4)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        hits = np.array([np.sum(late_ms <= ms) for ms in within])
        axes.plot(within, 100 * 2 * hits / max(found + wanted, 1), ".-", color=HIT)
        axes.set(xlabel="decided within, ms after the labelled onset", ylabel="onset F1, %", ylim=(0, 100))

    return draw


def _notes(cases: list[Case]) -> tuple[list[Any], list[Any]]:
    return [case.heard.notes for case in cases], [case.take.notes for case in cases]


def doubts(case: Case, fit: Path) -> npt.NDArray[np.float64]:
    """Return the doubt of a net about each note heard in the first `DOUBTED_S` seconds, float [notes, 3].

    `fit` is the folder with the net's weights. The columns are the confidence, whether the note is a hit, and a
    variance. The variance is that of the peak of the onset's probability over `PASSES` runs. Each run drops a random
    tenth of the inputs to the net's memory and heads (Monte Carlo dropout: Gal and Ghahramani 2016).
    """
    import keras

    from training.transcriber.net import NetConfig, TranscriberNet, build_sequence

    class Thinned(TranscriberNet):
        """A net with dropout that stays on, so that each run drops other values."""

        def seen(self, y: Any) -> Any:
            return keras.random.dropout(y, DROPPED, seed=self.chance)

    about = json.loads((fit / "config.json").read_text())
    config, spec = NetConfig.from_dict(about["net"]), FeatureSpec.from_dict(about["features"])
    net = Thinned(config, spec, name="net")
    net.chance = keras.random.SeedGenerator(1)
    frames = min(len(case.frames), round(DOUBTED_S / spec.hop_s))
    model = build_sequence(net, frames)
    model.load_weights(fit / "best.weights.h5")
    inputs = {"x": case.frames[None, :frames], "own": case.own[None, :frames]}
    passes = [expit(np.asarray(model.predict_on_batch(inputs))[0, ..., 0]) for _ in range(PASSES)]
    hits = {j for _, j in case.judged.hits}
    rows = []
    for j, (note, decided_s) in enumerate(zip(case.heard.notes, case.heard.decided_s, strict=True)):
        frame = round(decided_s / spec.hop_s) - 1
        if frame < frames:
            key = int(note[2]) - LOWEST_KEY
            # a run may find the note a frame earlier or later, so its peak is taken over four frames
            peaks = [posterior[max(frame - 1, 0) : frame + 3, key].max() for posterior in passes]
            rows.append((case.heard.confidence[j], j in hits, np.var(peaks)))
    return np.array(rows, np.float64).reshape(-1, 3)


def uncertainty(doubted: npt.NDArray[np.float64]) -> Callable[[Any], None]:
    """Return a function that draws two pictures of `doubts` into a matplotlib figure.

    One shows the variance against the confidence. The other shows how the variance is distributed for hits and for
    false notes.
    """

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for hit, colour, name in ((1, HIT, "hits"), (0, GHOST, "ghosts")):
            part = doubted[doubted[:, 1] == hit]
            left.plot(part[:, 0], part[:, 2], ".", color=colour, ms=4, label=name)
            if len(part):
                right.plot(np.sort(part[:, 2]), np.arange(1, len(part) + 1) / len(part), color=colour, label=name)
        left.set(xlabel="confidence", ylabel="variance of the onset posterior", xlim=(0, 1.02), ylim=(0, None))
        right.set(xlabel="variance of the onset posterior", ylabel="share of notes below", ylim=(0, 1.02))
        left.legend(fontsize="small")

    return draw
