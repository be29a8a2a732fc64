"""The page to listen to: a recording of one's own and a recorded run; excerpts of corpora; clear refusals."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.events import Note
from training.playing_figures.listening import excerpt, listen

DEMO = Path(__file__).parents[4] / "demo" / "right-hand.flac"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of the demo, as a run recorded them."""
    folder = tmp_path_factory.mktemp("recorded run")
    sound, rate = soundfile.read(DEMO, stop=6 * soundfile.info(DEMO).samplerate)
    soundfile.write(folder / "capture.wav", sound, rate)
    return folder


def test_what_is_one_s_own_is_played_and_shown(recorded: Path, tmp_path: Path) -> None:
    shutil.copy(recorded / "capture.wav", tmp_path / "my song.wav")
    out = tmp_path / "page"
    words = [str(recorded), str(tmp_path / "my song.wav"), "--cache", str(tmp_path / "none"), "--out", str(out)]
    result = CliRunner().invoke(listen, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    page = (out / "index.html").read_text()
    for stem, link in (("own-0-capture", "own-0-capture"), ("own-1-my song", "own-1-my%20song")):
        assert f'src="{link}.wav"' in page and f'src="{link}.png"' in page
        assert soundfile.info(out / f"{stem}.wav").duration >= 6
        assert (out / f"{stem}.png").stat().st_size > 10_000


def test_a_folder_without_a_capture_and_an_empty_cache_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ["--cache", str(tmp_path / "none"), "--out", str(tmp_path / "page")]
    assert "capture.wav" in str(CliRunner().invoke(listen, [str(tmp_path / "empty"), *words]).exception)
    assert "training prepare" in str(CliRunner().invoke(listen, words).exception)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 50)), max_size=20), st.floats(0, 50), st.floats(1, 40))
def test_an_excerpt_begins_at_zero_and_ends_in_time(
    spans: list[tuple[float, float]], begin_s: float, seconds: float
) -> None:
    notes = [Note(on, on + long, 60, 64, 1.0, on, "left") for on, long in spans]
    shown = excerpt(notes, begin_s, begin_s + seconds)
    assert len(shown) == sum(begin_s <= note.onset_s < begin_s + seconds for note in notes)
    for note in shown:
        assert note.offset_s is not None
        assert 0 <= note.onset_s <= note.offset_s <= seconds + 1e-9
