"""Fits the gate on mild scenes of validation pieces: thresholds per octave, release, and the onsets' shift."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UserError
from device.features import FeatureSpec
from device.gate import OCTAVES, Gate, GateSpec
from device.types import LOWEST_KEY, NoteHeard
from training.notescore import Notes, matched, score
from training.scenes import GATE, SCENE_S, Scene, load_scenes

THRESHOLDS = np.round(np.arange(0.2, 0.95, 0.08), 2)
RELEASES = (0.2, 0.3, 0.4, 0.5)
FEWEST = 200
"""An octave with fewer validation notes takes the threshold of all notes together."""

Posteriors = npt.NDArray[np.float32]


def pass_gate(posteriors: Posteriors, spec: GateSpec, hop_s: float) -> Notes:
    """[frames, 88, 4] posteriors of one recording → the notes that pass; open notes end with it."""
    gate = Gate(spec, hop_s, LOWEST_KEY)
    found: list[list[float]] = []
    open_at: dict[int, int] = {}
    for k, posterior in enumerate(posteriors):
        for event in gate.step(posterior, set(), (k + 1) * hop_s):
            if isinstance(event, NoteHeard):
                open_at[event.note.pitch] = len(found)
                found.append([event.note.onset_s, len(posteriors) * hop_s, event.note.pitch, event.note.velocity])
            else:
                found[open_at.pop(event.pitch)][1] = event.offset_s
    return np.array(found, np.float64).reshape(-1, 4)


def labels(scene: Scene) -> Notes:
    """The notes of a scene, as `score` takes them."""
    return np.column_stack(
        [scene.notes[name].astype(np.float64) for name in ("onset_s", "offset_s", "pitch", "velocity")]
    )


def fit_gate(heard: list[Posteriors], wanted: list[Notes], spec: GateSpec, hop_s: float) -> tuple[GateSpec, float]:
    """The gate with the best onset F1 at 50 ms octave by octave and the best frame F1; and that onset F1."""
    errors: list[float] = []
    for posteriors, notes in zip(heard, wanted, strict=True):
        found = pass_gate(posteriors, spec, hop_s)
        errors += [notes[i, 0] - found[j, 0] for i, j in matched(found, notes, 0.1)]
    spec = replace(spec, shift_s=spec.shift_s + float(np.median(errors)))
    counts = np.zeros((len(THRESHOLDS), OCTAVES, 3))
    for row, threshold in enumerate(tqdm(THRESHOLDS, desc="thresholds")):
        trial = replace(spec, onset=(float(threshold),) * OCTAVES)
        for posteriors, notes in zip(heard, wanted, strict=True):
            found = pass_gate(posteriors, trial, hop_s)
            hits = matched(found, notes, 0.05)
            for column, pitches in enumerate((notes[[i for i, _ in hits], 2], found[:, 2], notes[:, 2])):
                octave = ((pitches - LOWEST_KEY) // 12).astype(int)
                counts[row, :, column] += np.bincount(octave, minlength=OCTAVES)[:OCTAVES]
    f1 = 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)
    together = counts.sum(axis=1)
    overall = 2 * together[:, 0] / (together[:, 1] + together[:, 2])
    common = float(THRESHOLDS[int(np.argmax(overall))])
    # an octave may be stricter than all together, never laxer: partials of loud notes pass there as ghosts
    onset = tuple(
        max(common, float(THRESHOLDS[int(np.argmax(f1[:, o]))])) if counts[0, o, 2] >= FEWEST else common
        for o in range(OCTAVES)
    )
    trials = [replace(spec, onset=onset, release=release) for release in RELEASES]
    frames = [
        np.mean([score(pass_gate(p, t, hop_s), n, SCENE_S).frame for p, n in zip(heard, wanted, strict=True)])
        for t in trials
    ]
    return trials[int(np.argmax(frames))], float(overall.max())


@click.command()
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--name", default="transcriber", show_default=True, help="Folder of the fit in CACHE/fits.")
def gate(cache: Path, name: str) -> None:
    """Fit the gate on its own scenes with the fit's best weights; writes gate.json beside them."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from training.transcriber_model import NetConfig, build_net, build_sequence

    folder = cache / "fits" / name
    about = json.loads((folder / "config.json").read_text())
    config, features = NetConfig.from_dict(about["net"]), FeatureSpec.from_dict(about["features"])
    scenes = load_scenes(cache, GATE)
    if not scenes:
        raise UserError(f"No scenes for the gate in {cache}: run `python -m training scenes --split {GATE} --count 8`.")
    model = build_sequence(build_net(config, features, folder / "best.weights.h5"), len(scenes[0].features))
    heard = [posteriors(model, scene) for scene in tqdm(scenes, desc="scenes")]
    start = GateSpec(delay_frames=config.delay_frames)
    spec, f1 = fit_gate(heard, [labels(scene) for scene in scenes], start, features.hop_s)
    where = f"{len(scenes)} mild validation scenes of {SCENE_S:.0f} s"
    text = f"onset F1 at 50 ms {100 * f1:.1f} at one threshold, over {where}"
    (folder / "gate.json").write_text(json.dumps({**spec.to_dict(), "calibrated": text}, indent=1))
    click.echo(f"{text}\n{spec}")


def posteriors(model: Any, scene: Scene) -> Posteriors:
    """[frames, 88, 4] of a whole scene from the float model."""
    frames = len(scene.features)
    own = scene.own.astype(np.float32) / 255 if len(scene.own) else np.zeros((frames, 88, 2), np.float32)
    logits = model.predict_on_batch({"x": scene.features[None].astype(np.float32) / 255, "own": own[None]})[0]
    return np.asarray(1 / (1 + np.exp(-np.asarray(logits))), np.float32)
