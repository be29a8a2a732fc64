"""Sounds that were recorded with too much or too little gain are said to be so, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from device.cli import main
from device.files.sound.file import SoundFile
from tests.unit.device.files.sound.test_channels import RATE, music
from training.demo import SOUND


def share(path: Path, samples: np.ndarray, subtype: str = "PCM_16") -> float:
    soundfile.write(path, samples, RATE, subtype=subtype)
    sound = SoundFile(path)
    sound.read()
    return sound.peaks.clipped()


def test_a_sound_with_many_samples_at_its_peak_is_clipped(tmp_path: Path) -> None:
    loud = music() / np.abs(music()).max()
    expected = float(np.mean(np.abs(3 * loud) >= 1))
    for clipped in (np.clip(3 * loud, -1, 1), 0.4 * np.clip(3 * loud, -1, 1)):
        assert share(tmp_path / "a.wav", clipped) == pytest.approx(expected, rel=0.1) and expected > 0.01
    assert share(tmp_path / "a.wav", np.clip(3 * loud, -1, 1)[:, None].repeat(2, axis=1)) > 0.01
    # a constant offset moves one side beyond the limit
    assert share(tmp_path / "a.wav", np.clip(loud + 0.9, -1, 1)) > 0.01


def test_a_sound_that_only_touches_its_peak_is_not_clipped(tmp_path: Path) -> None:
    loud = music() / np.abs(music()).max()
    for level in (1.0, 0.1, 1e-4):
        assert share(tmp_path / "a.wav", level * loud) == 0
    for level in (1.0, 0.06, 0.02):
        assert share(tmp_path / "a.wav", level * loud, "PCM_U8") == 0
    # numbers beyond full scale are made softer, and a broken sample is left out
    assert share(tmp_path / "a.wav", np.where(np.arange(len(loud)) == 7, np.nan, 3 * loud), "FLOAT") == 0


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (1, ""),
        (6, "so notes may be heard that nobody played: record it with less gain"),
        (0.002, "dBFS), so notes may be missed: record it with more gain"),
    ],
)
def test_a_sound_with_a_wrong_gain_is_told_with_a_remedy(tmp_path: Path, gain: float, said: str) -> None:
    whole, rate = soundfile.read(SOUND)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.clip(gain * whole[: 8 * rate], -1, 1), rate, subtype="PCM_24")
    result = CliRunner().invoke(main, ["play", str(path), "--listen"])
    assert result.exit_code == 0 and " 0 notes" not in result.stdout
    assert (said in result.stderr) if said else ("gain" not in result.stderr)
