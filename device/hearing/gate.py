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

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS, LOWEST_KEY, Hand, Note, NoteEnded, NoteHeard
from device.hearing.beeps import Beeps
from device.hearing.spec import Spec
from device.hearing.transcriber import FRAME, OFFSET, ONSET, VELOCITY

Certainty = Literal["reported", "found", "doubtful"]
"""How sure a seam is: the input reported a loss, the sound surely jumps there, or it may be a stroke."""

OCTAVES = 8
"""Number of regions of keys, each with its own threshold: A0 to G#1, A1 to G#2, ..., A7 to C8."""

HELD_FRAMES = 4
"""For this many frames after a seam (a place where sound was lost), the onset of a ringing key is not a stroke."""
CLICK_FRAMES = 2
"""For this many frames after the end of a square beep was found, the net may hear its click as strokes."""
_TRUE = b"\x01"
"""True in an array of bools. After a sleep, looking for it in the array's bytes takes a tenth of `any`."""
_NEVER = 2.0
"""Threshold of a key that is not heard. No posterior reaches it."""
RINGING_FRAMES = 4
"""A key rings at a seam if it already rang this many frames earlier, so it was not struck just before the seam."""


@dataclass(frozen=True)
class GateSpec(Spec):
    """Holds the settings that turn posteriors into notes.

    The export of a model fits them on validation data, and the manifest stores them.
    """

    onset: tuple[float, ...] = (0.5,) * OCTAVES
    """Onset threshold of each octave from A0, a posterior from 0 to 1."""
    rearm: float = 0.5
    """An onset posterior must fall below this share of its threshold before the key can give another note."""
    release: float = 0.3
    """A note ends when its frame posterior stays below this value for `release_frames` frames."""
    release_frames: int = 2
    offset: float = 2.0
    """A note ends at once when its offset posterior reaches this value. A value above 1 disables the rule."""
    shortest_frames: int = 2
    """Shortest length of a note, in frames, unless the key is struck again."""
    delay_frames: int = 3
    """Delay of the net in frames: its output describes what sounded this many frames ago."""
    later: tuple[int, ...] = (0,) * OCTAVES
    """Additional delay of each octave, in frames. The net needs longer to tell low notes apart."""
    shift_s: float = 0.0
    """Seconds added to every onset and offset.

    Fitted as the median difference between labelled and detected onsets, minus 10 ms from key stroke to sound.
    """
    own_before_s: float = 0.25
    """An onset at most this many seconds after the box struck the same key counts as the sound of the box."""
    own_after_s: float = 0.05
    """An onset at most this many seconds before the box struck the same key counts as the sound of the box."""
    own_threshold: float = 0.95
    """An onset on a key that the box struck still counts as the player's if its posterior reaches this value."""
    wake: float = 0.0
    """Least posterior of a sure onset, which wakes the gate and passes while the gate sleeps.

    With 0, every onset that reaches its threshold is sure.
    """
    wake_onsets: int = 3
    """This many onsets above their thresholds within `wake_within_s` seconds also wake the gate."""
    wake_within_s: float = 2.0
    awake_s: float = 4.0
    """The gate falls asleep this many seconds after the last onset that woke it."""
    reliability: tuple[float, float] = (1.0, 0.0)
    """Slope and offset of a linear map from the log-odds of a posterior to those of a true note (Platt 1999)."""

    def confidence(self, posterior: float) -> float:
        """Return the probability, 0 to 1, that a note that passed with this onset posterior was really played."""
        slope, offset = self.reliability
        p = min(max(posterior, 1e-6), 1 - 1e-6)
        return 1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) + offset)))

    def asked(self, confidence: float) -> GateSpec:
        """Return a copy of these settings with stricter thresholds, or less strict ones. 0.5 changes nothing.

        The odds of every threshold, and of `wake`, are multiplied by the odds of `confidence` (between 0 and 1, not 0
        or 1).
        """
        odds = confidence / (1 - confidence)

        def moved(threshold: float) -> float:
            return threshold * odds / (1 - threshold + threshold * odds)

        return replace(self, onset=tuple(map(moved, self.onset)), wake=moved(self.wake))

    def delays(self) -> NDArray[np.int64]:
        """Return the delay of the net for each of the 88 keys, in frames."""
        return self.delay_frames + np.repeat(np.asarray(self.later, np.int64), 12)[:KEYS]

    def thresholds(self) -> NDArray[np.float32]:
        """Return the onset threshold of each of the 88 keys."""
        return np.repeat(np.asarray(self.onset, np.float32), 12)[:KEYS]


class Gate:
    """Decides from the posteriors of the net, frame by frame, where notes start and end.

    A posterior is a number from 0 to 1 that the net gives for a key in a frame.
    """

    def __init__(self, spec: GateSpec, hop_s: float, split: int) -> None:
        """Start with no notes.

        `hop_s` is the time between two frames in seconds, `split` the right hand's lowest MIDI pitch.
        """
        self._hop_s, self._split = hop_s, split
        self._keys = KEYS
        self.use(spec)
        self._delays = spec.delays().tolist()
        self._longest = max(self._delays)
        self._none = np.zeros(KEYS, bool)
        self._within, self._lasts = round(spec.wake_within_s / hop_s), round(spec.awake_s / hop_s)
        self.reset()

    def use(self, spec: GateSpec) -> None:
        """Use the thresholds of `spec` from now on.

        Its delays must be those of the present settings. Sounding notes are kept.
        """
        self.spec = spec
        self._thresholds = spec.thresholds()
        self._thresholds[self._keys :] = _NEVER
        self._asleep = np.maximum(self._thresholds, np.float32(spec.wake))
        self._rearm = np.float32(spec.rearm) * self._thresholds

    def limit(self, keys: int) -> None:
        """Hear only the lowest `keys` keys from now on, at most 88."""
        self._keys = max(0, min(KEYS, keys))
        self.use(self.spec)

    def reset(self) -> None:
        """Forget all notes and fall asleep: then only sure onsets, or several onsets in a short time, wake the gate."""
        self._frame = -1
        self._armed = np.ones(KEYS, bool)
        self._disarmed = False
        """Whether a key may be disarmed. If none is, nothing has to be armed again."""
        self._sounding: dict[int, tuple[int, float]] = {}
        self._quiet: dict[int, int] = {}
        self._above = self._none
        self._stirs: deque[int] = deque()
        self._awake_until = -1
        self._frames = deque([np.zeros(KEYS, np.float32)], RINGING_FRAMES)
        self._doubted: dict[int, tuple[Note, int, int]] = {}
        """Notes that are held back because they may be beeps.

        Each key has the note, the frame in which it passed, and the last frame in which it waits.
        """
        self._click_until, self._click_keys, self._beep_until = -1, self._none, -1
        self._held, self._held_keys = -1 - self._longest, self._none
        self._reported = self._held
        """As `_held`, the last frame in which the onsets of ringing keys are held back, for reported seams alone."""

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
        onset = posterior[:, ONSET]
        passing = self._passing(onset)
        if beeps is not None:
            passing = self._not_clicks(passing, beeps)
        if self._frame <= self._held + self._longest:
            passing = self._not_held(passing, beeps)
        self._frames.append(posterior[:, FRAME])
        if self._disarmed:
            self._armed |= onset < self._rearm
            self._disarmed = not self._armed.all()
        if passing:
            self._disarm(passing)
        events: list[NoteHeard | NoteEnded] = list(self._ended(posterior, passing, now_s))
        if self._doubted and beeps is not None:
            events += self._no_longer_doubted(passing, now_s, beeps)
        for key in passing:
            labelled = self._frame - self._delays[key]
            onset_s = max((labelled + 0.5) * self._hop_s + self.spec.shift_s, 0.0)
            pitch, likely = int(key) + LOWEST_KEY, float(onset[key])
            ours = pitch in own and likely < self.spec.own_threshold
            velocity = int(np.clip(np.rint(posterior[key, VELOCITY] * 127), 1, 127))
            hand: Hand = "own" if ours else "right" if pitch >= self._split else "left"
            note = Note(onset_s, None, pitch, velocity, self.spec.confidence(likely), now_s, hand)
            waits = 0 if beeps is None or ours else beeps.waits(key, self._delays[key])
            if waits:
                self._doubted[key] = note, self._frame, self._frame + waits
            elif waits == 0:
                events.append(self._heard(key, note, self._frame, beeps))
        return events

    def _disarm(self, keys: list[int]) -> None:
        """Let these keys give no note until their onset posteriors have fallen."""
        self._armed[keys] = False
        self._disarmed = True

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
        """Hold back false onsets near a seam, a place at which sound was lost, see `device.hearing.seams`.

        The seam is `behind` frames before the newest one. A key that rings there sounds as if it were struck. Its
        onsets are held back until the seam has passed. If the seam is not reported but found in the sound, they pass
        if the partials of the key become much louder; if it is doubtful, also if the key becomes louder at all.
        """
        if certainty != "doubtful":
            self._held, self._held_keys = self._frame - behind + HELD_FRAMES, self._ringing()
            if certainty == "reported":
                self._reported = self._held
        else:
            self._click_until = self._frame - behind + HELD_FRAMES + self.spec.delay_frames
            self._click_keys = self._ringing()

    def _ringing(self) -> NDArray[np.bool_]:
        """Return for each of the 88 keys whether it rang `RINGING_FRAMES` earlier or sounds."""
        rings: NDArray[np.bool_] = self._frames[0] >= self.spec.release
        rings[list(self._sounding)] = True
        return rings

    def _not_clicks(self, passing: list[int], beeps: Beeps) -> list[int]:
        """Return the keys of `passing` without those that only ring, if there is a click in the sound.

        A seam that is not sure and the end of a beep are clicks. The net hears a click as a stroke of every ringing
        key, but only a real stroke makes its key louder. After the end of a beep a key may ring that the net has
        forgotten, so there all keys are checked.
        """
        ages = [(key, self._frame - passed + self._delays[key]) for key, (_, passed, _) in self._doubted.items()]
        if any(beeps.is_beep(key, age) and beeps.clicks(key, age) for key, age in ages):
            self._beep_until = self._frame + CLICK_FRAMES
        ended = [key for key in passing if self._frame <= self._beep_until or beeps.ends(self._delays[key])]
        if ended:
            clicks = [key for key in ended if not beeps.is_struck(key, self._delays[key])]
            self._disarm(clicks)
            passing = [key for key in passing if key not in clicks]
        if self._frame > self._click_until:
            return passing
        clicks = [key for key in passing if self._click_keys[key] and not self._is_louder(key, beeps)]
        self._disarm(clicks)
        return [key for key in passing if key not in clicks]

    def _is_louder(self, key: int, beeps: Beeps) -> bool:
        """Return whether the tone of `key`, or its partials on average, are louder than before its onset."""
        age = self._delays[key]
        return beeps.rises(key, age) or beeps.is_struck_after_loss(key, age)

    def _is_restruck(self, key: int, beeps: Beeps) -> bool:
        """Return whether the partials of `key` became much louder than before its onset, and no seam was reported."""
        age = self._delays[key]
        return self._frame > self._reported + age and beeps.is_struck_after_loss(key, age)

    def _not_held(self, passing: list[int], beeps: Beeps | None) -> list[int]:
        """Return the keys of `passing` that were not ringing at the last seam.

        A key whose partials became much louder is returned too if the seam was not reported. The others give no note
        until they are armed again. Without `beeps` no levels are known.
        """
        held = [key for key in passing if self._held_keys[key] and self._frame <= self._held + self._delays[key]]
        held = [key for key in held if beeps is None or not self._is_restruck(key, beeps)]
        self._disarm(held)
        return [key for key in passing if key not in held]

    def _passing(self, onset: NDArray[np.float32]) -> list[int]:
        """Return the numbers of the keys, 0 for A0, whose onset posterior in `onset` [88] passes."""
        above = onset >= self._thresholds
        # in most frames no onset reaches its threshold: the rest can be skipped
        if _TRUE not in above.tobytes():
            self._above = self._none
            self._awake(False, False)
            return []
        sure = onset >= self._asleep
        awake = self._awake(bool((above & ~self._above).any()), bool(sure.any()))
        self._above = above
        passed: list[int] = np.flatnonzero(self._armed & (above if awake else sure)).tolist()
        return passed

    def _awake(self, stirred: bool, sure: bool) -> bool:
        """Return whether the gate is awake after this frame: whether every onset above its threshold may pass.

        `stirred` is True if an onset rose above its threshold in this frame. `sure` is True if an onset reached both
        its threshold and `GateSpec.wake` in this frame.
        """
        if stirred:
            self._stirs.append(self._frame)
        while self._stirs and self._stirs[0] < self._frame - self._within:
            self._stirs.popleft()
        if sure or len(self._stirs) >= self.spec.wake_onsets:
            self._awake_until = self._frame + self._lasts
        return self._frame <= self._awake_until

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
