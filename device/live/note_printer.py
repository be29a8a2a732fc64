"""Prints notes as they are decided, one line each: `lefthand run --print`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from device.events import Event, NoteHeard, Send
from device.status.text import note_name

MOST_LINES = 1024
"""Most lines that wait to be printed. If the terminal or the pipe takes no more, further notes are left out."""
REST_S = 0.02
"""Seconds between two looks for new notes. The eye sees no delay."""
CLOSE_S = 1.0
"""Seconds that `close` waits at most for a terminal or a pipe that takes no more."""


class NotePrinter:
    """Passes one line for each note to `write`, in a thread of its own. The audio loop never waits for it.

    The line gives the note's time in seconds since the start of the input, its name (C4 is middle C), its MIDI velocity
    and who plays it: "right" or "left" for the player's hands, "box" for a note that the box is going to send. The
    thread ends if `write` raises OSError or ValueError, which a closed pipe does. Playing continues.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._waiting: deque[str] = deque()
        self._closing = threading.Event()
        self.left_out = 0
        """Number of notes that were not printed because MOST_LINES lines waited already."""
        self._thread = threading.Thread(target=self._run, name="note printer", daemon=True)
        self._thread.start()

    def take(self, events: Sequence[Event]) -> None:
        """Queue a line for each note that is heard or will be played among `events`. The audio loop calls this."""
        for event in events:
            if (line := line_of(event)) is None:
                continue
            if len(self._waiting) < MOST_LINES:
                self._waiting.append(line)
            else:
                self.left_out += 1

    def close(self) -> None:
        """Print the lines that wait, for at most CLOSE_S seconds, and end the thread."""
        self._closing.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            over = False
            while not over:
                over = self._closing.wait(REST_S)
                while self._waiting:
                    self._write(self._waiting.popleft())
        except (OSError, ValueError):
            return


def line_of(event: Event) -> str | None:
    """Return the line for a note that was heard or will be played, without a line feed; None for any other event.

    Notes that the box heard from its own left hand give None, too.
    """
    match event:
        case NoteHeard(note) if note.hand != "own":
            return _line(note.onset_s, note.pitch, note.velocity, note.hand)
        case Send(kind="note_on", due_s=due_s, pitch=pitch, velocity=velocity):
            return _line(due_s, pitch, velocity, "box")
    return None


def _line(at_s: float, pitch: int, velocity: int, who: str) -> str:
    return f"{at_s:9.3f} s  {note_name(pitch):<4} velocity {velocity:3d}  {who}"
