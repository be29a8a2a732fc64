"""Makes the training data of the chord net: the net's inputs before each half beat, and the chord that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.chord_net import HEARD, MEMORY, PLACES, half_bar, half_beat, place_inputs
from training.accompanist.data import grid_of
from training.corpora.pieces import HandLabel, Piece
from training.figure_bank.corpus import CENTRED_TRIADS, HandOnGrid, on_grid

FEWEST_NOTES = 16
"""A piece with fewer notes in a hand is left out."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HalfBeats:
    """Holds the inputs and the targets of the chord net for the n half beats of one piece.

    `heard` [n, CHANNELS, 12] and `place` [n, PLACES] are the inputs of the net. The other arrays are targets. `triad`
    [n] is the triad that fits both hands best in the half bar, or -1 in silence. `top` [n] is the pitch class of the
    right hand's highest key at the start of the half beat, or -1 in silence. `left` [n, 12] is 1 for each pitch class
    that the left hand sounds in the coming beat, else 0. `step` [n] is the grid step at which the half beat starts.
    """

    name: str
    heard: npt.NDArray[np.float16]
    place: npt.NDArray[np.float16]
    triad: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]
    left: npt.NDArray[np.int8]
    step: npt.NDArray[np.int64]


def half_beats_of(piece: Piece, late: bool = False, voice: bool = False) -> HalfBeats | None:
    """Return the net's inputs and targets for the half beats of a piece.

    Returns None if a hand that is used has fewer than `FEWEST_NOTES` notes. With `late`, the inputs do not have a note
    yet that begins in the last step before the half beat, as on a device that hears sound. With `voice`, the singer's
    voice is the input in place of the right hand.
    """
    notes = piece.of(HandLabel.VOICE if voice else HandLabel.RIGHT)
    right_notes, left_notes = piece.of(HandLabel.RIGHT), piece.of(HandLabel.LEFT)
    if min(len(notes), len(right_notes), len(left_notes)) < FEWEST_NOTES:
        return None
    steps, quarters = grid_of(piece)
    heard, right, left = (on_grid(hand, quarters) for hand in (notes, right_notes, left_notes))
    now = np.array([s.index for s in steps if s.position % half_beat(s) == 0], np.int64)
    x = _heard(heard, steps, now, late)
    triads, lefts = _triads_and_lefts(_keys(right, len(steps)), _keys(left, len(steps)), steps, now)
    highest, _ = _outer(_keys(heard, len(steps)))
    tops = np.where(highest[now] >= 0, highest[now] % 12, -1)
    places = _places(steps, now, x[:, 0].any(axis=1))
    return HalfBeats(piece.name, with_memory(x).astype(np.float16), places.astype(np.float16), triads, tops, lefts, now)


def _heard(heard: HandOnGrid, steps: Sequence[Step], now: npt.NDArray[np.int64], late: bool) -> npt.NDArray[np.float32]:
    """Return the inputs [n, HEARD, 12] for the half beats that begin at the steps `now` [n].

    They are those of `device.left_hand.chord_net.heard_inputs`, computed for the whole piece at once. `late` is that of
    `half_beats_of`.
    """
    total = len(steps)
    rolls = [_keys(heard, total), _keys(heard, total, begin=1)]
    classes, classes_before = (_fold(roll) for roll in rolls)
    outer, outer_before = (_outer(roll) for roll in rolls)
    onsets = np.zeros((total + 1, 12), bool)
    onsets[np.minimum(heard.first, total), heard.pitch % 12] = True
    x = np.zeros((len(now), HEARD, 12), np.float32)
    for i, t in enumerate(now):
        if t == 0:
            continue
        size = half_beat(steps[t])
        start = max(t - size, 0)
        sounding, highest, lowest = classes[start:t].copy(), outer[0][start:t].copy(), outer[1][start:t].copy()
        if late:
            sounding[-1] = classes_before[t - 1]
            highest[-1], lowest[-1] = outer_before[0][t - 1], outer_before[1][t - 1]
        x[i, 0] = sounding.sum(axis=0) / size
        x[i, 5] = sounding[-1]
        for channel, pitches in ((3, highest), (4, lowest)):
            np.add.at(x[i, channel], pitches[pitches >= 0] % 12, 1.0 / size)
        until = t - 1 if late else t
        if t - size >= 0 and until > t - size:
            x[i, 1] = onsets[t - size]
        later = onsets[max(t - size + 1, 0) : max(until, 0)].any(axis=0)
        x[i, 2] = later | (onsets[t - size - 1] if t - size >= 1 else False)
    return x


def _places(steps: Sequence[Step], now: npt.NDArray[np.int64], sounds: Bools) -> npt.NDArray[np.float32]:
    """Return the inputs [n, PLACES] for the places of the half beats that begin at the steps `now` [n].

    `sounds` [n] says whether something was heard in the half beat before.
    """
    bar, silent = -1, 0
    places = np.zeros((len(now), PLACES), np.float32)
    for i, t in enumerate(now):
        bar += steps[t].is_bar
        silent = 0 if sounds[i] else silent + 1
        places[i] = place_inputs(steps[t], max(bar, 0), silent)
    return places


def _triads_and_lefts(
    right: Bools, left: Bools, steps: Sequence[Step], now: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """Return the targets `triad` [n] and `left` [n, 12] of `HalfBeats` for the half beats that begin at `now` [n].

    `right` and `left` [steps, 128] say which keys the hands sound at each step.
    """
    both, folded_left = _sums(_fold(right | left)), _fold(left)
    triads, lefts = np.full(len(now), -1), np.zeros((len(now), 12), np.int8)
    for i, t in enumerate(now):
        step = steps[t]
        half = half_bar(step)
        begin = max(t - step.position % half, 0)
        there = both[min(begin + half, len(steps))] - both[begin]
        triads[i] = int(np.argmax(CENTRED_TRIADS @ there)) if there.any() else -1
        lefts[i] = folded_left[t : t + step.meter.steps_per_beat].any(axis=0)
    return triads, lefts


def with_memory(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the inputs [n, CHANNELS, 12]: `x` [n, HEARD, 12], and two channels more that sum up earlier half beats.

    The two channels are fading sums of the first channel of `x`, each divided by its largest value if that is above 1.
    """
    memory, rows = np.zeros((2, 12), np.float32), np.zeros((len(x), 2, 12), np.float32)
    for i, heard in enumerate(x[:, 0]):
        memory = memory * MEMORY + heard
        rows[i] = memory / np.maximum(memory.max(axis=1, keepdims=True), 1.0)
    return np.concatenate((x, rows), axis=1)


def _keys(hand: HandOnGrid, total: int, begin: int = 0) -> Bools:
    """Return which keys sound at each step, bool [total, 128].

    The first `begin` steps of each note count as silent, so with `begin` = 1 a key does not sound at its onset.
    """
    keys = np.zeros((total, 128), bool)
    for a, b, pitch in zip(hand.first, hand.end, hand.pitch, strict=True):
        keys[a + begin : b, pitch] = True
    return keys


def _fold(keys: Bools) -> Bools:
    padded = np.zeros((len(keys), 132), bool)
    padded[:, :128] = keys
    return np.asarray(padded.reshape(len(keys), 11, 12).any(axis=1))


def _sums(classes: Bools) -> npt.NDArray[np.float64]:
    return np.vstack([np.zeros(12), np.cumsum(classes, axis=0)])


def _outer(keys: Bools) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the highest and the lowest sounding key at each step, as MIDI pitches, -1 in silence."""
    sounds = keys.any(axis=1)
    highest = np.where(sounds, 127 - keys[:, ::-1].argmax(axis=1), -1)
    return highest, np.where(sounds, keys.argmax(axis=1), -1)
