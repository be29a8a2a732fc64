"""Renders scenes without end while a fit runs, and hands them over as files.

A GPU reads crops faster than scenes can be read from a disk of features, and one core renders three scenes a second. So
all cores render, and every crop of the fit is nearly new. A file holds `FILE_SCENES` scenes as bytes, as `rows` makes
them. It disappears when the fit has read it.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from device.events import KEYS
from device.hearing.features import FeatureSpec
from training.corpora.pieces import CORPORA, Piece
from training.options import CACHE, SEED
from training.scenes.cache import INVENTED, QUIET, Studio, pieces_of
from training.scenes.scene import SCENE_S, Scene, targets

FILE_SCENES = 16
"""Scenes in a file."""
WAITING = 40
"""Largest number of files that wait for the fit. With more, the fit would get older scenes."""
HEADS = 4
"""Targets of each key in a frame: onset, frame, offset and velocity."""
OWN = 2
"""Inputs of each key in a frame about the notes that the box sent."""
SHARES = {"lieder": 0.32, "chopin": 0.28, "pop909": 0.2, INVENTED: 0.12, QUIET: 0.08}
"""Share of each corpus in the scenes."""
BLEED = 0.2
"""Probability that a scene is forced to have the box's left hand in it. All other scenes follow `scene.KINDS`."""
VALID_FILES = 6
"""Number of files of scenes from validation pieces. They are rendered first, and are not deleted."""

Rows = npt.NDArray[np.uint8]


def row_bytes(spec: FeatureSpec) -> int:
    """Return the number of bytes of one frame: features, targets, and the notes that the box sent."""
    return spec.bins * spec.channels + KEYS * (HEADS + OWN)


def frames_of(spec: FeatureSpec) -> int:
    """Return the number of feature frames in a scene."""
    return int(SCENE_S * spec.sample_rate) // spec.hop


def rows(scene: Scene, spec: FeatureSpec) -> Rows:
    """Return a scene as bytes, uint8 [frames, row_bytes]: features, targets and the box's notes side by side.

    All values are 0 to 1, times 255. The targets have no look-ahead. The fit shifts them.
    """
    frames = frames_of(spec)
    wanted = np.rint(targets(scene.notes, 0, frames, 0, spec.hop_s) * 255).astype(np.uint8)
    own = scene.own[:frames] if len(scene.own) else np.zeros((frames, KEYS, OWN), np.uint8)
    parts = (scene.features[:frames], wanted, own)
    return np.concatenate([part.reshape(frames, -1) for part in parts], axis=1)


def _write(path: Path, scenes: list[Rows]) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, np.stack(scenes))
    temporary.replace(path)


def _render(
    studio: Studio, pieces: dict[str, dict[str, list[Piece]]], folder: Path, seed: int, worker: int, workers: int
) -> None:
    """Render the validation files of this worker, then files of training scenes until `folder`/stop exists."""

    spec = studio.features.spec
    for number in range(worker, VALID_FILES, workers):
        if not (folder / f"valid-{number:03d}.npy").exists():
            made = [_scene(studio, pieces, "valid", seed, FILE_SCENES * number + i) for i in range(FILE_SCENES)]
            _write(folder / f"valid-{number:03d}.npy", [rows(scene, spec) for scene in made])
    file = worker
    while not (folder / "stop").exists():
        if len(list(folder.glob("train-*.npy"))) >= WAITING:
            time.sleep(0.2)
            continue
        made = [_scene(studio, pieces, "train", seed, FILE_SCENES * file + i) for i in range(FILE_SCENES)]
        _write(folder / f"train-{file:06d}.npy", [rows(scene, spec) for scene in made])
        file += workers


def _scene(studio: Studio, pieces: dict[str, dict[str, list[Piece]]], split: str, seed: int, number: int) -> Scene:
    """Return scene `number` of `split`. It depends only on the seed, the split, the number, pianos and pieces."""
    rng = np.random.default_rng([seed, number])
    corpus = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    kind = "bleed" if rng.random() < BLEED else None
    return studio.scene(split, corpus, pieces[split][corpus], number, seed, kind)


def start(cache: Path, folder: Path, seed: int, workers: int) -> list[multiprocessing.process.BaseProcess]:
    """Start `workers` processes that render scenes into `folder` until `folder`/stop exists. Returns the processes.

    Call this before jax starts its threads. Raises UserError if `cache` lacks pieces or noises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stop").unlink(missing_ok=True)
    studio = Studio.opened(cache, cache, FeatureSpec())
    pieces = {s: {c: pieces_of(cache, c, s) for c in (*CORPORA, INVENTED, QUIET)} for s in ("train", "valid")}
    fork = multiprocessing.get_context("fork")
    arguments = [(studio, pieces, folder, seed, worker, workers) for worker in range(workers)]
    processes = [fork.Process(target=_render, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    return list(processes)


@click.command()
@CACHE
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(".cache/stream"),
    show_default=True,
    help="Folder of the rendered scenes.",
)
@SEED
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Processes that render.")
def stream(cache: Path, out: Path, seed: int, workers: int) -> None:
    """Render scenes without end for `gpu-fit`, until OUT/stop exists. `gpu-fit` starts this by itself."""
    for process in start(cache, out, seed, workers):
        process.join()
