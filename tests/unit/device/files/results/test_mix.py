"""The mix: streamed in bounded memory, and equal to what the whole arrays give."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.events import Note
from device.files.results.mix import LEFT_BELOW_DB, write_mix
from device.files.results.render import Rendering, render
from device.files.sound.file import SoundFile

RATE = 44_100


def notes(count: int, every_s: float = 0.4, pitch: int = 48, first_s: float = 0.0) -> list[Note]:
    times = [first_s + i * every_s for i in range(count)]
    return [Note(t, t + 0.3, pitch + i % 12, 60 + i % 40, 1.0, t, "left") for i, t in enumerate(times)]


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_both_hands_are_the_sum_of_the_rendered_hands(tmp_path: Path) -> None:
    right, left = notes(12, 0.35, 70), notes(9, 0.8)
    write_mix(tmp_path / "mix.wav", None, right, left)
    upper, lower = render(right, RATE), render(left, RATE)
    both = np.zeros((max(len(upper), len(lower)), 2), np.float32)
    both[: len(upper)] += upper
    both[: len(lower)] += lower
    both *= 0.98 / np.abs(both).max()
    mixed = read(tmp_path / "mix.wav")
    assert mixed.shape == both.shape
    assert np.abs(mixed - both).max() < 1e-4


def test_a_recording_stays_as_it_is_and_the_left_hand_is_softer(tmp_path: Path) -> None:
    recorded = 0.3 * render(notes(20, 0.25, 70), RATE)[:, 0] / 0.3
    recorded *= 0.2 / np.abs(recorded).max()
    soundfile.write(tmp_path / "in.wav", recorded, RATE, subtype="FLOAT")
    write_mix(tmp_path / "mix.wav", SoundFile(tmp_path / "in.wav"), [], notes(9, 0.5))
    mixed = read(tmp_path / "mix.wav")
    lower = render(notes(9, 0.5), RATE)
    length = min(len(recorded), len(lower))
    left = mixed[:length] - recorded[:length, np.newaxis]
    gain = float(np.vdot(left, lower[:length]) / np.vdot(lower[:length], lower[:length]))
    assert np.abs(left - gain * lower[:length]).max() < 2e-4

    def loudness(sound: np.ndarray) -> float:
        frames = sound[: len(sound) // 2205 * 2205].reshape(-1, 2205 * sound.shape[1])
        return float(np.percentile(np.sqrt(np.mean(frames**2, axis=1)), 90))

    below = loudness(gain * lower) / loudness(recorded[:, np.newaxis])
    assert 20 * np.log10(below) == pytest.approx(-LEFT_BELOW_DB, abs=0.2)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_a_mix_has_the_rate_and_the_length_of_the_recording(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "in.wav", np.full(rate * 3 + 7, 0.1), rate)
    write_mix(tmp_path / "mix.wav", SoundFile(tmp_path / "in.wav"), [], [])
    mixed, found = soundfile.read(tmp_path / "mix.wav")
    assert (len(mixed), found) == (rate * 3 + 7, rate)
    assert np.allclose(mixed, 0.1, atol=1e-4)


def test_silence_between_distant_notes_is_not_calculated(tmp_path: Path) -> None:
    far = notes(2, every_s=2 * 3600.0)
    blocks = list(Rendering(far, RATE).blocks(RATE))
    assert sum(block is not None for block in blocks) < 30 < 7200 < len(blocks)
    write_mix(tmp_path / "mix.wav", None, far, [])
    with soundfile.SoundFile(tmp_path / "mix.wav") as mixed:
        assert mixed.frames == Rendering(far, RATE).frames
        mixed.seek(7200 * RATE)
        assert np.abs(mixed.read(RATE)).max() > 0.3
    # the silent hours are holes in the file
    assert (tmp_path / "mix.wav").stat().st_blocks * 512 < 20_000_000


def test_a_mix_that_no_wav_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"The mix would last 27\.8 hours, and a \.wav file holds 6\.8"):
        write_mix(tmp_path / "mix.wav", None, notes(2, every_s=100_000.0), [])


def test_the_memory_does_not_grow_with_the_length() -> None:
    """A mix of 8 minutes takes hardly more memory than one of a minute. All of it at once would be 170 MB."""
    code = """
        import sys, tempfile
        from pathlib import Path
        import numpy as np, soundfile
        from device.events import Note
        from device.files.results import render
        from device.files.results.mix import write_mix
        from device.files.sound.file import SoundFile
        # the soundfont that the set-up installs: a larger one takes more memory, whatever the length of the music
        render.soundfonts = lambda suffix: [Path("/usr/share/sounds/sf2/TimGM6mb.sf2")]
        minutes = int(sys.argv[1])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "in.wav"
            with soundfile.SoundFile(path, "w", 44_100, 1) as file:
                for _ in range(minutes):
                    file.write(np.full(44_100 * 60, 0.1, np.float32))
            times = [i * minutes * 6.0 for i in range(10)]
            left = [Note(t, t + 0.3, 48, 70, 1.0, t, "left") for t in times]
            write_mix(Path(folder) / "mix.wav", SoundFile(path), [], left)
        # ru_maxrss would count the memory of the process that started this one
        status = Path("/proc/self/status").read_text().split()
        print(int(status[status.index("VmHWM:") + 1]) // 1024)
        """
    peaks_mb = [
        int(
            subprocess.run(
                [sys.executable, "-c", textwrap.dedent(code), minutes],
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for minutes in ("1", "8")
    ]  # fmt: skip
    assert peaks_mb[1] < peaks_mb[0] + 20
    assert peaks_mb[1] < 150
