"""The ports of this machine, and how a name in the settings selects one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from device.errors import PortKind, UnavailableError
from device.printable import printable

INPUT: Final = "MIDI input"
OUTPUT: Final = "MIDI output"
SOUND: Final = "audio input"
CONTROL: Final = "MIDI control"
"""Words for the kinds of port in error messages."""
CLIENT = "lefthand"
"""Name of this program's clients in the MIDI system."""
API_NAMES = {"JACK Audio Connection Kit": "JACK", "Jack": "JACK"}
"""PortAudio and RtMidi call JACK by different names. A port has this one name for it."""


@dataclass(frozen=True)
class Port:
    """A MIDI port or a sound input. `api` is its system (ALSA or JACK), which gives it `name` and `index`.

    `name` may hold any character, because another program can choose it. The text of a port is printable.
    """

    name: str
    api: str
    index: int

    def __str__(self) -> str:
        return f"{printable(self.name)} [{self.api}]"


@dataclass(frozen=True)
class SoundInput(Port):
    """A sound input, with its number of channels and its default sample rate in Hz."""

    channels: int
    default_rate: int


AnyPort = TypeVar("AnyPort", bound=Port)
Thing = TypeVar("Thing")


def fitting(wanted: str, things: Sequence[Thing], names: Callable[[Thing], Sequence[str]]) -> list[Thing]:
    """Return all of `things` that the text `wanted` can mean.

    These are the things that have `wanted` as one of their `names`. If there are none, they are the things
    whose text contains `wanted`, whether in capital or small letters.
    """
    exact = [thing for thing in things if wanted in names(thing)]
    return exact or [thing for thing in things if wanted.casefold() in str(thing).casefold()]


def choose(wanted: str, ports: Sequence[AnyPort], kind: PortKind) -> AnyPort:
    """Return the port that `wanted` names. An exact name wins; otherwise one port must match as in `fitting`.

    A name may include its system, as `lefthand devices` prints it: `tape [JACK]`. `kind` is the word for such a
    port in error messages. Raises UnavailableError if several ports match, with those ports listed. Raises
    UnavailableError if no port matches, with all present ports listed.
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
