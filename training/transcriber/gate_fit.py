"""Fits the gate on validation pieces. The gate turns the net's posteriors into notes.

The threshold of each octave and the shift of the onsets are fitted on mildly augmented scenes. The release, which ends
notes, is fitted on scenes in rooms. A room resounds after a damper has fallen, and a real piano resounds longer than a
rendered one. So a release that is fitted on sound without a room would hold notes too long.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logit
from tqdm import tqdm

from device.errors import UserError
from device.events import LOWEST_KEY, NoteHeard
from device.hearing.features import FeatureSpec
from device.hearing.gate import Gate
from device.hearing.gate_spec import OCTAVES, GateSpec
from training.note_scores import Notes, matched, score
from training.options import CACHE
from training.scenes.cache import load_scenes
from training.scenes.scene import GATE, SCENE_S, Scene
from training.transcriber.hear import fit_named

THRESHOLDS = np.round(np.arange(0.04, 0.95, 0.08), 2)
RELEASES = (0.2, 0.3, 0.4, 0.5)
OFFSETS = (0.2, 0.3, 0.45, 2.0)
AS_WELL = 0.001
"""Two gates count as equally good if the scores (0 to 1) of their note ends differ by at most this.

It can be chance.
"""
STRUCK_S = 0.010
"""Seconds from the stroke of a key to its sound. Scenes have no such delay; pianos and sound modules have one.

In the development recordings the labels lie 10 ms before the sound (median of all notes).
"""
WAKE = 0.93
"""Posterior (0 to 1) of an onset that is sure enough to wake the gate (`GateSpec.wake`).

While the gate sleeps, it lets only such onsets pass. The command prints the effect on sound without a piano.
"""
FEWEST = 150
"""An octave with fewer validation notes than this gets the threshold that is fitted on the notes of all octaves."""

Posteriors = npt.NDArray[np.float32]
Confidence = npt.NDArray[np.float64]


def pass_gate(posteriors: Posteriors, spec: GateSpec, hop_s: float) -> tuple[Notes, Confidence]:
    """Return the notes that pass the gate `spec`, [notes, 4], and the confidence of each, 0 to 1 [notes].

    `posteriors` [frames, 88, 4] are the net's outputs for one recording. A note without an end ends with the recording.
    """
    gate = Gate(spec, hop_s, LOWEST_KEY)
    found: list[list[float]] = []
    open_at: dict[int, int] = {}
    for k, posterior in enumerate(posteriors):
        for event in gate.step(posterior, set(), (k + 1) * hop_s):
            if isinstance(event, NoteHeard):
                open_at[event.note.pitch] = len(found)
                note = event.note
                found.append([note.onset_s, len(posteriors) * hop_s, note.pitch, note.velocity, note.confidence])
            else:
                found[open_at.pop(event.pitch)][1] = event.offset_s
    table = np.array(found, np.float64).reshape(-1, 5)
    return table[:, :4], table[:, 4]


def labels(scene: Scene) -> Notes:
    """Return the true notes of a scene as an array [notes, 4], in the form that `score` takes."""
    return np.column_stack(
        [scene.notes[name].astype(np.float64) for name in ("onset_s", "offset_s", "pitch", "velocity")]
    )


def fit_gate(
    heard: list[Posteriors], wanted: list[Notes], spec: GateSpec, hop_s: float, false_notes: float | None = None
) -> tuple[GateSpec, float]:
    """Fit one threshold for all notes, then one threshold for each octave. Returns the gate, and an onset F1 at 50 ms.

    The thresholds of the octaves have the best onset F1. The returned F1 is that of the one threshold for all notes.
    This threshold has the best F1 too, or if `false_notes` is given, it is the lowest with at most this number of false
    notes per minute. Raises UserError if no threshold has so few.
    """
    errors: list[float] = []
    for posteriors, notes in zip(heard, wanted, strict=True):
        found, _ = pass_gate(posteriors, spec, hop_s)
        errors += [notes[i, 0] - found[j, 0] for i, j in matched(found, notes, 0.1)]
    spec = replace(spec, shift_s=spec.shift_s + float(np.median(errors)) - STRUCK_S)
    counts = np.zeros((len(THRESHOLDS), OCTAVES, 3))
    for row, threshold in enumerate(tqdm(THRESHOLDS, desc="thresholds")):
        trial = replace(spec, onset=(float(threshold),) * OCTAVES)
        for posteriors, notes in zip(heard, wanted, strict=True):
            found, _ = pass_gate(posteriors, trial, hop_s)
            hits = matched(found, notes, 0.05)
            for column, pitches in enumerate((notes[[i for i, _ in hits], 2], found[:, 2], notes[:, 2])):
                octave = ((pitches - LOWEST_KEY) // 12).astype(int)
                counts[row, :, column] += np.bincount(octave, minlength=OCTAVES)[:OCTAVES]
    f1 = 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)
    together = counts.sum(axis=1)
    overall = 2 * together[:, 0] / (together[:, 1] + together[:, 2])
    common = int(np.argmax(overall))
    if false_notes is not None:
        a_minute = (together[:, 1] - together[:, 0]) * 60 / (hop_s * sum(len(posteriors) for posteriors in heard))
        if a_minute.min() > false_notes:
            raise UserError(
                f"No threshold has {false_notes:g} false notes a minute: the least is {a_minute.min():.2f}."
            )
        common = int(np.flatnonzero(a_minute <= false_notes)[0])
    precise = counts[..., 0] / np.maximum(counts[..., 1], 1) >= together[common, 0] / together[common, 1]
    # An octave may have a higher threshold than that of all octaves. It may have a lower one if its precision is not
    # below that of all octaves. Otherwise partials of loud notes would cause false notes.
    may = precise | (np.arange(len(THRESHOLDS)) >= common)[:, None]
    best = np.argmax(np.where(may, f1, -1.0), axis=0)
    rows = np.where(counts[common, :, 2] >= FEWEST, best, common)
    return replace(spec, onset=tuple(float(THRESHOLDS[row]) for row in rows)), float(overall[common])


def missed_and_false(heard: list[Posteriors], wanted: list[Notes], spec: GateSpec, hop_s: float) -> tuple[float, float]:
    """Return the share of notes that the gate `spec` misses (at 50 ms), and the number of false notes per minute."""
    hits = found_all = 0
    for posteriors, notes in zip(heard, wanted, strict=True):
        found, _ = pass_gate(posteriors, spec, hop_s)
        hits, found_all = hits + len(matched(found, notes, 0.05)), found_all + len(found)
    minutes = hop_s * sum(len(posteriors) for posteriors in heard) / 60
    return 1 - hits / max(sum(len(notes) for notes in wanted), 1), (found_all - hits) / minutes


def fit_endings(heard: list[Posteriors], wanted: list[Notes], spec: GateSpec, hop_s: float) -> GateSpec:
    """Return the gate `spec` with the values `release` and `offset` that give the best ends of notes.

    `heard` are the net's outputs for each recording, and `wanted` its true notes.
    """
    trials = [replace(spec, release=r, offset=o) for r in RELEASES for o in OFFSETS]
    ends = [np.mean([_ends(pass_gate(p, t, hop_s)[0], n) for p, n in zip(heard, wanted, strict=True)]) for t in trials]
    # A real piano resounds longer than these scenes. Of equally good gates, the one that ends notes sooner is chosen.
    good = [i for i, end in enumerate(ends) if end >= max(ends) - AS_WELL]
    return trials[max(good, key=lambda i: (trials[i].release, ends[i]))]


def _ends(found: Notes, wanted: Notes) -> float:
    """Return the score of the notes' ends: the mean of frame F1 and of F1 with offsets."""
    scored = score(found, wanted, SCENE_S)
    return (scored.frame + scored.offset) / 2


def fit_reliability(heard: list[Posteriors], wanted: list[Notes], spec: GateSpec, hop_s: float) -> tuple[float, float]:
    """Return the slope and the offset of a Platt scaling for the notes that pass the gate.

    With them the confidence of a note becomes the probability that it is right.
    """
    odds: list[float] = []
    right: list[bool] = []
    for posteriors, notes in zip(heard, wanted, strict=True):
        found, posterior = pass_gate(posteriors, replace(spec, reliability=(1.0, 0.0)), hop_s)
        hits = {j for _, j in matched(found, notes, 0.05)}
        odds += list(logit(np.clip(posterior, 1e-6, 1 - 1e-6)))
        right += [j in hits for j in range(len(found))]
    x, hit = np.array(odds), np.array(right)
    # Platt's targets lie slightly inside 0 and 1. Otherwise a sample without false notes would make every note certain.
    target = np.where(hit, (hit.sum() + 1) / (hit.sum() + 2), 1 / ((~hit).sum() + 2))

    def loss(line: npt.NDArray[np.float64]) -> float:
        z = line[0] * x + line[1]
        return float(np.mean(np.logaddexp(0, z) - target * z))

    slope, offset = minimize(loss, np.array([1.0, 0.0]), bounds=[(0.05, 10), (-10, 10)]).x
    return float(slope), float(offset)


def false_a_minute(heard: list[Posteriors], wanted: list[Notes], spec: GateSpec, hop_s: float) -> float:
    """Return the notes per minute that pass the gate in scenes without a piano, or NaN if there is no such scene."""
    found = [len(pass_gate(p, spec, hop_s)[0]) for p, notes in zip(heard, wanted, strict=True) if not len(notes)]
    return 60 / SCENE_S * float(np.mean(found)) if found else float("nan")


@click.command()
@CACHE
@click.option("--name", default="transcriber", show_default=True, help="Folder of the fit in CACHE/fits.")
@click.option(
    "--false-notes", type=float, help="Most false notes a minute on the gate's scenes. Default: the best onset F1."
)
def gate(cache: Path, name: str, false_notes: float | None) -> None:
    """Fit the gate on its own scenes, and the ends of notes on the validation scenes, with the fit's best weights.

    The result is written to gate.json in the folder of the fit.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    fit_gate_of(fit_named(cache, name), cache, false_notes)


def fit_gate_of(folder: Path, cache: Path, false_notes: float | None = None) -> None:
    """Fit the gate of the fit in `folder` on the scenes in `cache`. Print its scores, and write `folder`/gate.json.

    `false_notes` is the largest number of false notes per minute, or None for the best onset F1. Raises UserError if
    there are no scenes, or if no threshold has so few false notes.
    """
    from training.transcriber.net import NetConfig, build_net, build_sequence

    about = json.loads((folder / "config.json").read_text())
    config, features = NetConfig.from_dict(about["net"]), FeatureSpec.from_dict(about["features"])
    scenes = load_scenes(cache, GATE)
    if not scenes:
        raise UserError(f"No scenes for the gate in {cache}: run `python -m training scenes --split {GATE} --count 8`.")
    model = build_sequence(build_net(config, features, folder / "best.weights.h5"), len(scenes[0].features))
    mild = [posteriors(model, scene) for scene in tqdm(scenes, desc="mild scenes")]
    unfitted = GateSpec(delay_frames=config.delay_frames, later=config.later, wake=WAKE)
    truth = [labels(s) for s in scenes]
    spec, f1 = fit_gate(mild, truth, unfitted, features.hop_s, false_notes)
    # scenes with the box's own left hand are left out: its notes have no labelled end
    rooms = [scene for scene in load_scenes(cache, "valid") if not len(scene.own)] or scenes
    heard = [posteriors(model, scene) for scene in tqdm(rooms, desc="rooms")]
    spec = fit_endings(heard, [labels(s) for s in rooms], spec, features.hop_s)
    spec = replace(spec, reliability=fit_reliability(mild, truth, spec, features.hop_s))
    missed, false = missed_and_false(mild, truth, spec, features.hop_s)
    where = f"{len(scenes)} mild validation scenes of {SCENE_S:.0f} s, endings over {len(rooms)} in rooms"
    point = f"{100 * missed:.1f} % missed and {false:.2f} false notes a minute as chosen"
    text = f"onset F1 at 50 ms {100 * f1:.1f} at one threshold, {point}, over {where}"
    (folder / "gate.json").write_text(json.dumps({**spec.to_dict(), "calibrated": text}, indent=1))
    click.echo(f"{text}\n{spec}")
    asleep, awake = (false_a_minute(mild, truth, s, features.hop_s) for s in (spec, replace(spec, wake=0.0)))
    click.echo(f"without a piano {asleep:.2f} notes a minute; {awake:.2f} if it never slept")


def posteriors(model: Any, scene: Scene) -> Posteriors:
    """Return the outputs of the float model for a whole scene: posteriors (0 to 1), float32 [frames, 88, 4]."""
    frames = len(scene.features)
    own = scene.own.astype(np.float32) / 255 if len(scene.own) else np.zeros((frames, 88, 2), np.float32)
    logits = model.predict_on_batch({"x": scene.features[None].astype(np.float32) / 255, "own": own[None]})[0]
    return np.asarray(1 / (1 + np.exp(-np.asarray(logits))), np.float32)
