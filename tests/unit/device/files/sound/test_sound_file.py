"""Sound files: what holds sound is read to its end as mono samples, all else is refused in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.input_present import check_present
from device.files.sound.file import SoundFile

RATE = 44_100


def tone(seconds: float = 0.5) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def saved(path: Path, samples: np.ndarray | None = None, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, tone() if samples is None else samples, RATE, subtype=subtype)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_whole_file_is_read_in_blocks_of_any_size(tmp_path: Path, suffix: str) -> None:
    sound = SoundFile(saved(tmp_path / f"a{suffix}"))
    assert (sound.rate, sound.frames, sound.seconds) == (RATE, RATE // 2, 0.5)
    assert np.allclose(sound.read(), tone(), atol=1e-4)
    assert np.array_equal(np.concatenate(list(sound.blocks(777))), sound.read())


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_file_that_ends_before_its_header_says_is_read_to_its_end(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 2 * RATE).astype(np.float32)
    path = saved(tmp_path / f"a{suffix}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    sound = SoundFile(path)
    assert kept * 2 * RATE - 3 * 4096 <= sound.frames <= kept * 2 * RATE + 100
    assert np.allclose(sound.read(), noise[: sound.frames], atol=1e-4)
    (warning,) = sound.warnings
    assert str(path) in warning and f"all {sound.seconds:.1f} s" in warning


def test_a_wav_cut_inside_its_header_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav")
    for kept in (9, 20, 40):
        path.write_bytes(saved(path).read_bytes()[:kept])
        with pytest.raises(UserError, match="cut short"):
            SoundFile(path)


BYTES = 2 * (RATE // 2)
"""Bytes of the data of `tone` with 16 bits."""


def resized(path: Path, size: int, whole: int | None = None) -> Path:
    """Write other lengths into the header of a WAV file: `size` of the data, `whole` of the file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = size.to_bytes(4, "little")
    data[4:8] = (min(size + 36, 0xFFFFFFFF) if whole is None else whole).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x80000000, 0x7FFFF000, 0x7FFFFFFF, 100, 20_000])
def test_a_wav_with_a_wrong_length_is_read_to_its_end(tmp_path: Path, size: int, subtype: str) -> None:
    whole = SoundFile(saved(tmp_path / "whole.wav", np.tile(tone(), 4), subtype))
    wrong = SoundFile(resized(saved(tmp_path / "a.wav", np.tile(tone(), 4), subtype), size))
    assert np.array_equal(wrong.read(), whole.read())
    assert len(wrong.warnings) == 1 and whole.warnings == []


@pytest.mark.parametrize("too_large", [16, 44])
def test_a_wav_whose_length_counts_its_header_is_read_to_its_end(tmp_path: Path, too_large: int) -> None:
    sound = SoundFile(resized(saved(tmp_path / "a.wav"), BYTES + too_large))
    assert sound.frames == RATE // 2 and len(sound.warnings) == 1


def test_a_wav_of_many_channels_with_a_wrong_length_is_read_to_its_end(tmp_path: Path) -> None:
    stereo = np.stack([tone(), 0.5 * tone()], axis=1)
    whole = SoundFile(saved(tmp_path / "whole.wav", stereo, "PCM_24"))
    sound = SoundFile(resized(saved(tmp_path / "a.wav", stereo, "PCM_24"), 0x80000000))
    assert (sound.channels, sound.frames) == (2, RATE // 2)
    assert np.array_equal(sound.read(), whole.read())


@pytest.mark.parametrize("after", [b"LIST\x04\x00\x00\x00abcd", b"TAG" + bytes(125), b"ID3\x04" + b"x" * 5000])
def test_what_follows_the_sound_is_not_heard_as_sound(tmp_path: Path, after: bytes) -> None:
    path = saved(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + after)
    sound = SoundFile(path)
    assert sound.frames == RATE // 2 and sound.warnings == []


def flac_total(path: Path, total: int) -> Path:
    """Write another number of samples into the header of a FLAC file: 36 bits from bit 108 of STREAMINFO."""
    data = bytearray(path.read_bytes())
    data[21] = data[21] & 0xF0 | total >> 32
    data[22:26] = (total & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("total", [0, 100, RATE // 4, RATE, 2**36 - 1])
def test_a_flac_of_unknown_or_wrong_length_is_read_to_its_end(tmp_path: Path, total: int) -> None:
    sound = SoundFile(flac_total(saved(tmp_path / "a.flac"), total))
    assert sound.frames == RATE // 2 and len(sound.warnings) == 1
    assert np.allclose(sound.read(), tone(), atol=1e-4)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac"])
def test_an_mp3_is_read_by_any_name_and_without_clicks(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, np.tile(tone(), 6), RATE, format="MP3")
    heard = SoundFile(tmp_path / name).read()
    assert len(heard) >= 3 * RATE
    # a click at each block would lift the second difference far above that of a 440 Hz tone
    inner = heard[RATE // 2 : -RATE]
    assert np.abs(np.diff(inner, 2)).max() < 3 * 0.3 * (2 * np.pi * 440 / RATE) ** 2


def test_an_ogg_is_read_by_any_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), RATE, format="OGG", subtype="VORBIS")
    sound = SoundFile(tmp_path / "a.wav")
    assert np.corrcoef(sound.read()[: RATE // 2], tone()[: sound.frames])[0, 1] > 0.99
    assert sound.warnings == []


@pytest.mark.parametrize("name", ["song.m4a", "song.wav", "a song.flac"])
def test_a_format_that_cannot_be_read_is_named_with_the_command_that_converts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(4000))
    with pytest.raises(UserError, match=r"is not a .*: convert it .*`ffmpeg -i .*song.* .*song.*\.wav.*`\."):
        SoundFile(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is not sound at all", "not a WAV or FLAC file"),
        ("text.flac", b"this is not sound at all", "not a WAV or FLAC file"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} {sentence}|{name} is {sentence}"):
        SoundFile(tmp_path / name)


def test_a_header_without_a_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sound"):
        SoundFile(saved(tmp_path / "a.wav", np.zeros(0, np.float32)))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.wav does not exist"):
        SoundFile(tmp_path / "gone.wav")
    with pytest.raises(UserError, match="is a folder"):
        SoundFile(tmp_path)


def test_a_pipe_a_device_and_an_impossible_name_are_refused_at_once_in_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path, why in ((tmp_path / "pipe.wav", "is a pipe or a device"), (Path("/dev/zero"), "is a pipe or a device")):
        with pytest.raises(UserError, match=f"{path} {why}: save its content in a file"):
            check_present(path)
    (tmp_path / "a.mid").write_bytes(b"MThd")
    with pytest.raises(UserError, match="a.mid/b.wav does not exist: check the name"):
        check_present(tmp_path / "a.mid" / "b.wav")
    with pytest.raises(UserError, match="File name too long"):
        check_present(tmp_path / ("x" * 300))


@pytest.mark.parametrize(("subtype", "channels"), [("FLOAT", 1), ("DOUBLE", 1), ("FLOAT", 2)])
def test_a_float_file_beyond_full_scale_is_made_softer_and_not_clipped(
    tmp_path: Path, subtype: str, channels: int
) -> None:
    samples = np.stack([8 * tone()] * channels, axis=1).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 44_100, subtype=subtype)
    sound = SoundFile(tmp_path / "a.wav").read()
    assert np.abs(sound).max() == pytest.approx(1.0)
    assert np.allclose(sound, samples[:, 0] / np.abs(samples).max(), atol=1e-6)
    soundfile.write(tmp_path / "b.wav", samples / 80, 44_100, subtype=subtype)
    assert np.allclose(SoundFile(tmp_path / "b.wav").read(), samples[:, 0] / 80, atol=1e-6)
    assert np.array_equal(SoundFile(tmp_path / "a.wav", 1, is_capture=True).read(), samples[:, 0].astype(np.float32))


@pytest.mark.parametrize("channel", [None, 1])
def test_a_channel_that_is_not_heard_makes_no_other_softer(tmp_path: Path, channel: int | None) -> None:
    music = (tone(8) * np.exp(-4 * (np.arange(8 * RATE) / RATE % 0.5))).astype(np.float32)
    noise = 3000 * np.random.default_rng(0).standard_normal(len(music)).astype(np.float32)
    sound = SoundFile(saved(tmp_path / "a.wav", np.stack([music, noise], axis=1), "FLOAT"), channel)
    assert np.allclose(sound.read(), music, atol=1e-6)


@pytest.mark.parametrize("gain", [1.0, 8.0])
def test_a_few_wrong_samples_do_not_make_a_float_file_silent(tmp_path: Path, gain: float) -> None:
    samples = gain * tone()
    samples[[5_000, 15_000]] = 1e6, -np.inf
    sound = SoundFile(saved(tmp_path / "a.wav", samples, "FLOAT")).read()
    assert np.abs(sound[np.isfinite(sound)]).max() <= 1 and np.abs(sound[6_000:14_000]).max() > 0.09
    assert not np.isfinite(sound[15_000])  # the resampler makes it 0, not a click
