"""Sound files without a header: how their samples are written is found out, and the sentence has the command."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from device.errors import UserError
from device.files.sound.bare_samples import bare_form
from device.files.sound.file import SoundFile

RATE = 44_100


def piano(channels: int) -> np.ndarray:
    """Decaying tones behind silence, float64[n, channels] within +-1. The second channel is softer and later."""
    time = np.arange(RATE) / RATE
    sound = sum(np.sin(2 * np.pi * 220 * n * time) * np.exp(-4 * n * time) / 4 for n in (1, 2, 3, 5))
    sound = np.concatenate([np.zeros(5000), sound, sound])
    return np.stack([np.roll((1 - 0.3 * i) * sound, 11 * i) for i in range(channels)], axis=1)


def written(form: str, sound: np.ndarray) -> bytes:
    if form == "f32le":
        return sound.astype("<f4").tobytes()
    bits = int(form[1:3])
    whole = np.round(sound * (2 ** (bits - 1) - 1)).astype("<i4")
    if bits == 24:
        return whole.reshape(-1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return whole.astype((">" if form.endswith("be") else "<") + f"i{bits // 8}").tobytes()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("form", ["s16le", "s16be", "s24le", "s32le", "f32le"])
def test_the_samples_of_a_file_without_a_header_are_recognised(tmp_path: Path, form: str, channels: int) -> None:
    path = tmp_path / "my take.raw"
    path.write_bytes(written(form, piano(channels)))
    assert bare_form(path) == (form, channels)
    command = f"ffmpeg -f {form} -ar 44100 -ac {channels} -i '{path}' '{path.with_suffix('.wav')}'"
    with pytest.raises(UserError) as error:
        SoundFile(path)
    assert f"holds samples without a header: put the sample rate of its recorder into `{command}`" in str(error.value)


def test_two_channels_of_the_same_sound_are_two(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(written("s16le", np.repeat(piano(1), 2, axis=1)))
    assert bare_form(tmp_path / "a.wav") == ("s16le", 2)


def test_a_name_alone_tells_that_there_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.pcm").write_bytes(Random(1).randbytes(100_000))
    with pytest.raises(UserError, match="put the format, the sample rate and the number of channels of its recorder"):
        SoundFile(tmp_path / "a.pcm")


@pytest.mark.parametrize(
    "begin", [b"OVSC", b"STRM", b"\x30\x26\xb2\x75", b"\0\0\0\x1cftypM4A ", b"RIFF\0\0\0\0WAVEfmt "]
)
def test_other_files_are_not_said_to_have_no_header(tmp_path: Path, begin: bytes) -> None:
    """A file with a header of its own is one for ffmpeg alone, and a compressed sound looks like noise."""
    smooth = begin.isalpha()
    content = written("s16le", piano(1)) if smooth else Random(1).randbytes(100_000)
    (tmp_path / "a.wav").write_bytes(begin + content)
    with pytest.raises(UserError) as error:
        SoundFile(tmp_path / "a.wav")
    assert "without a header" not in str(error.value)
