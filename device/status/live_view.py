"""Draws the live view of `lefthand status --watch` with rich."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from device.status.hop_times import LARGEST_SHARE
from device.status.schema import NoteStatus, Status
from device.status.text import METER_DB, bar, beat, doubt_in_words, note_name, trouble

if TYPE_CHECKING:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

LOOK_S = 0.25
"""Seconds between two pictures, the same as between two status files."""
FRESH_S = 0.6
"""Notes younger than this, in seconds, are drawn bright."""
SHOWN = 12
"""Number of notes in a line."""
BORDER = 2
"""Rows of the border around the view."""
LOUD_DB = -3.0
"""Level in dBFS above which the meter is red, because clipping is near."""
COLOURS = {"playing": "green", "waiting": "yellow", "starting": "cyan", "stopping": "cyan"}

Look = Callable[[], tuple[Status, float] | str]


def show(look: Look, console: Console | None = None, wait: Callable[[float], None] = time.sleep) -> None:
    """Draw the status that `look` returns, every LOOK_S seconds, until KeyboardInterrupt, which is passed on."""
    from rich.live import Live

    with Live(console=console, auto_refresh=False, screen=console is None) as live:
        while True:
            live.update(drawn(look(), live.console.height), refresh=True)
            wait(LOOK_S)


def drawn(found: tuple[Status, float] | str, height: int | None = None) -> Panel:
    """Return a panel for the terminal that shows a status. Without a status it shows the sentence that explains why.

    `found` is that sentence, or the status and the age of its file in seconds. `height` is the number of rows of the
    terminal: if they are too few for all, those that matter least at the piano are left out.
    """
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    if isinstance(found, str):
        return Panel(Text(found), title="lefthand", border_style="red")
    status, age_s = found
    wrong = trouble(status, age_s)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    faults = ", ".join(f"{name}: {count}" for name, count in sorted(status.faults.items()))
    doubt = "" if status.doubt is None else doubt_in_words(status.doubt)
    rows = [
        ("", Text(wrong or status.message, style="bold red" if wrong else "")),
        ("level", _level(status)),
        ("heard", _notes(status.heard, "bright_cyan")),
        ("beat", Text(_beats(status))),
        *([("", Text(doubt, style="yellow"))] if doubt else []),
        ("played", _notes(status.played, "bright_green")),
        ("chord", Text(status.chord or "-", style="bold")),
        ("faults", Text(faults or "none")),
        ("xruns", Text(str(status.audio.xruns), style="red" if status.audio.xruns else "")),
        ("hop", _hop(status)),
    ]
    for row in rows if height is None else rows[: max(1, height - BORDER)]:
        table.add_row(*row)
    colour = "red" if wrong else COLOURS[status.state]
    title = f"lefthand {status.version}: {'gone' if wrong else status.state}"
    return Panel(table, title=Text(title), border_style=colour)


def _level(status: Status) -> Text:
    from rich.text import Text

    level = status.audio.level_db
    if level is None:
        return Text("-")
    return Text(f"{bar(level, *METER_DB)} {level:6.1f} dB", style="red" if level > LOUD_DB else "green")


def _notes(notes: list[NoteStatus], colour: str) -> Text:
    from rich.text import Text

    text = Text()
    for note in notes[-SHOWN:]:
        text.append(f"{note_name(note.pitch):<4}", style=colour if note.age_s < FRESH_S else "dim")
    return text if notes else Text("-")


def _beats(status: Status) -> str:
    if status.beat is None:
        return "-"
    lock = "" if status.lock is None else f"  [{bar(status.lock, 0, 1, 10)}]"
    return f"{beat(replace(status, doubt=None))}{lock}"


def _hop(status: Status) -> Text:
    from rich.text import Text

    hop = status.hop
    slow = hop.length_ms > 0 and hop.p99_ms > LARGEST_SHARE * hop.length_ms
    text = f"{hop.p50_ms:.2f} ms, 99 % within {hop.p99_ms:.2f} of {hop.length_ms:.0f} ms"
    return Text(text, style="red" if slow else "")
