"""Keeps the newest samples of a stream in one piece of memory, without moving them on every hop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

ROOM_HOPS = 32
"""Number of hops that fit behind the kept samples. The samples are moved to the front once in so many hops."""


class Newest:
    """Keeps the newest `count` samples of a stream that comes in hops of `hop` samples. At first all are 0."""

    def __init__(self, count: int, hop: int, dtype: DTypeLike) -> None:
        self._count, self._hop = count, hop
        self._memory: NDArray[Any] = np.zeros(count + ROOM_HOPS * hop, dtype)
        self._end = count

    def reset(self) -> None:
        """Forget all samples: all become 0."""
        self._memory[:] = 0
        self._end = self._count

    def room(self) -> NDArray[Any]:
        """Return the memory for the next hop, [hop]. The caller writes its samples there. Then they are the newest."""
        if self._end == len(self._memory):
            kept = self._count - self._hop
            self._memory[:kept] = self._memory[self._end - kept :]
            self._end = kept
        self._end += self._hop
        return self._memory[self._end - self._hop : self._end]

    def last(self, count: int) -> NDArray[Any]:
        """Return the newest `count` samples, at most as many as are kept. The array is a view: do not keep it."""
        return self._memory[self._end - count : self._end]
