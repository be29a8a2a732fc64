"""`lefthand do` and `lefthand settings`: the words, the requests that they become, and the answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from device.cli import main
from device.commands import settings as settings_module
from device.commands.do import ACTIONS, SETTINGS
from device.control.protocol import DOES, SOCKET
from device.control.server import ControlServer
from device.errors import UserError
from device.settings.changes import Change, Wanted, read_changes, write_changes
from device.settings.controls import Action, Arm, CountAgain, Hold, HoldTempo, Panic, Restyle, Tap
from device.status.moments import Moments

TEXT = '[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n[play]\nstyle = "block"\n'


class Orders:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.acted: list[Action] = []
        self.wanted: list[Wanted] = []

    def act(self, action: Action) -> None:
        self.acted.append(action)

    def change(self, wanted: Wanted) -> None:
        if wanted == {"play": {"style": "polka"}}:
            raise UserError("no such style")
        self.wanted.append(wanted)

    def reset(self) -> None:
        write_changes(self.path, [])

    def settings(self) -> dict[str, Any]:
        return {"file": str(self.path), "changed": list(map(asdict, read_changes(self.path))), "overtaken": []}

    def record(self, on: bool) -> None: ...

    def delete(self, number: str) -> None: ...

    def look(self, name: str) -> dict[str, Any]:
        return {"looked at": name}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    path = tmp_path / "lefthand.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def orders(path: Path, tmp_path: Path) -> Iterator[Orders]:
    made = Orders(path)
    failures: list[Exception] = []
    server = ControlServer(tmp_path / "run", made, Moments(), failures.append)
    yield made
    server.close()
    assert not failures


def ran(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_its_actions_are_those_of_the_socket() -> None:
    assert set(DOES) <= {*ACTIONS, *SETTINGS}


def test_each_action_reaches_the_box(orders: Orders) -> None:
    for words in ("arm", "arm on", "arm off", "hold", "hold off", "hold-tempo on", "panic", "tap", "count-in", "style"):
        result = ran("do", *words.split())
        assert result.exit_code == 0 and not result.output, result.output
    assert orders.acted == [
        Arm(), Arm(True), Arm(False), Hold(), Hold(False), HoldTempo(True), Panic(), Tap(), CountAgain(), Restyle(),
    ]  # fmt: skip


def test_each_setting_reaches_the_box_under_its_name_in_the_file(orders: Orders) -> None:
    for words in ("style bass", "density 0.5", "register -- -12", "confidence 0.7", "tempo 96", "clock fixed"):
        assert ran("do", *words.split()).exit_code == 0, words
    assert ran("do", "tempo", "none").exit_code == 0
    assert ran("do", "latency", "12.5").exit_code == 0
    assert orders.wanted == [
        {"play": {"style": "bass"}},
        {"play": {"density": 0.5}},
        {"play": {"register": -12}},
        {"audio": {"confidence": 0.7}},
        {"clock": {"tempo": 96.0}},
        {"clock": {"mode": "fixed"}},
        {"clock": {"tempo": None}},
        {"midi": {"latency_ms": 12.5}},
    ]
    assert isinstance(orders.wanted[2]["play"]["register"], int)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("tempo", "needs a value"),
        ("tempo fast", "needs a number"),
        ("register 1.5", "needs a whole number"),
        ("panic now", "after panic comes nothing"),
        ("arm maybe", "on, off or nothing"),
        ("style polka", "no such style"),
    ],
)
def test_words_that_do_not_fit_are_refused_with_a_sentence(orders: Orders, words: str, sentence: str) -> None:
    result = ran("do", *words.split())
    assert result.exit_code == 2 and sentence in result.output
    assert not orders.acted and not orders.wanted


def test_without_a_box_it_says_how_to_start_one(path: Path) -> None:
    result = ran("do", "panic")
    assert result.exit_code == 2 and "No box runs here" in result.output


def test_settings_lists_what_differs_and_what_a_later_edit_has_ended(path: Path) -> None:
    assert f"Nothing differs from {path}" in ran("settings", "--config", str(path)).output
    write_changes(path, [Change("play", "style", "bass", "block"), Change("midi", "output", "other", "gone")])
    lines = ran("settings", "--config", str(path)).output.splitlines()
    assert lines == [
        f'[play] style = "bass"; {path} has "block"',
        f'[midi] output = "synth"; {path} was edited later, so the change to "other" is over',
    ]


@pytest.mark.parametrize("line", ["[playing]", "[midi]\noutptu = 'x'", "[play]\nstyle = 'polka'", "[play"])
def test_settings_that_the_box_cannot_use_are_named_and_the_changes_still_listed(path: Path, line: str) -> None:
    path.write_text(line)
    result = ran("settings", "--config", str(path))
    assert result.exit_code == 78 and "Nothing differs" not in result.output
    assert str(path) in result.stderr and len(result.stderr.splitlines()) == 1
    assert ran("settings", "--config", str(path), "--reset").exit_code == 0


def test_changes_that_do_not_fit_the_settings_file_are_said_to_be_left_out(path: Path) -> None:
    write_changes(path, [Change("play", "style", "polka", "block")])
    result = ran("settings", "--config", str(path))
    assert result.exit_code == 78 and result.stdout == f'[play] style = "polka"; {path} has "block"\n'
    assert "The changes are left out: `lefthand settings --reset` removes them." in result.stderr


def test_what_another_program_left_in_the_store_is_shown_as_printable_text(path: Path) -> None:
    write_changes(path, [Change("play", "x\x1b[2J\nforged", "bass", "\x1b[31m")])
    output = ran("settings", "--config", str(path)).output
    assert len(output.splitlines()) == 1 and output[:-1].isprintable()


def test_root_becomes_the_service_s_account_before_it_reads_the_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_changes(path, [Change("play", "style", "bass", "block")])
    read: list[bool] = []
    left: list[None] = []
    monkeypatch.setattr(settings_module, "leave_root", lambda: left.append(None))
    monkeypatch.setattr(settings_module, "read_changes", lambda path: read.append(bool(left)) or [])
    monkeypatch.setattr(settings_module, "write_changes", lambda path, changes: read.append(bool(left)))
    for words in ((), ("--reset",)):
        left.clear()
        assert ran("settings", "--config", str(path), *words).exit_code == 0
    assert read == [True, True, True]


@pytest.mark.parametrize("box", ["runs", "was ended", "was killed"])
def test_reset_says_whether_there_was_a_change(request: pytest.FixtureRequest, path: Path, box: str) -> None:
    if box == "runs":
        request.getfixturevalue("orders")
    if box == "was killed":
        (path.parent / "run").mkdir()
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path.parent / "run" / SOCKET))
    write_changes(path, [Change("play", "style", "bass", "block")])
    said = [ran("settings", "--config", str(path), "--reset") for _ in range(2)]
    assert [result.exit_code for result in said] == [0, 0] and read_changes(path) == []
    assert said[0].output == f"The changes are removed: {path} counts.\n"
    assert said[1].output == f"There were no changes to remove: {path} counts.\n"


def test_without_config_the_settings_file_is_that_of_the_running_box(orders: Orders, path: Path) -> None:
    write_changes(path, [Change("play", "style", "bass", "block")])
    listed = ran("settings")
    assert (listed.exit_code, listed.output) == (0, f'[play] style = "bass"; {path} has "block"\n'), listed.output
    other = path.with_name("other.toml")
    assert str(other) in ran("settings", "--config", str(other), "--reset").output and read_changes(path)
    assert ran("settings", "--reset").output == f"The changes are removed: {path} counts.\n"
    assert read_changes(path) == []
