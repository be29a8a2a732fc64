"""The command line: each error is one sentence that names its cause, with a non-zero exit status."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from device.cli import main
from device.commands import play

RATE = 16_000


def lefthand(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Result, *words: str, exit_code: int = 2) -> None:
    """One line on stderr with all `words`, nothing on stdout."""
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("lefthand: ") and sentence.rstrip()[-1] in ".)"
    assert all(word in sentence for word in words), sentence


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(RATE) * 0.1), RATE)
    return path


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    return midi(tmp_path / "hand.mid", 1)


def midi(path: Path, tracks: int, channel: int = 0) -> Path:
    file = mido.MidiFile()
    for i in range(tracks):
        on = mido.Message("note_on", note=60 + i, velocity=64, channel=channel)
        file.tracks.append(mido.MidiTrack([on, on.copy(velocity=0, time=480)]))
    file.save(path)
    return path


def test_a_missing_file() -> None:
    refused(lefthand("play", "gone.wav"), "gone.wav", "does not exist")
    refused(lefthand("play", "gone.mid"), "gone.mid", "does not exist")
    refused(lefthand("play", "gone.ogg"), "gone.ogg", "does not exist")


@pytest.mark.parametrize("name", ["empty.wav", "empty.flac", "empty.mid"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    refused(lefthand("play", tmp_path / name), name, "is empty")


def test_a_folder(tmp_path: Path) -> None:
    refused(lefthand("play", tmp_path), "is a folder")


@pytest.mark.parametrize(("name", "what"), [("My Song.band", "a GarageBand project"), ("a.logicx", "a Logic project")])
def test_a_folder_that_is_a_project_is_named_with_a_remedy(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / name).mkdir()
    refused(lefthand("play", tmp_path / name), f"is {what}: export its sound")


def test_a_pipe_in_place_of_a_file_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(lefthand("play", "-"), "- names no file: save what comes from the pipe in a file")


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("My Song.mid", "my song.MID"),
        ("caf\u00e9.wav", "cafe\u0301.wav"),
        ("take 1", "take 1.wav"),
        ("take.mid", "take.mid.mid"),
        ("take.flac", "take.wav"),
        ("\u201cmy take.mid\u201d", "my take.mid"),
        ("my\\ take.mid", "my take.mid"),
        ("my%20take.mid ", "my take.mid"),
    ],
)
def test_a_name_that_no_file_has_is_answered_with_the_one_that_is_meant(
    tmp_path: Path, wanted: str, there: str
) -> None:
    for name in (there, "another.mid", "takes.mid"):
        (tmp_path / name).write_bytes(b"x")
    result = lefthand("play", tmp_path / wanted)
    refused(result, f"does not exist: check the name; there is {tmp_path / there}.")


def test_at_most_three_names_are_given_and_the_nearest_come_first(tmp_path: Path) -> None:
    for name in ("take.wav", "TAKE.mid.mid", "take.flac", "take.ogg"):
        (tmp_path / name).write_bytes(b"x")
    names = ("TAKE.mid.mid", "take.flac", "take.ogg")
    there = " or ".join(str(tmp_path / name) for name in names)
    refused(lefthand("play", tmp_path / "take.mid"), f"does not exist: check the name; there is {there}.")
    (tmp_path / "Take.MID").write_bytes(b"x")
    refused(lefthand("play", tmp_path / "take.mid"), f"there is {tmp_path / 'Take.MID'}.")


def test_a_name_with_spaces_without_quotes_is_answered_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my new song.mid").write_bytes(b"x")
    refused(lefthand("play", "my", "new", "song.mid"), "`lefthand play 'my new song.mid'`")
    refused(lefthand("play", "a.mid", "b.mid", "--force"), "a.mid is followed by 1 more word: play one file at a time")
    # as a shell writes *.mid
    many = [f"take {number}.mid" for number in range(50)]
    refused(lefthand("play", *many), "take 0.mid is followed by 49 more words: play one file at a time")


def test_a_file_in_place_of_a_command_is_answered_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "my song.mid").write_bytes(b"x")
    refused(lefthand(tmp_path / "my song.mid"), f"`lefthand play '{tmp_path / 'my song.mid'}'` plays the file.")
    assert "No such command" in lefthand(tmp_path / "gone.mid").stderr
    assert "No such command" in lefthand("x" * 300).stderr


@pytest.mark.parametrize("name", ["a.wav", "a.mid"])
def test_a_file_of_zeros_is_said_to_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(100_000))
    refused(lefthand("play", tmp_path / name), name, "holds nothing but zeros")


@pytest.mark.parametrize("name", ["text.wav", "text.flac", "text.mid"])
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Dear diary, today I practised scales.")
    refused(lefthand("play", tmp_path / name), name, "not a")


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "song.wma").write_bytes(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(40))
    refused(lefthand("play", tmp_path / "song.wma"), "song.wma", ".wav, .flac or .mid")


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_truncated_recording_is_heard_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, RATE), RATE)
    path.write_bytes(path.read_bytes()[:-5_000])
    result = lefthand("play", path, "--listen")
    assert result.exit_code == 0 and path.name in result.stderr and "all 0." in result.stderr


def test_a_truncated_midi_file_is_read_as_far_as_it_goes(hand: Path) -> None:
    whole = hand.read_bytes()
    hand.write_bytes(whole[:-6])
    result = lefthand("play", hand)
    assert result.exit_code == 0 and "1 note read" in result.stdout
    assert "hand.mid has flaws" in result.stderr and "cut short" in result.stderr
    hand.write_bytes(whole[:12])
    refused(lefthand("play", hand, "--force"), "hand.mid", "cut short")


def test_a_sample_rate_that_no_sound_has(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(4_000), 1_000)
    refused(lefthand("play", tmp_path / "slow.wav"), "1000 Hz")


def test_a_midi_file_with_two_tracks_of_notes(tmp_path: Path) -> None:
    refused(lefthand("play", midi(tmp_path / "two.mid", 2)), "two.mid", "--track", "0 (1 note), 1 (1 note)")
    refused(lefthand("play", midi(tmp_path / "two.mid", 2), "--track", "9"), "no track '9'")


@pytest.mark.parametrize("constant", [0.0, 0.5])
@pytest.mark.parametrize(("level", "said"), [(0, "all its samples are the same"), (1e-4, "at -80 dBFS")])
def test_a_silent_sound_is_said_to_be_silent(tmp_path: Path, level: float, said: str, constant: float) -> None:
    soundfile.write(tmp_path / "a.wav", constant + level * np.cos(np.arange(8_000)), 8_000, subtype="FLOAT")
    result = lefthand("play", tmp_path / "a.wav", "--listen")
    assert result.exit_code == 0 and "0 notes heard" in result.stdout
    assert "a.wav is silent (" in result.stderr and said in result.stderr


def test_a_midi_file_of_drums(tmp_path: Path) -> None:
    refused(lefthand("play", midi(tmp_path / "drums.mid", 1, channel=9)), "drums.mid", "channel 10")


def test_a_missing_bundle(tone: Path, hand: Path, tmp_path: Path) -> None:
    refused(lefthand("play", tone, "--bundle", tmp_path / "none"), "none")
    refused(lefthand("play", hand, "--bundle", tmp_path / "none"), "none")


def test_options_that_do_not_fit_the_input(tone: Path, hand: Path) -> None:
    refused(lefthand("play", tone, "--clock", "file"), "--clock file", ".mid")
    refused(lefthand("play", tone, "--track", "1"), "--track")
    refused(lefthand("play", tone, "--channel", "2"), "--channel", "1 channel:")
    refused(lefthand("play", hand, "--channel", "1"), "--channel")
    refused(lefthand("play", hand, "--sent", hand), "--sent")
    refused(lefthand("play", hand, "--clock", "fixed"), "--tempo")
    refused(lefthand("play", hand, "--clock", "file", "--tempo", "90"), "--tempo")


def test_settings_out_of_range(hand: Path) -> None:
    refused(lefthand("play", hand, "--clock", "fixed", "--tempo", "9000"), "9000")
    refused(lefthand("play", hand, "--count-in", "-1"), "-1", "0 to 16")
    refused(lefthand("play", hand, "--meter", "waltz"), "waltz", "3/4")


def test_a_missing_file_of_sent_notes(tone: Path) -> None:
    refused(lefthand("play", tone, "--sent", "gone.mid"), "gone.mid", "does not exist")


@pytest.mark.parametrize("option", ["--midi", "--notes", "--audio", "--plot", "--report"])
def test_an_output_that_cannot_be_written(hand: Path, option: str) -> None:
    refused(lefthand("play", hand, "--listen", option, "/nowhere/at/all"), "/nowhere/at/all", "cannot be written")


def test_without_a_named_output_three_files_are_written_beside_the_input(hand: Path, tmp_path: Path) -> None:
    names = ["hand.both-hands.wav", "hand.left-hand.mid", "hand.mid", "hand.roll.png"]
    result = lefthand("play", hand)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(str(tmp_path / name) in result.stdout.splitlines()[1] for name in names if name != "hand.mid")
    (tmp_path / "hand.roll.png").write_bytes(b"mine")
    refused(lefthand("play", hand), "hand.roll.png", "--force")
    assert (tmp_path / "hand.roll.png").read_bytes() == b"mine"
    assert lefthand("play", hand, "--force").exit_code == 0
    assert (tmp_path / "hand.roll.png").read_bytes() != b"mine"


def test_an_unnamed_output_whose_package_is_missing_is_left_out(
    hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = lefthand("play", hand)
    assert result.exit_code == 0, result.output
    assert "hand.roll.png is left out" in result.stderr and "matplotlib" in result.stderr
    assert "roll.png" not in result.stdout and not (tmp_path / "hand.roll.png").exists()
    assert (tmp_path / "hand.left-hand.mid").exists() and (tmp_path / "hand.both-hands.wav").exists()


def test_two_outputs_of_one_name(hand: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(lefthand("play", hand, "--midi", out, "--notes", out), str(out), "two outputs")
    assert not out.exists()


def test_an_output_over_the_input(hand: Path) -> None:
    refused(lefthand("play", hand, "--listen", "--midi", hand), "hand.mid", "input itself")


@pytest.mark.parametrize(
    ("package", "option", "output"), [("matplotlib", "--plot", "roll.png"), ("tinysoundfont", "--audio", "mix.wav")]
)
def test_a_package_of_an_extra_that_is_not_installed(
    hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, option: str, output: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    refused(lefthand("play", hand, "--listen", option, tmp_path / output), package, "lefthand[play]")


def test_sound_without_soundfile(tone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    refused(lefthand("play", tone), "soundfile", "lefthand[play]")


def test_settings_that_are_missing(tmp_path: Path) -> None:
    refused(lefthand("run", "--config", tmp_path / "none.toml"), "none.toml", exit_code=78)


def test_a_midi_input_is_listened_to_without_a_model(hand: Path, tmp_path: Path) -> None:
    result = lefthand("play", hand, "--listen", "--notes", tmp_path / "notes.csv")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "0.5 s: 1 note read, 0 played."
    assert len((tmp_path / "notes.csv").read_text().splitlines()) == 2


def test_a_metre_that_was_not_learnt_is_played_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "five.mid"
    signature = mido.MetaMessage("time_signature", numerator=5, denominator=4)
    on = mido.Message("note_on", note=60, velocity=64)
    mido.MidiFile(tracks=[mido.MidiTrack([signature, on, on.copy(velocity=0, time=4_800)])]).save(path)
    result = lefthand("play", path, "--listen")
    assert result.exit_code == 0
    assert "5/4" in result.stderr


def test_a_progress_bar_is_shown_where_it_is_asked_for(hand: Path) -> None:
    assert "hand.mid" in lefthand("play", hand, "--listen", "--progress").stderr
    assert lefthand("play", hand, "--listen").stderr == ""


def test_a_run_that_writes_nothing_says_so(hand: Path, tmp_path: Path) -> None:
    assert "Nothing is written: --notes" in lefthand("play", hand, "--listen").stdout
    assert "Nothing is written" not in lefthand("play", hand, "--listen", "--notes", tmp_path / "n.csv").stdout
    assert "Nothing is written" not in lefthand("play", hand, "--midi", tmp_path / "n.mid").stdout


def test_every_output_path_is_an_option_of_play() -> None:
    options = {option for parameter in play.play.params for option in parameter.opts}
    assert {"--midi", "--notes", "--audio", "--plot", "--report", "--clock", "--tempo", "--count-in"} <= options
    assert {"--bundle", "--listen", "--sent", "--track"} <= options


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--split", "H4", "'H4' is not a valid key"),
        ("--seed", "1e3", "'1e3' is not a valid whole number"),
        ("--density", "half", "'half' is not a valid number"),
        ("--density", "nan", "'nan' is not a number"),
    ],
)
def test_an_option_that_is_no_number_is_told_in_plain_words(hand: Path, option: str, value: str, said: str) -> None:
    result = lefthand("play", hand, option, value)
    assert result.exit_code == 2 and said in result.stderr and "range" not in result.stderr


def test_a_style_may_be_written_in_capitals(hand: Path) -> None:
    assert lefthand("play", hand, "--style", "Oom-Pah", "--notes", os.devnull).exit_code == 0
