"""Pieces whose hands are known."""

from __future__ import annotations

import numpy as np

from training.corpora.pieces import HandLabel, Piece, as_notes

BARS = 24
NAMES = ("first", "second", "third")


def piece(seed: int, split: str = "valid") -> Piece:
    """A melody of random keys in C over a waltz-like left hand in 4/4 that strikes C and F by turns."""
    rng = np.random.default_rng(seed)
    rows = [(float(q), 1.0, int(rng.choice([72, 74, 76, 77, 79])), HandLabel.RIGHT) for q in range(4 * BARS)]
    for bar in range(BARS):
        root = (48, 53)[bar % 2]
        rows.append((4.0 * bar, 1.0, root - 12, HandLabel.LEFT))
        rows += [(4.0 * bar + q, 0.5, root + up, HandLabel.LEFT) for q in (1, 2, 3) for up in (4, 7)]
    onset, duration, pitch, hand = zip(*rows, strict=True)
    return Piece(
        name=NAMES[seed],
        corpus="lieder",
        group=NAMES[seed],
        work=NAMES[seed],
        split=split,
        notes=as_notes(onset, duration, pitch, 0, hand),
        meters=[(0.0, 4, 4)],
        downbeats=4.0 * np.arange(BARS),
    )
