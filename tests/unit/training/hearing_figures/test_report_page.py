"""The page of `python -m training report`: it is written in a fresh clone, and says what it leaves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from training.__main__ import main
from training.hearing_figures.report import SHIPPED_FIT
from training.transcriber.hear import fit_named


def test_the_shipped_fit_and_its_history_are_in_the_repository(tmp_path: Path) -> None:
    assert (fit_named(tmp_path, SHIPPED_FIT) / "history.csv").is_file()


def test_a_page_without_a_fit_says_what_it_leaves_out_and_states_no_nan(tmp_path: Path) -> None:
    rate = 16_000
    t = np.arange(2 * rate) / rate
    audio = sum(0.2 / n * np.sin(2 * np.pi * 440 * n * t) for n in range(1, 6)) * np.exp(-2 * t) * (t > 0.3)
    folder = tmp_path / "data" / "maps-enstdkcl"
    folder.mkdir(parents=True)
    soundfile.write(folder / "a.flac", audio.astype(np.float32), rate)
    (folder / "a.tsv").write_text("0.3\t1.5\t69\t80\n")
    out = tmp_path / "hearing.html"
    ran = CliRunner().invoke(
        main,
        ["report", "--on", "maps", "--takes", "1", "--fit", "none", "--data", str(tmp_path / "data")]
        + ["--cache", str(tmp_path), "--out", str(out)],
    )
    assert ran.exit_code == 0, ran.output
    html = out.read_text()
    assert "left out: learning curves and doubt: There is no fit none" in ran.output
    assert "<h2>Left out</h2>" in html and "too few notes for a calibration error" in html and "nan" not in html[:2000]
