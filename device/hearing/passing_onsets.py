"""Finds the onsets whose posteriors pass: in each octave, and while the gate is awake or asleep."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.gate_spec import GateSpec

_TRUE = b"\x01"
"""True in an array of bools. After a sleep, looking for it in the array's bytes takes a tenth of `any`."""
_NEVER = 2.0
"""Threshold of a key that is not heard. No posterior reaches it."""


class PassingOnsets:
    """Finds in each frame the keys whose onset posterior passes.

    It passes if it reaches the threshold of its octave and the key is armed. A key that passes is disarmed, and armed
    again when its posterior has fallen below a share of the threshold. While the gate sleeps, the posterior must reach
    `GateSpec.wake` too: it is sure. `hop_s` is the time between two frames in seconds.
    """

    def __init__(self, spec: GateSpec, hop_s: float) -> None:
        self._keys = KEYS
        self._none = np.zeros(KEYS, bool)
        self._within, self._lasts = round(spec.wake_within_s / hop_s), round(spec.awake_s / hop_s)
        self.use(spec)
        self.reset()

    def use(self, spec: GateSpec) -> None:
        """Use the thresholds of `spec` from now on."""
        self._spec = spec
        self._thresholds = spec.thresholds()
        self._thresholds[self._keys :] = _NEVER
        self._asleep = np.maximum(self._thresholds, np.float32(spec.wake))
        self._rearm = np.float32(spec.rearm) * self._thresholds

    def limit(self, keys: int) -> None:
        """Let only the lowest `keys` keys pass from now on, at most 88."""
        self._keys = max(0, min(KEYS, keys))
        self.use(self._spec)

    def reset(self) -> None:
        """Arm all keys and fall asleep: then only sure onsets, or several onsets in a short time, wake the gate."""
        self._frame = -1
        """Number of the newest frame, from 0."""
        self._armed = np.ones(KEYS, bool)
        self._disarmed = False
        """Whether a key may be disarmed. If none is, nothing has to be armed again."""
        self._above = self._none
        self._stirs: deque[int] = deque()
        """Frames in which an onset rose above its threshold, as far as they may wake the gate."""
        self._awake_until = -1

    def step(self, onset: NDArray[np.float32]) -> list[int]:
        """Return the numbers of the keys, 0 for A0, whose onset posterior in `onset` [88] passes in the next frame.

        They give no other onset until their posteriors have fallen.
        """
        self._frame += 1
        passing = self._passing(onset)
        if self._disarmed:
            self._armed |= onset < self._rearm
            self._disarmed = not self._armed.all()
        if passing:
            self._armed[passing] = False
            self._disarmed = True
        return passing

    def _passing(self, onset: NDArray[np.float32]) -> list[int]:
        above = onset >= self._thresholds
        # in most frames no onset reaches its threshold: the rest can be skipped
        if _TRUE not in above.tobytes():
            self._above = self._none
            self._awake(stirred=False, sure=False)
            return []
        sure = onset >= self._asleep
        awake = self._awake(stirred=bool((above & ~self._above).any()), sure=bool(sure.any()))
        self._above = above
        passed: list[int] = np.flatnonzero(self._armed & (above if awake else sure)).tolist()
        return passed

    def _awake(self, *, stirred: bool, sure: bool) -> bool:
        """Return whether the gate is awake after this frame: whether every onset above its threshold may pass.

        `stirred` is True if an onset rose above its threshold in this frame. `sure` is True if an onset reached both
        its threshold and `GateSpec.wake` in this frame.
        """
        if stirred:
            self._stirs.append(self._frame)
        while self._stirs and self._stirs[0] < self._frame - self._within:
            self._stirs.popleft()
        if sure or len(self._stirs) >= self._spec.wake_onsets:
            self._awake_until = self._frame + self._lasts
        return self._frame <= self._awake_until
