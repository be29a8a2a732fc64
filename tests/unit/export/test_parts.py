"""The export takes its calibration from the scenes of a fit, and refuses scenes that lack a kind of input."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from device.errors import UserError
from device.hearing.features import FeatureSpec
from export.parts import CALIBRATION_ROLLS, CALIBRATION_STEPS, CHECK_ROLLS, transcriber_part
from training.scenes.scene import SCENE_NOTE
from training.transcriber.net import NetConfig, build_net, build_sequence

SPEC, NET = FeatureSpec(), NetConfig(width=2, mix=2, memory=3)
FRAMES = CALIBRATION_STEPS


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    keras.utils.set_random_seed(1)
    build_sequence(build_net(NET, SPEC), 2).save_weights(folder / "best.weights.h5")
    (folder / "config.json").write_text(json.dumps({"net": NET.to_dict(), "features": SPEC.to_dict()}))
    return folder


def write_scenes(cache: Path, split: str, count: int, sent: int) -> None:
    """Write `count` scenes of silence. In the first `sent` of them the box sends a note."""
    folder = cache / "scenes" / split / "lieder"
    folder.mkdir(parents=True)
    for number in range(count):
        own = np.zeros((FRAMES, 88, 2), np.uint8)
        own[20:30, 40] = 255 if number < sent else 0
        np.save(folder / f"{number:05d}.npy", np.zeros((FRAMES, SPEC.bins, SPEC.channels), np.uint8))
        np.savez(folder / f"{number:05d}.npz", notes=np.zeros(0, SCENE_NOTE), own=own)


@pytest.mark.parametrize(("sent_in_train", "sent_in_valid"), [(1, CHECK_ROLLS), (0, 0)])
def test_rolls_of_both_kinds_are_taken(fit: Path, tmp_path: Path, sent_in_train: int, sent_in_valid: int) -> None:
    write_scenes(tmp_path, "train", CALIBRATION_ROLLS, sent_in_train)
    write_scenes(tmp_path, "valid", CHECK_ROLLS, sent_in_valid)
    part, spec, delay = transcriber_part(fit, tmp_path)
    assert (len(part.calibration), len(part.check), delay) == (CALIBRATION_ROLLS, CHECK_ROLLS, NET.delay_frames)
    assert spec == SPEC
    assert max(float(step["own"].max()) for roll in part.calibration for step in roll) == float(sent_in_train > 0)


def test_a_calibration_without_notes_of_the_box_is_refused(fit: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path, "train", CALIBRATION_ROLLS, 0)
    write_scenes(tmp_path, "valid", CHECK_ROLLS, 1)
    with pytest.raises(UserError, match="hold no notes that the box sent.*--kind bleed"):
        transcriber_part(fit, tmp_path)


def test_too_few_scenes_are_refused(fit: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path, "train", CALIBRATION_ROLLS - 1, 0)
    with pytest.raises(UserError, match=f"has {CALIBRATION_ROLLS - 1} train scenes, {CALIBRATION_ROLLS} are needed"):
        transcriber_part(fit, tmp_path)
