"""Tests of the export: int8 step models match their float originals in both runtimes, errors, and the written files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device.bundles.bundle import Bundle
from device.bundles.golden import relative_error
from device.bundles.manifest import CARD, MANIFEST
from device.bundles.tflite import RuntimeName
from device.errors import BundleError, UserError
from export import amend
from export.conversion.rolls import Pair, settled
from export.conversion.verify import Agreement, Tolerance, agreement_of, check
from export.sources import data_sources
from export.write import rewrite, write_bundle
from tests.unit.helpers.toys import checks

RUNTIMES: tuple[RuntimeName, ...] = ("litert", "tflite")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["transcriber", "accompanist"])
def test_int8_follows_float_over_hundreds_of_steps(
    exported_toys: Path, toy_bundle: Bundle, name: str, runtime: RuntimeName
) -> None:
    model = toy_bundle.model(name, runtime)
    steps = 0
    with np.load(exported_toys / "float.npz") as floats:
        for i, roll in enumerate(checks(name)):
            model.reset()
            gave = [model.step(**inputs) for inputs in roll]
            steps += len(gave)
            for output in model.outputs:
                found = np.stack([step[output] for step in gave])
                assert relative_error(found, floats[f"{name}/{i}/{output}"]) < 0.05
                assert relative_error(found[-50:], floats[f"{name}/{i}/{output}"][-50:]) < 0.05
    assert steps >= 300


def test_models_are_int8_at_every_door_but_a_memory_s(toy_bundle: Bundle) -> None:
    for spec in toy_bundle.manifest.models.values():
        floats = {tensor.name for tensor in spec.tensors if tensor.dtype == "float32"}
        assert {tensor.dtype for tensor in spec.tensors} == {"int8", "float32"}
        assert floats in ({"state_memory", "next_memory"}, {"state_gru", "next_gru"})


def test_a_slow_memory_moves_where_int8_would_stand_still(exported_toys: Path) -> None:
    reached = json.loads((exported_toys / "slow.json").read_text())
    assert reached["exported"] == pytest.approx(reached["float"], rel=0.02)
    assert reached["rounded"] != pytest.approx(reached["float"], rel=0.2)


def test_every_state_goes_back_in_the_numbers_it_came_out_in(toy_bundle: Bundle) -> None:
    for name in ("transcriber", "accompanist"):
        model = toy_bundle.model(name)
        assert model.states
        for state, spec in model.states.items():
            assert spec.alike(model.next_states[state.replace("state_", "next_")])


def test_a_state_whose_scale_was_widened_is_brought_back(toy_bundle: Bundle) -> None:
    """The toy transcriber joins its mean and an unbounded tensor, so the converter gives both the same wide scale."""
    assert b"_requantised" in toy_bundle.contents["transcriber.tflite"]
    assert b"_requantised" not in toy_bundle.contents["accompanist.tflite"]


def test_ranges_that_are_too_wide_are_narrowed_until_the_outputs_are_float_s(exported_toys: Path) -> None:
    found = json.loads((exported_toys / "ranges.json").read_text())
    assert found["wide"] > 2 * found["as it is"]
    assert found["fitted"] < 1.3 * found["as it is"]
    assert found["runtimes apart"] < 0.05


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("too_few_steps", "10 calibration steps are too few: give at least 100."),
        ("weights_not_numbers", "The float model is not finite: "),
        ("open_batch", "A step model's inputs have a fixed shape and a batch of 1"),
        ("state_without_next", "The step model's states need the outputs ['next_gru'], but it has []."),
        ("wrong_input", "The step model takes ['x'], the roll-out gives ['z']."),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(exported_toys: Path, case: str, words: str) -> None:
    assert json.loads((exported_toys / "refused.json").read_text())[case].startswith(words)


def agreement(**changes: float) -> Agreement:
    good = {"error": 0.01, "decisions": 0.999, "yes": 0.97, "yeses": 1000, "first_third": 0.01, "last_third": 0.01}
    return Agreement("litert", "y", 400, **{**good, **changes})


def test_a_model_within_tolerance_passes() -> None:
    check([agreement()], Tolerance())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"error": 0.5}, "error is allowed"),
        ({"error": float("inf")}, "error is allowed"),
        ({"error": float("nan")}, "error is allowed"),
        ({"decisions": 0.9}, "same decisions are required"),
        ({"yes": 0.5}, "same yeses are required"),
        ({"last_third": 0.12}, "it drifts"),
    ],
)
def test_a_model_out_of_tolerance_is_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check([agreement(), agreement(**changes)], Tolerance())


def test_a_handful_of_yeses_is_not_judged() -> None:
    check([agreement(yes=0.5, yeses=4)], Tolerance())


def test_a_head_without_a_threshold_decides_nothing() -> None:
    wanted = [np.array([[0.9, 0.6], [0.1, 0.6]], np.float32)]
    gave = [np.array([[0.8, 0.4], [0.2, 0.4]], np.float32)]
    assert agreement_of("litert", "y", gave, wanted, 0.5).yes == pytest.approx(1 / 3)
    assert agreement_of("litert", "y", gave, wanted, (0.5, float("inf"))).yes == 1.0


def roll(*memory: float) -> list[Pair]:
    """Return a roll-out whose state takes these values. The last value is never an input."""
    states = [np.full((1, 1), value, np.float32) for value in (0.0, *memory)]
    return [Pair({"state_a": before}, {"next_a": after}) for before, after in zip(states, states[1:], strict=False)]


def test_calibration_is_cut_where_a_state_comes_out_that_never_went_in() -> None:
    assert [len(cut) for cut in settled([roll(0.5, -0.5, 0.9, 0.2), roll(0.1, 0.4, 2.0)])] == [4, 2]


def test_a_state_that_only_grows_cannot_be_calibrated() -> None:
    with pytest.raises(UserError, match="only ever grow"):
        settled([roll(1.0, 2.0, 3.0)])


def test_the_card_names_data_licences_seeds_commands_and_thresholds(toy_bundle: Bundle) -> None:
    card = toy_bundle.contents[CARD].decode()
    for words in (
        "CC0 1.0",
        "public domain",
        '"seed": 1',
        "python tests/unit/helpers/toys.py",
        '"onset": [0.5',
        "0000000",
    ):
        assert words in card


def test_a_corpus_without_a_licence_cannot_be_shipped() -> None:
    with pytest.raises(UserError, match="The corpus mystery has no licence entry"):
        data_sources(["mystery"], [])
    with pytest.raises(UserError, match="The note bank mystery has no licence entry"):
        data_sources([], ["mystery"])


def test_every_timbre_of_a_fit_has_a_licence() -> None:
    from training.pianos.instruments import INSTRUMENTS

    assert data_sources([], [instrument.name for instrument in INSTRUMENTS if not instrument.heldout])


def test_figures_are_entered_without_touching_the_models(toy_bundle: Bundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle.path, tmp_path / "bundle"))
    (tmp_path / "figures.json").write_text('{"maps": {"onset": 0.7612}}')
    ran = CliRunner().invoke(amend.main, [str(folder), "--metrics", f"hearing={tmp_path / 'figures.json'}"])
    assert ran.exit_code == 0, ran.output
    after = Bundle.open(folder)
    assert after.manifest.metrics == {"hearing": {"maps": {"onset": 0.7612}}}
    assert "| hearing, maps, onset | 0.7612 |" in after.contents[CARD].decode()
    for name in ("transcriber.tflite", "accompanist.tflite", "golden.npz"):
        assert after.contents[name] == toy_bundle.contents[name]


def test_a_bundle_that_fails_its_self_test_replaces_nothing(toy_bundle: Bundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle.path, tmp_path / "bundle"))
    with pytest.raises(BundleError, match="hop is 512"):
        rewrite(folder, RUNTIMES, hop=512)
    assert Bundle.open(folder).digest == toy_bundle.digest
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_that_holds_something_else_is_left_alone(toy_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds files that are not a bundle"):
        write_bundle(tmp_path, toy_bundle.manifest, toy_bundle.contents, RUNTIMES)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_manifest_is_written_for_people_too(toy_bundle: Bundle) -> None:
    text = (toy_bundle.path / MANIFEST).read_text()
    assert text.startswith('{\n  "schema": 1,\n  "name": "toy",')
