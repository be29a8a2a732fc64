"""ALSA's sound cards by their ids, which stay when numbers change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from device.errors import UserError
from device.ports.port import fitting

CARDS = Path("/proc/asound/cards")
_CARD = re.compile(r"^\s*(\d+)\s+\[(\S+)\s*\]:\s*(.*)$")


@dataclass(frozen=True)
class Card:
    """A sound card: its number of today, its id, and what it is called."""

    number: int
    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.id} ({self.name})"


def parse_cards(text: str) -> list[Card]:
    """The cards in what /proc/asound/cards holds."""
    cards = []
    for line in text.splitlines():
        if found := _CARD.match(line):
            cards.append(Card(int(found[1]), found[2], found[3].split(" - ", 1)[-1].strip()))
    return cards


def sound_cards(path: Path = CARDS) -> list[Card]:
    """The cards there are now; none where the kernel has no ALSA."""
    try:
        return parse_cards(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def find_card(wanted: str, cards: list[Card]) -> Card | None:
    """The card of the id `wanted`, else the only one in whose id or name it occurs in any case; None without any.

    Raises UserError with the candidates where several fit.
    """
    found = fitting(wanted, cards, lambda card: (card.id,))
    if len(found) > 1:
        listing = ", ".join(f'"{card.id}"' for card in found)
        raise UserError(f'"{wanted}" could be more than one sound card: write which one of {listing}.')
    return found[0] if found else None
