"""A short run of `make fuzz`: mutated files of every format end in success or in one sentence."""

from __future__ import annotations

from threading import Event

from tests.fuzz import formats, run


def test_mutated_files_end_in_success_or_in_one_sentence() -> None:
    found = run(count=400, seed=7)
    assert [fault for kind in found for fault in kind.faults] == []
    assert all(kind.tried for kind in found) and sum(kind.refused for kind in found) > 50


def test_the_intact_files_are_all_read(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    from random import Random

    for kind in formats():
        path = tmp_path_factory.mktemp("intact") / kind.file
        path.write_bytes(kind.intact(Random(1)))
        assert kind.read(path) == "", kind.name


def test_a_run_that_is_stopped_tells_what_it_tried() -> None:
    stop = Event()
    stop.set()
    assert sum(kind.tried for kind in run(1000, 1, stop)) == 0
