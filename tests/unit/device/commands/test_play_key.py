"""`lefthand play --key`, `--split`, `--seed` and `--variation` refuse what they cannot use."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
import pytest

from device.commands.options import KeyOfPiano
from device.commands.play_request import checked_key
from device.errors import UserError
from device.recording.capture import how_captured
from device.recording.tape import how_of
from device.settings.config import parse_config


def test_a_key_is_taken_and_no_other_word() -> None:
    assert checked_key("F major") == "F major"
    assert [checked_key(key) for key in ("f minor", "BB MAJOR", " c# Minor")] == ["F minor", "Bb major", "C# minor"]
    assert [checked_key(key) for key in ("Cb major", "E♭  minor", "f♯ major")] == ["Cb major", "Eb minor", "F# major"]
    given = ("Fm", "F# min", "B flat maj", "f-minor", "C-sharp minor", "bb minor", "bm")
    wanted = ["F minor", "F# minor", "Bb major", "F minor", "C# minor", "Bb minor", "B minor"]
    assert [checked_key(key) for key in given] == wanted
    assert [checked_key(key) for key in ("F", "Bb", "C sharp")] == ["F major", "Bb major", "C# major"]
    assert checked_key("") == ""
    assert checked_key(None) is None
    for word in ("F dur", "H major", "C## major", "f", "b", "major", "A moll", "FM", "Fminor7"):
        with pytest.raises(UserError, match="C# minor"):
            checked_key(word)


def test_the_key_that_splits_the_hands_has_a_number_or_a_name() -> None:
    taken = KeyOfPiano()
    named = {"G3": 55, "c4": 60, "F#3": 54, "Bb2": 46, "C-1": 0, "G9": 127, "55": 55, "0": 0}
    assert {key: taken.convert(key, None, None) for key in named} == named
    for word in ("H3", "G", "A9", "C#b4", "128", "5.5", ""):
        with pytest.raises(click.BadParameter):
            taken.convert(word, None, None)


def test_a_capture_keeps_key_seed_and_variation(tmp_path: Path) -> None:
    ports = '[audio]\ninput = "midi"\n[midi]\ninput = "keys"\noutput = "synth"\n'
    config = parse_config(ports + '[play]\nkey = "A minor"\nseed = 9\nvariation = 2\n', "it")
    (tmp_path / "capture.json").write_text(json.dumps(dataclasses.asdict(how_of(config))))
    (tmp_path / "capture.mid").write_bytes(b"")
    how = how_captured(tmp_path / "capture.mid")
    assert how is not None
    assert (how.steering["key"], how.steering["seed"], how.steering["variation"]) == ("A minor", 9, 2)
