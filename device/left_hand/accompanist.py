"""Turns right-hand notes into a plan for each step, with the net, the current chord and the rules for silence."""

from __future__ import annotations

from collections import deque
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
        """Run one step: x [INPUT_SIZE] -> y_chord [12], y_ahead [12], y_bass [13], y_strike [3].

        The last value of y_bass is the probability of no bass.
        """
        ...

    def reset(self) -> None:
        """Set the net's state to its start value."""
        ...


@dataclass(slots=True)
class Plan:
    """Plan for the left hand at one step, made at least one step ahead. Probabilities are 0..1.

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
    """[12] a pitch class sounds in the left hand during the coming beat."""
    triads: Array = field(default_factory=lambda: np.zeros(24, np.float32))
    """[24] score of each triad, a logarithm, from `device.left_hand.progression`."""
    consonance: Array = field(default_factory=lambda: np.zeros(12, np.float32))
    """[12] consonance, -1 to 1, of a pitch class with the melody: expected on a beat, as heard after it."""
    ends: bool = False
    """Whether the player has stopped: the left hand strikes its last chord on a beat, and nothing after it."""


class Accompanist:
    """Takes notes of the right hand and makes one plan for each step, a sixteenth.

    A plan uses only notes that the hearing had decided by the time `known_until_s`.
    """

    def __init__(self, net: Net, gap_steps: float = GAP_STEPS, listen_beats: float = LISTEN_BEATS) -> None:
        """`gap_steps`, in steps, comes from the bundle's manifest. `listen_beats` is the first silence, in beats.

        Raises ValueError if `gap_steps` is less than 1.
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
        """Forget everything heard."""
        self._net.reset()
        self._listener.reset()
        self._harmony.reset()
        self._activity.reset()
        self._tonality.reset()
        self._lowest.clear()
        self._first_s = None

    def use_key(self, key: int | None) -> None:
        """Take the key that the owner gave, 0 to 23, or None so that it is found in the music."""
        self._tonality.key = key

    def listen_again(self) -> None:
        """Stay silent and listen for `listen_beats` beats before playing again, as at the start."""
        self._activity.reset()
        self._first_s = None

    def known_until_s(self, step: Step) -> float:
        """Return a stream time in seconds. The plan for `step` uses only the heard notes decided at or before it."""
        return step.time_s - self._gap_steps * step.length_s

    def hear(self, note: Note) -> None:
        """Take in a note that was heard. Only notes of the right hand count."""
        if self._first_s is None and note.hand == "right":
            self._first_s = note.onset_s
        self._listener.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """Take in the end of a note."""
        self._listener.end(ended)

    def plan(self, step: Step) -> Plan:
        """Return the plan for `step`. Call it once for each step, in order."""
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
            ends=self._activity.ends,
            tonic=self._tonality.tonic(),
            ahead=out["y_ahead"],
        )
