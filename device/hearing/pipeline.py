"""Turns hops of samples into notes: features, then transcriber, then gate."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from device.events import LOWEST_KEY, NoteEnded, NoteHeard, Send
from device.hearing.beeps import Beeps
from device.hearing.features import Features, FeatureSpec, Samples
from device.hearing.gate import Gate
from device.hearing.gate_spec import GateSpec
from device.hearing.own_notes import OwnNotes
from device.hearing.seams import DOUBTFUL_JUMP, JUMP, Seams
from device.hearing.transcriber import Stepper, Transcriber
from device.hearing.tuning import CLEAR_ODDS, NAMED_NOTES, TuningEstimate, other_reading
from device.settings.choices import AS_FITTED, SPLIT

HIGHEST_SHARE = 0.34
"""Share of the sample rate of an input up to which a fundamental is heard.

A sound of 8 kHz, as of a telephone, ends between 3.4 and 4 kHz. There, a stroke of any key looks like a stroke of the
highest one. From 16 kHz on, the keys up to C8 are heard.
"""


class Hearing:
    """Turns one stream of sound into the notes of the player. Note times are counted in hops from the first hop."""

    def __init__(
        self,
        features: FeatureSpec,
        gate: GateSpec,
        model: Stepper,
        split: int = SPLIT,
        confidence: float = AS_FITTED,
        tuning: float = 0.0,
        adapts: bool = False,
        hears_beeps: bool = False,
    ) -> None:
        """Make all parts. `features` and `gate` are the fitted settings of the net `model`.

        `split` is the lowest MIDI pitch of the right hand. `confidence` (between 0 and 1) moves the thresholds of
        `gate`: see `GateSpec.asked`. 0.5 leaves them as they are. A higher value makes them stricter, a lower one less
        strict.

        `tuning` is the number of cents by which the piano is tuned above A4 = 440 Hz. If `adapts` is true, the tuning
        is measured while sound comes, and is changed when the measurement is sure.

        If `hears_beeps` is true, a metronome's beeps are notes like others. This is for measurements only.
        """
        self.spec = features
        self.tuning = tuning
        """Cents above A4 = 440 Hz at which the piano is heard now. A reset keeps this value."""
        self.adapts = adapts
        self._tuned_to = tuning
        self._fitted = gate
        self._features = Features(features, tuning)
        self._estimate = TuningEstimate(features)
        self._seams = Seams(features.hop)
        self._beeps = None if hears_beeps else Beeps(features.sample_rate, features.hop)
        self._transcriber = Transcriber(model)
        self._gate = Gate(gate.asked(confidence), features.hop_s, split)
        self._own = OwnNotes()
        self._since_s = ((gate.delays() + 0.5) * features.hop_s).tolist()
        self._struck: deque[int] = deque(maxlen=NAMED_NOTES)
        """MIDI pitches of the player's last notes, as they are named with the present tuning."""
        self._hops = 0

    def reset(self) -> None:
        """Forget everything that was heard and sent, and count hops from 0. The tuning is kept."""
        self._features.reset()
        self._estimate.reset()
        self._seams.reset()
        if self._beeps is not None:
            self._beeps.reset()
        self._transcriber.reset()
        self._gate.reset()
        self._own.reset()
        self._struck.clear()
        self._hops = 0

    def ask(self, confidence: float) -> None:
        """Make the thresholds of notes stricter or less strict from now on. Notes that sound are kept.

        `confidence` is between 0 and 1; 0.5 stands for the fitted thresholds.
        """
        self._gate.use(self._fitted.asked(confidence))

    def limit(self, rate: int) -> None:
        """Leave out the keys that an input of `rate` Hz cannot hold well, see HIGHEST_SHARE."""
        highest = 69 + 12 * math.log2(HIGHEST_SHARE * rate / 440)
        self._gate.limit(math.floor(highest) - LOWEST_KEY + 1)

    @property
    def pending(self) -> bool:
        """Whether at least one note still sounds, or is held back because it may be a beep."""
        return self._gate.pending

    @property
    def not_finite(self) -> int:
        """Number of hops since the reset in which the transcriber returned a value that is not finite."""
        return self._transcriber.not_finite

    def sent(self, send: Send) -> None:
        """Remember a message that the box sent. Its sound may come back through the input and is not the player's."""
        self._own.sent(send)

    def note_on(self, pitch: int, on_s: float, off_s: float = float("inf")) -> None:
        """Remember that the box sounds a note from `on_s` to `off_s`, in seconds of stream time."""
        self._own.note_on(pitch, on_s, off_s)

    def note_off(self, pitch: int, off_s: float) -> None:
        """Remember that the note that the box sounds on `pitch` ends at `off_s`, in seconds of stream time."""
        self._own.note_off(pitch, off_s)

    def lost(self) -> None:
        """Hold back onsets of ringing keys for a moment, because the input reports that it lost sound just now."""
        self._gate.seam(0, "reported")

    def step(self, hop: Samples, now_s: float) -> list[NoteHeard | NoteEnded]:
        """Hear the next hop of samples, and return the notes that began or ended.

        `now_s` is the time of the source, in seconds, at which the samples were complete. It becomes `decided_s` of the
        notes. Raises ValueError for a hop of another length.
        """
        self._hops += 1
        jump = self._seams.step(hop)
        # the edges of beeps are doubtful seams too, but no sound is lost there
        beeping = self._beeps is not None and self._beeps.beeping
        if jump > JUMP or (jump > DOUBTFUL_JUMP and not beeping):
            self._gate.seam(self._seams.behind, "found" if jump > JUMP else "doubtful")
        # ringing keys look as if they were struck again when the bands move
        if self.adapts and self._features.tuned():
            self.tuning = self._tuned_to
            self._gate.seam(0, "reported")
        if self._beeps is not None:
            self._beeps.step(hop)
        frame = self._features.step(hop)
        if self.adapts and self._estimate.step(self._features):
            self._tune()
        end_s = self._hops * self.spec.hop_s
        posterior = self._transcriber.step(frame, self._own.frame(end_s))
        events = self._gate.step(posterior, self._explained(end_s), now_s, self._beeps)
        if self.adapts and self.tuning == self._tuned_to:
            self._name(events)
        return events

    def _tune(self) -> None:
        """Begin to move the bands if the measured tuning is sure and differs enough from the present one."""
        tuning = self._estimate.better(self._tuned_to)
        if tuning is not None:
            self._move(tuning)

    def _name(self, events: list[NoteHeard | NoteEnded]) -> None:
        """Begin to move the bands by a semitone if the names of the last notes make this tuning likelier."""
        new = [event.note.pitch for event in events if isinstance(event, NoteHeard) and event.note.hand != "own"]
        self._struck.extend(new)
        other = other_reading(self.tuning, self._struck, CLEAR_ODDS) if new else None
        if other is not None:
            self._move(other)

    def _move(self, tuning: float) -> None:
        self._tuned_to = tuning
        self._features.tune(tuning)
        self._struck.clear()

    def _explained(self, end_s: float) -> set[int]:
        """Return the MIDI pitches whose onset in the present frame may come from a note that the box sent."""
        gate = self._gate.spec
        return self._own.struck(end_s, self._since_s, gate.own_before_s, gate.own_after_s)


def silence(spec: FeatureSpec) -> Samples:
    """Return one hop of silence: `spec.hop` samples that are all 0."""
    return np.zeros(spec.hop, np.float32)
