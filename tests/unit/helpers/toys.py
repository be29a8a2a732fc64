"""Small step models with the parts of the real ones: a causal convolution's ring buffer and a GRU's memory.

`python tests/unit/helpers/toys.py FOLDER` exports them. It writes FOLDER/bundle, FOLDER/float.npz (outputs of the float
models for the inputs of `checks`), FOLDER/ranges.json (errors of a model with too wide ranges, before and after a new
fit of the ranges), FOLDER/slow.json (values of a slow memory) and FOLDER/refused.json (errors for wrong models).
It runs in its own process, because Keras' backend is chosen once in a process and export needs TensorFlow's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS, CHANNELS, KEYS = 294, 3, 88


def toy_transcriber(seed: int = 1) -> Any:
    """Return a model from x [1, 1, 294, 3], own [1, 1, 88, 2] and states (buffer, mean, memory) to y [1, 88, 4]."""
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(seed)
    x = keras.Input(batch_shape=(1, 1, BINS, CHANNELS), name="x")
    own = keras.Input(batch_shape=(1, 1, KEYS, 2), name="own")
    past = keras.Input(batch_shape=(1, 2, BINS, CHANNELS), name="state_frames")
    mean = keras.Input(batch_shape=(1, 32), name="state_mean")
    memory = keras.Input(batch_shape=(1, 24), name="state_memory")
    frames = ops.concatenate([past, x], axis=1)
    seen = layers.Conv2D(4, (3, 9), strides=(1, 9), activation="relu")(frames)
    seen = layers.Dense(32, activation="relu")(layers.Concatenate()([layers.Flatten()(seen), layers.Flatten()(own)]))
    after, _ = layers.GRUCell(24)(seen, [memory])
    lately = 0.5 * mean + 0.5 * seen
    # a mean beside an unbounded neighbour: the converter widens its output's scale, and export must correct that
    y = layers.Dense(KEYS * 4)(layers.Concatenate()([after, lately, 3 * seen]))
    outputs = {"y": ops.sigmoid(ops.reshape(40 * y, (1, KEYS, 4))), "next_frames": frames[:, 1:]}
    outputs |= {"next_mean": lately, "next_memory": after}
    return keras.Model({"x": x, "own": own, "state_frames": past, "state_mean": mean, "state_memory": memory}, outputs)


def toy_accompanist(inputs: int, seed: int = 2) -> Any:
    """Return a model from x [1, inputs] and a memory to y_chord [1, 12] and y_bass [1, 13]."""
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(seed)
    x = keras.Input(batch_shape=(1, inputs), name="x")
    memory = keras.Input(batch_shape=(1, 16), name="state_gru")
    after, _ = layers.GRUCell(16)(layers.Dense(16, activation="relu")(x), [memory])
    outputs = {
        "y_chord": ops.sigmoid(8 * layers.Dense(12)(after)),
        "y_bass": ops.softmax(8 * layers.Dense(13)(after)),
        "next_gru": after,
    }
    return keras.Model({"x": x, "state_gru": memory}, outputs)


def toy_slow() -> Any:
    """Return a model whose output is its memory. Each step moves the memory by 1/150 of its distance to tanh(2 x)."""
    import keras
    from keras import ops

    x = keras.Input(batch_shape=(1, 1), name="x")
    memory = keras.Input(batch_shape=(1, 1), name="state_memory")
    z = ops.sigmoid(x * 0.01 + 5.0)
    after = z * memory + (1 - z) * ops.tanh(2 * x)
    return keras.Model({"x": x, "state_memory": memory}, {"y": 1 * after, "next_memory": after})


def toy_music(steps: int, seed: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield `steps` random frames in which notes start and fade, with rests between them."""
    rng = np.random.default_rng(seed)
    level = np.zeros((BINS, CHANNELS))
    for step in range(steps):
        level *= 0.9
        if step % 64 < 48 and rng.random() < 0.2:
            level[3 * rng.integers(KEYS) :: 36] = rng.uniform(0.3, 1.0)
        own = rng.random((KEYS, 2)) > 0.98
        yield {"x": level.astype(np.float32), "own": own.astype(np.float32)}


def toy_grid(steps: int, inputs: int, seed: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield `steps` vectors of random 0s and 1s, mostly 0, that change every four steps."""
    rng = np.random.default_rng(seed)
    flags = np.zeros(inputs)
    for step in range(steps):
        if step % 4 == 0:
            flags = (rng.random(inputs) < 0.15).astype(np.float64)
        yield {"x": flags.astype(np.float32)}


GRID_INPUTS = 30


def checks(name: str) -> list[list[dict[str, NDArray[np.float32]]]]:
    """Return the roll-outs on which int8 and float are compared."""
    if name == "transcriber":
        return [list(toy_music(200, seed)) for seed in (11, 12)]
    return [list(toy_grid(200, GRID_INPUTS, seed)) for seed in (11, 12)]


def export_toys(folder: Path) -> None:
    """Export the toy models and write the files that the docstring of the module lists."""
    from device.hearing.features import FeatureSpec
    from device.hearing.gate_spec import GateSpec
    from export.bundle import Naming, export_bundle
    from export.conversion.float_model import FloatModel
    from export.conversion.verify import Tolerance
    from export.parts import ModelPart
    from export.sources import data_sources

    music = [list(toy_music(120, seed)) for seed in range(3)]
    grid = [list(toy_grid(120, GRID_INPUTS, seed)) for seed in range(3)]
    hearing = ModelPart(
        "transcriber", toy_transcriber(), music, checks("transcriber"), GateSpec().to_dict(), {"seed": 1}
    )
    playing = ModelPart(
        "accompanist", toy_accompanist(GRID_INPUTS), grid, checks("accompanist"), {"gap_steps": 1}, {"seed": 2}
    )
    naming = Naming(
        "toy", "1", "0000000", ("python tests/unit/helpers/toys.py",), data_sources(["lieder"], ["splendid"])
    )
    # an untrained model's outputs are near their thresholds, where those of a trained model are rare
    loose = Tolerance(error=0.1, decisions=0.95)
    export_bundle(folder / "bundle", naming, hearing, playing, FeatureSpec(), 3, loose)
    arrays = {}
    for part in (hearing, playing):
        model = FloatModel(part.model)
        for i, roll in enumerate(part.check):
            for name in model.outputs:
                arrays[f"{part.name}/{i}/{name}"] = np.stack([pair.gave[name][0] for pair in model.roll(roll)])
    np.savez(folder / "float.npz", **arrays)
    (folder / "ranges.json").write_text(json.dumps(ranges((folder / "bundle" / "accompanist.tflite").read_bytes())))
    (folder / "slow.json").write_text(json.dumps(slow()))
    (folder / "refused.json").write_text(json.dumps({case.__name__: _said(case) for case in REFUSED}))


def ranges(content: bytes) -> dict[str, float]:
    """Return the toy accompanist's errors: unchanged, with every range too wide, and with the ranges fitted again."""
    from device.bundles.golden import relative_error
    from device.bundles.tflite import StepModel
    from export.conversion.float_model import FloatModel
    from export.conversion.ranges import error_of, groups, model_of, narrowed, scaled

    model = FloatModel(toy_accompanist(GRID_INPUTS))
    rolls = [model.roll(steps) for steps in checks("accompanist")]
    wide = content
    for group in groups(model_of(content)):
        wide = scaled(wide, group, 4.0)
    fitted, before, after = narrowed(wide, rolls)
    litert, tflite = (
        [StepModel(fitted, runtime=runtime).step(x=pair.given["x"])["y_chord"] for pair in rolls[0][:20]]
        for runtime in ("litert", "tflite")
    )
    apart = relative_error(np.stack(litert), np.stack(tflite))
    return {"as it is": error_of(content, rolls), "wide": before, "fitted": after, "runtimes apart": apart}


def slow() -> dict[str, float]:
    """Return a slow memory's value after 600 steps: in floats, exported, and exported with its update in int8."""
    from unittest.mock import patch

    from device.bundles.tflite import StepModel
    from export.conversion import convert
    from export.conversion.float_model import FloatModel

    held = [{"x": np.array([x], np.float32)} for x in (1.0, 0.0) for _ in range(600)]
    model = FloatModel(toy_slow())
    rolls = [model.roll(held)]
    exported = convert.convert(model, rolls).content
    with patch.object(convert, "in_floats", lambda content: (content, [])):
        rounded = convert.convert(model, rolls).content
    reached = {"float": rolls[0][599].gave["y"].item()}
    for name, content in (("exported", exported), ("rounded", rounded)):
        step_model = StepModel(content)
        reached[name] = [step_model.step(**inputs)["y"].item() for inputs in held[:600]][-1]
    return reached


def too_few_steps() -> None:
    """Convert with only ten calibration steps."""
    from export.conversion.convert import convert
    from export.conversion.float_model import FloatModel

    model = FloatModel(toy_accompanist(GRID_INPUTS))
    convert(model, [model.roll(toy_grid(10, GRID_INPUTS, 1))])


def weights_not_numbers() -> None:
    """Convert a model whose weights are NaN, as after a fit that diverged."""
    from export.conversion.convert import convert
    from export.conversion.float_model import FloatModel

    toy = toy_accompanist(GRID_INPUTS)
    toy.set_weights([np.full_like(weight, np.nan) for weight in toy.get_weights()])
    model = FloatModel(toy)
    convert(model, [model.roll(toy_grid(150, GRID_INPUTS, 1))])


def open_batch() -> None:
    """Use a model with an open batch size."""
    import keras

    from export.conversion.float_model import FloatModel

    x = keras.Input((4,), name="x")
    FloatModel(keras.Model({"x": x}, {"y": keras.layers.Dense(1)(x)}))


def state_without_next() -> None:
    """Use a model that has a state without a matching output."""
    import keras

    from export.conversion.float_model import FloatModel

    x = keras.Input(batch_shape=(1, 4), name="x")
    state = keras.Input(batch_shape=(1, 4), name="state_gru")
    FloatModel(keras.Model({"x": x, "state_gru": state}, {"y": keras.layers.Dense(1)(x + state)}))


def wrong_input() -> None:
    """Roll out with an input that the model does not have."""
    from export.conversion.float_model import FloatModel

    FloatModel(toy_accompanist(GRID_INPUTS)).roll([{"z": np.zeros(GRID_INPUTS, np.float32)}])


REFUSED: tuple[Callable[[], None], ...] = (
    too_few_steps,
    weights_not_numbers,
    open_batch,
    state_without_next,
    wrong_input,
)


def _said(case: Callable[[], None]) -> str:
    from device.errors import UserError

    try:
        case()
    except UserError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    export_toys(Path(sys.argv[1]))
