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


def test_a_program_that_is_started_without_a_stream_passes_it_on_to_the_programs_it_starts() -> None:
    child = "import os; [os.fstat(stream) for stream in (0, 1, 2)]"
    code = (
        "import subprocess, sys; from device.system.standard_streams import open_closed_streams; "
        "open_closed_streams(); sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"
    )
    words = [sys.executable, "-c", code, child]
    ran = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], cwd=ROOT, check=False)
    assert ran.returncode == 0


@pytest.mark.parametrize("words", ["devices --help", "--help", "--version"])
def test_a_full_disk_under_the_output_is_named_in_one_sentence(words: str) -> None:
    ran = in_a_shell(f"{words} >/dev/full")
    assert ran.returncode == 2, ran
    assert ran.stderr == "lefthand: The output cannot be written (No space left on device): make room on the disk.\n"


@pytest.mark.parametrize("words", ["run --config /nowhere/a.toml 2>/dev/full", "--help >/dev/full 2>/dev/full"])
def test_a_full_disk_under_stderr_changes_no_exit_code(words: str) -> None:
    assert in_a_shell(words).returncode == in_a_shell(words.replace("2>/dev/full", "")).returncode


def in_a_shell(words: str) -> subprocess.CompletedProcess[str]:
    """Run `lefthand WORDS`, which may redirect its streams."""
    words = f'exec "{sys.executable}" -m device.cli {words}'
    return subprocess.run(["sh", "-c", words], cwd=ROOT, check=False, capture_output=True, text=True)
