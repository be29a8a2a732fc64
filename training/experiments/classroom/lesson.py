"""Runs the class-room experiment for `python -m training notes --action classes` and `--action umap`."""

from __future__ import annotations

from pathlib import Path

from training.experiments.classroom.classes import (
    TEST_EACH,
    TRAIN_EACH,
    compare,
    described,
    embedded,
    write_page,
)
from training.experiments.classroom.features import FEATURES, of_all
from training.experiments.classroom.pictures import map_of
from training.experiments.classroom.sounds import make


def lesson(
    action: str, classes: tuple[str, ...], seed: int, out: Path, train: int = TRAIN_EACH, test: int = TEST_EACH
) -> str:
    """Run the action "classes" or "umap", write its web page into the folder `out`, and return a text.

    "classes" compares the classifiers on `classes`, and its text has their figures and the path of the page. Any other
    action draws the sounds in two dimensions with UMAP, and its text has the path and the number of sounds. Raises
    UserError if a class is not allowed, or if umap-learn is needed and not installed.
    """
    from training.hearing_figures.report import page, picture

    if action == "classes":
        sounds, found = compare(classes, train, test, seed)
        write_page(sounds, found, out / "classes.html")
        return f"{described(sounds, found)}\n{out / 'classes.html'}"
    sounds = make(classes, test, seed)
    parts = []
    for name in FEATURES:
        points = embedded(of_all(name, sounds.audio), seed)
        parts.append((f"UMAP of {name}", picture(map_of(points, sounds.classes, sounds.names), (6, 5))))
    out.mkdir(parents=True, exist_ok=True)
    path = out / "umap.html"
    path.write_text(page(f"UMAP of {', '.join(classes)}", parts), encoding="utf-8")
    return f"{path}: {len(sounds.classes)} sounds"
