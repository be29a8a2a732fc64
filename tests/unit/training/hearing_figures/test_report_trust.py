"""The data behind the report's pictures of trust."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from matplotlib.figure import Figure

from device.assemble import hearing_of
from tests.unit.helpers.shipped import bundle
from training.hearing_figures.cases import Case, case_of
from training.hearing_figures.measure import listen
from training.hearing_figures.mistakes import judge
from training.hearing_figures.takes import Take
from training.hearing_figures.trust import doubts, look_ahead, uncertainty

DEMO = Path(__file__).parents[4] / "demo" / "right-hand.flac"
SECONDS = 4


@pytest.fixture(scope="module")
def case() -> Case:
    """The demo's beginning, as if every note heard in it had been played, and one more."""
    sound, rate = soundfile.read(DEMO, dtype="float32", stop=SECONDS * soundfile.info(DEMO).samplerate)
    take = Take("demo", soxr.resample(sound, rate, 16_000), 16_000, np.zeros((0, 4)))
    heard = listen(hearing_of(bundle()), take).notes
    return case_of(bundle(), replace(take, notes=np.vstack([heard, [1.0, 2.0, 21, 64]])))


def test_f1_against_look_ahead_ends_at_the_f1_of_all_notes(case: Case) -> None:
    figure = Figure()
    look_ahead([case])(figure)
    f1 = np.asarray(figure.axes[0].lines[0].get_ydata())
    notes = len(case.heard.notes)
    assert notes > 4
    assert f1[0] == 0 and (np.diff(f1) >= 0).all()
    assert f1[-1] == pytest.approx(100 * 2 * notes / (2 * notes + 1))


def test_the_nets_doubt_is_told_for_every_note_and_is_none_where_nothing_is_left_out(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from training.hearing_figures import trust
    from training.transcriber.net import NetConfig, build_net, build_sequence

    keras.utils.set_random_seed(1)
    config = NetConfig(width=4, mix=4, memory=4)
    build_sequence(build_net(config, bundle().features), 2).save_weights(tmp_path / "best.weights.h5")
    about = {"net": config.to_dict(), "features": bundle().features.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(about))
    case = replace(case, judged=judge(case.heard.notes[1:], case.take.notes))
    told = doubts(case, tmp_path)
    assert len(told) == len(case.heard.notes)
    assert (told[:, 2] > 0).all() and 0 < told[:, 1].sum() < len(told)
    np.testing.assert_array_equal(told[:, 0], case.heard.confidence)
    uncertainty(told)(Figure())
    monkeypatch.setattr(trust, "DROPPED", 0.0)
    monkeypatch.setattr(trust, "PASSES", 2)
    assert not doubts(case, tmp_path)[:, 2].any()
