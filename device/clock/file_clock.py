"""A clock that knows the whole grid in advance, from the tempo map and the time signatures of a MIDI file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from device.clock.given_tempo import GivenTempo
from device.clock.meter import Meter
from device.clock.step import Step
from device.clock.tempo_map import TempoMap
from device.errors import UserError

DEFAULT_SIGNATURE = (4, 4)
BARS_AFTER_END = 2
"""Number of bars that the grid continues after the end of the file, so that the left hand can finish."""
MOST_BARS = 100_000
"""Largest number of bars of a file: two days of 4/4 at 120 quarter notes a minute. More would fill the memory."""

Ticks: TypeAlias = int | Fraction
"""Exact places and lengths in ticks. Nearly all are whole, and an int is ten times as fast as a Fraction."""


class FileClock(GivenTempo):
    """Gives the steps of a known grid, each at its plan time. Heard notes change nothing.

    A step is computed when it is due, so a long file takes no more memory for its steps than a short one.
    """

    def __init__(self, tempo_map: TempoMap, bars: Sequence[_Bar]) -> None:
        self._tempo_map, self._bars = tempo_map, bars
        self._coming = self.steps()
        self._next = next(self._coming, None)

    @classmethod
    def from_map(
        cls,
        ticks_per_beat: int,
        tempos: Sequence[tuple[int, int]],
        signatures: Sequence[tuple[int, int, int]],
        end_tick: int,
        first_bar: float = 0.0,
    ) -> FileClock:
        """Return a clock with the grid of a MIDI file, up to two bars after `end_tick`.

        `tempos` are (tick, microseconds per quarter note) and `signatures` are (tick, beats, beat type), both in any
        order. Before the first of them, the MIDI defaults apply: 120 quarter notes a minute and 4/4. `first_bar` is a
        place in the file, in felt beats of its first metre, at which a bar begins. Raises UserError for a file that
        does not count in ticks per quarter note, that has an impossible time signature, or that has more than MOST_BARS
        bars.
        """
        if ticks_per_beat <= 0:
            raise UserError("The file counts in SMPTE frames, not in beats: use `--clock follow` or `--clock fixed`.")
        return cls(
            TempoMap(ticks_per_beat, tempos),
            _bars(ticks_per_beat, _on_steps(ticks_per_beat, _changes(signatures, end_tick)), end_tick, first_bar),
        )

    def steps(self) -> Iterator[Step]:
        """Yield every step of the grid, in order, from the start of the file."""
        ticks_per_beat, before_s, index = self._tempo_map.ticks_per_beat, 0.0, 0
        for bar in self._bars:
            for position, tick in bar.steps(ticks_per_beat):
                time_s = self._tempo_map.seconds(tick)
                if index:
                    length_s = time_s - before_s
                else:
                    length_s = self._tempo_map.seconds(tick + _step_ticks(ticks_per_beat, bar.meter)) - time_s
                yield Step(index, time_s, length_s, position, bar.meter, 1.0)
                before_s = time_s
                index += 1

    @property
    def warnings(self) -> list[str]:
        """The sentence of `Meter.warning` for each metre of the file that has one."""
        return [warning for meter in dict.fromkeys(bar.meter for bar in self._bars) if (warning := meter.warning)]

    @property
    def counting_in(self) -> bool:
        """Always False: the beats of the file are known, so there is no count-in."""
        return False

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Does nothing: the grid is known."""

    @property
    def next_due_s(self) -> float:
        """Return the time before which no step is due: see `KnownGrid.next_due_s`."""
        return math.inf if self._next is None else self._next.plan_s

    def due(self, now_s: float) -> Step | None:
        """Return the next step if it is time to give it, else None: see `Clock.due`."""
        step = self._next
        if step is None or step.plan_s > now_s:
            return None
        self._next = next(self._coming, None)
        return step

    def reset(self) -> None:
        """Forget all heard notes and given steps: see `Clock.reset`."""
        self._coming = self.steps()
        self._next = next(self._coming, None)


@dataclass(frozen=True)
class _Bar:
    """A bar or a part of a bar, from tick `start` to `end`, which begins `offset` ticks after the start of the bar."""

    meter: Meter
    start: Ticks
    end: Ticks
    offset: Ticks = 0

    @property
    def length(self) -> Ticks:
        return self.end - self.start

    def steps(self, ticks_per_beat: int) -> Iterator[tuple[int, Ticks]]:
        """Yield (position in the bar, tick) of every step that begins in this bar or part of a bar."""
        step = _step_ticks(ticks_per_beat, self.meter)
        for position in range(self.meter.steps_per_bar):
            tick = self.start - self.offset + position * step
            if self.start <= tick < self.end:
                yield position, tick


@lru_cache(maxsize=256)
def _step_ticks(ticks_per_beat: int, meter: Meter) -> Ticks:
    ticks = meter.step_quarters * ticks_per_beat
    return ticks.numerator if ticks.denominator == 1 else ticks


@lru_cache(maxsize=256)
def _bar_ticks(ticks_per_beat: int, meter: Meter) -> Ticks:
    return meter.steps_per_bar * _step_ticks(ticks_per_beat, meter)


def _changes(signatures: Sequence[tuple[int, int, int]], end_tick: int) -> list[tuple[int, Meter]]:
    """Return (tick, metre) for every change of metre up to `end_tick`, sorted by tick.

    The last signature of a tick counts. 4/4 applies before the first. Raises UserError for an impossible signature.
    """
    known = sorted((signature for signature in signatures if signature[0] <= end_tick), key=lambda s: s[0])
    by_tick = {tick: Meter(beats, beat_type) for tick, beats, beat_type in known}
    return sorted(({0: Meter(*DEFAULT_SIGNATURE)} | by_tick).items())


def _on_steps(ticks_per_beat: int, changes: list[tuple[int, Meter]]) -> list[tuple[Ticks, Meter]]:
    """Return `changes` with each change at the nearest step of the metre before it. The later of two at a step counts.

    A change of metre is meant for a bar line. Programs that convert or record files may write it some ticks beside, and
    the whole grid after it would be so much off the notes.
    """
    placed: list[tuple[Ticks, Meter]] = []
    for tick, meter in changes:
        start: Ticks = tick
        if placed:
            before, step = placed[-1][0], _step_ticks(ticks_per_beat, placed[-1][1])
            # the change before this one may have been moved past it
            start = before + max(0, round((tick - before) / Fraction(step))) * step
            if start == before:
                placed.pop()
        placed.append((start, meter))
    return placed


def _bars(ticks_per_beat: int, changes: list[tuple[Ticks, Meter]], end_tick: int, first_bar: float = 0.0) -> list[_Bar]:
    """Return all bars. Pickups and parts of split bars are placed in the bar to which they belong.

    Raises UserError if there are more than MOST_BARS.
    """
    spans: list[tuple[Ticks, Ticks, Meter]] = []
    ends: list[Ticks | None] = [tick for tick, _ in changes[1:]]
    for (start, meter), end in zip(changes, [*ends, None], strict=True):
        after = BARS_AFTER_END * max(_bar_ticks(ticks_per_beat, meter), _bar_ticks(ticks_per_beat, meter.played))
        last = end if end is not None else max(end_tick, start) + after
        spans.append((start, last, meter))
    total = sum(Fraction(last - start) / _bar_ticks(ticks_per_beat, meter) for start, last, meter in spans)
    if total > MOST_BARS:
        raise UserError(
            f"The file is {math.ceil(total)} bars long, and --clock file counts at most {MOST_BARS}: "
            f"cut it, or use --clock follow."
        )
    cut: list[_Bar] = []
    for i, (tick, last, meter) in enumerate(spans):
        length = _bar_ticks(ticks_per_beat, meter)
        if i == 0:
            upbeat = round(first_bar * meter.steps_per_beat) * _step_ticks(ticks_per_beat, meter) % length
            if 0 < upbeat < last:
                cut.append(_Bar(meter, tick, upbeat, length - upbeat))
                tick = upbeat
        while tick < last:
            until = tick + length if i == len(spans) - 1 else min(tick + length, last)
            cut.append(_Bar(meter, tick, until))
            tick = until
    return _placed(ticks_per_beat, cut)


def _placed(ticks_per_beat: int, cut: list[_Bar]) -> list[_Bar]:
    """Return the bars of `cut`, with every bar of an unusual length placed in the bar to which it belongs.

    Such a bar becomes a pickup, a part of a split bar, or a shortened bar in the metre of its neighbours. A whole bar
    stays as it is if its metre is listed, or if a neighbour bar has the same metre.
    """

    def full(meter: Meter) -> Ticks:
        return _bar_ticks(ticks_per_beat, meter)

    placed: list[_Bar] = []
    i = 0
    while i < len(cut):
        bar = cut[i]
        after = cut[i + 1].meter if i + 1 < len(cut) else bar.meter
        lasts = bar.meter in {after if i + 1 < len(cut) else None, cut[i - 1].meter if i else None}
        as_signed = bar.length == full(bar.meter)
        if not placed:
            if not bar.offset and bar.length < full(after) and not (as_signed and lasts):
                bar = _Bar(after, bar.start, bar.end, full(after) - bar.length)
            placed.append(bar)
            i += 1
            continue
        home = placed[-1].meter
        if home == bar.meter == after and as_signed:
            # nearly every bar: whole, and in the metre of both neighbours
            placed.append(bar)
            i += 1
            continue
        parts = _parts(cut, i, full(home))
        if parts and not all(part.meter.listed and part.length == full(part.meter) == bar.length for part in parts):
            placed += [_Bar(home, part.start, part.end, part.start - bar.start) for part in parts]
            i += len(parts)
            continue
        if bar.length < full(after) and not (as_signed and (lasts or bar.meter.listed)):
            offset = full(after) - bar.length if 2 * bar.length < full(after) else 0
            bar = _Bar(after, bar.start, bar.end, offset)
        placed.append(bar)
        i += 1
    return placed


def _parts(cut: list[_Bar], first: int, full: Ticks) -> list[_Bar]:
    """Return the two or more bars of `cut` from index `first` that are together exactly `full` ticks long.

    Return an empty list if there are none.
    """
    total: Ticks = 0
    for after in range(first, len(cut)):
        total += cut[after].length
        if total >= full:
            return cut[first : after + 1] if total == full and after > first else []
    return []
