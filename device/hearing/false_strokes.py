"""Knows onsets that are no strokes: ringing keys where sound was lost, and where a beep has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.beeps import Beeps
from device.hearing.gate_spec import GateSpec

Certainty = Literal["reported", "found", "doubtful"]
"""How sure a seam is: the input reported a loss, the sound surely jumps there, or it may be a stroke."""

HELD_FRAMES = 4
"""For this many frames after a seam (a place where sound was lost), the onset of a ringing key is not a stroke."""
CLICK_FRAMES = 2
"""For this many frames after the end of a square beep was found, the net may hear its click as strokes."""
RINGING_FRAMES = 4
"""A key rings at a seam if it already rang this many frames earlier, so it was not struck just before the seam."""


class FalseStrokes:
    """Removes from the keys that pass those that only ring. Of the settings it uses the delays and the release."""

    def __init__(self, spec: GateSpec) -> None:
        self._delays: list[int] = spec.delays().tolist()
        self._longest = max(self._delays)
        self._delay_frames, self._release = spec.delay_frames, spec.release
        self.reset()

    def reset(self) -> None:
        """Forget all seams and what rang."""
        self._frame = -1
        """Number of the newest frame, from 0."""
        self._rang = deque([np.zeros(KEYS, np.float32)], RINGING_FRAMES)
        """Frame posteriors of the last frames."""
        none = np.zeros(KEYS, bool)
        self._click_until, self._click_keys, self._beep_until = -1, none, -1
        self._held, self._held_keys = -1 - self._longest, none
        self._reported = self._held
        """As `_held`, the last frame in which the onsets of ringing keys are held back, for reported seams alone."""

    def seam(self, behind: int, certainty: Certainty, sounding: Iterable[int]) -> None:
        """Hold back false onsets near a seam, a place at which sound was lost, see `device.hearing.seams`.

        The seam is `behind` frames before the newest one, and `sounding` are the numbers of the keys whose notes sound.
        A key that rings there sounds as if it were struck. Its onsets are held back until the seam has passed. If the
        seam is not reported but found in the sound, they pass if the partials of the key become much louder; if it is
        doubtful, also if the key becomes louder at all.
        """
        if certainty != "doubtful":
            self._held, self._held_keys = self._frame - behind + HELD_FRAMES, self._ringing(sounding)
            if certainty == "reported":
                self._reported = self._held
        else:
            self._click_until = self._frame - behind + HELD_FRAMES + self._delay_frames
            self._click_keys = self._ringing(sounding)

    def left_out(
        self, passing: list[int], ringing: NDArray[np.float32], ages: list[tuple[int, int]], beeps: Beeps | None
    ) -> list[int]:
        """Return the keys of `passing` in the next frame without those that were not struck.

        `ringing` [88] are the frame posteriors. `ages` are the keys whose notes are held back because they may be
        beeps, and the numbers of frames since their onsets. Without `beeps` no levels are known.
        """
        self._frame += 1
        if beeps is not None:
            passing = self._not_clicks(passing, ages, beeps)
        if self._frame <= self._held + self._longest:
            passing = self._not_held(passing, beeps)
        self._rang.append(ringing)
        return passing

    def _ringing(self, sounding: Iterable[int]) -> NDArray[np.bool_]:
        """Return for each of the 88 keys whether it rang `RINGING_FRAMES` earlier or sounds."""
        rings: NDArray[np.bool_] = self._rang[0] >= self._release
        rings[list(sounding)] = True
        return rings

    def _not_clicks(self, passing: list[int], ages: list[tuple[int, int]], beeps: Beeps) -> list[int]:
        """Return the keys of `passing` without those that only ring, if there is a click in the sound.

        A seam that is not sure and the end of a beep are clicks. The net hears a click as a stroke of every ringing
        key, but only a real stroke makes its key louder. After the end of a beep a key may ring that the net has
        forgotten, so there all keys are checked.
        """
        if any(beeps.is_beep(key, age) and beeps.clicks(key, age) for key, age in ages):
            self._beep_until = self._frame + CLICK_FRAMES
        ended = [key for key in passing if self._frame <= self._beep_until or beeps.ends(self._delays[key])]
        if ended:
            clicks = [key for key in ended if not beeps.is_struck(key, self._delays[key])]
            passing = [key for key in passing if key not in clicks]
        if self._frame > self._click_until:
            return passing
        return [key for key in passing if not self._click_keys[key] or self._is_louder(key, beeps)]

    def _is_louder(self, key: int, beeps: Beeps) -> bool:
        """Return whether the tone of `key`, or its partials on average, are louder than before its onset."""
        age = self._delays[key]
        return beeps.rises(key, age) or beeps.is_struck_after_loss(key, age)

    def _not_held(self, passing: list[int], beeps: Beeps | None) -> list[int]:
        """Return the keys of `passing` that were not ringing at the last seam.

        A key whose partials became much louder is returned too if the seam was not reported.
        """
        held = [key for key in passing if self._held_keys[key] and self._frame <= self._held + self._delays[key]]
        return [key for key in passing if key not in held or (beeps is not None and self._is_restruck(key, beeps))]

    def _is_restruck(self, key: int, beeps: Beeps) -> bool:
        """Return whether the partials of `key` became much louder than before its onset, and no seam was reported."""
        age = self._delays[key]
        return self._frame > self._reported + age and beeps.is_struck_after_loss(key, age)
