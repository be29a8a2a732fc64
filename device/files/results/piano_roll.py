"""Draws ROLL.png, a piano roll of the heard notes and the played left hand."""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import missing_extra
from device.events import Beat, ChordChosen, Note
from device.files.midi.file import notes_of
from device.files.performance import Performance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

WIDTH_PX, DPI = 1600, 100
ROW_S = 20.0
"""Length of the longest row in seconds. A sixteenth at 120 beats a minute is then about 10 pixels wide."""
MOST_ROWS = 40
"""Largest number of rows. A longer performance gets longer rows instead of more rows, which limits the height."""

HEARD, PLAYED, OTHER, OWN = "#2868b0", "#e8743b", "#43a08d", "#a7adb8"
_INK, _BAR, _BEAT, _EDGE, _KEYS = "#30343b", "#8e95a3", "#dcdfe6", "#dfe2e8", "#f5f6f8"
_BLACK_KEYS = frozenset({1, 3, 6, 8, 10})
_LOCK_COLOURS = ("#f1f2f5", "#c9dfcc", "#3d9a5b")

_SEMITONE_IN, _LOWEST_ROLL_IN = 0.06, 2.4
_TOP_IN, _BOTTOM_IN, _LABELS_IN, _GAP_IN, _STRIP_IN, _BETWEEN_IN = 0.72, 0.5, 0.36, 0.07, 0.15, 0.28
_LEFT, _WIDTH = 0.045, 0.94
_CHORD_PT, _CHORD_LINE_PT, _CHORD_GAP_PT, _CHORD_LINES = 10, 12.5, 4, 2
"""Names of chords: size, distance of the two lines and least gap between names, in points; number of lines."""
_NOTE_HEIGHT, _SHORTEST_BAR_S = 0.86, 0.03


def write_plot(path: Path, performance: Performance, title: str) -> None:
    """Write the roll as a PNG, 1600 pixels wide.

    Each row shows at most 20 s. If this needs more than `MOST_ROWS` rows (over 13 minutes), the rows are longer.

    Raises UserError if matplotlib is missing, and OSError if the file cannot be written.
    """
    figure = draw(performance, title)
    figure.savefig(str(path), format="png", dpi=DPI, facecolor="white")


def draw(performance: Performance, title: str) -> Figure:
    """Return the roll as a matplotlib figure. Raises UserError if matplotlib is missing."""
    # where no home folder can be written, it would print lines about its cache
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # the owner's settings of matplotlib may ask for LaTeX, or for a backend that this version does not have
    os.environ["MPLBACKEND"] = "agg"
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("matplotlib", "play") from None
    mpl.rcdefaults()
    played = notes_of(performance.sends)
    heard = performance.notes
    end_s = max(1.0, performance.end_s)
    rows = min(MOST_ROWS, math.ceil(end_s / ROW_S))
    row_s = float(math.ceil(end_s / rows)) if rows > 1 else end_s
    lowest, highest = _range([*heard, *played])
    roll_in = max(_LOWEST_ROLL_IN, (highest - lowest + 1) * _SEMITONE_IN)
    row_in = _LABELS_IN + roll_in + _GAP_IN + _STRIP_IN + _BETWEEN_IN
    height = _TOP_IN + rows * row_in + _BOTTOM_IN - _BETWEEN_IN
    figure = Figure(figsize=(WIDTH_PX / DPI, height))
    bars = _bars(heard, played, rows, row_s, end_s)
    for row in range(rows):
        span = (row * row_s, (row + 1) * row_s)
        top = height - _TOP_IN - row * row_in - _LABELS_IN
        roll = figure.add_axes((_LEFT, (top - roll_in) / height, _WIDTH, roll_in / height))
        strip_top = top - roll_in - _GAP_IN
        strip = figure.add_axes((_LEFT, (strip_top - _STRIP_IN) / height, _WIDTH, _STRIP_IN / height), sharex=roll)
        _keyboard(roll, lowest, highest)
        _beats(roll, performance.beats, span)
        _notes(roll, bars[row])
        _chords(roll, performance.chords, span, highest)
        _lock(strip, performance.beats, span, end_s)
        roll.set_xlim(*span)
        if row == rows - 1:
            strip.set_xlabel("minutes:seconds", fontsize=9, color=_INK, labelpad=2)
    _header(figure, height, title, performance, played)
    return figure


def _range(notes: Sequence[Note]) -> tuple[int, int]:
    """Return the lowest and highest pitch to draw: at least two octaves around all notes."""
    pitches = [note.pitch for note in notes] or [60]
    return min(pitches) - 3, max(max(pitches) + 3, min(pitches) + 21)


def _keyboard(axes: Axes, lowest: int, highest: int) -> None:
    for pitch in range(lowest, highest + 1):
        if pitch % 12 in _BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color=_KEYS, linewidth=0, zorder=0)
    octaves = range(math.ceil(lowest / 12) * 12, highest + 1, 12)
    for pitch in octaves:
        axes.axhline(pitch - 0.5, color=_EDGE, linewidth=0.8, zorder=0.5)
    axes.set_yticks(list(octaves), [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set_ylim(lowest - 0.5, highest + 0.5)
    axes.tick_params(length=0, labelsize=9, colors=_INK, labelbottom=False)
    for side in axes.spines.values():
        side.set_color(_EDGE)


def _beats(axes: Axes, beats: Sequence[Beat], span: tuple[float, float]) -> None:
    seen = [beat for beat in beats if span[0] <= beat.time_s <= span[1]]
    edges = axes.get_ylim()
    axes.vlines([b.time_s for b in seen if b.position], *edges, color=_BEAT, linewidth=0.8, zorder=1)
    axes.vlines([b.time_s for b in seen if not b.position], *edges, color=_BAR, linewidth=1.3, zorder=1.5)
    axes.set_ylim(*edges)


def _bars(
    heard: Sequence[Note], played: Sequence[Note], rows: int, row_s: float, end_s: float
) -> list[list[tuple[Note, float, str]]]:
    """Return for each row of `row_s` seconds its bars: (note, time at which the bar ends, colour).

    Open notes end at `end_s`. A bar that goes on in the next row is in both.
    """
    colours = {"right": HEARD, "left": OTHER, "own": OWN}
    coloured = [(note, colours[note.hand]) for note in heard] + [(note, PLAYED) for note in played]
    bars: list[list[tuple[Note, float, str]]] = [[] for _ in range(rows)]
    for note, colour in coloured:
        until = max(end_s if note.offset_s is None else note.offset_s, note.onset_s + _SHORTEST_BAR_S)
        for row in range(max(int(note.onset_s / row_s), 0), min(int(until / row_s), rows - 1) + 1):
            bars[row].append((note, until, colour))
    return bars


def _notes(axes: Axes, bars: Sequence[tuple[Note, float, str]]) -> None:
    """Draw the bars of a row. Louder notes have stronger colours."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    boxes, faces = [], []
    for note, until, colour in bars:
        low, high = note.pitch - _NOTE_HEIGHT / 2, note.pitch + _NOTE_HEIGHT / 2
        boxes.append([(note.onset_s, low), (until, low), (until, high), (note.onset_s, high)])
        faces.append(to_rgba(colour, 0.45 + 0.55 * note.velocity / 127))
    axes.add_collection(
        PolyCollection(boxes, facecolors=faces, edgecolors="white", linewidths=0.9, snap=True, zorder=3), autolim=False
    )


def _chords(axes: Axes, chords: Sequence[ChordChosen], span: tuple[float, float], highest: int) -> None:
    """Write each change of chord above its time.

    A label that would overlap the one before it stands a line higher. If it overlaps there too, it is left out.
    """
    second_px = WIDTH_PX * _WIDTH / (span[1] - span[0])
    label, free_from = "", [span[0]] * _CHORD_LINES
    for chord in chords:
        if chord.time_s >= span[1]:
            break
        if chord.time_s < span[0] or chord.label == label:
            label = chord.label if chord.time_s < span[0] else label
            continue
        label = chord.label
        line = next((line for line in range(_CHORD_LINES) if chord.time_s >= free_from[line]), None)
        if line is None:
            continue
        axes.annotate(
            label,
            (chord.time_s, highest + 1.0),
            xytext=(0, line * _CHORD_LINE_PT),
            textcoords="offset points",
            color=_INK,
            fontsize=_CHORD_PT,
            fontweight="bold",
            annotation_clip=False,
        )
        free_from[line] = chord.time_s + (_width_pt(label) + _CHORD_GAP_PT) * DPI / 72 / second_px


@functools.cache
def _width_pt(label: str) -> float:
    """Return the width of the name of a chord in points (1/72 inch)."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), label, size=_CHORD_PT, prop=FontProperties(weight="bold")).get_extents().x1)


def _lock(axes: Axes, beats: Sequence[Beat], span: tuple[float, float], end_s: float) -> None:
    """Draw `lock` as a coloured bar from beat to beat in the seconds `span`, with the axis of the time below."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    colours = LinearSegmentedColormap.from_list("lock", list(_LOCK_COLOURS))
    until = [*(beat.time_s for beat in beats[1:]), end_s][: len(beats)]
    stretches = [
        (beat.time_s, max(0.0, end - beat.time_s), colours(beat.lock))
        for beat, end in zip(beats, until, strict=True)
        if beat.time_s <= span[1] and end >= span[0]
    ]
    axes.broken_barh([(at, length) for at, length, _ in stretches], (0, 1), facecolors=[c for _, _, c in stretches])
    axes.set_yticks([0.5], ["lock"])
    axes.set_ylim(0, 1)
    axes.tick_params(length=0, labelsize=8.5, colors=_INK)
    axes.tick_params(axis="x", pad=3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=22, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{int(seconds // 60)}:{seconds % 60:02.0f}")
    for side in axes.spines.values():
        side.set_color(_EDGE)


def _header(figure: Figure, height: float, title: str, performance: Performance, played: Sequence[Note]) -> None:
    """Draw the title and the legend of what the picture shows. `height` is that of the figure in inches."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if (font := _font_for(title)) is not None:
        figure.text(
            _LEFT,
            1 - 0.28 / height,
            title,
            fontproperties=font,
            color=_INK,
            va="center",
            parse_math=False,  # a dollar sign in the name of a file is no formula
        )
    hands = {note.hand for note in performance.notes}
    told = "heard" if performance.kind == "audio" else "read"
    entries: list[Patch | Line2D] = [Patch(color=HEARD, label=f"right hand, {told}")]
    if "left" in hands:
        entries.append(Patch(color=OTHER, label=f"another left hand, {told}"))
    if "own" in hands:
        entries.append(Patch(color=OWN, label="own notes, heard again"))
    if played:
        entries.append(Patch(color=PLAYED, label="left hand, played"))
    if performance.beats:
        entries.append(Line2D([], [], color=_BAR, linewidth=1.3, label="bar"))
        entries.append(Line2D([], [], color=_BEAT, linewidth=0.9, label="beat"))
        entries.append(Patch(color=_LOCK_COLOURS[-1], label="lock: the greener, the surer of the beat"))
    figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(0.04, 1 - 0.40 / height),
        ncols=len(entries),
        frameon=False,
        fontsize=9.5,
        labelcolor=_INK,
        handlelength=1.4,
    )


def _font_for(title: str) -> FontProperties | None:
    """Return a font that has every character of `title`: the usual font, else an installed one, else None."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager
    from matplotlib.ft2font import FT2Font

    wanted = {ord(character) for character in title}
    usual = FontProperties(size=15, weight="bold")
    if wanted <= FT2Font(findfont(usual)).get_charmap().keys():
        return usual
    for entry in fontManager.ttflist:
        # the font of last resort has a box for each character and no letters
        if entry.name.startswith("Last Resort"):
            continue
        try:
            characters = FT2Font(entry.fname).get_charmap()
        except (OSError, RuntimeError):  # the list of fonts is older than the fonts
            continue
        if wanted <= characters.keys():
            return FontProperties(fname=entry.fname, size=15)
    return None
