"""Posteriors to notes: only confident pitches pass.

An onset passes where its posterior reaches its octave's threshold; the key is armed again once the posterior has fallen
to a share of that threshold, so that one stroke is one note and a repeated key is two. A note ends where its frame
posterior stays low, or where the key is struck again.

What is no piano makes an onset here and there, and seldom a sure one. So where nothing sure has been heard for a while
the gate is asleep, and only a sure onset, or several soon after one another, wake it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS, LOWEST_KEY, Hand, Note, NoteEnded, NoteHeard
from device.hearing.spec import Spec
from device.hearing.transcriber import FRAME, OFFSET, ONSET, VELOCITY

OCTAVES = 8
"""Threshold regions: A0 to G#1, A1 to G#2, ..., A7 to C8."""


@dataclass(frozen=True)
class GateSpec(Spec):
    """How posteriors become notes; fitted on validation data at export, kept in the manifest."""

    onset: tuple[float, ...] = (0.5,) * OCTAVES
    """Threshold per octave from A0."""
    rearm: float = 0.5
    """Share of its threshold to which an onset posterior must fall before the key can sound again."""
    release: float = 0.3
    """A note whose frame posterior stays below this ends."""
    release_frames: int = 2
    offset: float = 2.0
    """A note whose offset posterior reaches this ends at once; above 1 it never does."""
    shortest_frames: int = 2
    """A note lasts at least this long."""
    delay_frames: int = 3
    """The net speaks of the frame this many frames ago."""
    later: tuple[int, ...] = (0,) * OCTAVES
    """Frames more, octave by octave: a low note takes longer to be told from another."""
    shift_s: float = 0.0
    """Added to onsets and offsets: the median lead of the first frame that passes, less a stroke's on its sound."""
    own_before_s: float = 0.25
    """An onset heard up to this long after we struck the same key is our own, come back through wire or room."""
    own_after_s: float = 0.05
    own_threshold: float = 0.95
    """The posterior from which an onset on a key that we struck is the player's all the same."""
    wake: float = 0.0
    """The posterior of an onset that wakes the gate, and the only one that passes while it sleeps; 0: it never does."""
    wake_onsets: int = 3
    """So many onsets above their thresholds within `wake_within_s` wake it as well."""
    wake_within_s: float = 2.0
    awake_s: float = 4.0
    """It falls asleep so long after what woke it last."""
    reliability: tuple[float, float] = (1.0, 0.0)
    """Slope and offset that turn a posterior's log-odds into those of its being a note (Platt 1999)."""

    def confidence(self, posterior: float) -> float:
        """How likely a note that passed with this onset posterior is one that was played."""
        slope, offset = self.reliability
        p = min(max(posterior, 1e-6), 1 - 1e-6)
        return 1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) + offset)))

    def asked(self, confidence: float) -> GateSpec:
        """This gate asking for more or less: all thresholds' odds times those of `confidence`; 0.5 changes nothing."""
        odds = confidence / (1 - confidence)

        def moved(threshold: float) -> float:
            return threshold * odds / (1 - threshold + threshold * odds)

        return replace(self, onset=tuple(map(moved, self.onset)), wake=moved(self.wake))

    def delays(self) -> NDArray[np.int64]:
        """[88] how many frames ago the frame is that the net speaks of, key by key."""
        return self.delay_frames + np.repeat(np.asarray(self.later, np.int64), 12)[:KEYS]

    def thresholds(self) -> NDArray[np.float32]:
        """[88] onset thresholds."""
        return np.repeat(np.asarray(self.onset, np.float32), 12)[:KEYS]


class Gate:
    """Notes from posteriors, frame by frame."""

    def __init__(self, spec: GateSpec, hop_s: float, split: int) -> None:
        """`split`: the lowest MIDI pitch that counts as the right hand's."""
        self.spec, self._hop_s, self._split = spec, hop_s, split
        self._thresholds = spec.thresholds()
        self._delays = spec.delays().tolist()
        self._asleep = np.maximum(self._thresholds, np.float32(spec.wake))
        self._rearm = np.float32(spec.rearm) * self._thresholds
        self._none = np.zeros(KEYS, bool)
        self._within, self._lasts = round(spec.wake_within_s / hop_s), round(spec.awake_s / hop_s)
        self.reset()

    def reset(self) -> None:
        """Forget all notes."""
        self._frame = -1
        self._armed = np.ones(KEYS, bool)
        self._sounding: dict[int, tuple[int, float]] = {}
        self._quiet: dict[int, int] = {}
        self._above = self._none
        self._stirs: deque[int] = deque()
        self._awake_until = -1

    @property
    def pending(self) -> bool:
        """Whether a note has not ended."""
        return bool(self._sounding)

    def step(self, posterior: NDArray[np.float32], own: set[int], now_s: float) -> list[NoteHeard | NoteEnded]:
        """[88, 4] posteriors and the MIDI pitches that may be our own come back → what they decide at `now_s`."""
        self._frame += 1
        onset = posterior[:, ONSET]
        passing = self._passing(onset)
        self._armed |= onset < self._rearm
        self._armed[passing] = False
        events: list[NoteHeard | NoteEnded] = list(self._ended(posterior, passing, now_s))
        for key in passing:
            labelled = self._frame - self._delays[key]
            onset_s = max((labelled + 0.5) * self._hop_s + self.spec.shift_s, 0.0)
            pitch, likely = int(key) + LOWEST_KEY, float(onset[key])
            ours = pitch in own and likely < self.spec.own_threshold
            velocity = int(np.clip(np.rint(posterior[key, VELOCITY] * 127), 1, 127))
            hand: Hand = "own" if ours else "right" if pitch >= self._split else "left"
            events.append(NoteHeard(Note(onset_s, None, pitch, velocity, self.spec.confidence(likely), now_s, hand)))
            self._sounding[key] = (self._frame, onset_s)
            self._quiet[key] = 0
        return events

    def _passing(self, onset: NDArray[np.float32]) -> list[int]:
        """Keys from A0 whose onsets pass, of [88] posteriors."""
        above = onset >= self._thresholds
        # in most frames no onset is above its threshold, and then there is no more to find out
        if not above.any():
            self._above = self._none
            self._awake(False, False)
            return []
        sure = onset >= self._asleep
        awake = self._awake(bool((above & ~self._above).any()), bool(sure.any()))
        self._above = above
        passed: list[int] = np.flatnonzero(self._armed & (above if awake else sure)).tolist()
        return passed

    def _awake(self, stirred: bool, sure: bool) -> bool:
        """Whether something sure was heard lately; with what this frame has: an onset that just rose, a sure one."""
        if stirred:
            self._stirs.append(self._frame)
        while self._stirs and self._stirs[0] < self._frame - self._within:
            self._stirs.popleft()
        if sure or len(self._stirs) >= self.spec.wake_onsets:
            self._awake_until = self._frame + self._lasts
        return self._frame <= self._awake_until

    def _ended(self, posterior: NDArray[np.float32], passing: list[int], now_s: float) -> list[NoteEnded]:
        """Notes that have faded, whose damper was heard to fall, and whose key is struck again."""
        ended: list[NoteEnded] = []
        if not self._sounding:
            return ended
        frame = posterior[:, FRAME].tolist()
        for key, (began, onset_s) in list(self._sounding.items()):
            quiet = self._quiet[key] = self._quiet[key] + 1 if frame[key] < self.spec.release else 0
            faded, again = quiet >= self.spec.release_frames, key in passing
            damped = self.spec.offset <= 1 and posterior[key, OFFSET] >= self.spec.offset
            back = self.spec.release_frames if faded and not again else 0
            old = self._frame - began >= self.spec.shortest_frames + back
            if not (again or ((faded or damped) and old)):
                continue
            offset = (self._frame - self._delays[key] - back + 0.5) * self._hop_s + self.spec.shift_s
            del self._sounding[key], self._quiet[key]
            ended.append(NoteEnded(key + LOWEST_KEY, onset_s, max(offset, onset_s + self._hop_s), now_s))
        return ended
