"""Names from outside reach systemd, the journal and a terminal as printable text only."""

from __future__ import annotations

import json
import logging
import re
import socket
from dataclasses import asdict
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.bundles.slots import Slots
from device.cli import main
from device.commands.slot import contents
from device.doctor.finding import broken
from device.errors import UnavailableError, UserError
from device.files.midi.file import read_midi
from device.ports.port import Port, choose
from device.printable import printable
from device.service.journal import PrintableFormatter
from device.service.systemd import Systemd
from device.status.schema import FILE, Status, read_status

EVIL = "piano\nWATCHDOG=trigger\x1b]0;title\x07\x9b31m\u202eforged"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202e]")


@given(st.text())
def test_any_text_becomes_one_printable_line_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and printable(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"], include_characters=" ")))
def test_names_of_every_language_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_line_feeds_are_spaces_and_other_marks_are_shown_as_unprintable() -> None:
    assert printable("a\r\nb\tc") == "a b c"
    assert printable("a\x1b[31mb\x00\udc80") == "a?[31mb??"


def test_an_error_that_quotes_a_name_is_one_printable_line() -> None:
    with pytest.raises(UnavailableError) as refused:
        choose("synth", [Port(EVIL, "JACK", 0)], "MIDI output")
    for said in (str(refused.value), refused.value.waiting, refused.value.why, str(UserError(EVIL))):
        assert "forged" in said and not CONTROL.search(said)


def test_a_port_can_be_named_as_it_is_listed() -> None:
    port = Port(EVIL, "JACK", 0)
    assert choose(str(port), [Port("synth", "JACK", 1), port], "MIDI output") is port


def test_systemd_gets_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify = Systemd()
        notify.status(f"listening to {EVIL}")
        said = manager.recv(4096).decode()
        notify.close()
    assert said.startswith("STATUS=listening to piano WATCHDOG=trigger") and not CONTROL.search(said)


def test_a_log_line_and_a_traceback_are_printable() -> None:
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        record = logging.makeLogRecord(
            {"msg": "playing on %s", "args": (EVIL,), "exc_info": (type(error), error, error.__traceback__)}
        )
    first, *traceback = PrintableFormatter("lefthand: %(message)s").format(record).split("\n")
    assert first.startswith("lefthand: playing on piano WATCHDOG=trigger")
    assert any(line.startswith("  File ") for line in traceback)
    assert not any(CONTROL.search(line) for line in (first, *traceback))


def test_a_status_that_another_program_wrote_is_shown_as_printable_text(tmp_path: Path) -> None:
    status = Status("playing", EVIL, "now", 1, EVIL, chord=EVIL)
    (tmp_path / FILE).write_text(json.dumps(asdict(status)))
    read = read_status(tmp_path)
    assert read is not None
    assert not CONTROL.search(read.message + read.version + str(read.chord))


def test_the_name_of_a_track_is_printable_and_chooses_the_track(tmp_path: Path) -> None:
    on = mido.Message("note_on", note=60, velocity=64)
    name = EVIL.encode("ascii", "replace").decode()
    tracks = [
        mido.MidiTrack([mido.MetaMessage("track_name", name=title), on, on.copy(velocity=0, time=480)])
        for title in (name, "other")
    ]
    mido.MidiFile(tracks=tracks).save(tmp_path / "two.mid")
    source = read_midi(tmp_path / "two.mid")
    assert not CONTROL.search(source.parts[0].name)
    assert source.part(name) is source.part(source.parts[0].name)


def test_the_manifest_of_a_slot_is_listed_as_printable_text(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "manifest.json").write_text(json.dumps({"name": EVIL, "version": 3, "created": [EVIL]}))
    entry = contents(Slots(tmp_path))["slots"][0]
    for key in ("name", "version", "created"):
        assert not CONTROL.search(entry[key])


def test_a_finding_of_the_doctor_is_one_line() -> None:
    assert not CONTROL.search(broken("sound", EVIL, EVIL).line(10))


def test_the_name_of_a_sound_file_is_printable_in_warnings_and_in_what_was_written(tmp_path: Path) -> None:
    tone = 0.3 * np.sin(np.arange(2 * 16_000) * 0.1)
    path = tmp_path / "a\x1b[2Jb\nforged.wav"
    soundfile.write(path, np.stack([tone, -tone], 1), 16_000)
    ran = CliRunner().invoke(main, ["play", str(path)], color=True)
    assert "cancel each other out" in ran.stderr and "Written: " in ran.stdout, ran.output
    assert all(line.isprintable() for line in ran.output.splitlines())
    assert sum("forged" in line for line in ran.output.splitlines()) == 2
