"""Lengths in the headers of RF64, BW64, compressed WAV, AIFF and CAF files, and samples in larger containers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.input_kind import is_midi
from device.files.sound.file import SoundFile

RATE = 44_100


def tone(seconds: float = 0.5) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def wav64(path: Path, head: bytes, stated: int) -> Path:
    """Write `tone` as a 64-bit WAV whose chunk "ds64" states `stated` bytes of data."""
    data = np.rint(tone() * 32767).astype("<i2").tobytes()
    lengths = b"ds64" + struct.pack("<IQQQI", 28, stated + 72, stated, stated // 2, 0)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + lengths + form + b"data" + struct.pack("<I", 0xFFFFFFFF) + data
    path.write_bytes(head + struct.pack("<I", 0xFFFFFFFF) + body)
    return path


@pytest.mark.parametrize("head", [b"RF64", b"BW64"])
@pytest.mark.parametrize("stated", [2 * (RATE // 2), 0, 1000, 1 << 40])
def test_a_wav_of_64_bit_lengths_is_read_to_its_end(tmp_path: Path, head: bytes, stated: int) -> None:
    sound = SoundFile(wav64(tmp_path / "a.wav", head, stated))
    assert np.allclose(sound.read(), tone(), atol=1e-4)
    assert len(sound.warnings) == (0 if stated == 2 * (RATE // 2) else 1)


@pytest.mark.parametrize("stated", [0, 1000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_a_compressed_wav_with_a_wrong_length_is_read_to_its_end(tmp_path: Path, subtype: str, stated: int) -> None:
    soundfile.write(tmp_path / "whole.wav", tone(), RATE, subtype=subtype)
    data = (tmp_path / "whole.wav").read_bytes()
    at = data.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(data[:at] + struct.pack("<I", stated) + data[at + 4 :])
    whole, wrong = SoundFile(tmp_path / "whole.wav"), SoundFile(tmp_path / "a.wav")
    assert np.array_equal(wrong.read(), whole.read())
    assert len(wrong.warnings) == 1 and whole.warnings == []


@pytest.mark.parametrize("stated", [0, 1004, 0xFFFFFFFF])
def test_a_big_endian_wav_with_a_wrong_length_is_read_to_its_end(tmp_path: Path, stated: int) -> None:
    data = np.rint(tone() * 32767).astype(">i2").tobytes()
    form = struct.pack(">HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    for length in (stated, len(data)):
        body = b"WAVEfmt " + struct.pack(">I", 16) + form + b"data" + struct.pack(">I", length) + data
        (tmp_path / "a.wav").write_bytes(b"RIFX" + struct.pack(">I", len(body)) + body)
        sound = SoundFile(tmp_path / "a.wav")
        assert np.allclose(sound.read(), tone(), atol=1e-4)
        assert len(sound.warnings) == (length != len(data))


@pytest.mark.parametrize(("suffix", "chunk", "width"), [("aiff", b"SSND", 4), ("caf", b"data", 8)])
@pytest.mark.parametrize("stated", [0, 1004, -1])
def test_an_aiff_or_caf_with_a_wrong_length_is_read_to_its_end(
    tmp_path: Path, suffix: str, chunk: bytes, width: int, stated: int
) -> None:
    soundfile.write(tmp_path / f"whole.{suffix}", tone(), RATE, format=suffix.upper(), subtype="PCM_16")
    data = (tmp_path / f"whole.{suffix}").read_bytes()
    at = data.index(chunk) + 4
    (tmp_path / f"a.{suffix}").write_bytes(data[:at] + stated.to_bytes(width, "big", signed=True) + data[at + width :])
    whole, wrong = SoundFile(tmp_path / f"whole.{suffix}"), SoundFile(tmp_path / f"a.{suffix}")
    assert np.array_equal(wrong.read(), whole.read())
    assert len(wrong.warnings) == 1 and whole.warnings == []


@pytest.mark.parametrize(("suffix", "form"), [("aiff", "AIFF"), ("caf", "CAF")])
def test_a_cut_aiff_or_caf_is_read_to_its_end_and_said(tmp_path: Path, suffix: str, form: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(), RATE, format=form, subtype="PCM_16")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    sound = SoundFile(path)
    assert sound.frames > 0.45 * RATE / 2 and len(sound.warnings) == 1
    assert np.allclose(sound.read(), tone()[: sound.frames], atol=1e-4)


@pytest.mark.parametrize("stated", [None, 0])
def test_24_bits_in_a_container_of_32_are_read_as_they_lie(tmp_path: Path, stated: int | None) -> None:
    data = (np.rint(tone() * 0x7FFFFF).astype("<i4") * 256).tobytes()
    form = struct.pack("<HHIIHH", 1, 1, RATE, 4 * RATE, 4, 24)
    size = len(data) if stated is None else stated
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", size + 36) + body)
    assert np.allclose(SoundFile(tmp_path / "a.wav").read(), tone(), atol=1e-4)


def test_a_wav_with_an_impossible_rate_is_refused_in_a_sentence(tmp_path: Path) -> None:
    data = (np.rint(tone() * 32767).astype("<i2")).tobytes()
    form = struct.pack("<HHIIHH", 1, 1, 0xFF00FF00, 0, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + bytes(4) + data
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with pytest.raises(UserError, match="is not a WAV or FLAC file that can be read here"):
        SoundFile(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_every_recording_of_a_chained_ogg_is_read(tmp_path: Path, subtype: str) -> None:
    parts = []
    for name, seconds in (("a", 0.5), ("b", 0.25), ("c", 0.75)):
        samples = np.resize(tone(), int(48_000 * seconds))
        soundfile.write(tmp_path / f"{name}.ogg", samples, 48_000, format="OGG", subtype=subtype)
        parts.append((tmp_path / f"{name}.ogg").read_bytes())
    (tmp_path / "chained.ogg").write_bytes(b"".join(parts))
    chained = SoundFile(tmp_path / "chained.ogg")
    single = [SoundFile(tmp_path / f"{name}.ogg").read() for name in "abc"]
    assert np.array_equal(chained.read(), np.concatenate(single))
    assert chained.frames == sum(map(len, single)) and chained.warnings == []


@pytest.mark.parametrize("length_is_wrong", [False, True])
def test_a_chained_ogg_is_read_on_behind_damage_and_says_so(tmp_path: Path, length_is_wrong: bool) -> None:
    for name, seconds in (("a", 4.0), ("b", 0.75)):
        noise = np.random.default_rng(3).normal(0, 0.1, int(48_000 * seconds))
        soundfile.write(tmp_path / f"{name}.ogg", noise, 48_000, format="OGG", subtype="VORBIS")
    first, second = (tmp_path / "a.ogg").read_bytes(), (tmp_path / "b.ogg").read_bytes()
    at = first.index(b"OggS", len(first) // 2)
    damaged = bytearray(first)
    if length_is_wrong:
        damaged[at + 27] ^= 0x55
    else:
        damaged[at : at + 4] = b"xxxx"
    (tmp_path / "chained.ogg").write_bytes(damaged + second)
    chained, last = SoundFile(tmp_path / "chained.ogg"), SoundFile(tmp_path / "b.ogg").read()
    assert np.array_equal(chained.read()[-len(last) :], last) and chained.seconds > 2.5
    (sentence,) = chained.warnings
    assert "chained.ogg is damaged: " in sentence and "can be decoded and are read" in sentence


def test_bytes_after_the_last_page_of_an_ogg_are_no_damage(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", tone(), RATE, format="OGG", subtype="VORBIS")
    whole = SoundFile(tmp_path / "a.ogg").read()
    (tmp_path / "a.ogg").write_bytes((tmp_path / "a.ogg").read_bytes() + b"TAG" + bytes(125))
    tagged = SoundFile(tmp_path / "a.ogg")
    assert np.array_equal(tagged.read(), whole) and tagged.warnings == []


def test_a_recording_of_another_rate_in_a_chained_ogg_is_left_out_and_said(tmp_path: Path) -> None:
    for rate in (44_100, 22_050):
        soundfile.write(tmp_path / f"{rate}.ogg", tone(), rate, format="OGG", subtype="VORBIS")
    parts = [(tmp_path / f"{rate}.ogg").read_bytes() for rate in (44_100, 22_050, 44_100)]
    (tmp_path / "chained.ogg").write_bytes(b"".join(parts))
    chained = SoundFile(tmp_path / "chained.ogg")
    assert chained.frames == 2 * SoundFile(tmp_path / "44100.ogg").frames
    (sentence,) = chained.warnings
    assert "holds 3 recordings one after another, and only 2 of them" in sentence


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), b"ID3\x04" + bytes(300), bytes(4000)])
def test_a_flac_with_a_tag_at_its_end_is_whole_and_its_header_is_right(tmp_path: Path, tail: bytes) -> None:
    soundfile.write(tmp_path / "whole.flac", tone(), RATE, subtype="PCM_24")
    (tmp_path / "a.flac").write_bytes((tmp_path / "whole.flac").read_bytes() + tail)
    tagged = SoundFile(tmp_path / "a.flac")
    assert np.array_equal(tagged.read(), SoundFile(tmp_path / "whole.flac").read())
    assert tagged.frames == len(tone()) and tagged.warnings == []


@pytest.mark.parametrize(("name", "content"), [(b"LIST", b"INFOx"), (b"bext", b"Recorder\0"), (b"junk", b"odd")])
def test_a_wav_without_the_filling_byte_after_an_odd_chunk_is_read(tmp_path: Path, name: bytes, content: bytes) -> None:
    soundfile.write(tmp_path / "whole.wav", tone(), RATE, subtype="PCM_16")
    data = (tmp_path / "whole.wav").read_bytes()
    at = data.index(b"data")
    odd = name + struct.pack("<I", len(content)) + content
    (tmp_path / "a.wav").write_bytes(
        data[:4] + struct.pack("<I", len(data) + len(odd) - 8) + data[8:at] + odd + data[at:]
    )
    sound = SoundFile(tmp_path / "a.wav")
    assert np.array_equal(sound.read(), SoundFile(tmp_path / "whole.wav").read()) and sound.warnings == []


def test_the_lines_of_a_library_about_a_cut_mp3_are_not_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "whole.mp3", np.tile(tone(), 8), RATE, format="MP3")
    data = (tmp_path / "whole.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(data[: len(data) // 2])
    assert 0 < SoundFile(tmp_path / "cut.mp3").seconds < 3
    assert capfd.readouterr().err == ""


def encoded(path: Path, seconds: float, rate: int = 44_100, form: str = "MP3") -> bytes:
    """Write noise of `seconds`, which does not compress well, and return the bytes of the file."""
    samples = 0.1 * np.random.default_rng(1).standard_normal(int(rate * seconds)).astype(np.float32)
    soundfile.write(path, samples, rate, format=form)
    return path.read_bytes()


def test_every_recording_of_joined_mp3_files_is_read(tmp_path: Path) -> None:
    parts = [encoded(tmp_path / f"{seconds}.mp3", seconds) for seconds in (2.0, 3.0, 2.5)]
    (tmp_path / "joined.mp3").write_bytes(b"".join(parts))
    joined = SoundFile(tmp_path / "joined.mp3")
    single = [SoundFile(tmp_path / f"{seconds}.mp3").read() for seconds in (2.0, 3.0, 2.5)]
    assert np.array_equal(joined.read(), np.concatenate(single)) and joined.warnings == []
    assert joined.frames == sum(map(len, single))


def test_a_short_recording_behind_an_mp3_is_read_too(tmp_path: Path) -> None:
    long, short = encoded(tmp_path / "long.mp3", 2.0), encoded(tmp_path / "short.mp3", 0.4)
    assert len(short) < 8_000
    (tmp_path / "joined.mp3").write_bytes(long + short + b"TAG" + bytes(125))
    joined = SoundFile(tmp_path / "joined.mp3")
    single = [SoundFile(tmp_path / f"{name}.mp3").read() for name in ("long", "short")]
    assert np.array_equal(joined.read(), np.concatenate(single)) and joined.warnings == []


def test_more_joined_mp3_files_than_are_read_are_said(tmp_path: Path) -> None:
    part = encoded(tmp_path / "part.mp3", 0.3)
    for number, said in ((20, 0), (21, 1)):
        (tmp_path / "joined.mp3").write_bytes(part * number)
        joined = SoundFile(tmp_path / "joined.mp3")
        assert joined.seconds == pytest.approx(6.0) and len(joined.warnings) == said
    assert "holds more than 20 recordings one after another, and the first 6.0 s are read" in joined.warnings[0]


def test_an_mp3_is_read_on_behind_damage_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = encoded(tmp_path / "whole.mp3", 6.0)
    half = len(data) // 2
    (tmp_path / "a.mp3").write_bytes(data[:half] + bytes(5_000) + data[half:])
    damaged = SoundFile(tmp_path / "a.mp3")
    assert 5.7 < damaged.seconds < 6.2 and len(damaged.read()) == damaged.frames
    (sentence,) = damaged.warnings
    assert "a.mp3 is damaged: " in sentence and "can be decoded and are read" in sentence
    assert capfd.readouterr().err == ""


def test_an_mp3_of_another_rate_behind_the_first_is_left_out_and_said(tmp_path: Path) -> None:
    first, second = encoded(tmp_path / "1.mp3", 3.0), encoded(tmp_path / "2.mp3", 3.0, rate=32_000)
    (tmp_path / "a.mp3").write_bytes(first + second)
    sound = SoundFile(tmp_path / "a.mp3")
    assert sound.frames == SoundFile(tmp_path / "1.mp3").frames and "is damaged" in sound.warnings[0]


def test_a_flac_that_breaks_off_before_its_end_is_said_to_be_damaged(tmp_path: Path) -> None:
    data = encoded(tmp_path / "whole.flac", 3.0, form="FLAC")
    third = len(data) // 3
    (tmp_path / "a.flac").write_bytes(data[:third] + bytes(3_000) + data[third + 3_000 :])
    sound = SoundFile(tmp_path / "a.flac")
    assert 0.7 < sound.seconds < 1.1 and len(sound.read()) == sound.frames
    (sentence,) = sound.warnings
    assert "a.flac is damaged" in sentence and "ffmpeg" in sentence


@pytest.mark.parametrize("stated", [0, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_au_with_a_wrong_length_is_read_to_its_end(tmp_path: Path, stated: int) -> None:
    soundfile.write(tmp_path / "whole.au", tone(), RATE, format="AU", subtype="PCM_16")
    data = (tmp_path / "whole.au").read_bytes()
    (tmp_path / "a.au").write_bytes(data[:8] + stated.to_bytes(4, "big") + data[12:])
    sound = SoundFile(tmp_path / "a.au")
    assert np.array_equal(sound.read(), SoundFile(tmp_path / "whole.au").read())
    assert len(sound.warnings) == (stated != 0xFFFFFFFF)


@pytest.mark.parametrize("between", [b"", b"LIST" + struct.pack("<I", 6) + b"INFOxy"])
@pytest.mark.parametrize("odd", [0, 1])
def test_every_chunk_of_sound_data_of_a_wav_is_read(tmp_path: Path, between: bytes, odd: int) -> None:
    soundfile.write(tmp_path / "whole.wav", tone(), RATE, subtype="PCM_16")
    data = (tmp_path / "whole.wav").read_bytes()
    at = data.index(b"data")
    sound = data[at + 8 :]
    half = len(sound) // 4 * 2
    # a chunk that ends within a sample gives its whole samples
    first = b"data" + struct.pack("<I", half + odd) + sound[:half] + bytes(2 * odd)
    body = data[8:at] + first + between + b"data" + struct.pack("<I", len(sound) - half) + sound[half:]
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    paused = SoundFile(tmp_path / "a.wav")
    assert np.array_equal(paused.read(), SoundFile(tmp_path / "whole.wav").read())
    assert paused.frames == len(tone()) and paused.warnings == []


@pytest.mark.parametrize("stated", [None, 0])
@pytest.mark.parametrize("names", [(b"NAME",), (b"NAME", b"ANNO")])
def test_an_aiff_without_the_filling_byte_is_read(tmp_path: Path, names: tuple[bytes, ...], stated: int | None) -> None:
    soundfile.write(tmp_path / "whole.aiff", tone(), RATE, format="AIFF", subtype="PCM_16")
    data = (tmp_path / "whole.aiff").read_bytes()
    at = data.index(b"SSND")
    odd = b"".join(name + struct.pack(">I", 5) + b"piece" for name in names)
    sound = data[at:] if stated is None else data[at : at + 4] + struct.pack(">I", stated) + data[at + 8 :]
    (tmp_path / "a.aiff").write_bytes(data[:12] + odd + data[12:at] + odd + sound)
    aiff = SoundFile(tmp_path / "a.aiff")
    assert np.array_equal(aiff.read(), SoundFile(tmp_path / "whole.aiff").read())
    assert len(aiff.warnings) == (0 if stated is None else 1)


@pytest.mark.parametrize("before", [b"\r\n", b"ID3\x03\0\0\0\0\0\x0a" + bytes(10), bytes(40_000)])
@pytest.mark.parametrize("links", [1, 2])
def test_an_ogg_behind_other_bytes_is_read(tmp_path: Path, before: bytes, links: int) -> None:
    soundfile.write(tmp_path / "whole.ogg", tone(), RATE, format="OGG", subtype="VORBIS")
    data = (tmp_path / "whole.ogg").read_bytes()
    (tmp_path / "a.wav").write_bytes(before + links * data)
    late = SoundFile(tmp_path / "a.wav")
    assert np.array_equal(late.read(), np.tile(SoundFile(tmp_path / "whole.ogg").read(), links))
    assert late.warnings == [] and not is_midi(tmp_path / "a.wav")


@pytest.mark.parametrize("before", [b"\n", b"\xef\xbb\xbf", b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n"])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_wav_or_flac_behind_a_few_other_bytes_is_read(tmp_path: Path, suffix: str, before: bytes) -> None:
    whole, late = tmp_path / f"whole{suffix}", tmp_path / f"late{suffix}"
    soundfile.write(whole, tone(), RATE, subtype="PCM_16")
    late.write_bytes(before + whole.read_bytes())
    assert not is_midi(late)
    sound = SoundFile(late)
    assert np.array_equal(sound.read(), SoundFile(whole).read()) and sound.warnings == []


@pytest.mark.parametrize("stated", [0, 1000, 20_000, 0xFFFFFFFF])
def test_the_last_of_several_chunks_of_sound_is_read_to_the_end_of_the_file(tmp_path: Path, stated: int) -> None:
    soundfile.write(tmp_path / "whole.wav", tone(), RATE, subtype="PCM_16")
    data = (tmp_path / "whole.wav").read_bytes()
    at = data.index(b"data")
    sound = data[at + 8 :]
    first = b"data" + struct.pack("<I", 10_000) + sound[:10_000] + b"LIST" + struct.pack("<I", 600) + bytes(600)
    last = b"data" + struct.pack("<I", stated) + sound[10_000 : 10_000 + 19_000]
    (tmp_path / "a.wav").write_bytes(data[:at] + first + last)
    cut = SoundFile(tmp_path / "a.wav")
    assert np.array_equal(cut.read(), SoundFile(tmp_path / "whole.wav").read()[: 29_000 // 2])
    assert len(cut.warnings) == 1 and "gives no length or a wrong one" in cut.warnings[0]


@pytest.mark.parametrize("after", [b"TAG" + bytes(125), b"ID3\x04" + bytes(300)])
@pytest.mark.parametrize("before", [b"\n", b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)])
def test_a_flac_behind_other_bytes_is_read_up_to_its_last_sample(tmp_path: Path, before: bytes, after: bytes) -> None:
    soundfile.write(tmp_path / "whole.flac", tone(), RATE)
    (tmp_path / "a.flac").write_bytes(before + (tmp_path / "whole.flac").read_bytes() + after)
    sound = SoundFile(tmp_path / "a.flac")
    assert np.array_equal(sound.read(), SoundFile(tmp_path / "whole.flac").read())
    assert sound.warnings == []


@pytest.mark.parametrize("name", [b"LIST", b"junk"])
def test_a_tag_that_was_cut_is_not_heard_as_sound(tmp_path: Path, name: bytes) -> None:
    soundfile.write(tmp_path / "whole.wav", tone(), RATE, subtype="PCM_16")
    tag = name + struct.pack("<I", 9000) + np.random.default_rng(0).bytes(5000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "whole.wav").read_bytes() + tag)
    cut = SoundFile(tmp_path / "a.wav")
    assert np.array_equal(cut.read(), SoundFile(tmp_path / "whole.wav").read()) and cut.warnings == []


@pytest.mark.parametrize("stated", [0, 24, 1024, 1 << 40, (1 << 63) - 1, (1 << 64) - 1, None])
@pytest.mark.parametrize("tail", [b"", b"list" + bytes(12) + struct.pack("<Q", 1024) + bytes(1000)])
def test_a_w64_with_a_wrong_length_is_read_to_its_end_and_said(tmp_path: Path, stated: int | None, tail: bytes) -> None:
    soundfile.write(tmp_path / "whole.w64", tone(), RATE, format="W64", subtype="PCM_16")
    data = (tmp_path / "whole.w64").read_bytes()
    data += bytes(-len(data) % 8 if tail else 0)
    whole = SoundFile(tmp_path / "whole.w64")
    assert whole.warnings == [] and len(whole.read()) == RATE // 2
    at = data.index(b"data") + 16
    length = data[at : at + 8] if stated is None else struct.pack("<Q", stated)
    (tmp_path / "a.w64").write_bytes(data[:at] + length + data[at + 8 :] + tail)
    sound = SoundFile(tmp_path / "a.w64")
    read = sound.read()
    assert np.array_equal(read[: RATE // 2], whole.read()) and len(read) <= RATE // 2 + len(tail)
    assert len(sound.warnings) == (stated is not None)
    if stated is None:
        (tmp_path / "cut.w64").write_bytes(data[: len(data) // 2])
        cut = SoundFile(tmp_path / "cut.w64")
        assert len(cut.warnings) == 1 and len(cut.read()) == pytest.approx(RATE // 4, abs=100)
