"""A sound file that ends before its sound is said to be cut short, whatever its kind."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.input_kind import is_midi
from device.files.sound.cut_header import is_cut_in_header
from device.files.sound.file import SoundFile

RATE = 44_100
TAG = b"ID3\x04\0\0\0\0\x1f\x08" + bytes(3976)
"""An ID3 tag with 3976 bytes after its head of 10 bytes."""


def whole(path: Path, form: str) -> bytes:
    soundfile.write(path, 0.3 * np.sin(np.arange(RATE // 2) * 0.06), RATE, format=form)
    return path.read_bytes()


def tagged_aiff(path: Path) -> bytes:
    """Return an AIFF file with a tag before its first chunk."""
    data = whole(path, "AIFF")
    tag = b"ID3 " + struct.pack(">I", len(TAG)) + TAG
    return data[:4] + struct.pack(">I", len(data) + len(tag) - 8) + data[8:12] + tag + data[12:]


@pytest.mark.parametrize("form", ["WAV", "AIFF", "CAF", "AU", "FLAC", "OGG"])
def test_a_file_cut_within_its_header_is_to_be_copied_again(tmp_path: Path, form: str) -> None:
    data = whole(tmp_path / "whole", form)
    sound = {"WAV": b"data", "AIFF": b"SSND", "CAF": b"data"}
    end = data.index(sound[form]) if form in sound else {"AU": 23, "FLAC": 40, "OGG": 300}[form]
    path = tmp_path / "a.sound"
    for kept in {12, 14, 20, end // 2, end - 1, end}:
        path.write_bytes(data[:kept])
        assert not is_midi(path)
        with pytest.raises(UserError, match="is cut short: it ends before its sound begins; copy or record it again"):
            SoundFile(path)
    path.write_bytes(data)
    assert not is_cut_in_header(path)


@pytest.mark.parametrize("kept", [21, 30, 2000])
def test_an_aiff_cut_in_the_tag_before_its_sound_is_to_be_copied_again(tmp_path: Path, kept: int) -> None:
    data = tagged_aiff(tmp_path / "whole")
    (tmp_path / "a.aiff").write_bytes(data)
    assert SoundFile(tmp_path / "a.aiff").frames == RATE // 2
    (tmp_path / "a.aiff").write_bytes(data[:kept])
    with pytest.raises(UserError, match="is cut short"):
        SoundFile(tmp_path / "a.aiff")


@pytest.mark.parametrize("kept", [5, 10, 1000, 3986])
def test_an_mp3_cut_in_its_tag_is_to_be_copied_again(tmp_path: Path, kept: int) -> None:
    (tmp_path / "a.mp3").write_bytes((TAG + whole(tmp_path / "whole", "MP3"))[:kept])
    with pytest.raises(UserError, match="is cut short"):
        SoundFile(tmp_path / "a.mp3")


def test_an_aiff_cut_in_the_tag_after_its_sound_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.aiff").write_bytes(whole(tmp_path / "whole", "AIFF") + b"ID3 " + struct.pack(">I", 4000) + TAG[:900])
    assert SoundFile(tmp_path / "a.aiff").frames == RATE // 2


def test_a_file_of_another_kind_is_not_cut(tmp_path: Path) -> None:
    for content in (b"FORM\0\0\0\x048SVX", b"MThd", b"\xff\xfb\x90\0", b"words"):
        (tmp_path / "a").write_bytes(content)
        assert not is_cut_in_header(tmp_path / "a"), content


@pytest.mark.parametrize("length", [(1 << 62) + 1, (1 << 63) - 1, (1 << 64) - 1])
def test_a_chunk_of_a_caf_file_with_a_length_beyond_any_file_is_refused_in_a_sentence(
    tmp_path: Path, length: int
) -> None:
    soundfile.write(tmp_path / "a.caf", np.zeros(16_000), 16_000, subtype="PCM_16")
    content = (tmp_path / "a.caf").read_bytes()
    at = content.index(b"free") + 4
    (tmp_path / "a.caf").write_bytes(content[:at] + length.to_bytes(8, "big") + content[at + 8 :])
    with pytest.raises(UserError, match=r"a\.caf "):
        SoundFile(tmp_path / "a.caf")


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "ogg"])
def test_a_sound_that_was_copied_as_text_is_said_to_be_so(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 400_000)
    soundfile.write(tmp_path / f"a.{suffix}", noise, 16_000)
    whole = (tmp_path / f"a.{suffix}").read_bytes()
    assert len(SoundFile(tmp_path / f"a.{suffix}").read()) == len(noise)
    (tmp_path / f"a.{suffix}").write_bytes(whole.replace(b"\n", b"\r\n"))
    with pytest.raises(UserError, match="was sent or copied as text, which damages a sound: copy it again"):
        SoundFile(tmp_path / f"a.{suffix}")
