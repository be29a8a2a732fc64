"""Faults at the seams: after each fault no note hangs, later music is heard as usual, and the next session plays."""

from __future__ import annotations

import ast
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.assemble import hearing_of
from device.errors import PortKind, UnavailableError
from device.events import Send
from device.hearing.transcriber import Transcriber
from device.live import opening
from device.live.monitor import open_files
from device.outputs import sender
from device.outputs.send_queue import MOST_WAITING, SendQueue
from device.service.daemon import LOST
from device.settings.sections import DEFAULT_RATE
from device.status.faults import FAULTS as FAULT_NAMES
from device.status.schema import Status
from tests.unit.helpers import seams as seams_module
from tests.unit.helpers.patience import patiently
from tests.unit.helpers.seams import CONFIG, FAULTS, Card, Client, Stage, fault, seams
from tests.unit.helpers.shipped import bundle, demo, hear, notes, share_found

HALF_AN_HOUR_S = 1800.0


@settings(max_examples=5)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(FAULTS), min_size=1, max_size=6))
def test_after_any_faults_in_any_order_no_note_hangs_and_the_next_session_plays(seed: int, kinds: list[str]) -> None:
    stage = Stage(seed)
    with seams(stage):
        threads = threading.active_count()
        for kind in kinds:
            fault(stage, kind)
        patiently(lambda: threading.active_count() == threads, "the end of all threads")
        opened = stage.open()
        stage.play(10)
        opened.check()
        opened.close()
        assert stage.struck_and_let_go(stage.clients[-1])


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_alone(kind: str) -> None:
    stage = Stage(1)
    with seams(stage):
        fault(stage, kind)
        files = open_files()
        for _ in range(2):
            fault(stage, kind)
        assert open_files() == files


def test_long_blocks_of_an_input_that_gets_another_rate_than_the_default_are_no_stall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(2, replace(CONFIG, audio=replace(CONFIG.audio, rate=DEFAULT_RATE, block=2048)))

    def open_at_8_khz(**settings: Any) -> Card:
        if settings["rate"] != 8_000:
            raise OSError(-9997, "Invalid sample rate")
        return Card.open(stage.card, **settings)

    def is_8_khz(rate: float, **_: object) -> bool:
        return rate == 8_000

    stage.card.open = open_at_8_khz  # type: ignore[method-assign]
    stage.card.is_format_supported = is_8_khz  # type: ignore[method-assign]
    with seams(stage):
        monkeypatch.setattr(opening, "STALL_BLOCKS", 4)
        opened = stage.open()
        assert stage.pianist.hearing.limited_to == 8_000
        assert {sender._stall_s for sender in opened._opened.all_senders} == {4 * 2048 / 8_000}
        opened.close()


def test_the_hearing_knows_the_rate_of_the_input_in_a_live_run_too() -> None:
    """An input of 8 kHz holds no high notes, in a file as live."""
    stage = Stage(2)
    with seams(stage):
        opened = stage.open()
        assert stage.pianist.hearing.limited_to == stage.config.audio.rate
        opened.close()


def play_until_a_key_is_down(stage: Stage, client: Client) -> None:
    """Play block after block until `client` has a key that was struck and not released."""

    def is_down() -> bool:
        stage.play(1)
        return not stage.struck_and_let_go(client)

    patiently(is_down, "a key that is down")


def test_a_loop_that_hangs_is_silenced_by_the_sender_while_it_hangs() -> None:
    stage = Stage(3)
    with seams(stage):
        opened = stage.open()
        client = stage.clients[-1]
        play_until_a_key_is_down(stage, client)
        stage.pianist.hangs = over = threading.Event()
        hops = stage.pianist.hops
        stage.card.deliver()
        patiently(lambda: stage.pianist.hops > hops and stage.struck_and_let_go(client), "silence")
        # the loop still hangs in that hop, so the sender released the keys
        assert stage.pianist.hops == hops + 1
        over.set()
        # a busy machine may have stalled it once more
        assert stage.monitor.faults["stalls"] >= 1
        opened.close()


def test_an_input_that_gives_nothing_is_silenced_at_once_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from device.inputs import sound_card

    stage = Stage(3)
    with seams(stage):
        opened = stage.open()
        client = stage.clients[-1]
        play_until_a_key_is_down(stage, client)
        # from now on: while the card plays, a busy machine may stop this thread for longer
        monkeypatch.setattr(sound_card, "DEAF_S", 0.1)
        patiently(lambda: stage.struck_and_let_go(client), "silence")
        patiently(lambda: opened.failure is not None, "giving up")
        with pytest.raises(UnavailableError) as gone:
            opened.check()
        assert gone.value.waiting == 'waiting for audio input "mic": it gives no more sound'
        opened.close()


def test_a_new_session_silences_first_and_replays_nothing() -> None:
    stage = Stage(4)
    with seams(stage):
        opened = stage.open()
        stage.play(20)
        stage.card.active = False
        patiently(lambda: opened.failure is not None)
        opened.close()
        opened = stage.open()
        client = stage.clients[-1]
        patiently(lambda: len(client.got) >= 131)
        opened.close()
        opening = client.got[:131]
        assert [message[:2] for message in opening[:128]] == [[0x80, key] for key in range(128)]
        assert opening[128:] == [[0xB0, 64, 0], [0xB0, 123, 0], [0xB0, 120, 0]]
        assert not [message for message in client.got if message[0] == 0x90]


def test_xruns_twenty_a_second_are_counted_and_shown_and_nothing_else() -> None:
    stage = Stage(5)
    with seams(stage):
        opened = stage.open()
        for _ in range(20):
            stage.card.deliver(status=2)
        patiently(lambda: stage.pianist.hops >= 20)
        opened.check()
        assert stage.monitor.shown()["audio"].xruns == 20
        opened.close()
        assert stage.monitor.shown()["audio"].xruns == 20


def test_what_is_wrong_with_blocks_is_counted() -> None:
    stage = Stage(6)
    with seams(stage):
        opened = stage.open()
        stage.card.deliver(np.full(256, np.nan))
        stage.card.deliver(np.full(256, 1.5))
        # ALSA's null input gives what happens to be in memory
        stage.card.deliver(np.full(256, 1e37))
        stage.play(1)
        level = stage.monitor.shown()["audio"].level_db
        opened.close()
    assert level is not None and level < 4
    counts = stage.monitor.faults.counts()
    assert {what: count for what, count in counts.items() if "blocks" in what} == {
        "blocks that are no numbers": 2,
        "clipped blocks": 1,
    }


def test_hops_in_which_the_models_give_no_number_are_counted_across_sessions() -> None:
    stage = Stage(6)
    with seams(stage):
        for _ in range(2):
            opened = stage.open()
            stage.play(3)
            stage.pianist.no_numbers = 2
            stage.play(5)
            opened.check()
            opened.close()
    assert stage.monitor.faults["not_a_number"] == 4


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_a_posterior_that_is_no_number_is_none_and_is_counted(poison: float) -> None:
    class Poisoned:
        steps = 0

        def step(self, **inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
            self.steps += 1
            posterior = np.full((88, 4), 0.5, np.float32)
            posterior[3, 1] = poison if self.steps in (2, 3) else 0.5
            return {"y": posterior}

        def reset(self) -> None:
            self.steps = 0

    transcriber = Transcriber(Poisoned())
    frame, own = np.zeros((294, 3), np.float32), np.zeros((1, 88, 2), np.float32)
    given = [transcriber.step(frame, own) for _ in range(4)]
    assert [posterior[3, 1] for posterior in given] == [0.5, 0.0, 0.0, 0.5]
    assert all(posterior[4, 1] == 0.5 for posterior in given)
    assert transcriber.not_finite == 2
    transcriber.reset()
    assert transcriber.not_finite == 0


def test_each_fault_that_there_is_is_counted_somewhere_and_no_other() -> None:
    counted: set[object] = set()
    for path in sorted((Path(__file__).parents[4] / "device").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "count":
                on = ast.unparse(node.func.value)
                counted |= {a.value for a in node.args[:1] if isinstance(a, ast.Constant) and on.endswith("faults")}
    assert counted | set(LOST.values()) == set(FAULT_NAMES)


def test_a_port_of_any_kind_that_goes_away_has_its_fault() -> None:
    assert set(LOST) == set(get_args(PortKind))


def test_a_storm_of_notes_is_sent_in_order_and_let_go() -> None:
    outbox = SendQueue()
    outbox.put([Send(0.0, 0.0, "note_on", key, 64) for key in range(128)])
    outbox.put([Send(0.0, 0.0, "note_off", key, 0) for key in range(128)])
    told = []
    while outbox.next_due_s is not None:
        told += [(message.type, message.note) for message in outbox.pop()]
    assert told == [("note_on", key) for key in range(128)] + [("note_off", key) for key in range(128)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 127)), min_size=1, max_size=40), st.integers(1, 400))
def test_the_outbox_stays_bounded_and_no_note_hangs_beyond_its_bounds(
    wanted: list[tuple[bool, int]], times: int
) -> None:
    outbox = SendQueue()
    down: set[int] = set()
    for _ in range(times):
        for on, key in wanted:
            outbox.put([Send(1.0, 0.0, "note_on" if on else "note_off", key, 64)])
    # after the storm every key is released
    outbox.put([Send(2.0, 0.0, "note_off", key, 0) for key in {key for _, key in wanted}])
    assert len(outbox) <= 2 * MOST_WAITING + 128
    while outbox.next_due_s is not None:
        for message in outbox.pop():
            (down.add if message.type == "note_on" else down.discard)(message.note)
    assert not down


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 4.0, 1.0])
def test_sound_that_is_none_poisons_nothing_after_it(poison: float) -> None:
    """Music after half a second of NaN, clipping or DC is heard as usual."""
    spec = bundle().features
    music = demo(8.0)
    bad = np.full(30 * spec.hop, poison, np.float32)
    clean = notes(hear(hearing_of(bundle()), np.concatenate([np.zeros_like(bad), music])))
    told = notes(hear(hearing_of(bundle()), np.concatenate([bad, music])))
    assert clean
    assert share_found(clean, told, 0.02) >= 0.9


def test_a_clock_set_back_an_hour_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # a busy machine may stop the loop for seconds, but not for the greater part of an hour
    monkeypatch.setattr(seams_module, "STALL_S", HALF_AN_HOUR_S)
    monkeypatch.setattr(sender, "TOO_LATE_S", HALF_AN_HOUR_S)
    stage = Stage(7)
    with seams(stage):
        opened = stage.open()
        stage.play(5)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        stage.play(5)
        opened.check()
        shown = Status(state="playing", message="", since="", pid=0, version="", **stage.monitor.shown())
        opened.close()
    assert all(-1 < note.age_s < HALF_AN_HOUR_S for note in shown.heard + shown.played)
    assert stage.struck_and_let_go(stage.clients[-1])
    assert not {"stalls", "late messages"} & set(stage.monitor.faults.counts())


def test_without_real_time_priority_it_plays_on_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("device.live.loop.ask_for_fifo", lambda: False)
    stage = Stage(8)
    with seams(stage):
        for _ in range(2):
            opened = stage.open()
            stage.play(5)
            opened.check()
            opened.close()
    assert caplog.text.count("no real-time priority is permitted here") == 1


def test_hum_under_the_music_is_no_music() -> None:
    spec = bundle().features
    music = demo(8.0)
    t = np.arange(len(music)) / spec.sample_rate
    hum = sum(10 ** (-level / 20) * np.sin(2 * np.pi * 50 * k * t) for k, level in ((1, 35), (2, 45), (3, 50)))
    clean = notes(hear(hearing_of(bundle()), music))
    told = notes(hear(hearing_of(bundle()), (music + hum).astype(np.float32)))
    assert share_found(clean, told, 0.03) >= 0.9
    assert [note for note in notes(hear(hearing_of(bundle()), hum.astype(np.float32))) if note.hand == "right"] == []


def test_ten_minutes_of_silence_are_silent_and_music_after_them_is_heard() -> None:
    spec = bundle().features
    music = demo(8.0)
    hearing = hearing_of(bundle())
    assert hear(hearing, np.zeros(round(600 / spec.hop_s) * spec.hop, np.float32)) == []
    clean, told = notes(hear(hearing_of(bundle()), music)), notes(hear(hearing, music))
    assert [note.pitch for note in told] == [note.pitch for note in clean] != []
