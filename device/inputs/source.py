"""What a live run needs of an input, be it sound or a keyboard."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from device.events import NoteEnded, NoteHeard
from device.hearing.features import Samples
from device.ports.port import Port

Feed: TypeAlias = tuple[Samples | None, float, list[NoteHeard | NoteEnded]]
"""What `Engine.step` takes: a hop of samples or None, its time in stream seconds, and MIDI notes."""


class Source(Protocol):
    """An open input; the calls come from one thread at a time."""

    @property
    def port(self) -> Port:
        """Where it comes from."""
        ...

    @property
    def rate(self) -> int | None:
        """Samples a second; None for a keyboard."""
        ...

    @property
    def xruns(self) -> int:
        """How often input was lost."""
        ...

    @property
    def input_s(self) -> float:
        """Seconds of input so far."""
        ...

    def level_db(self) -> float | None:
        """The highest peak of the sound since the last call, in dBFS; None for a keyboard."""
        ...

    def start(self) -> None:
        """Begin; UnavailableError where the input refuses now."""
        ...

    def read(self) -> list[Feed]:
        """Wait a little for more input and give it; UnavailableError where the input has gone."""
        ...

    def finish(self) -> list[Feed]:
        """Close, and give what was read and not given yet; `input_s` stays."""
        ...

    def silence(self) -> list[Feed]:
        """After `finish`: a hop's length of nothing."""
        ...

    def close(self) -> None:
        """Close only."""
        ...
