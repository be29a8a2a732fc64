"""Assigns pieces to the splits train, valid and test.

Only the composer, the work or the number decides, so the splits are the same in every run.
"""

from __future__ import annotations

import hashlib
import unicodedata

VALID_SHARE = 0.1
TEST_SHARE = 0.1
"""Shares of the groups of a corpus that choose constants, and that are measured once at the end."""

POP909_VALID = range(780, 820)
POP909_TEST = range(820, 910)
"""Numbers of the songs of these splits. All others of POP909 may be trained on."""


def split_of_name(name: str) -> str:
    """Return the split of a name: 'test' for about a tenth of all names, 'valid' for another tenth, else 'train'.

    The name's SHA-256 decides: its lowest tenth is 'test', and the next tenth is 'valid'. The name is converted to
    Unicode form NFC first, because some systems unpack archives with decomposed names.
    """
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TEST_SHARE:
        return "test"
    if share < TEST_SHARE + VALID_SHARE:
        return "valid"
    return "train"


def split_of_song(number: int) -> str:
    """Return the split of the POP909 song with this number: 'train', 'valid' or 'test'."""
    if number in POP909_TEST:
        return "test"
    return "valid" if number in POP909_VALID else "train"
