"""The adapter over both TFLite runtimes, on an exported toy model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from device.bundles.bundle import Bundle
from device.bundles.tflite import RuntimeName, StepModel, TensorSpec, available_runtimes
from device.errors import BundleError, UserError
from tests.ssh.bundles import AT_ONCE, bad_model

RUNTIMES: tuple[RuntimeName, ...] = ("litert", "tflite")


@pytest.fixture(scope="module")
def content(toy_bundle: Bundle) -> bytes:
    return toy_bundle.contents["accompanist.tflite"]


@pytest.fixture(scope="module", params=RUNTIMES)
def model(request: pytest.FixtureRequest, content: bytes) -> StepModel:
    return StepModel(content, runtime=request.param)


def some_inputs(model: StepModel, seed: int, steps: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random(model.inputs["x"].shape).astype(np.float32) for _ in range(steps)]


def outputs(model: StepModel, inputs: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    return [model.step(x=x) for x in inputs]


def same(one: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]]) -> bool:
    return all(np.array_equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a)


def test_both_runtimes_are_there() -> None:
    assert available_runtimes() == ["litert", "tflite"]


def test_names_shapes_and_states_follow_the_signature(model: StepModel) -> None:
    assert set(model.inputs) == {"x"}
    assert set(model.outputs) == {"y_chord", "y_bass"}
    assert set(model.states) == {"state_gru"}
    assert set(model.next_states) == {"next_gru"}
    assert model.inputs["x"].dtype == "int8"
    assert model.states["state_gru"].alike(model.next_states["next_gru"])


def test_outputs_are_real_numbers_without_the_batch_axis(model: StepModel) -> None:
    model.reset()
    step = model.step(x=some_inputs(model, 1)[0])
    assert step["y_chord"].shape == (12,)
    assert step["y_chord"].dtype == np.float32
    assert step["y_bass"].sum() == pytest.approx(1, abs=0.05)


def test_the_batch_axis_of_an_input_may_be_left_away(model: StepModel) -> None:
    inputs = some_inputs(model, 2)
    model.reset()
    whole = outputs(model, inputs)
    model.reset()
    assert same(whole, outputs(model, [x[0] for x in inputs]))


def test_a_step_depends_on_the_steps_before(model: StepModel) -> None:
    first, second, last = some_inputs(model, 3, 3)
    model.reset()
    after_first = outputs(model, [first, last])[-1]
    model.reset()
    after_second = outputs(model, [second, last])[-1]
    assert not same([after_first], [after_second])


def test_after_reset_nothing_of_the_past_remains(model: StepModel, content: bytes) -> None:
    inputs = some_inputs(model, 4)
    outputs(model, some_inputs(model, 5))
    model.reset()
    assert same(outputs(model, inputs), outputs(StepModel(content, runtime=model.runtime), inputs))


def test_two_models_of_one_file_share_no_state(content: bytes) -> None:
    one, other = StepModel(content), StepModel(content)
    inputs = some_inputs(one, 6)
    alone = outputs(StepModel(content), inputs)
    mixed = []
    for x in inputs:
        mixed.append(one.step(x=x))
        other.step(x=1 - x)
    assert same(alone, mixed)


def test_outputs_are_not_overwritten_by_the_next_step(model: StepModel) -> None:
    model.reset()
    first = model.step(x=some_inputs(model, 7)[0])
    kept = {name: values.copy() for name, values in first.items()}
    outputs(model, some_inputs(model, 8))
    assert same([first], [kept])


@settings(deadline=None)
@given(data=st.data())
def test_whatever_goes_in_comes_out_finite_and_is_forgotten_after_reset(data: st.DataObject, content: bytes) -> None:
    model = StepModel(content, runtime=data.draw(st.sampled_from(RUNTIMES)))
    anything = arrays(np.float32, model.inputs["x"].shape, elements=st.floats(width=32))
    for _ in range(3):
        assert all(np.isfinite(values).all() for values in model.step(x=data.draw(anything)).values())
    model.reset()
    inputs = some_inputs(model, 9, 3)
    assert same(outputs(model, inputs), outputs(StepModel(content, runtime=model.runtime), inputs))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_counts_as_zero(model: StepModel, bad: float) -> None:
    x = some_inputs(model, 10)[0]
    spoilt, zeroed = x.copy(), x.copy()
    spoilt[0, 3], zeroed[0, 3] = bad, 0
    model.reset()
    one = outputs(model, [spoilt, x])
    model.reset()
    assert same(one, outputs(model, [zeroed, x]))


def test_nothing_goes_in_as_what_is_too_small_to_be_told_from_it(model: StepModel) -> None:
    spec, inputs = model.inputs["x"], some_inputs(model, 11)
    answers = []
    for little in (0.0, -0.0, spec.scale / 4):
        model.reset()
        nothing = np.full(spec.shape, little, np.float32)
        # after a step of sound: what is stored for nothing must not be what was stored last
        answers.append(outputs(model, [inputs[0], nothing, inputs[1], nothing]))
    assert same(answers[0], answers[1]) and same(answers[0], answers[2])


def test_what_is_beyond_the_tensors_range_is_clipped_not_wrapped(model: StepModel) -> None:
    spec = model.inputs["x"]
    largest = spec.scale * (127 - spec.zero_point)
    model.reset()
    at_most = outputs(model, [np.full(spec.shape, largest, np.float32)])
    model.reset()
    assert same(at_most, outputs(model, [np.full(spec.shape, 1e30, np.float32)]))


def test_inputs_round_to_the_nearest_stored_number(model: StepModel) -> None:
    spec = model.inputs["x"]
    stored = np.full(spec.shape, 20.0, np.float32)
    model.reset()
    exact = outputs(model, [spec.scale * stored])
    for off in (-0.4, 0.4):
        model.reset()
        assert same(exact, outputs(model, [spec.scale * (stored + np.float32(off))]))


def test_wrong_inputs_are_refused_by_name_and_size(model: StepModel) -> None:
    with pytest.raises(TypeError, match=r"takes \['x'\], not \['y'\]"):
        model.step(y=np.zeros(3))
    with pytest.raises(ValueError, match="reshape"):
        model.step(x=np.zeros(3))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 50])
def test_a_file_that_is_no_model_is_one_sentence(runtime: RuntimeName, rubbish: bytes) -> None:
    with pytest.raises(BundleError, match=r"^(ai-edge-litert|tflite-runtime) cannot load the model: .+\.$"):
        StepModel(rubbish, runtime=runtime)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_that_the_runtime_refuses_to_run_is_one_sentence(runtime: RuntimeName) -> None:
    model = StepModel(bad_model("crash", AT_ONCE), runtime=runtime)
    zeros = {name: np.zeros(tensor.shape, np.float32) for name, tensor in model.inputs.items()}
    with pytest.raises(BundleError, match=r"^(ai-edge-litert|tflite-runtime) cannot run the model: .+\.$"):
        for _ in range(round(AT_ONCE) + 2):
            model.step(**zeros)


def test_a_missing_runtime_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tflite_runtime.interpreter", None)
    with pytest.raises(UserError, match="pip install tflite-runtime"):
        StepModel(content, runtime="tflite")
    assert StepModel(content).runtime == "litert"


def test_without_the_first_runtime_the_other_is_taken(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    assert StepModel(content).runtime == "tflite"


def test_stored_numbers_pass_only_between_tensors_of_one_quantisation() -> None:
    spec = TensorSpec("state_a", (1, 4), "int8", 0.01, 3)
    assert spec.alike(TensorSpec("next_a", (1, 4), "int8", 0.01 * (1 + 1e-7), 3))
    assert not spec.alike(TensorSpec("next_a", (1, 4), "int8", 0.011, 3))
    assert not spec.alike(TensorSpec("next_a", (1, 4), "int8", 0.01, 4))
    assert not spec.alike(TensorSpec("next_a", (1, 5), "int8", 0.01, 3))
