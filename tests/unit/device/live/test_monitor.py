"""The monitor of a session shows the beat, and the reason if the beat is unsure."""

from __future__ import annotations

from device.events import Beat, Doubt
from device.live.monitor import Monitor
from device.status.schema import DoubtStatus
from device.stream_time import StreamTime


def test_the_beat_its_tempo_and_the_reason_for_a_low_lock_are_shown_and_go_with_the_next_sure_beat() -> None:
    stream_time, monitor = StreamTime(), Monitor(0.016)
    stream_time.arrived(0.0, 100.0)
    monitor.take([Beat(1.0, 0.9, 0, 0.8, 4), Beat(1.6, 1.5, 1, 0.3, 4, Doubt("silence", 6))], stream_time)
    shown = monitor.shown()
    assert (shown["beat"], shown["tempo"], shown["lock"]) == (1, 100.0, 0.3)
    assert shown["doubt"] == DoubtStatus("silence", 6)
    monitor.take([Beat(2.2, 2.1, 2, 0.9, 4)], stream_time)
    assert monitor.shown()["doubt"] is None
    monitor.take([Beat(2.8, 2.7, 3, 0.2, 4, Doubt("uneven"))], stream_time)
    assert monitor.shown()["doubt"] == DoubtStatus("uneven")
    monitor.end()
    assert monitor.shown()["beat"] is None and monitor.shown()["doubt"] is None


def test_a_pause_of_the_beat_as_while_the_player_counts_in_is_no_tempo() -> None:
    stream_time, monitor = StreamTime(), Monitor(0.016)
    stream_time.arrived(0.0, 100.0)
    tempos = []
    for beat_s in (1.0, 1.6, 4.7, 5.2, 6.2, 7.2):
        monitor.take([Beat(beat_s, beat_s - 0.1, 0, 0.8, 4)], stream_time)
        tempos.append(monitor.shown()["tempo"])
    # after the pause the tempo is another one, and later half of it
    assert tempos == [None, 100.0, 100.0, 120.0, 120.0, 60.0]
