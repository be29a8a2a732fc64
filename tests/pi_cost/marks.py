"""Turns the marks of an emulated run into instructions per hop and stage, and into shares of a Pi's core."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from device.status.schema import PERIOD_S
from tests.pi_cost.inside import BEGIN, END, STAGES

HOP_S = 0.016
"""Seconds of a hop: 256 samples at 16 kHz."""
BOARDS = {"Pi 4": 1.5e9, "Pi 5": 2.4e9, "Zero 2 W": 1.0e9}
"""Clock of one core in Hz."""
INSTRUCTIONS_A_CYCLE = (1.0, 0.6)
"""The usual case and the bad case."""
_RECORD = struct.Struct("<QQ")


@dataclass(frozen=True)
class Counts:
    """Instructions: of each stage in each hop, `whole` for everything in a hop, and `status` for each status file."""

    stages: dict[str, list[int]]
    whole: list[int]
    status: list[int]


def counted(marks: bytes, skip: int = 0) -> Counts:
    """Return the counts from the marks of a run, without its first `skip` hops and without the cost of the marks.

    A mark is two little-endian 64-bit numbers: BEGIN or END plus the number of the stage, and the instructions so far.
    """
    records = [(kind & ~0xFF, STAGES[kind & 0xFF], count) for kind, count in _RECORD.iter_unpack(marks)]
    inside, around = _cost_of_a_mark(records)
    stages: dict[str, list[int]] = defaultdict(list)
    whole, status, stack = [], [], []
    within: dict[str, int] = defaultdict(int)
    began, marked, hop = 0, 0, False
    for way, stage, count in records:
        if stage == "empty":
            continue
        if stage == "hop":
            if way == BEGIN:
                began, marked, within, hop = count, 0, defaultdict(int), True
            elif hop:
                whole.append(count - began - marked * (inside + around) - inside)
                for name in STAGES[1:-2]:
                    stages[name].append(within[name])
            continue
        if way == BEGIN:
            stack.append((stage, count, 0))
            continue
        _, from_count, taken = stack.pop()
        took = count - from_count - inside
        if stage == "status":
            status.append(took)
            continue
        marked += 1
        within[stage] += took - taken
        if stack:
            name, at, before = stack[-1]
            stack[-1] = (name, at, before + took + inside + around)
    return Counts({name: values[skip:] for name, values in stages.items()}, whole[skip:], status)


def _cost_of_a_mark(records: Sequence[tuple[int, str, int]]) -> tuple[int, int]:
    """Return the instructions between the two marks of an empty stage, and those from one empty stage to the next."""
    empty = [(way, count) for way, stage, count in records if stage == "empty"]
    inside = [after - before for (way, before), (_, after) in zip(empty, empty[1:], strict=False) if way == BEGIN]
    around = [after - before for (way, before), (_, after) in zip(empty, empty[1:], strict=False) if way == END]
    return round(median(inside)), round(median(around))


def percentile(values: Sequence[int], percent: float) -> int:
    """Return the smallest value that is not below `percent` per cent of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def share(instructions: float, hertz: float, a_cycle: float) -> float:
    """Return the share of one core that `instructions` in each hop take: instructions / (0.016 s x clock x a cycle)."""
    return instructions / (HOP_S * hertz * a_cycle)


def table(counts: Counts, name: str, boards: Sequence[str]) -> str:
    """Return the tables of one runtime and core, `name`, as Markdown, with the shares of the boards that have it."""
    other = [whole - sum(stage[hop] for stage in counts.stages.values()) for hop, whole in enumerate(counts.whole)]
    status = round(sum(counts.status) / len(counts.status) * HOP_S / PERIOD_S)
    rows = {**counts.stages, "the rest of the loop": other, "the whole loop": counts.whole}
    lines = [f"| {name}, thousands of instructions a hop | mean | p50 | p99 |", "|---|---|---|---|"]
    for stage, values in rows.items():
        mean = sum(values) / len(values)
        cells = " | ".join(f"{number / 1e3:,.0f}" for number in (mean, percentile(values, 50), percentile(values, 99)))
        lines.append(f"| {stage} | {cells} |")
    lines.append(f"| status, {1 / PERIOD_S:g} files a second | {status / 1e3:,.0f} | | |")
    mean = sum(counts.whole) / len(counts.whole) + status
    lines += ["", f"| {name}, % of one core | at 1.0 a cycle | at 0.6 a cycle |", "|---|---|---|"]
    for board in boards:
        cells = " | ".join(f"{100 * share(mean, BOARDS[board], a_cycle):.1f}" for a_cycle in INSTRUCTIONS_A_CYCLE)
        lines.append(f"| {board}, {BOARDS[board] / 1e9:.1f} GHz | {cells} |")
    return "\n".join(lines)
