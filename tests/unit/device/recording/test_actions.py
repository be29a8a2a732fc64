"""Actions of the owner: a capture keeps each, and `play` of it gives the same left hand as the live run."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path

import mido
import pytest
from click.testing import CliRunner

from device.assemble import engine_of
from device.cli import main
from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import ClockPulse, UseClock
from device.engine import Engine, Steered, TimedAction
from device.errors import UserError
from device.files.midi_run import captured_end
from device.following.follow_clock import FollowClock
from device.inputs.control_queue import Asked
from device.inputs.keyboard import Keys
from device.inputs.source import Feed
from device.live.opening import Opener
from device.live.session import Session
from device.recording import actions_csv
from device.recording.capture import ACTIONS, HOW, Capture, actions_taken
from device.recording.recorder import Recording
from device.recording.tape import Tape
from device.settings.choices import Steering
from device.settings.config import Config, parse_config
from device.settings.controls import (
    Arm,
    Confidence,
    CountAgain,
    Density,
    Fill,
    Finish,
    Hold,
    HoldTempo,
    Panic,
    PlayNote,
    Register,
    Restyle,
    Tap,
    Vary,
)
from tests.kills import HOW as SETTINGS
from tests.messages import Messages, messages, same, strikes
from tests.unit.helpers.patience import patiently
from tests.unit.helpers.plays import BEAT_S, HOP_S, TICKS, melody
from tests.unit.helpers.seams import BLOCK, RATE, Ports, Stage, seams
from tests.unit.helpers.shipped import bundle, demo

SECONDS = 20.0


def told_of(folder: Path, capture: str) -> str:
    """Return the line that `lefthand play` prints about a capture."""
    return CliRunner().invoke(main, ["play", str(folder / capture), "--midi", str(folder.parent / "told.mid")]).stdout


def played_again(folder: Path, capture: str, *more: str, until_s: float = math.inf) -> Messages:
    """Return what `lefthand play` plays to a capture before `until_s` seconds."""
    again = folder.parent / "again.mid"
    ran = CliRunner().invoke(main, ["play", str(folder / capture), "--midi", str(again), *more])
    assert ran.exit_code == 0, ran.output
    return messages(again, until_s)


class CountingEngine:
    """Passes everything to an engine, and counts hops."""

    def __init__(self, engine: Engine) -> None:
        self.inner, self.hops = engine, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def step(self, hop, now_s, midi=()):  # type: ignore[no-untyped-def]
        events = self.inner.step(hop, now_s, midi)
        self.hops += 1
        return events


def live_on_sound(folder: Path, config: Config, engine: Engine, actions: dict[int, Asked]) -> None:
    """Run a session on the demo and record it. The owner asks for each action when its block is the next one."""
    stage, counted = Stage(1, config), CountingEngine(engine)
    with seams(stage):
        opener = Opener(stage.outputs, Ports(), stage.monitor, lambda: None)  # type: ignore[arg-type]
        opened = opener.open(config, counted, BLOCK / RATE, Capture(folder))  # type: ignore[arg-type]
        live = Session(opened)
        live.start()
        for number, block in enumerate(demo(SECONDS).reshape(-1, BLOCK)):
            if number in actions:
                patiently(lambda number=number: counted.hops == number, "the blocks before are heard")  # type: ignore[misc]
                assert opened.controls.ask(actions[number], time.monotonic())
            stage.card.deliver(block)
            if number % 50 == 49:
                patiently(lambda number=number: counted.hops > number, "the blocks are heard")  # type: ignore[misc]
        patiently(lambda: counted.hops > number, "the last block is heard")
        live.check()
        live.close()


SOUND = parse_config(
    f'[audio]\ninput = "mic"\nrate = {RATE}\n[midi]\noutput = "synth"\n[clock]\nmode = "fixed"\ntempo = 100\n',
    "the test",
)
CLOCK = {"mode": "fixed", "tempo": 80.0, "meter": "3/4", "count_in": None, "max_drift": None, "upbeat": None}


def test_a_replay_of_sound_plays_what_the_live_run_played_to_the_actions_of_the_owner(tmp_path: Path) -> None:
    engine = engine_of(SOUND, bundle())
    actions: dict[int, Asked] = {
        130: Restyle("march"), 200: Fill(), 300: Density(2.0), 420: Register(12), 500: Vary(), 560: Arm(False),
        600: Arm(), 640: Hold(True), 700: Hold(), 720: PlayNote(), 760: Confidence(0.8), 820: Panic(),
        900: UseClock(FixedClock(80.0, Meter(3, 4)), CLOCK), 1000: Tap(), 1180: Finish(),
    }  # fmt: skip
    live_on_sound(tmp_path / "take", SOUND, engine, actions)
    sent = messages(tmp_path / "take" / "sent.mid")
    taken = actions_taken(tmp_path / "take" / "capture.wav")
    assert taken is not None
    assert [type(one.action) for one in taken] == [type(action) for action in actions.values()]
    assert len(strikes(sent)) > 25
    assert same(played_again(tmp_path / "take", "capture.wav"), sent)
    told = told_of(tmp_path / "take", "capture.wav")
    assert told.endswith(" The beat is the set tempo. The clock was changed at 14.4 s: the beat is the set tempo.\n")
    # an option takes the place of the owner's own choice in the live run
    other = played_again(tmp_path / "take", "capture.wav", "--style", "pad")
    assert len(strikes(other)) > 10 and not same(other, sent)
    # who only listens plays nothing, and no note that tries the output either
    assert not strikes(played_again(tmp_path / "take", "capture.wav", "--listen"))
    # what captures of older versions give
    (tmp_path / "take" / ACTIONS).unlink()
    assert not same(played_again(tmp_path / "take", "capture.wav"), sent)


def test_a_recording_that_begins_when_the_left_hand_was_stopped_and_steered_before_is_played_so(
    tmp_path: Path,
) -> None:
    engine = engine_of(SOUND, bundle())
    for action in (Restyle("waltz"), Register(-12), Hold(True), Arm(False)):
        engine.act(action, 0.0)
    live_on_sound(tmp_path / "take", SOUND, engine, {500: Arm(True), 600: Hold(False)})
    sent = messages(tmp_path / "take" / "sent.mid")
    assert len(strikes(sent)) > 10
    assert min(strikes(sent)) > 600 * BLOCK / RATE
    assert same(played_again(tmp_path / "take", "capture.wav"), sent)


class Tune:
    """A keyboard on which somebody plays a melody, in hops."""

    rate = None

    def __init__(self) -> None:
        self._keys, self.input_s = Keys(), 0.0
        self._waiting = sorted(
            (tick * BEAT_S / TICKS, mido.Message("note_on", note=pitch, velocity=velocity))
            for start, length, pitch in melody()
            for tick, velocity in ((start + 240, 80), (start + 240 + length, 0))
        )

    def read(self, hop: int) -> list[Feed]:
        now_s = self.input_s = hop * HOP_S
        come = [(message, at_s) for at_s, message in self._waiting if at_s <= now_s]
        del self._waiting[: len(come)]
        return [(None, now_s, self._keys.step(come, now_s))]

    def finish(self) -> list[Feed]:
        return [(None, *self._keys.finish())]

    def silence(self) -> list[Feed]:
        return []


def live_on_keys(
    folder: Path, config: Config, asked: dict[int, list[tuple[Asked, float]]], hops: int = 1099, whole: bool = True
) -> None:
    """Record a run of so many hops on a melody. `asked` holds, by hop, actions and their times in stream seconds.

    If `whole` is False, the recording is cut off at the end.
    """
    engine, source = engine_of(config, bundle()), Tune()
    tape = Tape(config, Capture(folder), HOP_S, service=False)
    tape.begin(None, engine)
    for hop in range(1, hops + 1):
        for nothing, now_s, notes in source.read(hop):
            told = [event for action, at_s in asked.get(hop, ()) for event in engine.act(action, at_s)]
            tape.acted(asked.get(hop, ()), now_s)
            tape.collect(told + engine.step(nothing, now_s, notes), now_s)
    tape.end(engine, source, hops * HOP_S, whole)  # type: ignore[arg-type]


KEYS = parse_config(
    '[audio]\ninput = "midi"\n[midi]\ninput = "piano"\noutput = "synth"\n[clock]\ncount_in = 4\n', "the test"
)


def test_a_replay_of_keys_follows_the_taps_and_the_new_count_in_of_the_live_run(tmp_path: Path) -> None:
    asked: dict[int, list[tuple[Asked, float]]] = {250: [(HoldTempo(), 4.0)], 300: [(Restyle(), 4.8)]}
    for number in range(4):
        at_s = 7.013 + 0.61 * number
        # a tap can have come a little after the end of the hop that it is taken with
        asked[int((at_s - 0.02) / HOP_S) + 1] = [(Tap(), at_s)]
    asked[800] = [(CountAgain(), 12.8)]
    live_on_keys(tmp_path / "take", KEYS, asked)
    sent = messages(tmp_path / "take" / "sent.mid")
    assert len(strikes(sent)) > 5
    assert same(played_again(tmp_path / "take", "capture.mid"), sent)
    (tmp_path / "take" / ACTIONS).unlink()
    assert not same(played_again(tmp_path / "take", "capture.mid"), sent)


@pytest.mark.parametrize("hops", [700, 1099, 2300])
def test_a_replay_of_keys_ends_where_the_live_run_ended(hops: int, tmp_path: Path) -> None:
    # the owner tries the output in the rest after the melody, and the beat goes on to the end
    asked: dict[int, list[tuple[Asked, float]]] = {2200: [(PlayNote(), 35.2)]}
    live_on_keys(tmp_path / "take", KEYS, asked, hops)
    sent = messages(tmp_path / "take" / "sent.mid")
    assert len(strikes(sent)) > 10 and (max(strikes(sent)) > 35) == (hops > 2200)
    assert same(played_again(tmp_path / "take", "capture.mid"), sent)
    report = tmp_path / "report.json"
    played_again(tmp_path / "take", "capture.mid", "--report", str(report))
    told = json.loads(report.read_text())
    assert told["input"]["seconds"] == pytest.approx(hops * HOP_S)
    beats = [line.partition(",")[0] for line in (tmp_path / "take" / "beats.csv").read_text().splitlines()[1:]]
    assert [f"{beat['time_s']:.3f}" for beat in told["beats"]] == beats


def test_a_replay_of_keys_that_were_cut_off_has_the_last_action(tmp_path: Path) -> None:
    asked: dict[int, list[tuple[Asked, float]]] = {2200: [(PlayNote(), 35.2)]}
    live_on_keys(tmp_path / "take", KEYS, asked, hops=2300, whole=False)
    assert max(strikes(played_again(tmp_path / "take", "capture.mid"))) > 35


@pytest.mark.parametrize(
    ("track_end_s", "end_s"),
    [(3.0, 0.0), (3.004, 0.0), (3.016, 3.0), (3.0157, 3.0), (9.6, 9.584), (24 * 3600.0, 0.0), (1e9, 0.0)],
)
def test_the_end_of_a_captured_run_is_one_hop_before_the_end_of_its_track(track_end_s: float, end_s: float) -> None:
    assert captured_end(3.0, track_end_s, 0.016) == pytest.approx(end_s, abs=0.009)


def test_a_run_to_a_midi_clock_is_repeated_with_its_pulses(tmp_path: Path) -> None:
    config = replace(KEYS, clock=replace(KEYS.clock, mode="midi", count_in=None))
    asked: dict[int, list[tuple[Asked, float]]] = {}
    for number in range(24 * 30):
        at_s = 0.5 + number * 0.5 / 24
        pulse: Asked = ClockPulse("start") if number == 0 else ClockPulse("clock")
        asked.setdefault(int(at_s / HOP_S) + 1, []).append((pulse, at_s))
    live_on_keys(tmp_path / "take", config, asked)
    sent = messages(tmp_path / "take" / "sent.mid")
    assert len(strikes(sent)) > 10
    assert same(played_again(tmp_path / "take", "capture.mid"), sent)
    assert not same(played_again(tmp_path / "take", "capture.mid", "--clock", "fixed", "--tempo", "90"), sent)
    # another metre is counted on the same pulses
    three = played_again(tmp_path / "take", "capture.mid", "--meter", "3/4")
    assert len(strikes(three)) > 10 and not same(three, sent)
    for option in (["--tempo", "90"], ["--count-in", "4"], ["--upbeat", "1"]):
        ran = CliRunner().invoke(main, ["play", str(tmp_path / "take" / "capture.mid"), *option])
        assert ran.exit_code == 2 and "MIDI clock, which gives the tempo and the bar: leave out" in ran.output
    (tmp_path / "take" / ACTIONS).unlink()
    ran = CliRunner().invoke(main, ["play", str(tmp_path / "take" / "capture.mid")])
    assert ran.exit_code == 2 and "MIDI clock, which is not in the recording" in ran.output


ALL: list[TimedAction] = [
    TimedAction(round(0.016 * number, 3), 0.016 * number + 0.001, action)
    for number, action in enumerate([
        Arm(), Arm(True), Arm(False), Hold(), Hold(True), HoldTempo(False), Panic(), Tap(), CountAgain(), Fill(),
        Finish(), PlayNote(), Restyle(), Restyle("oom-pah"), Density(), Density(0.25), Register(), Register(-12),
        Vary(), Vary(2), Confidence(0.05), ClockPulse("songpos", 300), ClockPulse("clock"),
    ])
]  # fmt: skip


def test_the_file_gives_each_kind_of_action_again() -> None:
    content = (actions_csv.header() + "".join(map(actions_csv.row, ALL))).encode()
    assert actions_csv.actions_of(content) == ALL
    follow = {"mode": "follow", "tempo": None, "meter": "6/8", "count_in": 2, "max_drift": 0.1, "upbeat": None}
    line = actions_csv.row(TimedAction(1.0, 1.0, UseClock(FollowClock(Meter(6, 8), 2, None, 0.1), follow)))
    (again,) = actions_csv.actions_of((actions_csv.header() + line).encode())
    assert isinstance(again.action, UseClock) and again.action.settings == follow
    assert isinstance(again.action.clock, FollowClock) and again.action.clock.count_in == 2


def test_the_largest_file_holds_four_hours_of_a_midi_clock() -> None:
    longest = actions_csv.row(TimedAction(14399.984000000002, 14399.983712345678, ClockPulse("clock")))
    pulses = 4 * 60 * 120 * 24
    assert pulses * len(longest) < actions_csv.MOST_ACTIONS_BYTES


@pytest.mark.parametrize("cut", [0, 7, 30, 45, 60, 200])
def test_a_file_of_actions_that_is_cut_off_gives_those_before_the_cut(cut: int) -> None:
    content = (actions_csv.header() + "".join(map(actions_csv.row, ALL))).encode()
    left = max(content[:cut].count(b"\n") - 1, 0)
    assert actions_csv.actions_of(content[:cut]) == ALL[:left]
    assert actions_csv.actions_of(content[:cut] + bytes(40)) == ALL[:left]


@pytest.mark.parametrize(
    "line",
    ["1,1,dance,", "1,1,tap,true", "nan,1,tap,", "1,-1,tap,", "1,1e99,tap,", "1,1,style,7", '1,1,style,"jazz"',
     "1,1,density,99", "1,1,register,1.5", "1,1,variation,true", "1,1,arm,1", "1,1,confidence,", "1,1,pulse,[1]",
     '1,1,pulse,["tick",0]', "1,1,clock,{}[", '1,1,clock,"{""mode"": ""fixed""}"', '1,1,clock,"{""dance"": 1}"',
     "1,1,tap", '1,1,tap,"', "1,1,arm," + "[" * 5000, "\xff\x07"],
)  # fmt: skip
def test_a_damaged_file_of_actions_is_told_in_one_sentence(line: str, tmp_path: Path) -> None:
    (tmp_path / HOW).write_text("{}")
    (tmp_path / ACTIONS).write_bytes((actions_csv.header() + line + "\n").encode("latin-1"))
    with pytest.raises(
        UserError, match=r"actions\.csv cannot be read \(line 2 .*\): move it away to play without the actions"
    ) as told:
        actions_taken(tmp_path / "capture.wav")
    assert str(told.value).isprintable()


def test_an_older_capture_has_no_file_of_actions_and_a_new_one_has_an_empty_one(tmp_path: Path) -> None:
    Recording(tmp_path / "take", SETTINGS, RATE, BLOCK / RATE).close()
    assert actions_taken(tmp_path / "take" / "capture.wav") == []
    (tmp_path / "take" / ACTIONS).unlink()
    assert actions_taken(tmp_path / "take" / "capture.wav") is None


def test_the_state_before_a_recording_is_kept_where_it_differs_from_a_new_engine() -> None:
    assert actions_csv.state_at_start(None) == []
    assert actions_csv.state_at_start(Steered(True, False, False, Steering())) == []
    kept = actions_csv.state_at_start(Steered(False, True, False, Steering(), tempo_held=True))
    assert [one.action for one in kept] == [Arm(False), Hold(True), HoldTempo(True)]
