"""Finds ALSA's sound cards by their ids. A card's id stays the same when its number changes."""

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
    """Holds a sound card's number since this boot, its id and its name."""

    number: int
    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.id} ({self.name})"


def parse_cards(text: str) -> list[Card]:
    """Return the cards listed in `text`, which is the content of /proc/asound/cards."""
    cards = []
    for line in text.splitlines():
        if found := _CARD.match(line):
            cards.append(Card(int(found[1]), found[2], found[3].split(" - ", 1)[-1].strip()))
    return cards


def sound_cards(path: Path = CARDS) -> list[Card]:
    """Return the cards that are present now. The list is empty if the kernel has no ALSA."""
    try:
        return parse_cards(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def find_card(wanted: str, cards: list[Card]) -> Card | None:
    """Return the card that the text `wanted` means; None if there is none.

    A card with exactly this id comes first. Otherwise it is the only card whose text contains `wanted`, in capital or
    small letters. Raises UserError, which lists the cards, if several fit.
    """
    found = fitting(wanted, cards, lambda card: (card.id,))
    if len(found) > 1:
        listing = ", ".join(f'"{card.id}"' for card in found)
        raise UserError(f'"{wanted}" could be more than one sound card: write which one of {listing}.')
    return found[0] if found else None
