"""`python -m training tuning` moves sounds and labels together, and counts the sounds whose names are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from training.hearing_figures import tuning
from training.hearing_figures.takes import RATE, Take


def test_a_sound_and_its_labels_move_together() -> None:
    take = Take("", np.zeros(RATE, np.float32), RATE, np.array([[0.5, 1.0, 60, 80]]))
    flat = tuning.moved(take, -50)
    assert len(flat.audio) / RATE == pytest.approx(2 ** (50 / 1200), abs=0.01)
    assert flat.notes[0] == pytest.approx([0.5 * 2 ** (50 / 1200), 2 ** (50 / 1200), 60, 80])


def test_the_names_of_a_tune_in_c_are_right_where_it_is_half_a_semitone_sharp(tmp_path: Path) -> None:
    folder = tmp_path / "maps-enstdkcl"
    folder.mkdir()
    soundfile.write(folder / "a.flac", np.zeros(RATE), RATE)
    (folder / "a.tsv").write_text("0.1\t0.2\t60\t80\n")
    of_c = list(tuning.sounds_of(tmp_path, 1.0, 1))[-1]
    assert of_c.name == "tune in C" and len(of_c.notes) == 48

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "sounds_of", lambda *_: [of_c])
        ran = CliRunner().invoke(tuning.tuning, ["--cents", "50"])
    assert ran.exit_code == 0, ran.output
    cents, told, measured, worst, right, flat = ran.output.splitlines()[2].strip("| ").split(" | ")
    assert (cents, right, flat) == ("50", "1 of 1", "0 of 1") and measured == worst
    assert float(told) > 90 and float(measured) > 90
