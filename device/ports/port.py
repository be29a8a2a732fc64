"""A port of this machine, and the one that a name means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from device.errors import PortKind, UnavailableError

INPUT: Final = "MIDI input"
OUTPUT: Final = "MIDI output"
SOUND: Final = "audio input"
CONTROL: Final = "MIDI control"
"""What a port is called in errors."""
CLIENT = "lefthand"
"""What the box is called among the clients of the MIDI system."""
API_NAMES = {"JACK Audio Connection Kit": "JACK", "Jack": "JACK"}
"""PortAudio and RtMidi call JACK by different names. A port has this one name for it."""


@dataclass(frozen=True)
class Port:
    """A MIDI port, or a sound input, as the system that has it (`api`: ALSA, JACK) numbers and names it."""

    name: str
    api: str
    index: int

    def __str__(self) -> str:
        return f"{self.name} [{self.api}]"


@dataclass(frozen=True)
class SoundInput(Port):
    """A sound input with its number of channels and the sample rate (Hz) it has if none is asked for."""

    channels: int
    default_rate: int


AnyPort = TypeVar("AnyPort", bound=Port)
Thing = TypeVar("Thing")


def fitting(wanted: str, things: Sequence[Thing], names: Callable[[Thing], Sequence[str]]) -> list[Thing]:
    """All of `things` that the text `wanted` can mean.

    These are the things that have `wanted` as one of their `names`. If there are none, they are the things
    whose text contains `wanted` in any case.
    """
    exact = [thing for thing in things if wanted in names(thing)]
    return exact or [thing for thing in things if wanted.casefold() in str(thing).casefold()]


def choose(wanted: str, ports: Sequence[AnyPort], kind: PortKind) -> AnyPort:
    """The one of `ports` called `wanted`: exactly, else the only one whose name contains it in any case.

    A name may be given with its system, as `lefthand devices` prints it: `tape [JACK]`. Raises UnavailableError
    with the candidates where several fit, and with what is there where none does. `kind` is the word for
    such a port.
    """
    found = fitting(wanted, ports, lambda port: (port.name, str(port)))
    if len(found) == 1:
        return found[0]
    thing = f'{kind} "{wanted}"'
    if found:
        raise UnavailableError(
            f'"{wanted}" could be more than one {kind}: write which one of {_listing(found)}.',
            kind,
            wanted,
            f"it could be any of {_listing(found)}; write which one in the settings",
        )
    there = f"there is {_listing(ports)}" if ports else f"there is no {kind} at all"
    raise UnavailableError(
        f"There is no {thing}: {there}; connect it, or change the name in the settings.",
        kind,
        wanted,
        f"it is not connected; {there}",
    )


def _listing(ports: Sequence[Port]) -> str:
    return ", ".join(f'"{port}"' for port in ports)
