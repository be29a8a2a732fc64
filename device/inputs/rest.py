"""Lets the loop sleep longer while nobody plays: it then takes several hops at once.

Each waking of the loop costs as much as a third of a hop, and the first hop after a sleep costs twice as much as the
next one. So hops may wait while the input is quiet and nothing has happened for some time. The first block that is
louder than the noise of the room wakes the loop at the end of its hop, as at any other time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

REST_HOPS = 4
"""The loop takes so many hops at once while it rests: 64 ms. An action of the owner waits for at most this long."""
QUIET_HOPS = 62
"""The input must have been even for so many hops before the loop rests: a second."""
EVEN = 2.0
"""The input is even if the highest peak of these hops is at most this times their mean peak."""
LOUDER = 1.5
"""A block is loud if its peak is more than this times the highest peak of these hops: 3.5 dB."""
LEAST_PEAK = 1e-5
"""A block with a lower peak is never loud: -100 dBFS."""
EVERY = 8
"""The callback looks at every eighth sample of the channel, because this is Python code that runs at each block."""


class Rest:
    """Decides how many hops the loop takes at once. `idle` returns whether nothing has happened for some time.

    The last of the `channels` channels is heard. The loop calls `look`, and the callback of the sound card calls
    `wakings`.
    """

    def __init__(self, idle: Callable[[], bool], channels: int = 1) -> None:
        self._idle, self._channels = idle, channels
        self._peaks: deque[float] = deque(maxlen=QUIET_HOPS)
        self._loud_peak, self._on = LEAST_PEAK, False
        self._held, self._loud = 0, False
        """Number of blocks that complete a hop and wait, and whether a loud block is among them. For the callback."""

    def look(self, peak: float) -> None:
        """Add the peak of the sound of the last hop, as a share of full scale."""
        self._peaks.append(peak)
        if len(self._peaks) < QUIET_HOPS or not self._idle():
            self._on = False
            return
        highest = max(self._peaks)
        self._loud_peak = max(LOUDER * highest, LEAST_PEAK)
        self._on = highest <= max(EVEN * sum(self._peaks) / QUIET_HOPS, LEAST_PEAK)

    def wakings(self, block: bytes, completes: bool) -> int:
        """Return how many blocks the loop must take now, 0 to let it sleep.

        `block` holds float32 samples, those of all channels in turn. `completes` says whether it completes a hop: only
        then is the loop woken.
        """
        if self._on and not self._loud:
            samples = memoryview(block).cast("f")[self._channels - 1 :: EVERY * self._channels]
            self._loud = max(samples) > self._loud_peak or min(samples) < -self._loud_peak
        if not completes:
            return 0
        self._held += 1
        if self._on and not self._loud and self._held < REST_HOPS:
            return 0
        count, self._held, self._loud = self._held, 0, False
        return count
