"""Makes the inputs and targets of the seeds, which are early nets that accompany a melody.

Both hands are 88 keys on sixteenth steps. A fit uses random stretches of songs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from training.corpora.pieces import HandLabel, Piece, load_pieces
from training.experiments.seeds.setup import Seed
from training.playing_figures.measure import song_rolls
from training.playing_figures.panel import CONSONANCE, Roll

SLOTS = 16
"""Number of distinct positions in the bar, in sixteenth steps. Later positions wrap around."""
VOICES = 4
"""Largest number of notes in a chord of the left hand. Further notes are left out."""
PAUSE = 12
"""Marks a voice that rests. The numbers 0 to 11 are pitch classes."""
NOTHING = 255
"""Marks an unused slot of a chord. The loss ignores it."""
LATELY = 32
"""A step has loss weight 1 if the right hand sounded at most this number of steps before it."""
UNHEARD = 0.1
"""Loss weight of a step that comes more than `LATELY` steps after the right hand last sounded."""
MOST_OWN = 0.8
"""In a fit with `both-scheduled`, the left-hand input is a mix of the net's own prediction and the true left hand.

This is the share of the prediction at the end of the fit.
"""
HANDS_KEPT = ("right_sounding", "right_struck", "left_sounding", "left_struck")

Array = npt.NDArray[Any]
Rng = np.random.Generator


@dataclass(frozen=True)
class Song:
    """Holds a piece on sixteenth steps: four bool [T, 88] arrays, and each step's position [T] in a bar of `bar` steps.

    For each hand one array says which keys sound at a step, and one which keys are struck.
    """

    name: str
    right_sounding: Array
    right_struck: Array
    left_sounding: Array
    left_struck: Array
    positions: Array
    bar: int


def song_of(piece: Piece) -> Song:
    """Convert a piece to a song, and return it. Pitches outside the piano's 88 keys are left out."""
    right, left, _, positions, bar = song_rolls(piece, piece.of(HandLabel.LEFT))
    hands = [_keys(keys) for roll in (right, left) for keys in (roll.sounding, roll.struck)]
    return Song(piece.name, hands[0], hands[1], hands[2], hands[3], positions, bar)


def _keys(roll: Array) -> Array:
    return np.ascontiguousarray(roll[:, LOWEST_KEY : LOWEST_KEY + KEYS])


def roll_of_keys(sounding: Array, struck: Array) -> Roll:
    """Convert arrays [T, 88] to a `Roll`, which has all 128 MIDI pitches, and return it.

    A key that starts to sound counts as struck. A strike of a key that does not sound is left out.
    """
    wide = [np.zeros((len(sounding), 128), bool) for _ in range(2)]
    before = np.vstack([np.zeros((1, KEYS), bool), sounding[:-1]])
    wide[0][:, LOWEST_KEY : LOWEST_KEY + KEYS] = sounding
    wide[1][:, LOWEST_KEY : LOWEST_KEY + KEYS] = sounding & (struck | ~before)
    return Roll(wide[0], wide[1])


@lru_cache(maxsize=2)
def songs(cache: Path, split: str, corpus: str = "pop909") -> list[Song]:
    """Return the songs of a split. The first call makes them from the pieces and keeps them in a file in the cache.

    Raises UserError if the pieces have not been prepared.
    """
    path = cache / "steps" / f"seeds-{corpus}-{split}.npz"
    if not path.exists():
        pieces = [p for p in load_pieces(cache, corpus, split) if p.primary and len(p.of(HandLabel.LEFT))]
        if not pieces:
            raise UserError(f"No {corpus} pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
        _write(path, [song_of(piece) for piece in pieces])
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files}
    for name in HANDS_KEPT:
        arrays[name] = np.unpackbits(arrays[name], axis=1, count=KEYS).astype(bool)
    ends = np.cumsum(arrays["lengths"])
    parts = [slice(int(end - length), int(end)) for end, length in zip(ends, arrays["lengths"], strict=True)]
    return [
        Song(
            name=str(name),
            positions=arrays["positions"][part],
            bar=int(bar),
            **{hand: arrays[hand][part] for hand in HANDS_KEPT},
        )
        for name, part, bar in zip(arrays["names"], parts, arrays["bars"], strict=True)
    ]


def _write(path: Path, found: list[Song]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    packed = {name: np.packbits(np.concatenate([getattr(s, name) for s in found]), axis=1) for name in HANDS_KEPT}
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            names=np.array([s.name for s in found]),
            lengths=np.array([len(s.positions) for s in found]),
            positions=np.concatenate([s.positions for s in found]),
            bars=np.array([s.bar for s in found]),
            **packed,
        )
    temporary.replace(path)


def fold(keys: Array) -> Array:
    """Return keys [..., 88] folded to pitch classes [..., 12]. Each class has the highest value of its keys."""
    padded = np.zeros((*keys.shape[:-1], 108), keys.dtype)
    first = LOWEST_KEY % 12
    padded[..., first : first + KEYS] = keys
    return np.asarray(padded.reshape(*keys.shape[:-1], 9, 12).max(axis=-2))


def octaves(keys: Array) -> Array:
    """Return which octaves from C0 have a sounding key, bool [..., 9], from the keys bool [..., 88]."""
    padded = np.zeros((*keys.shape[:-1], 108), keys.dtype)
    first = LOWEST_KEY % 12
    padded[..., first : first + KEYS] = keys
    return np.asarray(padded.reshape(*keys.shape[:-1], 9, 12).max(axis=-1))


def read(kind: str, sounding: Array, struck: Array) -> Array:
    """Return a hand, two arrays [..., 88], as the input of a net of this kind, float32 [..., read_width(kind)]."""
    if kind == "keys":
        parts = [sounding, struck]
    else:
        parts = [fold(sounding), fold(struck), *([octaves(sounding)] if kind == "octave" else [])]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def read_width(kind: str) -> int:
    """Return the number of inputs per hand and step for a net of this kind."""
    return {"keys": 2 * KEYS, "octave": 33}.get(kind, 24)


def placed(positions: Array) -> Array:
    """Return positions in the bar in one-hot form (a 1 at the position, else 0), float32 [..., SLOTS]."""
    return np.asarray(np.eye(SLOTS, dtype=np.float32)[positions % SLOTS])


def late(hand: Array) -> Array:
    """Return `hand` [T, ...] delayed by one step, with silence first.

    So at each step the net sees only earlier steps.
    """
    return np.concatenate([np.zeros_like(hand[:1]), hand[:-1]])


def voices_of(sounding: Array) -> Array:
    """Return the pitch classes of the `VOICES` lowest keys of [..., 88], uint8 [..., VOICES].

    Missing voices are `PAUSE`.
    """
    first = np.argsort(~sounding, axis=-1, kind="stable")[..., :VOICES]
    there = np.take_along_axis(sounding, first, -1)
    return np.where(there, (first + LOWEST_KEY) % 12, PAUSE).astype(np.uint8)


def chord_of(sounding: Array) -> Array:
    """Return the pitch classes of the lowest keys of [..., 88], each class only once, uint8 [..., VOICES].

    The lowest key comes first. One `PAUSE` follows the last note, and `NOTHING` fills the rest.
    """
    voices = voices_of(sounding)
    chord = np.full_like(voices, NOTHING)
    filled = np.zeros(voices.shape[:-1], int)
    for v in range(VOICES):
        note = voices[..., v]
        new = (note != PAUSE) & ~(chord == note[..., None]).any(axis=-1)
        np.put_along_axis(chord, filled[..., None], np.where(new, note, NOTHING)[..., None], -1)
        filled += new
    at = np.minimum(filled, VOICES - 1)[..., None]
    ends = np.where(filled < VOICES, PAUSE, np.take_along_axis(chord, at, -1)[..., 0])
    np.put_along_axis(chord, at, ends[..., None].astype(np.uint8), -1)
    return chord


def chosen_before(chord: Array) -> Array:
    """Return for each note of a chord the pitch classes of the notes that come before it, float32 [..., VOICES, 12]."""
    notes = (chord[..., None] == np.arange(12)).astype(np.float32)
    return np.cumsum(notes, axis=-2) - notes


class SongStretches:
    """Makes batches of random stretches of songs. The same seed and step always give the same batch."""

    def __init__(self, found: list[Song], setup: Seed, batch: int, seed: int = 1) -> None:
        self.setup, self.batch, self.seed = setup, batch, seed
        self.hands = {name: np.concatenate([getattr(s, name) for s in found]) for name in HANDS_KEPT}
        self.positions = np.concatenate([s.positions for s in found])
        self.windows: list[tuple[int, int, int]] = []
        begin = 0
        for song in found:
            end = begin + len(song.positions)
            last = max(1, len(song.positions) - setup.stretch + 1)
            self.windows += [(begin + first, begin, end) for first in range(0, last, setup.every)]
            begin = end

    def at(self, step: int) -> tuple[dict[str, Array], Array]:
        """Return batch number `step`: the net's inputs by name, and their targets [B, T, ...].

        The last axis of the targets is as in `targets`.
        """
        rng = np.random.default_rng([self.seed, step])
        chosen = rng.integers(len(self.windows), size=self.batch)
        shift = rng.integers(-6, 6, self.batch) if self.setup.transpose else np.zeros(self.batch, int)
        x, y = self._batch(np.array([self.windows[i] for i in chosen]), shift, rng)
        if self.setup.hands == "both-scheduled":
            x["share"] += MOST_OWN * min(1.0, step / max(1, self.setup.steps))
        return x, y

    def _batch(self, windows: Array, shift: Array, rng: Rng) -> tuple[dict[str, Array], Array]:
        setup, steps = self.setup, self.setup.stretch
        # The input starts one step earlier. Targets further ahead need some steps more at the end.
        rows = windows[:, :1] + np.arange(-1, steps + max(setup.ahead) - 1)
        inside = (rows >= windows[:, 1:2]) & (rows < windows[:, 2:3])
        rows = np.clip(rows, 0, len(self.positions) - 1)
        hands = {name: _moved(hand[rows] & inside[..., None], shift) for name, hand in self.hands.items()}
        known, now = slice(0, steps), slice(1, steps + 1)
        x = {"right": read(setup.kind, hands["right_sounding"][:, known], hands["right_struck"][:, known])}
        if setup.position:
            x["right"] = np.concatenate([x["right"], placed(self.positions[rows[:, now]])], axis=-1)
        if setup.fed:
            x["left"] = read(setup.kind, hands["left_sounding"][:, known], hands["left_struck"][:, known])
            x["share"] = np.zeros((self.batch, 1, 1), np.float32)
        if setup.kind == "notes":
            x["chosen"] = chosen_before(chord_of(hands["left_sounding"][:, now]))
        return x, targets(setup, hands, inside, steps, rng)


def _moved(keys: Array, shift: Array) -> Array:
    """Return keys [B, T, 88], each row transposed by its number of semitones in `shift` [B], from -6 to 6.

    Notes that leave the keyboard are dropped.
    """
    wide = np.pad(keys, ((0, 0), (0, 0), (6, 6)))
    return np.stack([row[:, 6 - by : 6 - by + KEYS] for row, by in zip(wide, shift, strict=True)])


def targets(setup: Seed, hands: dict[str, Array], inside: Array, steps: int, rng: Rng) -> Array:
    """Return the targets for `training.experiments.seeds.loss`, float32 [B, steps, ...].

    The last axis has the targets of the heads, in the order of the heads. The melody [12], the noise for two draws [24]
    and the step's weight [1] follow.
    """
    fold_or_not = (lambda keys: keys) if setup.kind == "keys" else fold
    parts = []
    for ahead in setup.ahead:
        there = slice(ahead, ahead + steps)
        sounding, struck = hands["left_sounding"][:, there], hands["left_struck"][:, there]
        if setup.kind == "voices":
            parts.append(voices_of(sounding))
        elif setup.kind == "notes":
            parts.append(chord_of(sounding))
        else:
            parts.append(fold_or_not(sounding))
        parts.append(fold_or_not(struck))
        if setup.kind == "octave":
            parts.append(sounding)
    now = slice(1, steps + 1)
    right = hands["right_sounding"][:, now]
    if setup.tells_right:
        parts.append(fold_or_not(right))
    parts += [melody_of(right), rng.random((*right.shape[:2], 24))]
    heard = right.any(axis=-1)
    lately = np.cumsum(np.pad(heard, ((0, 0), (LATELY, 0))), axis=1)
    counts = (lately[:, LATELY:] - lately[:, :-LATELY] > 0) | heard
    parts.append((np.where(counts, 1.0, UNHEARD) * inside[:, now])[..., None])
    return np.concatenate([np.asarray(part, np.float32) for part in parts], axis=-1)


def melody_of(right: Array) -> Array:
    """Return the pitch class of the highest sounding key in one-hot form, bool [..., 12].

    All 12 values are false in silence.
    """
    top = KEYS - 1 - np.argmax(right[..., ::-1], axis=-1)
    return np.eye(12, dtype=bool)[(top + LOWEST_KEY) % 12] & right.any(axis=-1)[..., None]


BILINEAR = np.array([[CONSONANCE[(i - j) % 12] for j in range(12)] for i in range(12)], np.float32)
"""Consonance of a melody pitch class (row) with a left-hand pitch class (column), [12, 12]."""
