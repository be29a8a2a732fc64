"""Posteriors to notes: only confident pitches pass.

An onset passes where its posterior reaches its octave's threshold; the key is armed again once the posterior has fallen
to a share of that threshold, so that one stroke is one note and a repeated key is two. A note ends where its frame
posterior stays low, or where the key is struck again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.transcriber import FRAME, ONSET, VELOCITY
from device.types import KEYS, LOWEST_KEY, Hand, Note, NoteEnded, NoteHeard

OCTAVES = 8
"""Threshold regions: A0 to G#1, A1 to G#2, ..., A7 to C8."""


@dataclass(frozen=True)
class GateSpec:
    """How posteriors become notes; fitted on validation data at export, kept in the manifest."""

    onset: tuple[float, ...] = (0.5,) * OCTAVES
    """Threshold per octave from A0."""
    rearm: float = 0.5
    """Share of its threshold to which an onset posterior must fall before the key can sound again."""
    release: float = 0.3
    """A note whose frame posterior stays below this ends."""
    release_frames: int = 2
    shortest_frames: int = 2
    """A note lasts at least this long."""
    delay_frames: int = 3
    """The net speaks of the frame this many frames ago."""
    shift_s: float = 0.0
    """Added to onsets and offsets: the median lead of the first frame that passes."""
    own_before_s: float = 0.25
    """An onset heard up to this long after we struck the same key is our own, come back through wire or room."""
    own_after_s: float = 0.05
    own_threshold: float = 0.95
    """The posterior from which an onset on a key that we struck is the player's all the same."""

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> GateSpec:
        """From the manifest; an unknown key raises TypeError."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d.items()}
        return cls(**values)

    def thresholds(self) -> NDArray[np.float32]:
        """[88] onset thresholds."""
        return np.repeat(np.asarray(self.onset, np.float32), 12)[:KEYS]


class Gate:
    """Notes from posteriors, frame by frame."""

    def __init__(self, spec: GateSpec, hop_s: float, split: int) -> None:
        """`split`: the lowest MIDI pitch that counts as the right hand's."""
        self.spec, self._hop_s, self._split = spec, hop_s, split
        self._thresholds = spec.thresholds()
        self.reset()

    def reset(self) -> None:
        """Forget all notes."""
        self._frame = -1
        self._armed = np.ones(KEYS, bool)
        self._sounding: dict[int, tuple[int, float]] = {}
        self._quiet = np.zeros(KEYS, int)

    @property
    def pending(self) -> bool:
        """Whether a note has not ended."""
        return bool(self._sounding)

    def step(self, posterior: NDArray[np.float32], own: set[int], now_s: float) -> list[NoteHeard | NoteEnded]:
        """[88, 4] posteriors and the MIDI pitches that may be our own come back → what they decide at `now_s`."""
        self._frame += 1
        onset = posterior[:, ONSET]
        passed = self._armed & (onset >= self._thresholds)
        self._armed = (self._armed | (onset < self.spec.rearm * self._thresholds)) & ~passed
        events: list[NoteHeard | NoteEnded] = list(self._ended(posterior[:, FRAME], passed, now_s))
        labelled = self._frame - self.spec.delay_frames
        onset_s = max((labelled + 0.5) * self._hop_s + self.spec.shift_s, 0.0)
        for key in np.flatnonzero(passed):
            pitch, confidence = int(key) + LOWEST_KEY, float(onset[key])
            ours = pitch in own and confidence < self.spec.own_threshold
            velocity = int(np.clip(np.rint(posterior[key, VELOCITY] * 127), 1, 127))
            hand: Hand = "own" if ours else "right" if pitch >= self._split else "left"
            events.append(NoteHeard(Note(onset_s, None, pitch, velocity, confidence, now_s, hand)))
            self._sounding[int(key)] = (self._frame, onset_s)
            self._quiet[key] = 0
        return events

    def _ended(self, frame: NDArray[np.float32], passed: NDArray[np.bool_], now_s: float) -> list[NoteEnded]:
        """Notes that have faded, and those whose key is struck again."""
        self._quiet = np.where(frame < self.spec.release, self._quiet + 1, 0)
        ended = []
        for key, (began, onset_s) in list(self._sounding.items()):
            faded = self._quiet[key] >= self.spec.release_frames
            old = self._frame - began >= self.spec.shortest_frames + self.spec.release_frames
            if not (passed[key] or (faded and old)):
                continue
            back = 0 if passed[key] else self.spec.release_frames
            offset = (self._frame - self.spec.delay_frames - back + 0.5) * self._hop_s + self.spec.shift_s
            del self._sounding[key]
            ended.append(NoteEnded(key + LOWEST_KEY, onset_s, max(offset, onset_s + self._hop_s), now_s))
        return ended
