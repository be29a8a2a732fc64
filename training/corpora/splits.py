"""Which side a piece is on: decided by its composer, work or number alone, so that no rerun changes it."""

from __future__ import annotations

import hashlib
import unicodedata

VALID_SHARE = 0.1
TEST_SHARE = 0.1

POP909_VALID = range(780, 820)
POP909_TEST = range(820, 910)


def split_of_name(name: str) -> str:
    """'test' for the lowest tenth of the SHA-256 of the name, 'valid' for the next, else 'train'.

    The name is compared in Unicode form NFC: an archive unpacked elsewhere may hold it decomposed.
    """
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TEST_SHARE:
        return "test"
    if share < TEST_SHARE + VALID_SHARE:
        return "valid"
    return "train"


def split_of_song(number: int) -> str:
    """The side of POP909's song with this number."""
    if number in POP909_TEST:
        return "test"
    return "valid" if number in POP909_VALID else "train"
