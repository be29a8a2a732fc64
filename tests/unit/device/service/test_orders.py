"""Orders of the owner: what takes effect in a running session, what begins a new one, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from device.clock.fixed_clock import FixedClock
from device.clock.step import UseClock
from device.errors import ConfigError, UserError
from device.inputs.control_queue import MOST_WAITING, ControlQueue
from device.live.opening import Opened
from device.service import orders as orders_module
from device.service.errands import Errands, Learnt
from device.service.orders import OwnerOrders
from device.settings.changes import Change, read_changes
from device.settings.config import read_config
from device.settings.controls import Arm, Confidence, Controls, CountAgain, Density, PlayNote, Register, Restyle
from device.stream_time import StreamTime

TEXT = """
[audio]
input = "mic"
[midi]
output = "synth"
latency_ms = 20
[clock]
mode = "fixed"
tempo = 100
"""


class Lead:
    def __init__(self) -> None:
        self.lead_s = 0.0

    def lead(self, seconds: float) -> None:
        self.lead_s = seconds


class Session:
    """An open session with one MIDI output, and perhaps a synthesiser."""

    def __init__(self, synth: bool = False) -> None:
        self.controls = ControlQueue(Controls({}))
        self.senders = [Lead(), Lead()] if synth else [Lead()]
        self.opened = cast(
            Opened,
            SimpleNamespace(
                controls=self.controls, senders=self.senders, output="synth [JACK]", synth=object() if synth else None
            ),
        )

    @property
    def asked(self) -> list[Any]:
        return [asked for asked, _ in self.controls.asked(StreamTime(), 0.0)]


class Owner:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "lefthand.toml"
        self.path.write_text(TEXT)
        self.renewed = 0
        self.orders = OwnerOrders(self.path, self._renew)
        self.orders.use(read_config(self.path))

    def _renew(self) -> None:
        self.renewed += 1


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return Owner(tmp_path)


def test_style_density_register_and_confidence_reach_the_running_session_and_are_kept(owner: Owner) -> None:
    session = Session()
    with owner.orders.playing(session.opened):
        owner.orders.change({"play": {"style": "bass", "density": 2.0, "register": -12}, "audio": {"confidence": 0.7}})
        assert session.asked == [Restyle("bass"), Density(2.0), Register(-12), Confidence(0.7)]
    assert owner.renewed == 0
    again = read_config(owner.path)
    assert (again.play.style, again.play.density, again.play.register, again.audio.confidence) == ("bass", 2, -12, 0.7)


def test_a_new_tempo_is_a_new_clock(owner: Owner) -> None:
    session = Session()
    with owner.orders.playing(session.opened):
        owner.orders.change({"clock": {"tempo": 60}})
        (asked,) = session.asked
    assert isinstance(asked, UseClock) and isinstance(asked.clock, FixedClock)
    asked.clock.hear(0.0, 0.0, 60)
    step = asked.clock.due(1.0)
    assert step is not None and step.length_s == 0.25
    assert owner.renewed == 0


def test_a_new_latency_moves_the_senders(owner: Owner) -> None:
    session = Session(synth=True)
    with owner.orders.playing(session.opened):
        assert [sender.lead_s for sender in session.senders] == [0.02, 0.0]
        owner.orders.change({"midi": {"latency_ms": 35.0}, "synth": {"latency_ms": 50.0}})
        assert [sender.lead_s for sender in session.senders] == [0.035, 0.05]
    assert owner.renewed == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"midi": {"output": "other"}},
        {"play": {"split": 60}},
        {"audio": {"channel": 2}},
        {"clock": {"mode": "midi", "tempo": None}, "midi": {"control": "pads"}},
    ],
)
def test_what_needs_other_ports_begins_a_new_session(owner: Owner, wanted: Any) -> None:
    session = Session()
    with owner.orders.playing(session.opened):
        owner.orders.change(wanted)
        assert session.asked == []
    assert owner.renewed == 1


def test_what_is_changed_while_no_session_is_open_reaches_the_next_one(owner: Owner) -> None:
    owner.orders.change({"play": {"style": "bass"}})
    owner.orders.change({"play": {"style": "block", "density": 0.5}})
    session = Session()
    with owner.orders.playing(session.opened):
        assert session.asked == [Restyle("block"), Density(0.5)]
    # a foot switch may have changed the style since, and keeps it
    later = Session()
    with owner.orders.playing(later.opened):
        assert later.asked == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"play": {"style": "polka"}}, '[play] style = "polka" cannot be used'),
        ({"play": {"density": 3}}, "a number from 0.25 to 2.0"),
        ({"dance": {"style": "bass"}}, "dance is not a section"),
        ({"play": {"mood": 1}}, "[play] mood is not a key"),
        ({"clock": {"tempo": None}}, "[clock] tempo is missing"),
        ({"play": {"bundle": "/tmp/x"}}, "is set in"),
        ({"controls": {"arm": "cc 1"}}, "[controls] needs a MIDI port"),
        ({"page": {"code": False}}, "is set in"),
        ({"synth": {"soundfont": "/etc/shadow"}}, "is set in"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_changes(owner: Owner, wanted: Any, words: str) -> None:
    session, before = Session(), owner.orders.config
    with owner.orders.playing(session.opened):
        with pytest.raises(ConfigError) as refused:
            owner.orders.change(wanted)
        assert session.asked == []
    assert words in str(refused.value)
    assert owner.orders.config == before and read_changes(owner.path) == []


def test_a_reset_brings_back_what_the_file_says_at_once(owner: Owner) -> None:
    session = Session()
    with owner.orders.playing(session.opened):
        owner.orders.change({"play": {"style": "bass"}})
        owner.orders.reset()
        assert session.asked == [Restyle("bass"), Restyle("auto")]
    assert read_changes(owner.path) == []


def test_the_settings_name_what_differs_and_what_a_later_edit_has_overtaken(owner: Owner) -> None:
    owner.orders.change({"play": {"style": "bass"}, "midi": {"latency_ms": 35.0}})
    owner.path.write_text(TEXT.replace("latency_ms = 20", "latency_ms = 25"))
    told = owner.orders.settings()
    assert told["values"]["play"]["style"] == "bass"
    (changed,), (overtaken,) = told["changed"], told["overtaken"]
    assert (changed["key"], changed["value"], changed["in_file"]) == ("style", "bass", None)
    assert (overtaken["key"], overtaken["value"], overtaken["in_file"]) == ("latency_ms", 35.0, 25)


def test_actions_go_to_the_session_and_are_refused_without_one(owner: Owner) -> None:
    with pytest.raises(UserError, match="does not play now"):
        owner.orders.act(Arm(False))
    session = Session()
    with owner.orders.playing(session.opened):
        owner.orders.act(Arm(False))
        owner.orders.act(CountAgain())
        assert session.asked == [Arm(False), CountAgain()]
        for _ in range(MOST_WAITING):
            owner.orders.act(Arm())
        for order in (lambda: owner.orders.act(Arm()), lambda: owner.orders.change({"play": {"style": "bass"}})):
            with pytest.raises(UserError, match="too much to do"):
                order()
    assert read_changes(owner.path) == []


def test_where_the_disk_refuses_a_change_it_is_said_whether_it_counts(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(orders_module, "write_changes", full)
    session = Session()
    with owner.orders.playing(session.opened):
        with pytest.raises(UserError, match="counts until the settings are read again.*No space left"):
            owner.orders.change({"play": {"style": "bass"}})
        assert session.asked == [Restyle("bass")]
        # a new session reads the settings from the disk
        with pytest.raises(UserError, match="does not count.*No space left"):
            owner.orders.change({"play": {"split": 60, "style": "block"}})
        assert session.asked == []
    assert owner.renewed == 0
    assert (owner.orders.config.play.style, owner.orders.config.play.split) == ("bass", 55)


def test_a_midi_clock_is_not_counted_in_again(owner: Owner) -> None:
    owner.path.write_text(
        TEXT.replace('mode = "fixed"\ntempo = 100', 'mode = "midi"').replace("[clock]", "control='x'\n[clock]")
    )
    owner.orders.use(read_config(owner.path))
    session = Session()
    with owner.orders.playing(session.opened), pytest.raises(UserError, match="MIDI clock gives the beat"):
        owner.orders.act(CountAgain())


def test_a_change_is_kept_with_the_value_of_the_file(owner: Owner) -> None:
    owner.orders.change({"midi": {"latency_ms": 35.0}})
    assert read_changes(owner.path) == [Change("midi", "latency_ms", 35.0, 20)]


def test_settings_that_cannot_be_used_are_shown_with_the_reason_and_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "lefthand.toml"
    path.write_text("[midi]\nprogram = 5\n")
    renewed: list[bool] = []
    orders = OwnerOrders(path, lambda: renewed.append(True))
    orders.refused("[audio] input is missing")
    shown = orders.settings()
    assert shown["problem"] == "[audio] input is missing" and shown["values"] == {"midi": {"program": 5}}
    with pytest.raises(UserError, match="does not play"):
        orders.act(Arm(True))
    with pytest.raises(ConfigError, match="midi. output is missing"):
        orders.change({"audio": {"input": "mic"}})
    assert not renewed and orders.settings()["problem"]
    orders.change({"audio": {"input": "mic"}, "midi": {"output": "synth"}})
    assert renewed and read_config(path).audio.input == "mic"
    orders.use(read_config(path))
    assert not orders.settings()["problem"]


def test_a_note_goes_to_the_session_that_has_the_port_and_to_a_process_for_any_other(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(orders_module, "try_output", lambda *words: tried.append(words))
    session = Session()
    with owner.orders.playing(session.opened):
        for port in ("", "synth [JACK]", "other"):
            owner.orders.try_output(port)
        assert session.asked == [PlayNote(), PlayNote()] and tried == [("other", 1, 0)]
        session.senders.clear()
        with pytest.raises(UserError, match="plays nothing"):
            owner.orders.try_output("")
    # without a session: the outputs of the settings
    owner.orders.change({"play": {"sound": "both"}, "midi": {"channel": 3, "program": 5}})
    owner.orders.try_output("")
    assert tried[1:] == [("synth", 3, 5), ("lefthand-synth", 3, 5)]


def test_a_box_that_was_never_set_up_tries_a_port_and_does_not_calibrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(orders_module, "try_output", lambda *words: tried.append(words))
    orders = OwnerOrders(tmp_path / "lefthand.toml", lambda: None)
    orders.try_output("piano")
    assert tried == [("piano", 1, 0)]
    for order in (lambda: orders.try_output(""), lambda: orders.calibrate("")):
        with pytest.raises(UserError, match="choose the ports first"):
            order()


class AtOnce(Errands):
    """Learns `switch` at once."""

    def __init__(self, switch: Learnt) -> None:
        super().__init__(Path(), lambda: None)
        self.switch, self.keyboard = switch, ""

    def learn(self, control: str, keyboard: str, learnt: Any) -> None:
        self.keyboard = keyboard
        learnt(self.switch)


@pytest.mark.parametrize(
    ("switch", "kept"),
    [
        (Learnt("Pedal", "cc 80 latching", False), {"controls.tap": "cc 80 latching", "midi.control": "Pedal"}),
        (Learnt("synth", "note 36", True), {"controls.tap": "note 36", "controls.arm": "cc 80"}),
    ],
)
def test_a_switch_that_was_pressed_is_stored_and_means_one_thing(
    owner: Owner, switch: Learnt, kept: dict[str, str]
) -> None:
    owner.path.write_text('[audio]\ninput = "midi"\n[midi]\ninput = "synth"\noutput = "synth"\n')
    errands = AtOnce(switch)
    orders = OwnerOrders(owner.path, lambda: None, errands=errands)
    orders.use(read_config(owner.path))
    orders.change({"controls": {"arm": "cc 80"}})
    orders.learn("tap")
    assert errands.keyboard == "synth"
    assert {f"{change.section}.{change.key}": change.value for change in read_changes(owner.path)} == kept
