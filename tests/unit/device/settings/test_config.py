"""The settings file is fully documented. An error names the key and its allowed values."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from pathlib import Path

import pytest

from device.errors import ConfigError
from device.settings.config import Config, parse_config, read_config

EXAMPLE = Path(__file__).parents[4] / "docs" / "lefthand.toml"
GOOD = '[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n'
ABSENT = {
    ("clock", "tempo"),
    ("clock", "max_drift"),
    ("clock", "upbeat"),
    ("clock", "count_in"),
    ("midi", "input_channel"),
    ("audio", "tuning"),
} | {(at, "latency_ms") for at in ("audio", "midi", "synth")}
"""Keys whose absence has a meaning that no value has."""


def test_the_documented_example_is_a_valid_settings_file() -> None:
    config = read_config(EXAMPLE)
    assert (config.audio.input, config.midi.output) == ("USB Audio", "USB MIDI")


def test_a_byte_order_mark_before_the_settings_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_config(path) == parse_config(GOOD, "test")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_settings_in_utf_16_without_a_mark_are_named_as_such(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "editor.toml"
    path.write_bytes(GOOD.encode(encoding))
    with pytest.raises(ConfigError, match=r"editor.toml is not in UTF-8 in line 1: save it in UTF-8\.$"):
        read_config(path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"mic"', "\u201cmic\u201d", r"line 2, .*U\+201C \(LEFT DOUBLE QUOTATION MARK\)"),
        ("input = ", "input\u00a0= ", r"line 2, .*U\+00A0 \(NO-BREAK SPACE\)"),
        ("output", "out\u200bput", r"line 4, .*U\+200B \(ZERO WIDTH SPACE\)"),
        ('"synth"', '"synth"\r\ntranspose = \u221212', r"line 5, .*U\+2212 \(MINUS SIGN\)"),
    ],
)
def test_a_character_that_looks_like_another_is_named(old: str, new: str, named: str) -> None:
    with pytest.raises(ConfigError, match=rf"is not valid TOML: .*{named}, which looks like another one"):
        parse_config(GOOD.replace(old, new), "settings")


@pytest.mark.parametrize("wrong", ["mic", "1,5", "\u00fc", "[1", '"a'])
def test_no_other_error_speaks_of_a_character(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"is not valid TOML: [^:]*\.$"):
        parse_config(GOOD.replace('"mic"', wrong), "settings")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_settings_in_utf_16_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes(f"\ufeff{GOOD}".replace("\n", "\r\n").encode(encoding))
    assert read_config(path) == parse_config(GOOD, "test")


def test_settings_in_another_encoding_and_a_folder_are_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('[midi]\noutput = "Höhe"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.toml is not in UTF-8 in line 2: save it in UTF-8\."):
        read_config(path)
    with pytest.raises(ConfigError, match=f"{tmp_path} is a folder: give a TOML file"):
        read_config(tmp_path)


def test_every_key_is_documented_and_no_other() -> None:
    documented = tomllib.loads(_uncommented(EXAMPLE.read_text()))
    known = {f.name: {k.name for k in dataclasses.fields(f.default_factory)} for f in dataclasses.fields(Config)}
    assert {section: set(keys) for section, keys in documented.items()} == known


def test_the_documented_defaults_are_the_ones_used() -> None:
    documented = tomllib.loads(_uncommented(EXAMPLE.read_text()))
    config = parse_config(GOOD, "test")
    for section, keys in documented.items():
        for key, value in keys.items():
            if (section, key) not in ABSENT | {("audio", "input"), ("midi", "output")}:
                assert getattr(getattr(config, section), key) == value, (section, key)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[audio]\ninput = "mic"\nrate = 100\n',
            "[audio] rate = 100 cannot be used: it must be a whole number from 8000",
        ),
        ('[audio]\ninput = "mic"\nrate = "48k"\n', '[audio] rate = "48k" cannot be used'),
        ('[audio]\ninput = "mic"\nblock = 256.5\n', "[audio] block = 256.5 cannot be used"),
        ('[audio]\ninput = "mic"\nchannel = true\n', "[audio] channel = true cannot be used"),
        ("[midi]\nchannel = 17\n", "[midi] channel = 17 cannot be used: it must be a whole number from 1 to 16."),
        ("[midi]\nprogram = 129\n", "from 0 to 128"),
        ("[midi]\ntranspose = -37\n", "from -36 to 36 semitones"),
        ("[midi]\nlatency_ms = 501\n", "from 0 to 500 ms"),
        ("[midi]\nlatency_ms = nan\n", "from 0 to 500 ms"),
        ('[clock]\nmode = "file"\n', '[clock] mode = "file" cannot be used: it must be "follow" or "fixed"'),
        ('[clock]\nmode = "fixed"\n', "[clock] tempo is missing"),
        ("[clock]\ntempo = 1000\n", "from 20 to 400 beats a minute"),
        ('[clock]\nmeter = "4"\n', "[clock] meter"),
        ("[play]\nlisten = 1\n", "[play] listen = 1 cannot be used: it must be true or false"),
        ("[midi]\nchanel = 1\n", "[midi] chanel is not a key: write channel."),
        ("[midy]\n", "midy is not a section: write [midi]."),
        ("[midi]\nvelocity = 1\n", "[midi] velocity is not a key: the keys are output, input, channel"),
        ("[midi]\nGain = 1\n", "[midi] Gain is not a key: gain stands in [synth]."),
        ("[play]\ninput-channel = 1\n", "[play] input-channel is not a key: input_channel stands in [midi]."),
        ("[controls]\nhold-tempo = 'cc 1'\n", "[controls] hold-tempo is not a key: write hold_tempo."),
        ("[controls]\nstyle_oompah = 'cc 1'\n", "[controls] style_oompah is not a key: write style_oom_pah."),
        (f"[play]\n{'k' * 9000} = 1\n", f"[play] {'k' * 60}… is not a key: the keys are bundle"),
        ("[Audio]\n", "Audio is not a section: write [audio]."),
        ('[play]\nbundle = "a\\u0000"\n', '[play] bundle = "a?" cannot be used: it must be a text in quotes'),
        ('[synth]\nsoundfont = "\\u0000"\n', '[synth] soundfont = "?" cannot be used: it must be a text in quotes'),
        ("[pedals]\n", "pedals is not a section: the sections are [audio], [midi], [clock], [play]"),
        (f"[clock]\nmeter = '{'4' * 9000}'\n", f"[clock] meter cannot be used: '{'4' * 60}…' is not a metre"),
        (f"[controls]\narm = '{'c' * 9000}'\n", f'arm cannot be used: "{"c" * 60}…" is not a control'),
        (f"[page]\naddress = '{'a' * 9000}'\n", f'[page] address = "{"a" * 60}…" cannot be used'),
        (
            "channel = 3\n",
            "channel is not a section: channel is a key of [audio] and of [midi], so write it below such a line.",
        ),
        ("[[play]]\nlisten = true\n", "play is not a section: write [play] above its keys."),
        ("[midi\n", "not valid TOML"),
        ('[midi]\noutput = "synth"\n', "[audio] input is missing"),
        ('[audio]\ninput = "mic"\n', "[midi] output is missing"),
        ('[audio]\ninput = "midi"\n[midi]\noutput = "synth"\n', "[midi] input is missing"),
        ('[play]\nsound = "organ"\n', '"midi" or "synth" or "both"'),
        ('[audio]\ninput = "mic"\n[play]\nsound = "both"\n', "[midi] output is missing"),
        ('[synth]\nright_hand = true\n[audio]\ninput = "mic"\n[play]\nsound = "synth"\n', "[synth] right_hand"),
        ('[synth]\nright_hand = true\n[audio]\ninput = "midi"\n[midi]\ninput = "k"\n', "[synth] right_hand"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_it_may_be(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(text, "box.toml")
    assert said in str(error.value)
    assert str(error.value).startswith("box.toml")
    assert error.value.exit_code == 78


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml does not exist: copy docs/lefthand\.toml"):
        read_config(tmp_path / "none.toml")


def test_who_only_listens_needs_no_midi_output() -> None:
    assert parse_config('[audio]\ninput = "mic"\n[play]\nlisten = true\n', "test").midi.output == ""


def test_who_plays_on_the_box_itself_needs_no_midi_output() -> None:
    config = parse_config('[audio]\ninput = "mic"\n[play]\nsound = "synth"\n', "test")
    assert config.plays_synth and not config.plays_midi


def _uncommented(text: str) -> str:
    """The example with its absent keys present."""
    return re.sub(r"^# ([a-z_]+ = .*)$", r"\1", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 30_000,
        "a = " + "{b = " * 10_000,
        "[midi.channel" + ".a" * 20_000 + "]\nb = 1",
        "[midi]\nchannel = " + "[" * 200 + "]" * 200,
        "a = 1" + "0" * 10_000,
    ],
    ids=["arrays", "tables", "a long key", "an array as a value", "a long number"],
)
def test_settings_of_deep_nesting_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_config(text, "lefthand.toml")


def test_settings_that_are_a_pipe_or_endless_are_refused_at_once_and_a_link_is_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    for name in ("pipe.toml", "endless.toml"):
        with pytest.raises(ConfigError, match="it is not a plain file"):
            read_config(tmp_path / name)
    (tmp_path / "real.toml").write_text('[audio]\ninput = "mic"\n[play]\nlisten = true\n')
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert read_config(tmp_path / "link.toml").audio.input == "mic"


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("", frozenset(range(16)) - {9}),
        ("input_channel = 10", {9}),
        ("input_channel = [1, 2]", {0, 1}),
        ('input_channel = "all"', set(range(16))),
    ],
)
def test_the_player_s_channels_are_one_several_or_all(text: str, channels: set[int]) -> None:
    config = parse_config(f'[audio]\ninput = "midi"\n[midi]\ninput = "a"\noutput = "b"\n{text}', "here")
    assert config.midi.input_channels == channels


@pytest.mark.parametrize("value", ["0", "17", "true", "[]", "[1, 99]", "1.5", '"some"', "[true]", "[[1]]"])
def test_a_channel_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"input_channel = .* must be a channel from 1 to 16, several such as"):
        parse_config(f'[audio]\ninput = "midi"\n[midi]\ninput = "a"\noutput = "b"\ninput_channel = {value}', "here")


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_lines_may_end_as_other_systems_end_them(tmp_path: Path, end: str) -> None:
    path = tmp_path / "lefthand.toml"
    path.write_bytes(
        end.join(["# settings", "[audio]", 'input = "mic"', "block = 512", "[play]", "listen = true", ""]).encode()
    )
    assert read_config(path).audio.block == 512


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("input = USB Audio  # the mixer", r'Put quotes around a text, as in input = "USB Audio"\.'),
        ("listen = yes", r"Write true or false, in small letters\."),
        ("listen = True", r"Write true or false, in small letters\."),
        ("density = 0,5 # half", r"Write a number with a point, not with a comma\."),
        ("input: 'mic'", r"Write = between a key and its value\."),
        ('input = "mic";', r"Leave out the semicolon\."),
        ('input = "mic', r"Close the quotes on the same line\."),
        ('input = "a"\ninput = "b"', r"The key stands in its section twice, so leave out one of the two lines\."),
        (r'input = "a\card"', r"Write \\\\ for a backslash\."),
        (r'input = "C:\users"', r"Write \\\\ for a backslash\."),
        ("input = 'mic", r"Close the quotes on the same line\."),
        ("rate = 16 000", r"Write a number without a space or a unit\."),
        ("rate = 44100Hz  # of the card", r"Write a number without a space or a unit\."),
        ("input =  # the mixer", r"Write a value behind the =\."),
        ('input = "mic"\n[audio.input]', r"A key has the name of this section, so leave out one of the two\."),
        ("meter = 4/4", r'Put quotes around a text, as in meter = "4/4"\.'),
        ("; the mixer", r"Write # before a comment\."),
        ("  // the mixer", r"Write # before a comment\."),
        ('input = "mic",  # the mixer', r"Leave out the comma at the end of the line\."),
        ("rate = 48000,", r"Leave out the comma at the end of the line\."),
        ("rate = 048000", r"Write a number without a zero before its first digit\."),
        ("density = .5", r"Write a digit before and after the point of a number, such as 0\.5\."),
        ("density = 2.", r"Write a digit before and after the point of a number, such as 0\.5\."),
        ("[pl\u0430y]", r"Names of keys and sections have only the letters a to z\."),
        ("d\u00e9nsity = 1", r"Names of keys and sections have only the letters a to z\."),
        ("[play] # mine\n[midi] mine", r"Write nothing behind the name of a section but a comment after #\."),
        ("[]", r"Write a section in brackets, such as \[audio\]\."),
        ("[play", r"Write a section in brackets, such as \[audio\]\."),
        ("(play)", r'Write a section such as \[audio\], a key such as input = "midi", or # before a comment\.'),
        ("<<<<<<< HEAD", r'Write a section such as \[audio\], a key such as input = "midi", or # before a comment\.'),
        ("\x1a", r"A character that cannot be seen stands here: delete the line and type it again\."),
        ('input = "\x1b[A"', r"A character that cannot be seen stands here: delete the line and type it again\."),
        ("[midi]\n[audio]", r"The section begins twice, so put all its keys under one of the two lines\."),
    ],
)
def test_a_line_that_is_not_toml_is_refused_with_a_remedy(line: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=rf"is not valid TOML: .*\(at (line .*|end of document)\)\. {remedy}$"):
        parse_config(f"[audio]\n{line}\n", "settings")


def test_a_choice_is_known_whatever_its_capitals_and_spaces_are() -> None:
    text = (
        '[audio]\ninput = " MIDI"\n[midi]\ninput = "Keys"\noutput = "Keys"\ninput_channel = "All"\n'
        '[clock]\nmode = "Follow"\n[play]\nstyle = "Oom Pah"\nsound = "MIDI "\n'
    )
    config = parse_config(text, "settings")
    assert config.audio.is_midi and len(config.midi.input_channels) == 16
    assert (config.clock.mode, config.play.style, config.play.sound) == ("follow", "oom-pah", "midi")
    with pytest.raises(ConfigError, match=r'style = "Polka" cannot be used'):
        parse_config(text.replace("Oom Pah", "Polka"), "settings")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[midi]\nchannel = " + b"9" * 5000, "a number has too many digits"),
        (b"[midi]\nchannel = " + b"9" * 400, r"channel = 9{60}… cannot be used"),
        (b'[midi]\nchannel = "' + b"9" * 400 + b'"', r'channel = "9{59}… cannot be used'),
        (bytes(4096), "ends in zeros, as after a loss of power"),
        (b"[midi]\nchannel = 1\n" + bytes(4096), "ends in zeros, as after a loss of power"),
        (b'[audio]\ninput = "  "\n', r"\[audio\] input is missing"),
        (b'[audio]\ninput = "USB"\n[midi]\noutput = " "\n', r"\[midi\] output is missing"),
        (b'[audio]\ninput = "midi"\n[midi]\ninput = "\\t"\noutput = "USB"\n', r"\[midi\] input is missing"),
    ],
)
def test_odd_content_is_named_in_a_short_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as told:
        read_config(path)
    assert "sys.set_int_max_str_digits" not in str(told.value) and len(str(told.value)) < 400 + len(str(path))


def test_two_byte_order_marks_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "marks.toml"
    path.write_bytes(b"\xef\xbb\xbf" * 2 + b'[audio]\ninput = "USB"\n[midi]\noutput = "USB"\n')
    assert read_config(path).audio.input == "USB"
