"""The events of a run are kept on the disk, complete and in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.events import Beat, Event, Send
from device.recording.spool import NAME, Spool

EVENTS = st.one_of(
    st.builds(
        Send, st.floats(0, 9), st.floats(0, 9), st.sampled_from(["note_on", "note_off"]), *[st.integers(0, 127)] * 2
    ),
    st.builds(Beat, st.floats(0, 9), st.floats(0, 9), st.integers(0, 5), st.floats(0, 1)),
)


@given(told=st.lists(st.lists(EVENTS, min_size=1, max_size=4), max_size=8))
def test_what_is_put_in_comes_out_in_order_and_once(
    told: list[list[Event]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder)
    for events in told:
        spool.put(events)
    assert list(spool.taken()) == [event for events in told for event in events]
    assert not list(spool.taken())
    assert not list(folder.iterdir())


def test_what_comes_too_late_is_not_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert not list(spool.taken())
    spool.put([Beat(0.0, 0.0, 0, 1.0, 4)])
    assert not list(tmp_path.iterdir())


def test_what_a_full_disk_cut_off_is_left_out(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    beats = [Beat(float(i), float(i), 0, 1.0, 4) for i in range(3)]
    for beat in beats:
        spool.put([beat])
    spool._file.flush()
    path = tmp_path / NAME
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3)
    assert list(spool.taken()) == beats[:2]
