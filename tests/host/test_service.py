"""`lefthand run --wait`: it waits for missing ports, takes returning ports again, and no note hangs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jackserver import jack_server
from rig import GRACE_S, HERE, PATIENCE_S, Ensemble, Instrument, Process, Service, measured, until
from scenes import (
    BEAT_S,
    KEYS,
    SOUND,
    Playing,
    Start,
    let_go_s,
    play_until_down,
    play_until_struck,
    right_hand,
    silenced_before_the_first_note,
    struck,
    until_down,
    until_silent,
)

from tests.pace import in_time

FOOT = KEYS + 'control = "foot out"\n[controls]\narm = "note 20"\n'
BACK_S = 3.0
"""Limit in seconds from the replug to playing."""
SENSED_S = 0.27
"""Longest gap between two Active Sensing messages: one every 200 ms, and the sender checks every 50 ms."""
ENDS_S = 1.0
"""Limit in seconds from SIGTERM to the exit."""
GONE_S = 1.5
"""Limit in seconds until a missing port is reported. The service looks for its ports once a second."""


def test_it_is_ready_without_ports_says_what_it_waits_for_and_plays_once_they_come(
    service: Start, instrument: Callable[..., Instrument]
) -> None:
    box = service(KEYS)
    box.wait_until("waiting", 'waiting for MIDI input "keys out": it is not connected')
    assert 'MIDI output "synth in"' in box.status.message
    until(lambda: "READY=1" in [line for _, line in box.notified], GRACE_S, "READY=1")
    synth = instrument("synth")
    box.wait_until("waiting", 'waiting for MIDI input "keys out"')
    keys = instrument("keys")
    back_s = box.wait_until("playing", "listening to keys out", GRACE_S)
    in_time("ports there to playing", back_s, BACK_S)

    def told() -> bool:
        status = box.status
        in_tempo = status.tempo == pytest.approx(60 / BEAT_S, rel=0.1)
        return bool(status.played and status.chord and status.lock is not None and in_tempo)

    with Playing(keys):
        until(told, PATIENCE_S, lambda: f"both hands, chord, lock and tempo in the status: {box.status}")
    assert silenced_before_the_first_note(synth.received)
    until(lambda: [note.pitch for note in box.status.heard[-2:]] == [76, 79], GRACE_S, "the last notes in the status")
    keys.close()
    synth.close()


def test_sigterm_ends_it_in_silence(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    with Playing(keys):
        until_down(synth)
        began_s = time.monotonic()
        assert box.end(signal.SIGTERM) == 0, box.text
        took_s = time.monotonic() - began_s
    in_time("SIGTERM to exit", took_s, ENDS_S)
    until_silent(synth)
    measured("SIGTERM to silence", let_go_s(synth.received) - began_s)
    until(lambda: "STOPPING=1" in [line for _, line in box.notified], GRACE_S, "STOPPING=1")
    assert not (box.run_dir / "status.json").exists()
    keys.close()
    synth.close()


def test_a_midi_port_that_goes_and_comes_again(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    before = None

    def is_silenced() -> bool:
        return silenced_before_the_first_note(synth.received)

    for round_ in range(3):
        play_until_struck(keys, synth)
        before = before or opened(box)
        until(lambda before=before: opened(box) == before, GRACE_S, f"open files and clients as before: {before}")
        synth.close()
        in_time("MIDI output gone to waiting", box.wait_until("waiting", 'MIDI output "synth in'), GONE_S)
        assert box.status.faults["MIDI output lost"] == round_ + 1
        synth = instrument("synth")
        back_s = box.wait_until("playing", "", GRACE_S)
        in_time("MIDI output there to playing", back_s, BACK_S)
        until(is_silenced, GRACE_S, "silence said")
    # messages due before the loss are not played again: a new count-in comes first
    assert struck(synth.received) == 0
    keys.close()
    synth.close()


def opened(box: Service) -> tuple[int, int | None]:
    """Return the number of open files and of clients of the sound system."""
    status = box.status
    return status.fds, status.clients


def test_a_keyboard_that_goes_leaves_no_note_hanging(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    play_until_down(keys, synth)
    gone_s = time.monotonic()
    keys.close()
    in_time("MIDI input gone to waiting", box.wait_until("waiting", 'MIDI input "keys out'), GONE_S)
    until_silent(synth)
    measured("MIDI input gone to silence", let_go_s(synth.received) - gone_s)
    keys = instrument("keys")
    back_s = box.wait_until("playing", "", GRACE_S)
    in_time("MIDI input there to playing", back_s, BACK_S)
    keys.close()
    synth.close()


def test_a_foot_switch_that_goes_is_only_missed_and_taken_again_when_it_comes(
    service: Start, instrument: Callable[..., Instrument]
) -> None:
    synth, keys, foot = instrument("synth"), instrument("keys"), instrument("foot")
    box = service(FOOT)
    box.wait_until("playing", "listening to keys out")
    play_until_struck(keys, synth)
    before = struck(synth.received)
    foot.close()
    in_time(
        "MIDI control gone to playing without it", box.wait_until("playing", 'without MIDI control "foot out'), GONE_S
    )
    assert box.status.faults["MIDI control lost"] == 1
    play_until_struck(keys, synth, before)
    foot = instrument("foot")
    back_s = until(lambda: "without" not in box.status.message, PATIENCE_S, "the switch is taken again")
    in_time("foot switch there to taken", back_s, BACK_S)
    box.wait_until("playing")
    foot.play([(0.0, "note_on", 20, 100), (0.0, "note_off", 20, 0)])
    until(lambda: box.status.steering is not None and not box.status.steering.armed, GRACE_S, "it is switched off")
    until_silent(synth)
    before = struck(synth.received)
    keys.play(right_hand(8))
    assert struck(synth.received) == before, "it is switched off"
    for process in (foot, keys, synth):
        process.close()


def test_an_input_that_ends_and_comes_again(
    service: Start, instrument: Callable[..., Instrument], begin: Callable[..., Process], right_hand: Path
) -> None:
    synth = instrument("synth")
    tape = begin(str(HERE / "tape.py"), str(right_hand))
    tape.wait_for("ready")
    box = service(SOUND)
    box.wait_until("playing", "listening to tape")
    tape.say("again")
    until_down(synth)
    gone_s = time.monotonic()
    tape.close()
    in_time("JACK client gone to waiting", box.wait_until("waiting", 'waiting for audio input "tape'), GONE_S)
    until_silent(synth)
    measured("JACK client gone to silence", let_go_s(synth.received) - gone_s)
    tape = begin(str(HERE / "tape.py"), str(right_hand))
    tape.wait_for("ready")
    back_s = box.wait_until("playing", "", GRACE_S)
    in_time("JACK client there to playing", back_s, BACK_S)
    tape.close()
    synth.close()


def test_a_server_that_is_killed_and_started_again(tmp_path: Path, right_hand: Path) -> None:
    with jack_server(tmp_path, "again") as server, Ensemble(server.env) as ensemble:
        synth, tape = ensemble.instrument("synth"), ensemble.tape(right_hand)
        box = ensemble.service(SOUND, tmp_path)
        box.wait_until("playing")
        pid, before = box.status.pid, opened(box)
        tape.say("again")
        until(lambda: struck(synth.received), PATIENCE_S, "a note")
        server.kill()
        in_time("JACK server killed to waiting", box.wait_until("waiting", ""), GONE_S)
        # their threads would wait at the new server's semaphores, which have the same names as the old server's
        tape.close()
        synth.close()
        server.start()
        synth, tape = ensemble.instrument("synth"), ensemble.tape(right_hand)
        back_s = box.wait_until("playing", "", GRACE_S)
        in_time("JACK server there to playing", back_s, BACK_S)
        assert box.status.pid == pid
        # both ports are gone, and the one that is missed first ends the session. A busy machine may lose one once more
        assert {"audio input lost", "MIDI output lost"} & box.status.faults.keys(), box.status.faults
        until(lambda: opened(box) == before, GRACE_S, f"open files and clients as before: {before}")
        tape.say("again")
        until(lambda: struck(synth.received), PATIENCE_S, "a note")
        assert silenced_before_the_first_note(synth.received)
        assert box.end(signal.SIGTERM) == 0


def test_a_server_that_is_killed_while_both_hands_are_midi(tmp_path: Path) -> None:
    with jack_server(tmp_path, "midi") as server, Ensemble(server.env) as ensemble:
        dead = [ensemble.instrument(name) for name in ("keys", "synth")]
        box = ensemble.service(KEYS, tmp_path)
        box.wait_until("playing")
        pid = box.status.pid
        server.kill()
        # RtMidi goes on listing the ports of the server that died
        box.wait_until("waiting")
        for instrument in dead:
            # its threads would wait at the new server's semaphores
            instrument.child.kill()
        server.start()
        keys, synth = (ensemble.instrument(name) for name in ("keys", "synth"))
        box.wait_until("playing", "", GRACE_S)
        assert box.status.pid == pid and box.status.faults["MIDI output lost"] >= 1
        play_until_struck(keys, synth)
        assert box.end(signal.SIGTERM) == 0


def test_settings_read_again_take_effect_and_bad_ones_do_not(
    service: Start, instrument: Callable[..., Instrument]
) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    box.settings.write_text(KEYS + "channel = 17\n")
    box.child.send_signal(signal.SIGHUP)
    line = box.wait_for("the settings stay as they were")
    assert "[midi] channel = 17 cannot be used: it must be a whole number from 1 to 16" in line
    assert box.status.state == "playing"
    box.settings.write_text(KEYS + "program = 12\n")
    box.child.send_signal(signal.SIGHUP)
    box.wait_for("the settings are read again")
    until(lambda: "program_change" in [kind for _, kind, _, _ in synth.received], GRACE_S, "the program")
    box.wait_until("playing")
    told = ["READY=1", *["RELOADING=1", "READY=1"] * 2]

    def notified() -> list[str]:
        return [line for _, line in box.notified if line in ("READY=1", "RELOADING=1")]

    until(lambda: len(notified()) >= len(told), GRACE_S, "two reloads")
    assert notified() == told
    keys.close()
    synth.close()


def test_two_ports_of_one_name_are_told_and_not_chosen(service: Start, instrument: Callable[..., Instrument]) -> None:
    ports = [instrument("synth one"), instrument("synth two"), instrument("keys")]
    box = service(KEYS.replace("synth in", "synth"))
    box.wait_until("waiting", 'MIDI output "synth": it could be any of')
    assert "synth one in" in box.status.message and "synth two in" in box.status.message
    ports[1].close()
    in_time("one of two ports gone to playing", box.wait_until("playing", "", GRACE_S), BACK_S)
    for port in ports:
        port.close()


def test_with_settings_that_cannot_be_used_it_waits_and_says_why(service: Start) -> None:
    box = service(KEYS + "channel = 17\n")
    box.wait_until("waiting", "[midi] channel = 17 cannot be used: it must be a whole number from 1 to 16.")


def test_the_watchdog_is_pinged_while_it_waits_and_while_it_plays(
    service: Start, instrument: Callable[..., Instrument]
) -> None:
    box = service(KEYS)
    box.wait_until("waiting")

    def pings() -> int:
        return [line for _, line in box.notified].count("WATCHDOG=1")

    waiting = pings()
    until(lambda: pings() > waiting + 2, GRACE_S, "pings while it waits")
    synth, keys = instrument("synth"), instrument("keys")
    box.wait_until("playing")
    playing = pings()
    until(lambda: pings() > playing + 2, GRACE_S, "pings while it plays")
    keys.close()
    synth.close()


def test_an_instrument_is_told_four_times_a_second_that_the_cable_is_there(
    service: Start, ensemble: Ensemble, instrument: Callable[..., Instrument]
) -> None:
    bare = ensemble.bare()
    synth, keys = instrument("synth", "--sensing"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")

    def sensed() -> list[float]:
        return [at_s for at_s, kind, _, _ in synth.received if kind == "active_sensing"]

    until(lambda: len(sensed()) > 20, PATIENCE_S, "Active Sensing")
    # a busy machine may delay single messages
    gap_s = float(np.percentile(np.diff(sensed()), 90))
    in_time("90 % of the gaps between two Active Sensing messages, at most", gap_s, SENSED_S + bare.slack_s())
    keys.close()
    synth.close()


@pytest.mark.parametrize("kind", ["deep nesting", "pipe"])
def test_a_hostile_calibration_or_settings_file_neither_ends_the_service_nor_holds_it_up(
    kind: str, service: Start, instrument: Callable[..., Instrument], tmp_path: Path
) -> None:
    def put(path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.write_text("a = " * (path.suffix == ".toml") + "[" * 30_000)

    put(tmp_path / "state" / "calibration.json")
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    assert (tmp_path / "state" / "calibration.json.bad").exists() == (kind == "deep nesting")
    pid = box.status.pid
    put(box.settings)
    box.child.send_signal(signal.SIGHUP)
    box.wait_for("the settings stay as they were")
    play_until_struck(keys, synth)
    assert (box.status.state, box.status.pid) == ("playing", pid)
    keys.close()
    synth.close()
