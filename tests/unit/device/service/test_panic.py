"""`lefthand panic` on simulated ports: the sent messages, and the error if nothing can be sent."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mido
import pytest
from click.testing import CliRunner, Result

from device.cli import main
from device.errors import UserError
from device.service import panic as panic_process
from device.service.panic import BY_HAND_S, CHANNELS, LIMIT_S, silence_all
from device.status.schema import MidiStatus, Status, write_status

PATIENCE_S = 60.0
SETTINGS = """
[audio]
input = "tape"
[midi]
output = "synth"
channel = 3
"""
BOTH = SETTINGS + '[play]\nsound = "both"\n'


class Wire:
    """Stand-in for an RtMidi client."""

    def __init__(self) -> None:
        self.messages: list[mido.Message] = []
        self.closed = False

    def send_message(self, message: list[int]) -> None:
        self.messages.append(mido.Message.from_bytes(message))

    def delete(self) -> None:
        self.closed = True

    @property
    def let_go(self) -> set[tuple[int, int]]:
        return {(m.channel, m.note) for m in self.messages if m.type == "note_off"}


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> dict[str, Wire]:
    """The existing ports. A test may add ports."""
    there = {"synth": Wire(), "lefthand-synth": Wire()}

    def open_output(name: str) -> tuple[Wire, None]:
        if name not in there:
            raise UserError(f'There is no MIDI output "{name}": connect it.')
        return there[name], None

    monkeypatch.setattr(panic_process, "open_output", open_output)
    # long limits, because a busy machine may be slow; the test of the limits restores them
    monkeypatch.setattr(panic_process, "LIMIT_S", PATIENCE_S)
    monkeypatch.setattr(panic_process, "BY_HAND_S", PATIENCE_S)
    return there


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str = SETTINGS) -> Path:
        (tmp_path / "lefthand.toml").write_text(text)
        return tmp_path / "lefthand.toml"

    return write


def panic(path: Path) -> Result:
    return CliRunner().invoke(main, ["panic", "--config", str(path)])


def test_every_key_of_the_channel_is_let_go_then_pedal_and_all(
    wires: dict[str, Wire], settings: Callable[..., Path]
) -> None:
    assert panic(settings()).exit_code == 0
    synth = wires["synth"]
    assert synth.let_go == {(2, key) for key in range(128)}
    controls = {(m.channel, m.control, m.value) for m in synth.messages if m.type == "control_change"}
    assert {(2, 64, 0), (2, 123, 0), (2, 120, 0)} <= controls
    assert synth.closed
    assert wires["lefthand-synth"].messages == []


def test_the_synthesiser_is_silenced_where_it_plays(wires: dict[str, Wire], settings: Callable[..., Path]) -> None:
    assert panic(settings(BOTH)).exit_code == 0
    assert wires["synth"].let_go == wires["lefthand-synth"].let_go != set()


@pytest.mark.parametrize(("port", "others"), [("expander", set()), ("synth", {2})])
def test_the_port_of_the_heard_right_hand_is_silenced_too(
    wires: dict[str, Wire], settings: Callable[..., Path], port: str, others: set[int]
) -> None:
    wires["expander"] = Wire()
    assert panic(settings(SETTINGS + f'heard = "{port}"\nheard_channel = 6\n')).exit_code == 0
    assert wires[port].let_go == {(channel, key) for channel in {5} | others for key in range(128)}
    assert (2, 60) in wires["synth"].let_go


def test_a_port_that_is_gone_is_one_sentence_and_no_failure_of_the_service(
    wires: dict[str, Wire], settings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    del wires["synth"]
    by_hand = panic(settings())
    assert by_hand.exit_code == 2
    (sentence,) = by_hand.stderr.splitlines()
    assert sentence.startswith('lefthand: There is no MIDI output "synth"')
    monkeypatch.setenv("SERVICE_RESULT", "signal")
    in_service = panic(settings())
    assert in_service.exit_code == 0
    assert in_service.stderr == by_hand.stderr


@pytest.mark.parametrize("in_service", [True, False])
def test_a_driver_that_hangs_is_left_behind_within_the_limit(
    wires: dict[str, Wire],
    settings: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_service: bool,
) -> None:
    """A person waits longer than the end of the service does: a JACK server may be slow to open a port."""
    released = threading.Event()

    def hang(name: str) -> tuple[Wire, None]:
        released.wait()
        return wires[name], None

    # waits advance only this clock
    now_s = [100.0]

    class Thread(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            assert timeout is not None, "it waits for ever"
            now_s[0] += timeout

    monkeypatch.setattr(panic_process, "open_output", hang)
    monkeypatch.setattr(panic_process, "LIMIT_S", LIMIT_S)
    monkeypatch.setattr(panic_process, "BY_HAND_S", BY_HAND_S)
    if in_service:
        monkeypatch.setenv("SERVICE_RESULT", "signal")
    monkeypatch.setattr(panic_process, "time", SimpleNamespace(monotonic=lambda: now_s[0], sleep=lambda seconds: None))
    monkeypatch.setattr(panic_process, "threading", SimpleNamespace(Thread=Thread))
    assert panic_process.main(settings(BOTH)) == (0 if in_service else 2)
    released.set()
    limit_s = 0.8 if in_service else 5.0
    assert now_s[0] - 100.0 == pytest.approx(limit_s), "two ports that hang have no more time than one"
    sentences = capsys.readouterr().err.splitlines()
    assert [sentence.split('"')[1] for sentence in sentences] == ["synth", "lefthand-synth"]
    assert all("takes no messages" in sentence for sentence in sentences)


def test_settings_that_cannot_be_read_silence_what_the_box_had_open(
    wires: dict[str, Wire], settings: Callable[..., Path], tmp_path: Path
) -> None:
    status = Status("playing", "", "", 1, "1", midi=MidiStatus(output="synth"))
    write_status(tmp_path, status)
    (sentence,) = silence_all(settings("[midi]\nchannel = 99\n"), tmp_path)
    assert "channel" in sentence and "1 to 16" in sentence
    assert wires["synth"].let_go == {(0, key) for key in range(128)}
    controls = {(m.channel, m.control) for m in wires["synth"].messages if m.type == "control_change"}
    assert controls == {(channel, number) for channel in range(CHANNELS) for number in (64, 120, 123)}


def test_without_settings_and_without_a_status_it_says_so_and_ends(tmp_path: Path, wires: dict[str, Wire]) -> None:
    (sentence,) = silence_all(tmp_path / "none.toml", tmp_path)
    assert "none.toml does not exist" in sentence
    assert all(not wire.messages for wire in wires.values())


def test_a_right_hand_that_sounds_in_the_synthesiser_is_silenced_too(wires: dict[str, Wire], tmp_path: Path) -> None:
    settings = '[audio]\ninput = "midi"\n[midi]\ninput = "keys"\n[play]\nsound = "synth"\n[synth]\nright_hand = true\n'
    (tmp_path / "box.toml").write_text(settings)
    assert silence_all(tmp_path / "box.toml", tmp_path) == []
    sent = wires["lefthand-synth"].messages
    assert {m.control for m in sent if m.type == "control_change" and m.channel == 1} == {64, 120, 123}
    assert {m.channel for m in sent if m.type == "note_off"} == {0}


def test_the_silencing_process_loads_no_slow_package() -> None:
    """Until it has loaded its modules, the keys go on sounding: numpy, mido and click would double that time."""
    code = "import sys, device.service.panic; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "device" in loaded
    assert not loaded & {"numpy", "mido", "click"}
