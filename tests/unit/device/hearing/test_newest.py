"""The newest samples of a stream are the same however often they were moved in memory."""

from __future__ import annotations

import numpy as np

from device.hearing.newest import ROOM_HOPS, Newest

HOP, COUNT = 8, 40


def test_the_newest_samples_are_those_of_the_stream() -> None:
    newest, stream = Newest(COUNT, HOP, np.float32), np.zeros(COUNT, np.float32)
    for number in range(3 * ROOM_HOPS):
        hop = number * HOP + np.arange(HOP, dtype=np.float32)
        newest.room()[:] = hop
        stream = np.concatenate([stream, hop])
        assert np.array_equal(newest.last(COUNT), stream[-COUNT:])
        assert np.array_equal(newest.last(HOP + 3), stream[-HOP - 3 :])


def test_nothing_is_left_after_a_reset() -> None:
    newest = Newest(COUNT, HOP, np.float64)
    for _ in range(ROOM_HOPS + 3):
        newest.room()[:] = 1
    newest.reset()
    assert not newest.last(COUNT).any()
    newest.room()[:] = 1
    assert newest.last(COUNT).sum() == HOP
