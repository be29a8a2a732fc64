"""Turns right-hand notes into a plan for each step, with the net, the current chord and the rules for silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.activity import LISTEN_BEATS, Activity
from device.left_hand.harmony import Chord, Harmony
from device.left_hand.net_input import Listener, encode_step
from device.left_hand.tonality import Tonality

Array = npt.NDArray[np.float32]

GAP_STEPS = 1.0
"""Least time, in steps, between the newest note that the net may know and the step. The net was trained with it."""
CLEAR_STEPS = 16
"""Steps. The left hand stays below every key that the right hand used in the last bar of 4/4."""


class Net(Protocol):
    """The part of `device.bundles.tflite.StepModel` that the accompanist uses."""

    def step(self, *, x: Array) -> dict[str, Array]:
        """Run the net for one step and return its outputs by name, as probabilities.

        `x` [INPUT_SIZE] describes the right hand. The outputs: y_chord [12], the pitch classes that sound in the left
        hand; y_ahead [12], those of the coming beat; y_bass [13], the lowest pitch class, with the probability of no
        bass as its last value; y_strike [3], strikes of the bass, of upper keys, and of two or more upper keys.
        """
        ...

    def reset(self) -> None:
        """Set the net's state to its start value."""
        ...


def _no_consonance() -> Array:
    return np.zeros(12, np.float32)


@dataclass(slots=True)
class Plan:
    """Holds the plan for the left hand at one step, made at least one step ahead. Probabilities are 0..1.

    `ceiling` is the lowest key of the right hand in the last `CLEAR_STEPS` steps, or 128 before the first note.
    `top` is the highest key that is down, or None. `velocity` is the running mean of the player's velocities.
    `lock` is the clock's trust in its beat, 0..1.
    """

    silent: bool
    chord: Chord | None
    classes: Array
    """[12] probability that each pitch class sounds in the left hand."""
    bass: Array
    """[13] probability that each pitch class is the lowest. The last value is the probability that the hand rests."""
    strike_bass: float
    strike_upper: float
    strike_many: float
    """Probability that two or more upper keys are struck."""
    ceiling: int
    top: int | None
    velocity: float
    lock: float
    age_steps: float = 0.0
    """Steps since the player's latest onset; `net_input.NEVER` before the first."""
    tonic: Chord | None = None
    """Tonic triad of the key that fits the notes so far; None before any note."""
    ahead: Array = field(default_factory=lambda: np.zeros(12, np.float32))
    """[12] probability that each pitch class sounds in the left hand during the coming beat."""
    triads: Array = field(default_factory=lambda: np.zeros(24, np.float32))
    """[24] score of each triad, a logarithm, from `device.left_hand.progression`."""
    consonance: Callable[[], Array] = _no_consonance
    """Returns the consonance [12], -1 to 1, that each pitch class is expected to have with the melody at this step.

    It is a function, because only a strike needs the answer. Call it before the next step.
    """
    sounding: Sequence[int] = (0,) * 12
    """[12] number of the right hand's keys that are down, for each pitch class."""
    ends: bool = False
    """Whether the player has stopped: the left hand strikes its last chord on a beat, and nothing after it."""


class Accompanist:
    """Takes notes of the right hand and makes one plan for each step, a sixteenth.

    A plan uses only notes that the hearing had decided by the time that `known_until_s` returns.
    """

    def __init__(self, net: Net, gap_steps: float = GAP_STEPS, listen_beats: float = LISTEN_BEATS) -> None:
        """Set up an accompanist that plans with `net`.

        `gap_steps` is the least time, in steps, from the newest note that a plan uses to the planned step. It comes
        from the bundle's manifest. `listen_beats` is the time, in beats, for which the left hand listens before it
        plays. Raises ValueError if `gap_steps` is less than 1.
        """
        if gap_steps < 1.0:
            raise ValueError(f"gap_steps is {gap_steps}, and must be 1 or more")
        self._net, self._gap_steps = net, gap_steps
        self._listener, self._harmony = Listener(), Harmony()
        self._activity = Activity(listen_beats)
        self._tonality = Tonality()
        self._lowest: deque[int] = deque(maxlen=CLEAR_STEPS)
        self._first_s: float | None = None
        """Onset in stream seconds of the first note since the left hand began to listen."""

    def reset(self) -> None:
        """Forget everything heard, and set the net to its start. The key that the owner gave is kept."""
        self._net.reset()
        self._listener.reset()
        self._harmony.reset()
        self._activity.reset()
        self._tonality.reset()
        self._lowest.clear()
        self._first_s = None

    def use_key(self, key: int | None) -> None:
        """Set the key of the music that the owner gave. With None, the key is found in the music.

        The keys 0 to 11 are C major to B major, and 12 to 23 are C minor to B minor.
        """
        self._tonality.key = key

    def listen_again(self) -> None:
        """Make the left hand silent until it has listened again, as at the start. The notes heard are not forgotten."""
        self._activity.reset()
        self._first_s = None

    def known_until_s(self, step: Step) -> float:
        """Return the time, in stream seconds, by which a note must be decided if the plan for `step` is to use it."""
        return step.time_s - self._gap_steps * step.length_s

    def hear(self, note: Note) -> None:
        """Store a note of the right hand for the plans. A note of the left hand is ignored."""
        if self._first_s is None and note.hand == "right":
            self._first_s = note.onset_s
        self._listener.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """Store the end of a note for the plans. The end of an unknown note is ignored."""
        self._listener.end(ended)

    def plan(self, step: Step) -> Plan:
        """Run the net on what is known of the right hand, and return the plan for `step`.

        Call it once for each step, in order, because the net remembers the steps before.
        """
        known = self._listener.look(step, self.known_until_s(step))
        out = self._net.step(x=encode_step(known))
        top, struck = known.top, any(known.onsets)
        chord = self._harmony.at(step, out["y_ahead"])
        since_s = 0.0 if self._first_s is None else step.time_s - self._first_s
        before_beats = since_s / (step.length_s * step.meter.steps_per_beat)
        silent = self._activity.at(step, top >= 0, struck, known.age, before_beats)
        if self._listener.lowest_recent >= 0:
            self._lowest.append(self._listener.lowest_recent)
        self._tonality.at(known.sounding)
        bass, upper, many = (float(p) for p in out["y_strike"])
        return Plan(
            silent=silent or chord is None,
            chord=chord,
            classes=out["y_chord"],
            bass=out["y_bass"],
            strike_bass=bass,
            strike_upper=upper,
            strike_many=many,
            ceiling=min(self._lowest, default=128),
            top=top if top >= 0 else None,
            velocity=self._listener.velocity,
            lock=step.lock,
            age_steps=known.age,
            sounding=known.sounding,
            ends=self._activity.ends,
            tonic=self._tonality.tonic(),
            ahead=out["y_ahead"],
        )
