"""Writes a web page on which a person can listen to the left hands that the seeds play.

A seed is an early net that makes music (`training.experiments.seeds`). For each seed the page has the sound of one
example, its piano roll and its figures. For a seed that accompanies a melody these are the panel of
`training.playing_figures.panel`. A seed that reads its history also has the picture of where it reads.
"""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from device.errors import UserError
from device.events import Note
from device.files.midi.file import read_midi
from training.experiments.music_generation import figures as diary
from training.experiments.seeds.figures import EXAMPLE, measured
from training.hearing_figures.report import page
from training.playing_figures.listening import sounding, table


def write_page(root: Path, names: list[str], out: Path, seconds: float = 45.0) -> Path:
    """Write `index.html` and the sound files into the folder `out`. Return the path of `index.html`.

    `names` are the configurations to show, in this order. Their fits and figures are in `root`. `seconds` is the length
    of each example. Raises UserError if `names` is empty.
    """
    if not names:
        raise UserError("No seed has been fitted: run `python -m training seeds --action fit` first.")
    out.mkdir(parents=True, exist_ok=True)
    played, written, parts = measured(root), diary.measured(root), []
    for name in names:
        right, left = hands_of(root / name / EXAMPLE, seconds)
        row = played.get(name) or written[name]
        about = f"<p>{escape(row['about']['about'])}</p>"
        if name in played:
            shown = table({name: row["figures"]})
        else:
            shown = "<p>" + ", ".join(f"{told} {row['figures'][key]:.2f}" for key, told in diary.SHOWN.items()) + "</p>"
        for image in sorted((root / name).glob("*.png")):
            shown += f'<img alt="" src="data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()}">'
        parts.append((name, f"{about}{shown}{sounding(right, left, out / name, name)}"))
    index = out / "index.html"
    index.write_text(page("Left hands of the seeds", parts), encoding="utf-8")
    return index


def hands_of(path: Path, seconds: float) -> tuple[list[Note], list[Note]]:
    """Return the right hand's and the left hand's notes that end before `seconds`, from the MIDI file at `path`.

    If the file has no track for a hand, the list of that hand is empty.
    """
    notes = {part.name: part.notes for part in read_midi(path).parts}
    right, left = (
        [n for n in notes.get(name, ()) if (n.offset_s or n.onset_s) < seconds] for name in ("Right hand", "Left hand")
    )
    return right, left
