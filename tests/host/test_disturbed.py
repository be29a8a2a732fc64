"""Disturbances that do not end the service: it plays on and reports them, and no note hangs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import soundfile
import soxr
from jackserver import jack_server
from rig import GRACE_S, HERE, PATIENCE_S, REPOSITORY, Ensemble, Instrument, Process, measured, until
from scenes import KEYS, SOUND, Start, play_until_struck, struck, until_down, until_silent

from tests.pace import TIMED, in_time

BURST = 20
"""Number of xruns within a second."""
OLD_RATE = 44_100
GIVEN_UP_S = 2.5
"""Limit in seconds. An input without data is given up after one second."""
BACK_S = 3.0
"""Limit in seconds from the return of the input to playing."""
DEMO = REPOSITORY / "demo" / "right-hand.flac"


def test_xruns_are_counted_and_it_plays_on(
    service: Start,
    instrument: Callable[..., Instrument],
    begin: Callable[..., Process],
    right_hand: Path,
) -> None:
    synth = instrument("synth")
    late = begin(str(HERE / "late.py"))
    tape = begin(str(HERE / "tape.py"), str(right_hand))
    for process in (late, tape):
        process.wait_for("ready")
    box = service(SOUND)
    box.wait_until("playing")
    tape.say("again")
    until(lambda: struck(synth.received), PATIENCE_S, "a note")
    for times in (1, BURST):
        before, played = box.status.audio.xruns, struck(synth.received)
        late.say(str(times))
        late.wait_for("done")
        late.text = ""
        until(lambda before=before: box.status.audio.xruns > before, GRACE_S, "an xrun in the status")
        again_s = until(lambda played=played: struck(synth.received) > played, PATIENCE_S, "a note after it")
        measured(
            f"late {times} times in {times / BURST:g} s, counted {box.status.audio.xruns - before}: a note after",
            again_s,
        )
    assert "xrun: the input was not read in time" in box.wait_for("xrun")
    assert box.status.state == "playing" and "audio input lost" not in box.status.faults
    assert box.end(signal.SIGTERM) == 0
    until_silent(synth)
    for process in (late, tape, synth):
        process.close()


def test_a_storm_of_128_notes_is_over_when_it_is_over(service: Start, instrument: Callable[..., Instrument]) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = service(KEYS)
    box.wait_until("playing")
    play_until_struck(keys, synth)
    storm = [(0.0, kind, key, 80) for kind in ("note_on", "note_off") for key in range(128)]
    keys.play(storm)
    play_until_struck(keys, synth, struck(synth.received))
    status = box.status
    assert status.state == "playing"
    if TIMED:
        # a machine that stops the box for a quarter of a second stalls it too
        assert "stalls" not in status.faults
    assert box.end(signal.SIGTERM) == 0
    until_silent(synth)
    keys.close()
    synth.close()


def test_an_input_that_offers_only_44_1_khz_is_played_with(tmp_path: Path) -> None:
    tape_file = tmp_path / "tape.wav"
    sound, rate = soundfile.read(DEMO, dtype="float32", frames=12 * soundfile.info(DEMO).samplerate)
    soundfile.write(tape_file, soxr.resample(sound, rate, OLD_RATE), OLD_RATE, subtype="FLOAT")
    with jack_server(tmp_path, "old", OLD_RATE) as server, Ensemble(server.env) as ensemble:
        synth = ensemble.instrument("synth")
        tape = ensemble.tape(tape_file)
        box = ensemble.service(SOUND, tmp_path)
        box.wait_until("playing")
        assert "does not run at 48000 Hz, and is heard at 44100 Hz" in box.wait_for("44100")
        assert box.status.audio.rate == OLD_RATE
        tape.say("again")
        until(lambda: struck(synth.received), PATIENCE_S, "a note")
        assert box.end(signal.SIGTERM) == 0
        until_silent(synth)


def test_a_sound_system_that_hangs_is_given_up_and_taken_again(tmp_path: Path, right_hand: Path) -> None:
    """A read never returns, and a port takes messages without passing them on."""
    with jack_server(tmp_path, "hangs") as server, Ensemble(server.env) as ensemble:
        synth = ensemble.instrument("synth")
        tape = ensemble.tape(right_hand)
        box = ensemble.service(SOUND, tmp_path)
        box.wait_until("playing")
        pid, before = box.status.pid, box.status.faults
        tape.say("again")
        until_down(synth)
        server.signal(signal.SIGSTOP)
        try:
            in_time("JACK server hangs to waiting", box.wait_until("waiting", "it gives no more sound"), GIVEN_UP_S)
            faults = box.status.faults
            for name in ("stalls", "audio input lost"):
                assert faults.get(name, 0) > before.get(name, 0), faults
        finally:
            server.signal(signal.SIGCONT)
        back_s = box.wait_until("playing", "", GRACE_S)
        in_time("JACK server goes on to playing", back_s, BACK_S)
        assert box.status.pid == pid
        until_silent(synth)
        assert box.end(signal.SIGTERM) == 0
