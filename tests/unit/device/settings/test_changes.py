"""Settings that are changed on the running box: precedence, later edits of the file, damage, power cuts."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.commands.settings import settings as cli
from device.errors import ConfigError
from device.settings.changes import FILE, Change, added, overlaid, read_changes, write_changes
from device.settings.config import read_config, read_tables
from device.system import durable_files

TEXT = """
[audio]
input = "mic"
[midi]
output = "synth"
[play]
style = "block"
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    path = tmp_path / "lefthand.toml"
    path.write_text(TEXT)
    return path


def test_a_change_takes_precedence_over_the_file(settings: Path) -> None:
    write_changes(settings, [Change("play", "style", "bass", "block"), Change("clock", "tempo", 90.0)])
    config = read_config(settings)
    assert (config.play.style, config.clock.tempo, config.midi.output) == ("bass", 90.0, "synth")


def test_a_later_edit_of_the_same_key_in_the_file_wins_and_other_changes_stay(settings: Path) -> None:
    write_changes(settings, [Change("play", "style", "bass", "block"), Change("clock", "tempo", 90.0)])
    settings.write_text(TEXT.replace("block", "arpeggio"))
    config = read_config(settings)
    assert (config.play.style, config.clock.tempo) == ("arpeggio", 90.0)


def test_a_later_edit_of_a_list_in_the_file_wins(settings: Path) -> None:
    listed = TEXT.replace("[play]", "input_channel = [1, 2]\n[play]")
    settings.write_text(listed)
    write_changes(settings, added([], {"midi": {"input_channel": 3}}, read_tables(settings)))
    assert read_config(settings).midi.input_channel == 3
    settings.write_text(listed.replace("[1, 2]", "[1, 4]"))
    assert read_config(settings).midi.input_channel == [1, 4]
    assert CliRunner().invoke(cli, ["--config", str(settings)]).stdout == (
        f"[midi] input_channel = [1, 4]; {settings} was edited later, so the change to 3 is over\n"
    )


def test_a_list_in_the_file_that_the_settings_cannot_have_is_kept_as_it_was(settings: Path) -> None:
    settings.write_text(TEXT.replace("[play]", "input_channel = [2026-01-01, [1]]\n[play]"))
    write_changes(settings, added([], {"midi": {"input_channel": 3}}, read_tables(settings)))
    assert read_config(settings).midi.input_channel == 3


def test_a_key_of_the_file_can_be_taken_away(settings: Path) -> None:
    write_changes(settings, [Change("play", "style", None, "block")])
    assert read_config(settings).play.style == "auto"


def test_the_changes_of_one_file_are_not_those_of_another(settings: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(TEXT)
    write_changes(settings, [Change("play", "style", "bass", "block")])
    write_changes(other, [Change("play", "style", "sustained", "block")])
    assert read_config(settings).play.style == "bass"
    assert read_config(other).play.style == "sustained"
    write_changes(other, [])
    assert read_config(other).play.style == "block"
    assert read_config(settings).play.style == "bass"


def test_changes_that_cannot_be_used_are_left_out_and_said(settings: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_changes(settings, [Change("play", "style", "polka", "block")])
    with caplog.at_level(logging.WARNING, "lefthand"):
        assert read_config(settings).play.style == "block"
    assert "polka" in caplog.text and "lefthand settings --reset" in caplog.text


def test_changes_can_make_a_file_usable_that_alone_is_not(settings: Path) -> None:
    settings.write_text('[audio]\ninput = "mic"\n')
    write_changes(settings, [Change("midi", "output", "synth")])
    assert read_config(settings).midi.output == "synth"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "files": [1]}'])
def test_a_damaged_file_is_moved_aside(settings: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "state" / FILE
    path.parent.mkdir()
    path.write_text(text)
    assert read_config(settings).play.style == "block"
    assert not path.exists() and path.with_name(f"{FILE}.bad").read_text() == text
    write_changes(settings, [Change("play", "style", "bass", "block")])
    assert read_config(settings).play.style == "bass"


def test_a_change_with_unknown_fields_counts_as_damage(settings: Path, tmp_path: Path) -> None:
    path = tmp_path / "state" / FILE
    path.parent.mkdir()
    path.write_text(json.dumps({"schema": 1, "files": {str(settings): [{"place": 1}]}}))
    assert read_changes(settings) == []
    assert path.with_name(f"{FILE}.bad").exists()


def test_after_a_power_cut_while_writing_the_old_changes_are_there(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [Change("play", "style", "bass", "block")]
    write_changes(settings, old)

    def cut(path: Path, content: bytes, mode: int) -> None:
        path.write_bytes(content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(durable_files, "write", cut)
    with pytest.raises(KeyboardInterrupt):
        write_changes(settings, [Change("play", "style", "sustained", "block")])
    assert read_changes(settings) == old


def test_a_key_that_gets_the_value_of_the_file_is_no_change() -> None:
    tables = {"play": {"style": "block"}}
    changes = added([], {"play": {"style": "bass", "density": 2.0}}, tables)
    assert changes == [Change("play", "style", "bass", "block"), Change("play", "density", 2.0)]
    assert added(changes, {"play": {"style": "block"}}, tables) == [Change("play", "density", 2.0)]


def test_a_change_that_the_file_has_overtaken_is_forgotten_with_the_next_change() -> None:
    changes = [Change("play", "style", "bass", "block")]
    tables = {"play": {"style": "arpeggio"}}
    assert overlaid(tables, changes) == tables
    assert added(changes, {"play": {"density": 2.0}}, tables) == [Change("play", "density", 2.0)]


def stored(settings: Path, *changes: object) -> Path:
    """Write a store by hand, as a program that has become the service's account could."""
    path = settings.parent / "state" / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema": 1, "files": {str(settings): list(changes)}}))
    return path


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("play", "bundle", "/tmp/unsigned"),
        ("synth", "soundfont", "/tmp/large.sf2"),
        ("synth", "device", "hw:0"),
        ("page", "code", False),
    ],
)
def test_a_store_cannot_set_what_only_root_s_file_may_set(
    settings: Path, section: str, key: str, value: str | bool, caplog: pytest.LogCaptureFixture
) -> None:
    plain = read_config(settings)
    path = stored(settings, {"section": section, "key": key, "value": value})
    assert read_config(settings) == plain
    assert "is damaged and is kept as changes.json.bad" in caplog.text and not path.exists()


@pytest.mark.parametrize(
    "odd",
    [
        {"section": [], "key": "style", "value": "bass"},
        {"section": "play", "key": {}, "value": "bass"},
        {"section": "play", "key": "style", "value": ["bass"]},
        {"section": "play", "key": "style", "value": "bass", "was": {}},
        {"section": "midi", "key": "heard", "value": "\ud800"},
        {"section": "midi", "key": "heard", "value": "a\x1b[2J"},
        7,
    ],
    ids=str,
)
def test_a_store_of_odd_types_is_put_aside_and_the_file_counts(settings: Path, odd: object) -> None:
    path = stored(settings, odd)
    assert read_config(settings).play.style == "block"
    assert not path.exists() and path.with_name(f"{FILE}.bad").exists()


def test_a_deeply_nested_store_is_replaced_by_the_next_change(settings: Path) -> None:
    path = stored(settings)
    path.write_text("[" * 60_000)
    write_changes(settings, [Change("play", "style", "bass", "block")])
    assert read_config(settings).play.style == "bass"


def test_a_section_that_is_no_table_is_refused_with_a_sentence_despite_a_change(settings: Path) -> None:
    write_changes(settings, [Change("play", "style", "bass")])
    settings.write_text("play = 3\n")
    with pytest.raises(ConfigError, match="play is not a section"):
        read_config(settings)
