"""Builds the clock that the settings select by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from device.clock.count_in import CountIn
from device.clock.file_clock import FileClock
from device.clock.fixed_clock import FixedClock
from device.clock.given_tempo import GivenTempo
from device.clock.meter import Meter
from device.clock.midi_clock import MidiClock
from device.clock.step import Clock, Step
from device.clock.tempo_map import TempoMap
from device.clock.upbeat import MOST_UPBEAT, beats_to_bar
from device.errors import UserError
from device.following.follow_clock import FollowClock

Mode: TypeAlias = Literal["follow", "fixed", "midi", "file"]
FILE_MODES: tuple[Mode, ...] = ("follow", "fixed", "file")
"""Clock modes that can be used if the input is a file."""
DEFAULT_METER = Meter(4, 4)
MOST_COUNT_IN = 16
"""Largest number of count-in onsets: four bars if each onset is a beat of 4/4."""


class TimedFile(Protocol):
    """Describes what a file clock needs of a MIDI file. `device.files.midi.file.MidiInput` provides it."""

    @property
    def tempo_map(self) -> TempoMap:
        """Converts ticks to seconds and back."""
        ...

    @property
    def signatures(self) -> Sequence[tuple[int, int, int]]:
        """(tick, beats, beat type) of every time signature."""
        ...

    @property
    def first_tick(self) -> int:
        """The tick at which the first note begins."""
        ...

    @property
    def music_tick(self) -> int:
        """The tick at which the first note after a count-in begins."""
        ...

    @property
    def end_tick(self) -> int:
        """The last tick of the file."""
        ...


def make_clock(
    mode: Mode,
    tempo: float | None = None,
    count_in: int | None = None,
    meter: Meter | None = None,
    file: TimedFile | None = None,
    max_drift: float | None = None,
    upbeat: float | None = None,
) -> Clock:
    """Return a new clock: it follows the player, keeps a tempo, follows MIDI clock, or follows a file (see `Mode`).

    `tempo` is in felt beats a minute. `count_in` is the number of onsets that count in. None selects the default of the
    mode; that of `meter` is 4/4, or the signatures of the file in mode "file". Only this mode uses `file`. Only mode
    "follow" uses `max_drift`, the largest share by which the tempo may differ from the count-in's. `upbeat` is the
    length in felt beats of the music before its first bar; None: as the count-in, the notes or the file show.

    Raises UserError if the settings do not fit together or are out of range, or if the file has no usable beats.
    """
    if count_in is not None and not 0 <= count_in <= MOST_COUNT_IN:
        raise UserError(f"A count-in of {count_in} onsets is out of range: give 0 to {MOST_COUNT_IN}.")
    if upbeat is not None and not 0 <= upbeat <= MOST_UPBEAT:
        raise UserError(f"An upbeat of {upbeat:g} beats is out of range: give 0 to {MOST_UPBEAT:g}.")
    if mode == "follow":
        return FollowClock(meter or DEFAULT_METER, count_in, tempo, max_drift, upbeat)
    if mode == "fixed":
        if tempo is None:
            raise UserError("A fixed clock needs a tempo: give it in beats a minute with --tempo.")
        return FixedClock(tempo, meter or DEFAULT_METER, count_in or 0, upbeat)
    if mode == "midi":
        return MidiClock(meter or DEFAULT_METER)
    return _file_clock(file, tempo, count_in or 0, meter, upbeat)


def _file_clock(
    file: TimedFile | None, tempo: float | None, count_in: int, meter: Meter | None, upbeat: float | None
) -> Clock:
    """Return a clock with the beats of `file`. The arguments are those of `make_clock`."""
    if file is None:
        raise UserError("--clock file takes its beats from a .mid input: use --clock follow or fixed for sound.")
    if tempo is not None:
        raise UserError("--clock file takes the tempo from the file: leave out --tempo, or give --clock fixed.")
    tempo_map = file.tempo_map
    signatures = file.signatures if meter is None else ((0, meter.beats, meter.beat_type),)
    first_bar = 0.0
    if upbeat is not None:
        signed = Meter(*signatures[0][1:]) if signatures else DEFAULT_METER
        first_bar = _first_bar(file, signed, count_in, upbeat)
    clock = FileClock.from_map(tempo_map.ticks_per_beat, tempo_map.tempos, signatures, file.end_tick, first_bar)
    return CountedClock(clock, count_in) if count_in else clock


def _first_bar(file: TimedFile, meter: Meter, count_in: int, upbeat: float) -> float:
    """Return the place of a bar line of `file` in felt beats of `meter`, from its start."""
    beat_ticks = float(meter.beat_quarters * max(file.tempo_map.ticks_per_beat, 1))
    if count_in:
        return file.first_tick / beat_ticks + count_in - 1 + beats_to_bar(upbeat)
    return file.music_tick / beat_ticks + upbeat


def warnings_of(clock: Clock, meter: Meter | None) -> list[str]:
    """Return the sentence of `Meter.warning` for each metre that has one, as a list, which may be empty.

    The metres are those of the file if `clock` plays a file, else `meter`.
    """
    if isinstance(clock, CountedClock):
        clock = clock.inner
    if isinstance(clock, FileClock):
        return list(clock.warnings)
    return [meter.warning] if meter is not None and meter.warning is not None else []


class CountedClock(GivenTempo):
    """Gives the steps of a file clock, but none during a count-in.

    Its first step is the first beat after the last onset of the count-in.
    """

    def __init__(self, inner: FileClock, count_in: int) -> None:
        self.inner = inner
        self._wanted = count_in
        self.reset()

    def reset(self) -> None:
        """Forget all heard notes and given steps: see `Clock.reset`."""
        self.inner.reset()
        self.count_in = CountIn(self._wanted)
        """The onsets that count in, as far as they were heard."""
        self._heard_s = 0.0
        self._begun = False

    @property
    def counting_in(self) -> bool:
        """Whether the left hand must not answer the last note: see `Clock.counting_in`."""
        return self.count_in.latest_is_part

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Use the start of a right-hand note: see `Clock.hear`."""
        if self.count_in.hear(onset_s):
            self._heard_s = max(self._heard_s, onset_s)

    def due(self, now_s: float) -> Step | None:
        """Return the next step if it is time to give it, else None: see `Clock.due`."""
        while (step := self.inner.due(now_s)) is not None:
            half_s = step.length_s / 2
            if self._begun or (self.count_in.complete and step.is_beat and step.time_s > self._heard_s + half_s):
                self._begun = True
                self.count_in.close()
                return step
        return None
