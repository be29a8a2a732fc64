"""Turns a score or a performance into played notes: tempo, timing, touch, dynamics, pedal, transposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.events import KEYS, LOWEST_KEY
from training.corpora.pieces import HandLabel, Notes, Piece
from training.scenes.render import Played

LEVELS = (30.0, 98.0)
"""Range of the velocity around which a piece is played."""
SOFT_LEVELS = (16.0, 46.0)
"""The same range for a piece that is played softly throughout."""
SOFT = 0.25
"""Probability that a piece is played softly throughout."""


@dataclass(frozen=True)
class PlayedScore:
    """A part of a piece as it was played.

    `notes` are sorted by onset. `pedal` holds spans (down, up) in seconds. The other fields are the first quarter (a
    position in the piece), the seconds per quarter and the transposition in semitones. With them the other hand can be
    performed to match.
    """

    notes: list[Played]
    pedal: list[tuple[float, float]]
    begin_quarter: float = 0.0
    quarter_s: float = 0.5
    transposition: int = 0


def perform(
    piece: Piece,
    rng: np.random.Generator,
    seconds: float,
    hands: tuple[HandLabel, ...],
    like: PlayedScore | None = None,
    pedalled: float = 0.45,
    soft: float = SOFT,
) -> PlayedScore:
    """Play `seconds` of the piece from a random place. Returns the played notes and the pedal.

    `hands` are the hands to play. If `like` is another performance, its place, tempo and key are used. `pedalled` is
    the probability that the pedal is used, `soft` that the piece is played softly throughout. The result has no notes
    if the hands rest there.
    """
    notes = piece.of(*hands)
    if like is None:
        like = _drawn_place(piece, notes, rng, seconds)
    inside = notes[
        (notes["onset"] >= like.begin_quarter) & (notes["onset"] < like.begin_quarter + seconds / like.quarter_s)
    ]
    if not len(inside):
        return PlayedScore([], [], like.begin_quarter, like.quarter_s, like.transposition)
    onset = (inside["onset"].astype(float) - like.begin_quarter) * like.quarter_s
    if piece.beat_s is not None:
        stretch = like.quarter_s / float(np.median(np.diff(piece.beat_s)))
        onset = (piece.seconds(inside["onset"]) - piece.seconds([like.begin_quarter])[0]) * stretch
    held = inside["duration"].astype(float) * like.quarter_s * _articulation(rng, len(inside))
    onset = np.maximum(onset + rng.normal(0, rng.uniform(0.003, 0.018), len(inside)), 0)
    velocity = _dynamics(rng, inside, onset, soft)
    pitch = inside["pitch"].astype(int) + like.transposition
    played = [
        Played(float(o), float(o + max(h, 0.03)), int(p), int(v))
        for o, h, p, v in zip(onset, held, pitch, velocity, strict=True)
        if LOWEST_KEY <= p < LOWEST_KEY + KEYS
    ]
    pedal = _pedal(rng, seconds, like.quarter_s) if rng.random() < pedalled else []
    return PlayedScore(_one_hammer(sorted(played)), pedal, like.begin_quarter, like.quarter_s, like.transposition)


def _drawn_place(piece: Piece, notes: Notes, rng: np.random.Generator, seconds: float) -> PlayedScore:
    """Return a random place, tempo and key in which `seconds` of the `notes` of a piece are played, without notes."""
    bpm = float(np.clip(np.exp(rng.normal(np.log(96), 0.35)), 45, 200))
    quarter_s = 60 / bpm
    end = float(piece.notes["onset"].max()) if len(piece.notes) else 0.0
    if piece.beat_s is not None:
        quarter_s = float(np.median(np.diff(piece.beat_s)) * rng.uniform(0.75, 1.3))
    begin = float(rng.uniform(0, max(end - seconds / quarter_s, 0.01)))
    low, high = (int(notes["pitch"].min()), int(notes["pitch"].max())) if len(notes) else (60, 60)
    transposition = int(rng.integers(-6, 7)) + int(rng.choice([-12, 0, 12], p=[0.12, 0.8, 0.08]))
    transposition = int(np.clip(transposition, LOWEST_KEY - low, LOWEST_KEY + KEYS - 1 - high))
    return PlayedScore([], [], begin, quarter_s, transposition)


def invent(rng: np.random.Generator, seconds: float) -> PlayedScore:
    """Return random chords, runs and repeated keys over the whole keyboard at a random density; sometimes no notes."""
    if rng.random() < 0.12:
        return PlayedScore([], [])
    density, centre, spread = np.exp(rng.uniform(np.log(0.7), np.log(9))), rng.uniform(28, 96), rng.uniform(4, 24)
    loud, t, notes = rng.uniform(25, 110), rng.uniform(0, 1), []
    previous = int(centre)
    while t < seconds:
        for _ in range(int(rng.choice([1, 2, 3, 4, 5], p=[0.55, 0.18, 0.14, 0.08, 0.05]))):
            p = previous if rng.random() < 0.15 else int(np.clip(rng.normal(centre, spread), 21, 108))
            if rng.random() < 0.2:
                p = int(np.clip(previous + rng.choice([-12, 12, 7, -7, 1, -1, 2, -2]), 21, 108))
            previous = p
            start = t + abs(rng.normal(0, 0.008))
            held = float(np.exp(rng.uniform(np.log(0.06), np.log(2.5))))
            notes.append(Played(start, start + held, p, int(np.clip(rng.normal(loud, 12), 8, 124))))
        t += rng.exponential(1 / density) + 0.03
    return PlayedScore(_one_hammer(sorted(notes)), _pedal(rng, seconds, 0.5) if rng.random() < 0.3 else [])


def _articulation(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Return the share of its written length for which each key is held, float64 [count], 0.2 to 1.05.

    All shares lie around one random value: connected (legato), detached, or short (staccato).
    """
    typical = float(rng.choice([0.97, 0.85, 0.55], p=[0.55, 0.3, 0.15]))
    return np.asarray(np.clip(rng.normal(typical, 0.08, count), 0.2, 1.05))


def _dynamics(
    rng: np.random.Generator, notes: npt.NDArray[np.void], onset: npt.NDArray[np.float64], soft: float
) -> npt.NDArray[np.float64]:
    """Return the velocity of each note.

    It is the velocity in the recorded performance if there is one, else one level for all notes. A slow swell, a louder
    melody and a random part are added.

    Pianists strike a melody harder than its accompaniment (Goebl, "Melody lead in piano performance: expressive device
    or artifact?", J. Acoust. Soc. Am. 110, 2001).
    """
    level = rng.uniform(*(SOFT_LEVELS if rng.random() < soft else LEVELS))
    swell = rng.uniform(0, 18) * np.sin(2 * np.pi * (onset / rng.uniform(4, 15) + rng.random()))
    chance = rng.normal(0, rng.uniform(3, 13), len(notes))
    under = np.where(_under_another(notes), -rng.uniform(0, 24), 0)
    left = np.where(notes["hand"] == HandLabel.LEFT, -rng.uniform(0, 16), 0)
    own = notes["velocity"].astype(float)
    base = (
        np.where(own > 0, own - own[own > 0].mean() + level, level) if (own > 0).any() else np.full(len(notes), level)
    )
    return np.asarray(np.clip(base + swell + chance + np.minimum(under, left), 6, 125))


def _under_another(notes: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Return for each note, as bool [notes], whether a higher note sounds when the note is struck."""
    ends = notes["onset"] + notes["duration"]
    sounds = (notes["onset"][None, :] <= notes["onset"][:, None]) & (ends[None, :] > notes["onset"][:, None])
    return np.asarray((sounds & (notes["pitch"][None, :] > notes["pitch"][:, None])).any(axis=1))


def _pedal(rng: np.random.Generator, seconds: float, quarter_s: float) -> list[tuple[float, float]]:
    """Return the spans (down, up) of the pedal in seconds.

    The pedal is changed every 1, 2 or 4 quarters: it goes up, and down again just after that.
    """
    every = quarter_s * int(rng.choice([1, 2, 4]))
    changes = np.arange(0, seconds + every, every)
    return [
        (float(a + 0.06), float(b))
        for a, b in zip(changes[:-1], changes[1:], strict=True)
        if rng.random() < 0.9 and b > a + 0.08
    ]


def _one_hammer(notes: list[Played]) -> list[Played]:
    """Return `notes` as one hammer per key can play them.

    A stroke within 40 ms after another stroke of the same key is removed. Each note ends before the next stroke of its
    key.
    """
    last: dict[int, int] = {}
    kept: list[Played] = []
    for note in notes:
        before = last.get(note.pitch)
        if before is not None:
            if note.onset_s < kept[before].onset_s + 0.04:
                continue
            if kept[before].offset_s > note.onset_s - 0.01:
                kept[before] = kept[before]._replace(offset_s=max(note.onset_s - 0.01, kept[before].onset_s + 0.02))
        last[note.pitch] = len(kept)
        kept.append(note)
    return kept
