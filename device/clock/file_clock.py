"""A clock that knows the whole grid beforehand: a MIDI file's tempo map and time signatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from device.clock.meter import Meter
from device.clock.step import ClockPulse, Step
from device.clock.tempo_map import TempoMap
from device.errors import UserError

DEFAULT_SIGNATURE = (4, 4)
BARS_AFTER_END = 2
"""The grid goes on this long after the file's end, so that the left hand can come to rest."""


class FileClock:
    """Gives the steps of a known grid, each at its plan time; what is heard changes nothing."""

    def __init__(self, steps: Sequence[Step], warnings: Sequence[str] = ()) -> None:
        self.steps = tuple(steps)
        self.warnings = tuple(warnings)
        """One sentence for each metre that is played by its beats only."""
        self._next = 0

    @classmethod
    def from_map(
        cls,
        ticks_per_beat: int,
        tempos: Sequence[tuple[int, int]],
        signatures: Sequence[tuple[int, int, int]],
        end_tick: int,
    ) -> FileClock:
        """The grid of a MIDI file up to two bars after `end_tick`.

        `tempos` are (tick, microseconds a quarter), `signatures` (tick, beats, beat type), both in any
        order; before the first of each MIDI's own 120 and 4/4 hold. Raises UserError for a file that
        does not count in ticks a quarter.
        """
        if ticks_per_beat <= 0:
            raise UserError("The file counts in SMPTE frames, not in beats: use `--clock follow` or `--clock fixed`.")
        tempo_map = TempoMap(ticks_per_beat, tempos)
        bars = _bars(ticks_per_beat, _changes(signatures), end_tick)
        steps: list[Step] = []
        for bar in bars:
            for position, tick in bar.steps(ticks_per_beat):
                time_s = tempo_map.seconds(tick)
                if steps:
                    length_s = time_s - steps[-1].time_s
                else:
                    length_s = tempo_map.seconds(tick + _step_ticks(ticks_per_beat, bar.meter)) - time_s
                steps.append(Step(len(steps), time_s, length_s, position, bar.meter, 1.0))
        warnings = dict.fromkeys(bar.meter.warning for bar in bars if bar.meter.warning is not None)
        return cls(steps, [warning for warning in warnings if warning is not None])

    @property
    def counting_in(self) -> bool:
        """Never: the file's own beats need none."""
        return False

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Changes nothing: the grid is known."""

    def tap(self, at_s: float) -> None:
        """Changes nothing either."""

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Changes nothing: see `Clock.pulse`."""

    def due(self, now_s: float) -> Step | None:
        """See `Clock.due`."""
        if self._next == len(self.steps) or self.steps[self._next].plan_s > now_s:
            return None
        self._next += 1
        return self.steps[self._next - 1]

    def reset(self) -> None:
        """See `Clock.reset`."""
        self._next = 0


@dataclass(frozen=True)
class _Bar:
    """A bar or a part of one: from tick `start` to `end`, `offset` ticks after the bar's own beginning."""

    meter: Meter
    start: Fraction
    end: Fraction
    offset: Fraction = Fraction(0)

    @property
    def length(self) -> Fraction:
        return self.end - self.start

    def steps(self, ticks_per_beat: int) -> Iterator[tuple[int, Fraction]]:
        """Position in the bar and tick of every step that begins here."""
        step = _step_ticks(ticks_per_beat, self.meter)
        for position in range(self.meter.steps_per_bar):
            tick = self.start - self.offset + position * step
            if self.start <= tick < self.end:
                yield position, tick


def _step_ticks(ticks_per_beat: int, meter: Meter) -> Fraction:
    return meter.step_quarters * ticks_per_beat


def _bar_ticks(ticks_per_beat: int, meter: Meter) -> Fraction:
    return meter.steps_per_bar * _step_ticks(ticks_per_beat, meter)


def _changes(signatures: Sequence[tuple[int, int, int]]) -> list[tuple[int, Meter]]:
    """Signatures by tick, the last of each tick; those before the first are MIDI's 4/4."""
    by_tick = {tick: Meter(beats, beat_type) for tick, beats, beat_type in sorted(signatures, key=lambda s: s[0])}
    return sorted(({0: Meter(*DEFAULT_SIGNATURE)} | by_tick).items())


def _bars(ticks_per_beat: int, changes: list[tuple[int, Meter]], end_tick: int) -> list[_Bar]:
    """All bars, with pickups and the parts of split bars placed in the bar that they belong to."""
    cut: list[_Bar] = []
    ends: list[int | None] = [tick for tick, _ in changes[1:]]
    for (start, meter), end in zip(changes, [*ends, None], strict=True):
        length = _bar_ticks(ticks_per_beat, meter)
        tick = Fraction(start)
        last = Fraction(end) if end is not None else max(Fraction(end_tick), tick) + BARS_AFTER_END * length
        while tick < last:
            until = tick + length if end is None else min(tick + length, last)
            cut.append(_Bar(meter, tick, until))
            tick = until
    return _placed(ticks_per_beat, cut)


def _placed(ticks_per_beat: int, cut: list[_Bar]) -> list[_Bar]:
    """The bars, where one of another length is a pickup, a part of a split bar or a shortened bar of its surroundings.

    A whole bar of a listed metre, or of one that lasts, stays itself.
    """

    def full(meter: Meter) -> Fraction:
        return _bar_ticks(ticks_per_beat, meter)

    placed: list[_Bar] = []
    i = 0
    while i < len(cut):
        bar = cut[i]
        after = cut[i + 1].meter if i + 1 < len(cut) else bar.meter
        lasts = bar.meter in {after if i + 1 < len(cut) else None, cut[i - 1].meter if i else None}
        as_signed = bar.length == full(bar.meter)
        if not placed:
            if bar.length < full(after) and not (as_signed and lasts):
                bar = _Bar(after, bar.start, bar.end, full(after) - bar.length)
            placed.append(bar)
            i += 1
            continue
        home = placed[-1].meter
        parts = _parts(cut[i:], full(home))
        if parts and not all(part.meter.listed and part.length == full(part.meter) == bar.length for part in parts):
            placed += [_Bar(home, part.start, part.end, part.start - bar.start) for part in parts]
            i += len(parts)
            continue
        if bar.length < full(after) and not (as_signed and (lasts or bar.meter.listed)):
            offset = full(after) - bar.length if 2 * bar.length < full(after) else Fraction(0)
            bar = _Bar(after, bar.start, bar.end, offset)
        placed.append(bar)
        i += 1
    return placed


def _parts(cut: list[_Bar], full: Fraction) -> list[_Bar]:
    """The two or more bars at the head of `cut` that make exactly one `full` bar together, or none."""
    total = Fraction(0)
    for count, bar in enumerate(cut, 1):
        total += bar.length
        if total >= full:
            return cut[:count] if total == full and count > 1 else []
    return []
