"""Keys played live give the same notes as a MIDI file of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.events import LONGEST_KEY_S, UNRELEASED_S, NoteEnded, NoteHeard
from device.files.midi.file import events, read_midi
from device.inputs import keyboard
from device.inputs.echoes import Echoes
from device.inputs.keyboard import Keys
from device.ports.port import Port
from device.recording.capture import CaptureSettings
from device.recording.capture_writer import CaptureWriter
from device.recording.folder import CaptureFolder
from device.stream_time import StreamTime

HOP_S = 0.016
HOW = CaptureSettings(clock="fixed", tempo=100.0, meter="4/4", count_in=None, bundle="", hears_itself=True)

played = st.lists(
    st.tuples(st.floats(0, 0.08), st.sampled_from(["note_on", "note_off"]), st.integers(60, 64), st.integers(1, 127)),
    min_size=1,
    max_size=40,
)


def live(gestures: list[tuple[float, str, int, int]]) -> list[list[NoteHeard | NoteEnded]]:
    """The notes that Keys gives, hop by hop."""
    waiting, time_s = [], 0.0
    for gap_s, kind, note, velocity in gestures:
        time_s += gap_s
        waiting.append((mido.Message(kind, note=note, velocity=velocity), time_s))
    keys, told, hop = Keys(), [], 0
    while waiting:
        hop += 1
        now_s = hop * HOP_S
        come = [m for m in waiting if m[1] <= now_s]
        waiting = [m for m in waiting if m[1] > now_s]
        told.append(keys.step(come, now_s))
        for event in told[-1]:
            assert now_s - HOP_S < (event.note if isinstance(event, NoteHeard) else event).decided_s <= now_s
    return [*told, keys.finish()[1]]


@given(played)
def test_a_recording_of_what_was_played_tells_the_same_in_the_same_order(
    gestures: list[tuple[float, str, int, int]],
) -> None:
    hops = live(gestures)
    told = [event for hop in hops for event in hop]
    if not told:
        return
    with TemporaryDirectory() as folder:
        writer = CaptureWriter(CaptureFolder(Path(folder) / "capture"), HOW, None)
        for index, come in enumerate(hops, 1):
            writer.collect(come)
            writer.reached(index * HOP_S)
        writer.end(None)
        again = events(read_midi(Path(folder) / "capture" / "capture.mid").part().notes)
    assert [_plain(event) for event in again] == [_plain(event) for event in told]


def test_drums_and_keys_beyond_the_piano_are_not_heard() -> None:
    drum = mido.Message("note_on", channel=9, note=60)
    low, high = mido.Message("note_on", note=20), mido.Message("note_on", note=109)
    assert Keys().step([(drum, 0.001), (low, 0.002), (high, 0.003)], HOP_S) == []


class _Port:
    """A MIDI input without a driver: the test calls `send`."""

    def __init__(self, port: Port, clock: bool) -> None:
        self.port = port

    def start(self, received: Callable[[mido.Message, float], None]) -> None:
        self.send = received

    def close(self) -> None:
        pass


def test_a_flood_beyond_the_queue_is_counted_and_leaves_no_key_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboard, "InputPort", _Port)
    source = keyboard.KeyboardSource(Port("keys", "ALSA", 0), HOP_S, StreamTime(), Echoes())
    source.start()
    port = cast(Any, source)._input
    began_s = time.monotonic()
    too_many = 1000
    for at in range(keyboard.MOST_MESSAGES + too_many):
        kind = "note_on" if at < keyboard.MOST_MESSAGES else "note_off"
        port.send(mido.Message(kind, note=21 + at % 88, velocity=64), began_s)
    assert source.xruns == too_many
    told = [event for _, _, events in (*source.read(), *source.read()) for event in events]
    heard = [event for event in told if isinstance(event, NoteHeard)]
    ended = [event for event in told if isinstance(event, NoteEnded)]
    assert {event.note.pitch for event in heard} == {event.pitch for event in ended} == set(range(21, 109))
    port.send(mido.Message("note_on", note=60, velocity=64), time.monotonic())
    source.read()
    again = [event for _, _, events in source.read() for event in events]
    assert source.xruns == too_many
    assert not any(isinstance(event, NoteEnded) for event in again)


def test_aftertouch_and_wheels_take_no_place_in_the_queue_of_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboard, "InputPort", _Port)
    through: list[mido.Message] = []
    source = keyboard.KeyboardSource(Port("keys", "ALSA", 0), HOP_S, StreamTime(), Echoes(), through.append)
    source.start()
    port, began_s = cast(Any, source)._input, time.monotonic()
    port.send(mido.Message("note_on", note=60, velocity=64), began_s)
    for at in range(keyboard.MOST_MESSAGES):
        port.send(mido.Message("polytouch", note=60, value=at % 128), began_s)
        port.send(mido.Message("pitchwheel", channel=1, pitch=at), began_s)
    port.send(mido.Message("control_change", control=123), began_s)
    told = [event for _, _, events in (*source.read(), *source.read()) for event in events]
    assert [type(event) for event in told] == [NoteHeard, NoteEnded]
    assert source.xruns == 0 and len(through) == 2 + 2 * keyboard.MOST_MESSAGES


def _plain(event: NoteHeard | NoteEnded) -> tuple[object, ...]:
    if isinstance(event, NoteHeard):
        return ("on", event.note.onset_s, event.note.pitch, event.note.velocity, event.note.decided_s)
    return ("off", event.offset_s, event.pitch, event.onset_s, event.decided_s)


def notes_of(
    messages: list[tuple[mido.Message, float]], end_s: float = 2.0, **more: frozenset[int]
) -> list[list[float]]:
    """Return [pitch, onset, offset] of the notes, to the nearest 10 ms."""
    keys = Keys(**more)
    told = [*keys.step(messages, end_s), *keys.finish()[1]]
    ends = {(e.pitch, e.onset_s): e.offset_s for e in told if isinstance(e, NoteEnded)}
    heard = [e.note for e in told if isinstance(e, NoteHeard)]
    return [[n.pitch, round(n.onset_s, 2), round(ends[n.pitch, n.onset_s], 2)] for n in heard]


def on(key: int, at_s: float, channel: int = 0) -> tuple[mido.Message, float]:
    return mido.Message("note_on", note=key, velocity=70, channel=channel), at_s


def off(key: int, at_s: float, channel: int = 0) -> tuple[mido.Message, float]:
    return mido.Message("note_off", note=key, channel=channel), at_s


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("later_s", [0.0, 0.004, 0.009])
def test_a_layered_keyboard_s_strike_is_one_note_until_both_layers_let_go(channel: int, later_s: float) -> None:
    strikes = [on(60, 0.1), on(60, 0.1 + later_s, channel)]
    assert notes_of([*strikes, off(60, 0.5), off(60, 0.9, channel)]) == [[60, 0.1, 0.9]]


def test_a_release_between_two_strikes_at_one_instant_is_no_end() -> None:
    assert notes_of([on(60, 0.1), off(60, 0.104), on(60, 0.107, 1), off(60, 0.9, 1)]) == [[60, 0.1, 0.9]]


def test_another_voice_on_a_key_that_is_held_does_not_cut_it() -> None:
    assert notes_of([on(60, 0.1), on(60, 0.5, 1), off(60, 0.8, 1), off(60, 1.2)]) == [[60, 0.1, 0.5], [60, 0.5, 1.2]]


def test_a_lost_release_holds_no_key_for_ever() -> None:
    assert notes_of([on(60, 0.1), on(60, 0.5), off(60, 0.8)]) == [[60, 0.1, 0.5], [60, 0.5, 0.8]]


@pytest.mark.parametrize("controller", [120, 123, 124, 125, 126, 127])
def test_a_controller_that_silences_a_channel_ends_its_notes(controller: int) -> None:
    silence = (mido.Message("control_change", control=controller, channel=1), 0.5)
    assert notes_of([on(60, 0.1), on(64, 0.1, 1), silence, off(60, 0.9)]) == [[60, 0.1, 0.9], [64, 0.1, 0.5]]


def test_a_system_reset_ends_every_note() -> None:
    assert notes_of([on(60, 0.1), on(64, 0.1, 1), (mido.Message("reset"), 0.5)]) == [[60, 0.1, 0.5], [64, 0.1, 0.5]]


def test_only_the_chosen_channels_are_the_player() -> None:
    played = [
        message
        for channel in range(16)
        for message in (on(40 + channel, 0.1, channel), off(40 + channel, 0.5, channel))
    ]
    assert [note[0] for note in notes_of(played, channels=frozenset({0, 9}))] == [40, 49]
    assert len(notes_of(played)) == 15 and len(notes_of(played, channels=frozenset(range(16)))) == 16


def test_a_key_whose_release_was_lost_counts_as_released_when_no_string_sounds_any_more() -> None:
    lost = [on(60, 0.1), on(64, 0.1, 1), on(67, 20.0), off(67, 49.0)]
    ended = [[60, 0.1, 0.1 + LONGEST_KEY_S], [64, 0.1, 0.1 + LONGEST_KEY_S], [67, 20.0, 49.0]]
    assert notes_of(lost, 60.0) == ended
    # the limit counts from the last strike, and a release that comes later ends nothing
    again = [on(60, 0.1), on(60, 20.0), off(60, 55.0), on(60, 56.0), off(60, 57.0)]
    assert notes_of(again, 60.0) == [[60, 0.1, 20.0], [60, 20.0, 20.0 + LONGEST_KEY_S], [60, 56.0, 57.0]]


def test_a_key_whose_release_was_lost_ends_at_its_time_in_the_hops_of_a_live_run() -> None:
    keys, told = Keys(), []
    for hop in range(1, 2000):
        come = keys.step([on(60, 0.5)] if hop == 32 else [], hop * HOP_S)
        told += [(hop, event) for event in come if isinstance(event, NoteEnded)]
    ((hop, event),) = told
    assert event.offset_s == pytest.approx(0.5 + LONGEST_KEY_S, abs=0.01)
    assert (hop - 1) * HOP_S < event.decided_s <= hop * HOP_S


def test_a_controller_without_releases_holds_only_its_last_chord() -> None:
    strikes = [on(60 + number % 12, 0.1 + 0.5 * number) for number in range(keyboard.UNRELEASED_STRIKES + 3)]
    strikes += [on(84, strikes[-1][1] + 0.5), on(88, strikes[-1][1] + 0.505)]
    notes = notes_of(strikes, 60.0)
    assert len(notes) == len(strikes)
    after = notes[keyboard.UNRELEASED_STRIKES :]
    for (_, _, end_s), (_, next_s, _) in zip(after[:2], after[1:3], strict=True):
        assert end_s == next_s
    # the strike that shows it ends all keys that were down
    assert max(end_s for _, _, end_s in notes[:-5]) <= after[0][1]
    assert [round(end_s - onset_s, 1) for _, onset_s, end_s in notes[-2:]] == [UNRELEASED_S, UNRELEASED_S]


def test_a_release_shows_that_a_controller_sends_releases_and_other_channels_are_not_touched() -> None:
    many = [on(60 + number, 0.1 + 0.1 * number) for number in range(keyboard.UNRELEASED_STRIKES)]
    held = [on(40, 0.05, 1), *many, off(60, 1.8), on(90, 2.0), off(90, 9.0), off(40, 9.0, 1)]
    notes = {pitch: end_s for pitch, _, end_s in notes_of(held, 10.0)}
    assert notes[61] > 9 and notes[90] == 9.0 and notes[40] == 9.0
    spoilt = {pitch: end_s for pitch, _, end_s in notes_of([*held[:-4], on(90, 2.0), off(40, 9.0, 1)], 10.0)}
    assert spoilt[61] == 2.0 and spoilt[40] == 9.0
