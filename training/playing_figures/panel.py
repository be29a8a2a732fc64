"""Judges a left hand beside a right hand by what sounds in each step of a grid of sixteenths.

Both hands are notes in quarters. In the docstrings, m is the pitch class of the highest sounding right-hand note, and L
is the set of sounding left-hand pitch classes. A pitch class is a note name without its octave, 0 (C) to 11 (B).
Harmony is measured over the steps where the right hand sounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.corpora.pieces import Notes

STEPS_PER_QUARTER = 4
OVERLAP = 0.05
"""A note sounds in a step if it lasts for at least this share of the step."""
STUCK_STEPS = 16
"""Sixteenths (4 beats) after which an unchanged chord counts as stuck."""
ROLL_BARS = 8.5
"""Bars by which a left hand is moved in time, so that it no longer fits the right hand.

The half bar makes it leave the metre too.
"""

CONSONANCE = np.full(12, -1.0)
"""Score of each interval (m - l) mod 12 between the melody m and a left-hand pitch class l, [12].

It is 1 for unison, thirds, fifth and sixths, 0 for the fourth, and -1 for the rest.
"""
CONSONANCE[[0, 3, 4, 7, 8, 9]] = 1.0
CONSONANCE[5] = 0.0

TRIADS = np.zeros((24, 12))
"""The pitch classes of the 12 major triads from C to B, then of the 12 minor triads: 0 or 1, [24, 12]."""
for _root in range(12):
    TRIADS[_root, [_root, (_root + 4) % 12, (_root + 7) % 12]] = 1.0
    TRIADS[12 + _root, [_root, (_root + 3) % 12, (_root + 7) % 12]] = 1.0


@dataclass(frozen=True)
class Roll:
    """The keys of one hand on a grid of T sixteenth steps. Both arrays are bool [T, 128], with one column a MIDI pitch.

    `sounding` says which keys sound in each step, and `struck` which are struck in it.
    """

    sounding: npt.NDArray[np.bool_]
    struck: npt.NDArray[np.bool_]

    @property
    def pitch_classes(self) -> npt.NDArray[np.bool_]:
        """Return which pitch classes sound in each step, bool [T, 12]."""
        return fold(self.sounding)

    @property
    def top(self) -> npt.NDArray[np.int64]:
        """Return the highest sounding MIDI pitch in each step, int [T]; -1 in silence."""
        highest = 127 - np.argmax(self.sounding[:, ::-1], axis=1)
        return np.where(self.sounding.any(axis=1), highest, -1)

    def rolled(self, steps: int) -> Roll:
        """Return the same hand played `steps` later. What would come after the end is moved to the beginning."""
        return Roll(np.roll(self.sounding, steps, axis=0), np.roll(self.struck, steps, axis=0))


def fold(keys: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return flags of pitch classes, bool [T, 12], from flags of pitches [T, 128]."""
    padded = np.zeros((len(keys), 132), bool)
    padded[:, :128] = keys
    return np.asarray(padded.reshape(len(keys), 11, 12).any(axis=1))


def roll_of(notes: Notes, steps: int) -> Roll:
    """Return notes on a grid of `steps` sixteenths.

    A note is struck at the nearest step. It sounds in every step in which it lasts for at least `OVERLAP` of the step.
    Notes that begin outside the grid are left out.
    """
    sounding, struck = np.zeros((steps, 128), bool), np.zeros((steps, 128), bool)
    start = np.rint(notes["onset"].astype(np.float64) * STEPS_PER_QUARTER).astype(int)
    end = np.ceil((notes["onset"].astype(np.float64) + notes["duration"]) * STEPS_PER_QUARTER - OVERLAP).astype(int)
    for first, last, pitch in zip(start, np.maximum(end, start + 1), notes["pitch"], strict=True):
        if 0 <= first < steps:
            sounding[first:last, pitch] = True
            struck[first, pitch] = True
    return Roll(sounding, struck)


def grid_length(*hands: Notes) -> int:
    """Return the number of sixteenth steps that are needed to hold every note of all hands."""
    return 1 + max(
        (int(np.ceil((n["onset"] + n["duration"]).max() * STEPS_PER_QUARTER)) for n in hands if len(n)), default=0
    )


def consonance(right: Roll, left: Roll, unisons: bool = True) -> float:
    """Return the PCS (pitch consonance score): how well the left hand agrees with the melody, -1 to 1.

    Each step in which both hands sound has the mean `CONSONANCE` of L with m. The PCS is the mean over these steps, or
    NaN if there are none. If `unisons` is false, left-hand notes with the melody's pitch class do not count.
    The PCS counts what sounds in each step. A hand that releases each harsh key at once therefore gets a better PCS
    than it deserves. `training.playing_figures.strikes` counts strikes instead.
    """
    top, classes = right.top, left.pitch_classes
    interval = (top[:, None] - np.arange(12)) % 12
    counted = classes & (top >= 0)[:, None]
    if not unisons:
        counted &= interval != 0
    number = counted.sum(axis=1)
    together = number > 0
    if not together.any():
        return float("nan")
    score = (CONSONANCE[interval] * counted).sum(axis=1)
    return float((score[together] / number[together]).mean())


def triads_by_beat(left: Roll, steps_per_beat: int) -> npt.NDArray[np.int64]:
    """Return the index in `TRIADS` of the triad nearest to each beat's pitch classes, [beats]; -1 for a silent beat."""
    beats = len(left.sounding) // steps_per_beat
    durations = left.pitch_classes[: beats * steps_per_beat].reshape(beats, steps_per_beat, 12).sum(axis=1)
    return np.where(durations.any(axis=1), np.argmax(durations @ TRIADS.T, axis=1), -1)


def chord_changes(left: Roll, steps_per_beat: int) -> float:
    """Return the changes of the nearest triad per beat, over pairs of neighbouring beats that both sound.

    The result is a share, 0 to 1; it is 0 if there is no such pair.
    """
    triads = triads_by_beat(left, steps_per_beat)
    both = (triads[1:] >= 0) & (triads[:-1] >= 0)
    return float((triads[1:] != triads[:-1])[both].mean()) if both.any() else 0.0


def stuck(left: Roll) -> float:
    """Return the share of all steps in which the hand sounds, but has not changed or struck for more than 4 beats."""
    same = np.zeros(len(left.sounding), bool)
    same[1:] = (left.sounding[1:] == left.sounding[:-1]).all(axis=1) & ~left.struck[1:].any(axis=1)
    run = 0
    count = 0
    for unchanged, sounds in zip(same, left.sounding.any(axis=1), strict=True):
        run = run + 1 if unchanged else 0
        count += bool(sounds and run >= STUCK_STEPS)
    return count / max(1, len(same))


def slots(struck: npt.NDArray[np.bool_], positions: npt.NDArray[np.int64], bar: int) -> npt.NDArray[np.float64]:
    """Return the share of the struck steps at each place in the bar, float [bar]; equal shares if nothing is struck."""
    counts = np.bincount(positions[struck], minlength=bar).astype(np.float64)[:bar]
    return counts / counts.sum() if counts.sum() else np.full(bar, 1.0 / bar)


def jensen_shannon(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits, 0 to 1."""
    middle = (p + q) / 2

    def against_middle(r: npt.NDArray[np.float64]) -> float:
        some = r > 0
        return float((r[some] * np.log2(r[some] / middle[some])).sum())

    return (against_middle(p) + against_middle(q)) / 2


def f1(ours: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> float:
    """Return the F1 score, 0 to 1, of the flags `ours` against the flags `true`, two arrays of the same shape.

    It is 0 if no flag is set in both.
    """
    hits = int((ours & true).sum())
    return 2 * hits / max(1, int(ours.sum()) + int(true.sum()))


def panel(
    right: Roll, left: Roll, true: Roll, positions: npt.NDArray[np.int64], bar: int, steps_per_beat: int
) -> dict[str, float]:
    """Return all figures of one left hand beside one right hand, by name. `true` is the left hand that a person played.

    `positions` [T] gives the step in the bar, and `bar` the steps a bar. `coupling` is how much the PCS falls if this
    hand is played 8.5 bars later.
    """
    heard = right.top >= 0
    interval = (right.top[:, None] - np.arange(12)) % 12
    semitone = (left.pitch_classes & np.isin(interval, (1, 11))).any(axis=1)
    silent = ~left.sounding.any(axis=1)
    struck, truly = left.struck.any(axis=1), true.struck.any(axis=1)
    live = span_of(heard)
    pcs = consonance(right, left)
    frames, true_frames = left.pitch_classes, true.pitch_classes
    copied = np.vstack([np.zeros((1, 12), bool), true_frames[:-1]])
    return {
        "pcs": pcs,
        "pcs_other": consonance(right, left, unisons=False),
        "clash": float(semitone[heard].mean()) if heard.any() else 0.0,
        "coupling": pcs - consonance(right, left.rolled(int(ROLL_BARS * bar))),
        "ur": float(silent[heard].mean()) if heard.any() else 0.0,
        "changes": chord_changes(left, steps_per_beat),
        "stuck": stuck(left),
        "density": float(left.struck[live].sum() / max(1, true.struck[live].sum())),
        "strikes": float(struck[live].sum() / max(1, truly[live].sum())),
        "on_beat": float((positions[struck] % steps_per_beat == 0).mean()) if struck.any() else 0.0,
        "jsd": jensen_shannon(slots(struck, positions, bar), slots(truly, positions, bar)),
        "agreement": f1(by_beat(left, steps_per_beat, live), by_beat(true, steps_per_beat, live)),
        "first_bar": first_bar(left, true, bar),
        "onset_f1": f1(struck[live], truly[live]),
        "frame_f1": f1(frames[live], true_frames[live]),
        "frame_gain": f1(frames[live], true_frames[live]) - f1(copied[live], true_frames[live]),
    }


def by_beat(hand: Roll, steps_per_beat: int, live: slice) -> npt.NDArray[np.bool_]:
    """Return the pitch classes that sound within each beat of `live`, bool [beats, 12]."""
    classes = hand.pitch_classes[live]
    beats = len(classes) // steps_per_beat
    return np.asarray(classes[: beats * steps_per_beat].reshape(beats, steps_per_beat, 12).any(axis=1))


def first_bar(left: Roll, true: Roll, bar: int) -> float:
    """Return the F1 of the hand's pitch classes against those of the true hand, in the bar after the hand enters.

    It begins at the hand's first strike and lasts `bar` steps. NaN if the hand strikes nothing.
    """
    onsets = np.flatnonzero(left.struck.any(axis=1))
    if not len(onsets):
        return float("nan")
    there = slice(int(onsets[0]), int(onsets[0]) + bar)
    return f1(left.pitch_classes[there].any(axis=0), true.pitch_classes[there].any(axis=0))


def span_of(heard: npt.NDArray[np.bool_]) -> slice:
    """Return the steps from the first to the last one in which the right hand sounds."""
    where = np.flatnonzero(heard)
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0)
