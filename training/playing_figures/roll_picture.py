"""Draws left hands side by side as piano rolls in SVG.

Harsh strikes whose key is released at once are marked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from training.playing_figures.panel import Roll
from training.playing_figures.strikes import harsh_and_short, lengths_of

WIDTH, HEIGHT, GAP, TOP = 560, 300, 24, 22
"""Size of one piano roll in the picture's units, the space between the two, and the height of their headings."""
SPARE_KEYS = 2
"""Keys of room below the lowest and above the highest note."""
STYLE = (
    "svg .right{fill:#9aa5b1}svg .left{fill:#2b6cb0}svg .bar{stroke:#d5dae0}svg .frame{fill:none;stroke:#8a94a0}"
    "svg .harsh{fill:none;stroke:#c53030;stroke-width:2}svg text{font:13px sans-serif}svg{width:100%}"
)
"""The style sheet of the pictures."""

Seconds = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Turns steps of the grid into seconds of the excerpt."""


@dataclass(frozen=True)
class NamedHand:
    """A left hand on the grid of sixteenths, and the heading over its piano roll."""

    name: str
    hand: Roll


def side_by_side(
    right: Roll, hands: Sequence[NamedHand], lines: Sequence[int], to_seconds: Seconds, seconds: float
) -> str:
    """Return an HTML <figure> with a piano roll of each of `hands` beside the right hand's notes.

    The caption explains the marks. `lines` are the first steps of bars. `to_seconds` turns steps into seconds. Notes
    that begin outside the first `seconds` seconds are left out. A note is drawn on the grid of sixteenths, on which it
    is judged.
    """
    notes = {named.name: lengths_of(named.hand) for named in hands}
    melody = lengths_of(right)
    seen = [key for _, key, _ in _within(sum(notes.values(), melody), to_seconds, seconds)] or [60]
    lowest, highest = min(seen) - SPARE_KEYS, max(seen) + SPARE_KEYS
    unit = HEIGHT / (highest - lowest + 1)
    parts, told = [], []
    for i, named in enumerate(hands):
        harsh = set(harsh_and_short(right, named.hand))
        shown = _within(notes[named.name], to_seconds, seconds)
        marked = [(step, key, length) for step, key, length in shown if (step, key) in harsh]
        offset = i * (WIDTH + GAP)
        parts.append(f'<text x="{offset}" y="15">{escape(named.name)}</text>')
        parts.append(f'<rect class="frame" x="{offset}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/>')
        for at in to_seconds(np.array(lines, np.float64)):
            if 0.0 < at < seconds:
                x = offset + WIDTH * at / seconds
                parts.append(f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>')
        for kind, rows in (("right", _within(melody, to_seconds, seconds)), ("left", shown), ("harsh", marked)):
            for step, key, length in rows:
                begin, end = to_seconds(np.array([step, step + length], np.float64))
                x, wide = offset + WIDTH * begin / seconds, WIDTH * (min(end, seconds) - begin) / seconds
                y = TOP + HEIGHT - (key - lowest + 1) * unit
                wide = max(wide, 1.0)
                if kind == "harsh":
                    parts.append(f'<circle class="harsh" cx="{x:.1f}" cy="{y + unit / 2:.1f}" r="{unit + 3:.1f}"/>')
                else:
                    box = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{unit:.1f}"'
                    parts.append(f'<rect class="{kind}" {box}/>')
        told.append(f"{named.name}: {len(marked)}")
    size = f"0 0 {len(hands) * (WIDTH + GAP) - GAP} {TOP + HEIGHT + 1}"
    names = " and ".join(named.name for named in hands)
    picture = f'<svg viewBox="{size}" role="img" aria-label="{escape(f"piano rolls: {names}")}">{"".join(parts)}</svg>'
    caption = "Red circles: harsh strikes that are released within a sixteenth. " + escape(", ".join(told)) + "."
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _within(notes: Sequence[tuple[int, int, int]], to_seconds: Seconds, seconds: float) -> list[tuple[int, int, int]]:
    """Return the notes that begin within the excerpt."""
    if not notes:
        return []
    begin = to_seconds(np.array([step for step, _, _ in notes], np.float64))
    return [note for note, at in zip(notes, begin, strict=True) if 0.0 <= at < seconds]
