"""The counts of `make pi-cost`: what is left of the marks of an emulated run, and the share of a core that it takes."""

from __future__ import annotations

import struct

import pytest

from tests.pi_cost.inside import BEGIN, EMPTY, END, STAGES
from tests.pi_cost.marks import counted, percentile, share, table

INSIDE, AROUND = 1_000, 700
"""Instructions of a mark: between the two marks of an empty stage, and from one empty stage to the next."""


class Marks:
    """Writes the marks of a run whose stages take known numbers of instructions."""

    def __init__(self) -> None:
        self._at, self.written = 123_456, b""
        for _ in range(EMPTY):
            self.stage("empty", 0)

    def mark(self, way: int, stage: str) -> None:
        self.written += struct.pack("<QQ", way + STAGES.index(stage), self._at)

    def work(self, instructions: int) -> None:
        self._at += instructions

    def stage(self, name: str, instructions: int, *inside: tuple[str, int]) -> None:
        """A stage that takes so many instructions beside the stages inside it."""
        self.mark(BEGIN, name)
        self.work(INSIDE)
        for stage, count in inside:
            self.stage(stage, count)
        self.work(instructions)
        self.mark(END, name)
        self.work(AROUND)

    def hop(self, features: int, net: int, around: int, rest: int) -> None:
        self.mark(BEGIN, "hop")
        self.work(INSIDE)
        self.stage("features", features)
        self.stage("around the net", around, ("net", net))
        self.work(rest)
        self.mark(END, "hop")
        self.work(AROUND)


def test_each_stage_is_counted_without_the_marks_and_without_the_stages_inside_it() -> None:
    marks = Marks()
    for number in range(10):
        marks.hop(features=80_000, net=200_000 + number, around=16_000, rest=5_000)
    for _ in range(3):
        marks.stage("status", 150_000)
    counts = counted(marks.written, skip=2)
    assert counts.stages["features"] == 8 * [80_000]
    assert counts.stages["net"] == [200_002 + number for number in range(8)]
    assert counts.stages["around the net"] == 8 * [16_000]
    assert counts.stages["gate"] == 8 * [0]
    assert counts.whole == [301_002 + number for number in range(8)]
    assert counts.status == 3 * [150_000]


def test_a_share_is_instructions_over_those_that_a_core_has_in_a_hop() -> None:
    # 2.4 million instructions in 16 ms at 1.5 GHz and one instruction a cycle are a tenth of a core
    assert share(2.4e6, 1.5e9, 1.0) == pytest.approx(0.1)
    assert share(2.4e6, 1.5e9, 0.5) == pytest.approx(0.2)


def test_the_table_holds_the_whole_loop_and_the_status_in_its_shares() -> None:
    marks = Marks()
    for _ in range(4):
        marks.hop(features=400_000, net=1_500_000, around=100_000, rest=344_000)
    marks.stage("status", 875_000)
    printed = table(counted(marks.written), "runtime", ("Pi 4",))
    assert "| the rest of the loop | 344 | 344 | 344 |" in printed
    assert "| the whole loop | 2,344 | 2,344 | 2,344 |" in printed
    # four files a second: 0.064 in each hop of 16 ms, 56 thousand instructions
    assert "| status, 4 files a second | 56 | | |" in printed
    assert "| Pi 4, 1.5 GHz | 10.0 | 16.7 |" in printed


def test_a_percentile_is_a_value_that_was_counted() -> None:
    assert percentile([5, 1, 3], 50) == 3
    assert percentile(list(range(1, 101)), 99) == 100
