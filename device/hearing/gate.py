"""Turns posteriors into notes: only confident pitches pass.

A posterior is a number from 0 to 1 that the net gives for a key in a frame. The onset posterior is the probability that
a note begins there. The frame posterior is the probability that a note sounds there. The offset posterior is the
probability that a note ends there.

An onset passes if its posterior reaches the threshold of its octave. The key is then disarmed. It is armed again when
the posterior has fallen below a share of that threshold. So one stroke gives one note, and a repeated key gives two. A
note ends when its frame posterior stays low, or when the key is struck again.

Sounds other than a piano cause an onset now and then, but rarely one with a high posterior. An onset with a high
posterior is called sure. The gate falls asleep when it has heard no sure onset for some seconds. While it sleeps, only
sure onsets pass. One sure onset, or several other onsets in a short time, wake it. While it is awake, every onset that
reaches its threshold passes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device.events import LOWEST_KEY, Hand, Note, NoteEnded, NoteHeard
from device.hearing.beeps import Beeps
from device.hearing.false_strokes import Certainty, FalseStrokes
from device.hearing.gate_spec import GateSpec
from device.hearing.passing_onsets import PassingOnsets
from device.hearing.transcriber import FRAME, OFFSET, ONSET, VELOCITY


class Gate:
    """Decides from the posteriors of the net, frame by frame, where notes start and end.

    A posterior is a number from 0 to 1 that the net gives for a key in a frame.
    """

    def __init__(self, spec: GateSpec, hop_s: float, split: int) -> None:
        """Start with no notes.

        `hop_s` is the time between two frames in seconds, `split` the right hand's lowest MIDI pitch.
        """
        self.spec = spec
        self._hop_s, self._split = hop_s, split
        self._delays: list[int] = spec.delays().tolist()
        self._onsets, self._false_strokes = PassingOnsets(spec, hop_s), FalseStrokes(spec)
        self.reset()

    def use(self, spec: GateSpec) -> None:
        """Use the thresholds of `spec` from now on.

        Its delays must be those of the present settings. Sounding notes are kept.
        """
        self.spec = spec
        self._onsets.use(spec)

    def limit(self, keys: int) -> None:
        """Hear only the lowest `keys` keys from now on, at most 88."""
        self._onsets.limit(keys)

    def reset(self) -> None:
        """Forget all notes and fall asleep: then only sure onsets, or several onsets in a short time, wake the gate."""
        self._frame = -1
        self._onsets.reset()
        self._false_strokes.reset()
        self._sounding: dict[int, tuple[int, float]] = {}
        """For each key whose note sounds, the frame in which it passed and its onset in seconds."""
        self._quiet: dict[int, int] = {}
        """For each of these keys, the number of frames since when it is quiet."""
        self._doubted: dict[int, tuple[Note, int, int]] = {}
        """Notes that are held back because they may be beeps.

        Each key has the note, the frame in which it passed, and the last frame in which it waits.
        """

    @property
    def pending(self) -> bool:
        """Whether at least one note still sounds, or is held back because it may be a beep."""
        return bool(self._sounding or self._doubted)

    def step(
        self, posterior: NDArray[np.float32], own: set[int], now_s: float, beeps: Beeps | None = None
    ) -> list[NoteHeard | NoteEnded]:
        """Add the posteriors of one frame and return the notes that began or ended.

        `posterior` has the shape [88, 4], with the onset, frame, offset and velocity of each key. `own` holds the MIDI
        pitches that the box itself struck about then: an onset on one of them becomes a note of the hand "own", unless
        its posterior is very high. `now_s`, in seconds, becomes `decided_s` of the notes. A note that `beeps`
        recognises as a beep is left out, and one that may be a beep comes some frames later.
        """
        self._frame += 1
        ages = [(key, self._frame - passed + self._delays[key]) for key, (_, passed, _) in self._doubted.items()]
        passing = self._onsets.step(posterior[:, ONSET])
        passing = self._false_strokes.left_out(passing, posterior[:, FRAME], ages, beeps)
        events: list[NoteHeard | NoteEnded] = list(self._ended(posterior, passing, now_s))
        if self._doubted and beeps is not None:
            events += self._no_longer_doubted(passing, now_s, beeps)
        for key in passing:
            note = self._note(key, posterior[key], own, now_s)
            waits = 0 if beeps is None or note.hand == "own" else beeps.waits(key, self._delays[key])
            if waits:
                self._doubted[key] = note, self._frame, self._frame + waits
            elif waits == 0:
                events.append(self._heard(key, note, self._frame, beeps))
        return events

    def _note(self, key: int, posterior: NDArray[np.float32], own: set[int], now_s: float) -> Note:
        """Return the note of a key that passes in this frame. The arguments are those of `step`, for this key."""
        labelled = self._frame - self._delays[key]
        onset_s = max((labelled + 0.5) * self._hop_s + self.spec.shift_s, 0.0)
        pitch, likely = key + LOWEST_KEY, float(posterior[ONSET])
        ours = pitch in own and likely < self.spec.own_threshold
        velocity = int(np.clip(np.rint(posterior[VELOCITY] * 127), 1, 127))
        hand: Hand = "own" if ours else "right" if pitch >= self._split else "left"
        return Note(onset_s, None, pitch, velocity, self.spec.confidence(likely), now_s, hand)

    def _heard(self, key: int, note: Note, passed: int, beeps: Beeps | None) -> NoteHeard:
        """Return the start of `note`, which passed in the frame `passed`, and keep the note as one that sounds."""
        self._sounding[key] = (passed, note.onset_s)
        self._quiet[key] = 0
        if beeps is not None:
            beeps.passed(key, self._frame - passed + self._delays[key])
        return NoteHeard(note)

    def _no_longer_doubted(self, passing: list[int], now_s: float, beeps: Beeps) -> list[NoteHeard | NoteEnded]:
        """Return the starts of notes that need not wait any longer, and the ends of those whose key is struck again.

        A note has waited long enough, or its key is struck again. Notes that were beeps are forgotten.
        """
        events: list[NoteHeard | NoteEnded] = []
        for key, (note, passed, until) in list(self._doubted.items()):
            age = self._frame - passed + self._delays[key]
            if beeps.is_beep(key, age):
                del self._doubted[key]
            elif self._frame >= until or key in passing or beeps.decays(key, age, self._frame - passed):
                del self._doubted[key]
                events.append(self._heard(key, replace(note, decided_s=now_s), passed, beeps))
                if key in passing:
                    offset_s = max((self._frame - self._delays[key]) * self._hop_s, note.onset_s + self._hop_s)
                    del self._sounding[key], self._quiet[key]
                    events.append(NoteEnded(note.pitch, note.onset_s, offset_s, now_s))
        return events

    def seam(self, behind: int, certainty: Certainty) -> None:
        """Hold back false onsets near a seam, `behind` frames before the newest one: see `FalseStrokes.seam`."""
        self._false_strokes.seam(behind, certainty, self._sounding)

    def _ended(self, posterior: NDArray[np.float32], passing: list[int], now_s: float) -> list[NoteEnded]:
        """Return the notes that end now: they have faded, their damper was heard, or their key is struck again."""
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
