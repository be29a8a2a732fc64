"""A web page to listen to the seeds. Each seed has an example, its piano roll and its panel."""

from __future__ import annotations

from pathlib import Path

from device.errors import UserError
from device.events import Note
from device.files.midi_file import read_midi
from training.experiments.seeds.figures import EXAMPLE, measured
from training.hearing_figures.report import page
from training.playing_figures.listening import sounding, table


def write_page(root: Path, names: list[str], out: Path, seconds: float = 45.0) -> Path:
    """Write `index.html` into `out` with these fits of `root`, in this order. Raises UserError if there are none."""
    if not names:
        raise UserError("No seed has been fitted: run `python -m training seeds --action fit` first.")
    out.mkdir(parents=True, exist_ok=True)
    rows, parts = measured(root), []
    for name in names:
        right, left = hands_of(root / name / EXAMPLE, seconds)
        about = f"<p>{rows[name]['about']['about']}</p>"
        shown = table({name: rows[name]["figures"]})
        parts.append((name, f"{about}{shown}{sounding(right, left, out / name, name)}"))
    index = out / "index.html"
    index.write_text(page("Left hands of the seeds", parts), encoding="utf-8")
    return index


def hands_of(path: Path, seconds: float) -> tuple[list[Note], list[Note]]:
    """Notes of the right and left hand of an example that end before `seconds`. A hand without a track has no notes."""
    notes = {part.name: part.notes for part in read_midi(path).parts}
    right, left = (
        [n for n in notes.get(name, ()) if (n.offset_s or n.onset_s) < seconds] for name in ("Right hand", "Left hand")
    )
    return right, left
