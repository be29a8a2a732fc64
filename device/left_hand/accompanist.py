"""From right-hand notes to what the left hand should do at a step: the net, the chord that holds, and silence."""

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
from device.left_hand.net_input import Listener, encode
from device.left_hand.tonality import Tonality

Array = npt.NDArray[np.float32]

GAP_STEPS = 1.0
"""Steps between the newest note known and the step played that the net was trained for."""
CLEAR_STEPS = 16
"""The left hand stays below all that the right hand has struck or held for so many steps: a bar of 4/4."""


class Net(Protocol):
    """The part of `device.bundles.tflite.StepModel` that is needed here."""

    def step(self, *, x: Array) -> dict[str, Array]:
        """x [INPUT_SIZE] -> y_chord [12], y_ahead [12], y_bass [13] (the last: none), y_strike [3]."""
        ...

    def reset(self) -> None:
        """Forget the past."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What the left hand should do at a step, made one step ahead. Probabilities are 0..1.

    `ceiling` is the lowest key of the right hand in `CLEAR_STEPS` (128 before any), `top` the highest that is down
    (None: none), `velocity` the player's running mean.
    """

    silent: bool
    chord: Chord | None
    classes: Array
    """[12] a pitch class sounds in the left hand."""
    bass: Array
    """[13] it is the lowest; the last: the hand rests."""
    strike_bass: float
    strike_upper: float
    strike_many: float
    """Probability that two or more upper keys are struck."""
    ceiling: int
    top: int | None
    velocity: float
    lock: float
    age_steps: float = 0.0
    """Steps since the player's latest onset."""
    tonic: Chord | None = None
    """The tonic triad of the key so far."""
    ahead: Array = field(default_factory=lambda: np.zeros(12, np.float32))
    """[12] a pitch class sounds in the left hand during the coming beat."""
    fits: Array = field(default_factory=lambda: np.ones(12, np.float32))
    """[12] a pitch class belongs to the chord, by `device.left_hand.progression`."""
    consonance: Array = field(default_factory=lambda: np.zeros(12, np.float32))
    """[12] consonance, -1 to 1, of a pitch class with the melody: expected on a beat, as heard after it."""


class Accompanist:
    """Hears the right hand and plans step by step; at a step it knows nothing decided later than the gap allows."""

    def __init__(self, net: Net, gap_steps: float = GAP_STEPS, listen_beats: float = LISTEN_BEATS) -> None:
        """`gap_steps`, from the bundle's manifest, is 1 or more; ValueError otherwise."""
        if gap_steps < 1.0:
            raise ValueError(f"gap_steps is {gap_steps}, and must be 1 or more")
        self._net, self._gap_steps = net, gap_steps
        self._listener, self._harmony = Listener(), Harmony()
        self._activity = Activity(listen_beats)
        self._tonality = Tonality()
        self._lowest: deque[int] = deque(maxlen=CLEAR_STEPS)

    def reset(self) -> None:
        """Forget everything heard."""
        self._net.reset()
        self._listener.reset()
        self._harmony.reset()
        self._activity.reset()
        self._tonality.reset()
        self._lowest.clear()

    def listen_anew(self) -> None:
        """Be silent for the listening beats, as at the beginning."""
        self._activity.reset()

    def known_until_s(self, step: Step) -> float:
        """What was decided by this time may be known at `step`."""
        return step.time_s - self._gap_steps * step.length_s

    def hear(self, note: Note) -> None:
        """A note was decided; only the right hand's count."""
        self._listener.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """A note ended."""
        self._listener.end(ended)

    def plan(self, step: Step) -> Plan:
        """The plan for `step`; steps come in order, each once."""
        known = self._listener.look(step, self.known_until_s(step))
        out = self._net.step(x=encode(known)[0])
        top, struck = int(known.top[0]), bool(known.onsets.any())
        chord = self._harmony.at(step, out["y_ahead"])
        silent = self._activity.at(step, top >= 0, struck, float(known.age[0]))
        if self._listener.lowest_recent >= 0:
            self._lowest.append(self._listener.lowest_recent)
        self._tonality.at(known.sounding[0])
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
            age_steps=float(known.age[0]),
            tonic=self._tonality.tonic(),
            ahead=out["y_ahead"],
        )
