"""A program that was started with closed standard streams."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_a_recording_is_played_although_streams_are_closed(tmp_path: Path, closed: str) -> None:
    soundfile.write(tmp_path / "a.mp3", 0.3 * np.sin(0.1 * np.arange(16_000)), 16_000, format="MP3")
    play = [sys.executable, "-m", "device.cli", "play", tmp_path / "a.mp3", "--listen", "--notes", tmp_path / "a.csv"]
    ran = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *play], cwd=ROOT, check=False, capture_output=True)
    assert ran.returncode == 0, ran
    assert (tmp_path / "a.csv").read_text().startswith("onset_s")


def test_a_full_disk_under_the_output_is_named_in_one_sentence() -> None:
    words = f'exec "{sys.executable}" -m device.cli devices --help >/dev/full'
    ran = subprocess.run(["sh", "-c", words], cwd=ROOT, check=False, capture_output=True, text=True)
    assert ran.returncode == 2, ran
    assert ran.stderr == "lefthand: The output cannot be written (No space left on device): make room on the disk.\n"
