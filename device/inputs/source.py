"""Defines the interface that a live run needs from an input. Sound inputs and keyboards implement it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from device.events import NoteEnded, NoteHeard
from device.hearing.features import Samples
from device.ports.port import Port

Feed: TypeAlias = tuple[Samples | None, float, list[NoteHeard | NoteEnded]]
"""The arguments of `Engine.step`: a hop of samples or None, its time in stream seconds, and note events from MIDI."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A place in the input at which sound was lost, and what came after it was joined to what came before.

    `sample` is the number of samples of the input before this place. `missing` is the number of samples that were lost,
    or None if the sound system did not say how many. If `found_late`, nobody reported the loss: the times of arrival
    showed it about a second later, and `sample` is the place at which it was found.
    """

    sample: int
    missing: int | None
    found_late: bool = False


class Source(Protocol):
    """Delivers the live input of the player, in hops. Only one thread calls it at a time."""

    @property
    def port(self) -> Port:
        """Return the port that the input reads."""
        ...

    @property
    def rate(self) -> int | None:
        """Return the sample rate in Hz; None for a keyboard."""
        ...

    @property
    def xruns(self) -> int:
        """Return how many times a part of the input was lost."""
        ...

    @property
    def input_s(self) -> float:
        """Return the seconds of input that were read so far."""
        ...

    def level_db(self) -> float | None:
        """Return the highest peak of the sound since the last call, in dBFS; None for a keyboard."""
        ...

    def start(self) -> None:
        """Start the input. Raises UnavailableError if the input refuses."""
        ...

    def read(self) -> list[Feed]:
        """Wait a short time for more input, and return its hops; an empty list if none came.

        Raises UnavailableError if the input has gone.
        """
        ...

    def losses(self) -> Sequence[Loss]:
        """Return the losses in the sound that `read` returned or took in since the last call. Empty for a keyboard."""
        ...

    def finish(self) -> list[Feed]:
        """Close the input, and return the rest: input that was received but not returned yet.

        `input_s` does not change.
        """
        ...

    def silence(self) -> list[Feed]:
        """Return the hops that one hop of silence adds after `finish`; an empty list for a keyboard."""
        ...

    def close(self) -> None:
        """Close the input. Input that was not returned yet is lost."""
        ...
