"""Runs the engine over a sound file, as fast as the machine can or at the speed of the recording: `lefthand play`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from device.engine import Engine, TimedAction
from device.events import NoteEnded, NoteHeard
from device.files.input_end import Feed, end_input
from device.files.performance import Performance
from device.files.real_time import at_once
from device.files.sound.file import SoundFile
from device.hearing.features import Features, FeatureSpec, Samples
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.hearing.tuning import HALF_CENTS, TuningEstimate, other_reading

SCANNED_S = 60.0
"""Seconds of a sound file from which its tuning is measured. Ten seconds of music are enough; some begin late."""
Progress = Callable[[float], None]
"""A function that is called with the number of seconds of the input that are done."""
_SHORTEST_SENT_S = 0.02
"""Shortest length of a sent note in seconds, so that its end comes after its start."""


class SentNotes:
    """Passes to the hearing the notes that the box is assumed to have sent, each at its time, as in a live run."""

    def __init__(self, notes: Sequence[tuple[int, float, float]]) -> None:
        """`notes` holds (pitch, on, off), with times in seconds of the input."""
        ons = [(on, 1, pitch) for pitch, on, _ in notes]
        offs = [(max(off, on + _SHORTEST_SENT_S), 0, pitch) for pitch, on, off in notes]
        self._messages = sorted(ons + offs)
        self._told = 0

    def tell(self, hearing: Hearing, now_s: float) -> None:
        """Pass to `hearing` the note-ons and note-offs that were due since the last call, up to `now_s` seconds."""
        while self._told < len(self._messages) and self._messages[self._told][0] <= now_s:
            at_s, is_on, pitch = self._messages[self._told]
            if is_on:
                hearing.note_on(pitch, at_s)
            else:
                hearing.note_off(pitch, at_s)
            self._told += 1


class DueActions:
    """Gives recorded `actions` of the owner to `engine`, each before the hop before which the live run gave it."""

    def __init__(self, engine: Engine, performance: Performance, actions: Sequence[TimedAction]) -> None:
        self._engine, self._performance = engine, performance
        self._waiting = deque(sorted(actions, key=lambda taken: taken.hop_s))

    def act(self, now_s: float) -> None:
        """Carry out the actions that are due before the hop that ends at `now_s` stream seconds."""
        while self._waiting and self._waiting[0].hop_s <= now_s:
            taken = self._waiting.popleft()
            self._performance.collect(self._engine.act(taken.action, taken.at_s))


def measured_tuning(sound: SoundFile, spec: FeatureSpec, hearing_at: Callable[[float], Hearing]) -> float:
    """Return the tuning in cents at which to hear `sound`: 0 if it is in tune, or if its tuning is not sure.

    `hearing_at` gets a tuning in cents and returns a hearing that keeps it. If the piano is about half a semitone off,
    the names of the notes decide between flat and sharp. Only the beginning is read, see SCANNED_S. Raises UserError if
    the file is cut short.
    """
    features, estimate = Features(spec), TuningEstimate(spec)
    for hop, _ in _beginning(sound, spec):
        features.step(hop)
        estimate.step(features)
    tuning = estimate.better(0.0) or 0.0
    if abs(abs(tuning) - 50) > HALF_CENTS:
        return tuning
    hearing = hearing_at(tuning)
    events = [event for hop, now_s in _beginning(sound, spec) for event in hearing.step(hop, now_s)]
    other = other_reading(tuning, [event.note.pitch for event in events if isinstance(event, NoteHeard)])
    return tuning if other is None else other


def _beginning(sound: SoundFile, spec: FeatureSpec) -> Iterator[tuple[Samples, float]]:
    hops = Hops(sound.rate, spec.sample_rate, spec.hop)
    for block in sound.blocks():
        yield from hops.push(block)
        if hops.pushed_s > SCANNED_S:
            return


def play_sound(
    engine: Engine,
    sound: SoundFile,
    hops: Hops,
    sent: Sequence[tuple[int, float, float]] = (),
    progress: Progress = lambda _: None,
    wait: Callable[[float], None] = at_once,
    lost: Sequence[int] = (),
    actions: Sequence[TimedAction] = (),
) -> Performance:
    """Run the engine over a sound file, and then over two bars of silence, in which the left hand may end.

    Return the events of the run. With a recording of the box the run ends where no note is open, as the live run did.
    A run that only listens ends there too. `wait` is called before each hop with the hop's time in stream seconds, and
    returns when the hop may be played. `progress` is called with the seconds that are done. `sent` holds (pitch, on,
    off) of the notes that the box sent. `lost` holds the places at which sound was lost, as rising numbers of samples
    of the file. They are told to the hearing before the hop that has the place, as in a live run. `actions` are what
    the owner did in that run.

    Raises ValueError if the engine has no hearing, and UserError if the file is cut short.
    """
    if engine.hearing is None:
        raise ValueError("an engine without hearing cannot play from sound")
    performance = Performance("audio", sound.seconds, hops.hop_s)
    schedule = SentNotes(sent)
    hearing, now_s = engine.hearing, 0.0
    to_tell, due = deque(lost), DueActions(engine, performance, actions)

    def step(hop: Samples | None, at_s: float, midi: Sequence[NoteHeard | NoteEnded] = ()) -> None:
        wait(at_s)
        schedule.tell(hearing, at_s)
        while to_tell and to_tell[0] < round(at_s * sound.rate):
            to_tell.popleft()
            hearing.lost()
        due.act(at_s)
        timed_step(engine, performance, hop, at_s, midi)

    for block in sound.blocks():
        for hop, now_s in hops.push(block):
            step(hop, now_s)
        progress(hops.pushed_s)
    silence = np.zeros(hops.hop, np.float32)
    plays_on = not (sound.is_capture or engine.only_listens)
    end_input(engine, performance, _feeds(hops.flush()), lambda: _feeds(hops.push(silence)), now_s, step, plays_on)
    return performance


def timed_step(
    engine: Engine,
    performance: Performance,
    hop: Samples | None,
    now_s: float,
    midi: Sequence[NoteHeard | NoteEnded] = (),
) -> None:
    """Run the engine over one hop, and collect its events and the time that it took. Arguments as `Engine.step`."""
    began = time.perf_counter()
    come = engine.step(hop, now_s, midi)
    performance.hop_times_s.append(time.perf_counter() - began)
    performance.collect(come)


def _feeds(cut: Sequence[tuple[Samples, float]]) -> list[Feed]:
    return [(hop, now_s, []) for hop, now_s in cut]
