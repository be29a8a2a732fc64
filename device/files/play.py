"""Runs the engine over a file, as fast as the machine can or at the speed of the recording: `lefthand play`."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from device.engine import Engine, TimedAction
from device.events import NoteEnded, NoteHeard
from device.files.input_end import Feed, end_input
from device.files.midi_file import events
from device.files.midi_notes import LONGEST_S, Part
from device.files.performance import Performance
from device.files.real_time import at_once
from device.files.sound_file import SoundFile
from device.hearing.features import Features, FeatureSpec, Samples
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.hearing.tuning import HALF_CENTS, TuningEstimate, other_reading

SCANNED_S = 60.0
"""Seconds of a sound file from which its tuning is measured. Ten seconds of music are enough; some begin late."""
Progress = Callable[[float], None]
"""A function that is called with the number of seconds of the input that are done."""
LONGEST_SILENCE_S = 60.0
"""Seconds. The middle of a longer silence of a MIDI file is passed over: the left hand has stopped long before."""
_STAYS_S = 30.0
"""Seconds that are played at the beginning of a silence that is passed over. This has room for three slow beats."""
_RETURNS_S = 10.0
"""Seconds that are played at the end of a silence that is passed over.

The clock then has steps before the next note.
"""
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
        _timed_step(engine, performance, hop, at_s, midi)

    for block in sound.blocks():
        for hop, now_s in hops.push(block):
            step(hop, now_s)
        progress(hops.pushed_s)
    silence = np.zeros(hops.hop, np.float32)
    plays_on = not (sound.is_capture or engine.only_listens)
    end_input(engine, performance, _feeds(hops.flush()), lambda: _feeds(hops.push(silence)), now_s, step, plays_on)
    return performance


def play_midi(
    engine: Engine,
    part: Part,
    hop_s: float,
    progress: Progress = lambda _: None,
    captured_s: float | None = None,
    wait: Callable[[float], None] = at_once,
    actions: Sequence[TimedAction] = (),
) -> Performance:
    """Run the engine over the notes of a MIDI file, hop by hop, as if they came from a port.

    Return the events of the run. `hop_s` is the length of a hop in seconds. The middle of a silence of more than
    LONGEST_SILENCE_S is passed over, so that it takes no time. The left hand may go on for two bars, as it does when a
    player pauses. `wait` is called before each hop, as in `play_sound`. It also waits through a silence that is passed
    over. Hops in which the engine has nothing to do are left out: a sixteenth has eight of them, and the result is the
    same without them.

    `captured_s` is given if the file is a recording of the box: no silence is passed over then, `actions` are those of
    its owner, and the run ends at `captured_s` seconds, as the live run did. With 0 this time is not known, and the run
    ends two bars after the last note, or at the last action if that is later.
    """
    ends_s = captured_s or max([0.0, *(taken.hop_s for taken in actions)])
    performance = Performance("midi", captured_s or max(part.end_s, ends_s), hop_s)
    told, due = events(part.notes), DueActions(engine, performance, actions)
    sent, hop, now_s, latest_s = 0, 0, 0.0, 0.0

    def over_s() -> float:
        return ends_s if captured_s else max(ends_s, part.end_s + performance.two_bars_s)

    while sent < len(told) or now_s < over_s() - hop_s / 2:
        now_s = hop * hop_s
        hop += 1
        if captured_s and now_s > captured_s:
            # the ends of the keys that were down when the run ended, which came at once
            now_s = _decided_s(told[-1])
        wait(now_s)
        come: list[NoteHeard | NoteEnded] = []
        while sent < len(told) and _decided_s(told[sent]) <= now_s:
            come.append(told[sent])
            sent += 1
        due.act(now_s)
        _timed_step(engine, performance, None, now_s, come)
        progress(min(now_s, performance.input_s))
        if come:
            latest_s = now_s
        next_s = _decided_s(told[sent]) if sent < len(told) else over_s()
        is_long = sent < len(told) and next_s - latest_s > LONGEST_SILENCE_S
        if captured_s is not None:
            continue
        if is_long and now_s - latest_s > _STAYS_S:
            hop = max(hop, int((next_s - _RETURNS_S) / hop_s))
            latest_s = hop * hop_s
            engine.skip(latest_s)
        else:
            busy_s = min(next_s, engine.idle_until_s, latest_s + _STAYS_S if is_long else math.inf)
            hop = max(hop, int(max(busy_s, 0.0) / hop_s))
    performance.collect(engine.finish(now_s))
    performance.close()
    return performance


def captured_end(notes_end_s: float, track_end_s: float, hop_s: float) -> float:
    """Return the time in seconds of the last hop of the run whose keys a capture holds; 0 if it is not known.

    The last note of the file ends at `notes_end_s`, and its track at `track_end_s`. A recording ends the track one hop
    after the last hop. A recording that was cut off, or made by an older version, ends it with the last note.
    """
    is_known = notes_end_s + hop_s / 2 < track_end_s < LONGEST_S
    return round(track_end_s / hop_s - 1) * hop_s if is_known else 0.0


def _feeds(cut: Sequence[tuple[Samples, float]]) -> list[Feed]:
    return [(hop, now_s, []) for hop, now_s in cut]


def _timed_step(
    engine: Engine,
    performance: Performance,
    hop: Samples | None,
    now_s: float,
    midi: Sequence[NoteHeard | NoteEnded] = (),
) -> None:
    began = time.perf_counter()
    come = engine.step(hop, now_s, midi)
    performance.hop_times_s.append(time.perf_counter() - began)
    performance.collect(come)


def _decided_s(event: NoteHeard | NoteEnded) -> float:
    return event.note.decided_s if isinstance(event, NoteHeard) else event.decided_s
