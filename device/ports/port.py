"""Describes the ports of this machine, and finds the one that a name in the settings selects."""

from __future__ import annotations

import re
import unicodedata
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
_NUMBERS = re.compile(
    r" *\(hw:\d+(?:,\d+)*\)| *\[\d{1,3}\](?= \()| +\d{1,3}:\d{1,2}(?= |$)| *\(\d{3,}(?::\d{1,2})?\)(?=[: ]|$)"
)
"""Numbers that ALSA gives in the order in which devices appear: "(hw:1,0)" of a sound card, "20:0" of a MIDI port.

a2jmidid writes the number of a MIDI client as "[20] (capture)" into the name of its JACK port. A software synthesiser
such as FluidSynth writes its process number into the name of its client and its port: "(1234)", "(1234:0)".
"""
_SYSTEM = re.compile(r"(.+) \[(\w+)\]")
"""A name, or a part of one, with the system in brackets."""
_WITHIN = re.compile(r"\(hw:\d+,(\d+(?:,\d+)*)\)|\d{1,3}:(\d{1,2})(?= |$)")
"""The last of these numbers, which tells the ports of one device apart. It stays when the machine starts."""


@dataclass(frozen=True)
class Port:
    """Names a MIDI port or a sound input. `api` is its system (ALSA or JACK), which gives it `name` and `index`.

    `name` may hold any character, because another program can choose it. The text of a port is printable.
    """

    name: str
    api: str
    index: int

    def __str__(self) -> str:
        return f"{printable(self.name)} [{self.api}]"


@dataclass(frozen=True)
class SoundInput(Port):
    """Names a sound input, with its number of channels and its default sample rate in Hz."""

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


def bare(name: str) -> str:
    """Return the name of a port without the numbers that change when the machine starts or a cable is plugged."""
    return _NUMBERS.sub("", name).strip()


def found(wanted: str, ports: Sequence[AnyPort]) -> list[AnyPort]:
    """Return all of `ports` that the text `wanted` can mean; an empty list if there are none.

    Five rules are tried in turn, and the first that fits any port decides. A letter with an accent is the same as
    one character and as two, because systems write it differently, and several spaces are one. The port has exactly
    this name, with or without its system; the same name apart from its numbers; a name that contains `wanted`; one
    that contains `wanted` apart from numbers; or, if `wanted` ends with a system in brackets, one of that system
    that the rest can mean. A number at the beginning of `wanted` is meant as a whole, as "28:0" is not "128:0", and
    so is one at its end if it is there as a whole. "plughw:1,0", as ALSA's own programs write it, is "hw:1,0". Of
    several ports, those with the number within their device that `wanted` has are meant, as "20:1" means "24:1" and not
    "24:0".
    """
    if alike := [port for port in ports if wanted in (port.name, str(port))]:
        return alike
    wanted = _composed(wanted).removeprefix("plug" if wanted.startswith("plughw:") else "")
    exact = [port for port in ports if wanted in (_composed(port.name), _composed(str(port)))]
    without = bare(wanted)
    if exact or not without:
        return exact or fitting(wanted, ports, lambda port: (port.name, str(port)))
    bares = [bare(_composed(port.name)) for port in ports]
    systems = [bare(_composed(f"{port.name} [{port.api}]")) for port in ports]
    same = [port for port, *names in zip(ports, bares, systems, strict=True) if without in names]
    meant = (
        same
        or _containing(wanted, ports, [_composed(str(port)) for port in ports])
        or _containing(without, ports, [bare(_composed(str(port))) for port in ports])
    )
    if not meant and (parts := _SYSTEM.fullmatch(wanted)) is not None:
        return found(parts[1], [port for port in ports if port.api.casefold() == parts[2].casefold()])
    within = _within(wanted)
    return [port for port in meant if within and _within(port.name) == within] or meant


def _containing(wanted: str, ports: Sequence[AnyPort], names: Sequence[str]) -> list[AnyPort]:
    """Return the ports whose one of `names` contains `wanted`, in capital or small letters.

    A number at the beginning of `wanted` is a whole one. If some of the ports have the number at its end as a whole,
    only these are returned.
    """
    begin = (r"(?<!\d)" if wanted[:1].isdigit() else "") + re.escape(wanted.casefold())
    whole = begin + (r"(?!\d)" if wanted[-1:].isdigit() else "")
    named = [(port, name.casefold()) for port, name in zip(ports, names, strict=True)]
    found = [port for port, name in named if re.search(whole, name)]
    return found or [port for port, name in named if re.search(begin, name)]


def _within(name: str) -> list[str]:
    """Return the numbers of a port within its device, as its name has them."""
    return [number for numbers in _WITHIN.findall(name) for number in numbers if number]


def _composed(text: str) -> str:
    """Return `text` with each letter and its accent as one character, where there is one, and with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def to_write(port: AnyPort, ports: Sequence[AnyPort]) -> str:
    """Return the text that selects `port` among `ports` in the settings, without its numbers if that is enough."""
    without = bare(port.name)
    for text in (without, f"{without} [{port.api}]", port.name):
        if text and found(text, ports) == [port]:
            return printable(text)
    return str(port)


def choose(wanted: str, ports: Sequence[AnyPort], kind: PortKind) -> AnyPort:
    """Return the one port of `ports` that the text `wanted` selects by the rules of `found`.

    `wanted` may include the system, as `lefthand devices` prints it: `tape [JACK]`. `kind` is the word for such a port
    in error messages. Raises UnavailableError if several ports match, with those ports listed, or if none matches, with
    all present ports of other programs and devices listed.
    """
    meant = found(wanted, ports)
    if len(meant) == 1:
        return meant[0]
    thing = f'{kind} "{wanted}"'
    if meant:
        raise UnavailableError(
            f'"{wanted}" could be more than one {kind}: write which one of {_listing(meant)}.',
            kind,
            wanted,
            f"it could be any of {_listing(meant)}; write which one in the settings",
        )
    # the page's look at the ports opens and closes ports of this program
    others = [port for port in ports if CLIENT not in port.name]
    there = f"there is {_listing(others)}" if others else f"there is no {kind} at all"
    raise UnavailableError(
        f"There is no {thing}: {there}; connect it, or change the name in the settings.",
        kind,
        wanted,
        f"it is not connected; {there}",
    )


def _listing(ports: Sequence[Port]) -> str:
    return ", ".join(f'"{port}"' for port in ports)
