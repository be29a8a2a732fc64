"""Runs TFLite models step by step in one of two runtimes, and keeps their states between the steps."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device.errors import BundleError, UserError
from device.system.quiet import without_line

RuntimeName: TypeAlias = Literal["litert", "tflite"]
Float: TypeAlias = NDArray[np.float32]

MODULES: dict[RuntimeName, str] = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}
PACKAGES: dict[RuntimeName, str] = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}
STATE, NEXT = "state_", "next_"
"""Prefixes of the names of a state and of its next value."""
_CREATED = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
"""Line that both runtimes print when the first model is loaded. They have no setting against it."""
SAME_SCALE = 1e-5
"""Largest relative difference of two scales that count as equal. Two kernels may compute them a little differently."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Describes a tensor: `shape` includes the batch axis of 1, and `dtype` is a numpy name.

    The real value is scale * (stored - zero_point). `scale` is 0 for a tensor that is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def quantised(self) -> bool:
        """Return whether the tensor stores whole numbers that stand for real ones."""
        return self.scale > 0

    def alike(self, other: TensorSpec) -> bool:
        """Return whether `other` can take the stored values of this tensor unchanged."""
        return (
            self.shape == other.shape
            and self.dtype == other.dtype
            and self.zero_point == other.zero_point
            and abs(self.scale - other.scale) <= SAME_SCALE * self.scale
        )

    def __str__(self) -> str:
        stored = f"{self.dtype} {list(self.shape)}"
        return f"{stored} scale {self.scale:.6g} zero point {self.zero_point}" if self.quantised else stored


class Interpreter(Protocol):
    """Lists the methods of an interpreter that this module uses. The interpreters of both runtimes have them."""

    def allocate_tensors(self) -> None: ...
    def invoke(self) -> None: ...
    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[Any]: ...
    def get_signature_list(self) -> dict[str, Any]: ...
    def get_signature_runner(self, signature_key: str) -> Any: ...


def available_runtimes() -> list[RuntimeName]:
    """Return the runtimes that can be imported, the preferred one first."""
    return [name for name in MODULES if _interpreter_class(name) is not None]


def _interpreter_class(runtime: RuntimeName) -> Any:
    try:
        return importlib.import_module(MODULES[runtime]).Interpreter
    except ImportError:
        return None


def _choose(runtime: RuntimeName | None) -> tuple[RuntimeName, Any]:
    for name in MODULES if runtime is None else (runtime,):
        interpreter_class = _interpreter_class(name)
        if interpreter_class is not None:
            return name, interpreter_class
    wanted = PACKAGES[runtime or "litert"]
    raise UserError(f"No TFLite runtime named {wanted} is installed: run `pip install {wanted}` to get it.")


class _Input:
    """Describes an input tensor and holds the arrays that are needed to quantise its values.

    The constants are whole arrays, because numpy would convert a float to an array on every step.
    """

    def __init__(self, spec: TensorSpec, index: int) -> None:
        self.spec, self.index = spec, index
        self._stored = np.zeros(spec.shape, spec.dtype if spec.quantised else np.float32)
        self._shape, self._flat = (self._stored.size,), self._stored.reshape(-1)
        self._quantised = spec.quantised
        if spec.quantised:
            limits = np.iinfo(self._stored.dtype)
            self._real = np.zeros(self._shape, np.float32)
            self._low, self._high, self._scale, self._zero = (
                np.full(self._shape, value, np.float32)
                for value in (limits.min, limits.max, spec.scale, spec.zero_point)
            )
            self._nothing = np.full(spec.shape, spec.zero_point, spec.dtype)

    def store(self, values: ArrayLike) -> NDArray[Any]:
        """Return `values` as the tensor stores them, rounded and clipped. NaN and infinity become 0.

        The next call overwrites the returned array. Raises ValueError if the number of values does not fit the tensor.
        """
        given = np.asarray(values, np.float32).reshape(self._shape)
        # one sum of squares says whether all values are 0, and whether one is not finite
        energy = float(np.dot(given, given))
        if not math.isfinite(energy):
            given = np.where(np.isfinite(given), given, np.float32(0))
        if not self._quantised:
            self._flat[...] = given
            return self._stored
        if energy == 0:
            return self._nothing
        real = self._real
        np.divide(given, self._scale, real)
        np.rint(real, real)
        np.add(real, self._zero, real)
        np.maximum(real, self._low, real)
        np.minimum(real, self._high, real)
        self._flat[...] = real
        return self._stored


class _Output:
    """Turns the stored values of an output tensor into real numbers."""

    def __init__(self, spec: TensorSpec, index: int) -> None:
        self.spec, self.index = spec, index
        self._quantised = spec.quantised
        self._table: Float | None = None
        self._scale, self._zero = np.float32(spec.scale), np.float32(spec.zero_point)
        if spec.quantised and np.dtype(spec.dtype).itemsize == 1:
            # the real value of each of the numbers that the tensor can store, in the order of their unsigned bytes
            stored = np.arange(256, dtype=np.uint8).view(spec.dtype)
            self._table = (stored.astype(np.float32) - self._zero) * self._scale

    def real(self, stored: NDArray[Any]) -> Float:
        """Return the values `stored` in the tensor as real numbers, float32, without the batch axis of 1."""
        if not self._quantised:
            return cast(Float, stored[0])
        if self._table is not None:
            return cast(Float, self._table.take(stored[0].view(np.uint8)))
        return cast(Float, (stored[0].astype(np.float32) - self._zero) * self._scale)


class StepModel:
    """Runs a streaming model step by step. It keeps the model's states between steps, as the tensors store them.

    Each input of the signature named `state_NAME` is a state, and each output named `next_NAME` is its next value: it
    becomes the input `state_NAME` of the next step. All other inputs and outputs belong to the caller.
    """

    def __init__(
        self, model: bytes | str | os.PathLike[str], *, runtime: RuntimeName | None = None, threads: int = 1
    ) -> None:
        """Load `model`, a .tflite file or its bytes. `runtime` forces one of two runtimes, with `threads` threads.

        Raises BundleError if `model` is not a step model, and UserError if the runtime is not installed.
        """
        named = "the model" if isinstance(model, bytes) else Path(model).name
        content = model if isinstance(model, bytes) else Path(model).read_bytes()
        self.runtime, interpreter_class = _choose(runtime)
        try:
            interpreter: Interpreter = interpreter_class(model_content=content, num_threads=threads)
            with without_line(_CREATED):
                interpreter.allocate_tensors()
            signatures = list(interpreter.get_signature_list())
            if len(signatures) != 1:
                raise ValueError(f"it has {len(signatures)} signatures where 1 is needed")
            runner = interpreter.get_signature_runner(signatures[0])
            details_in, details_out = runner.get_input_details(), runner.get_output_details()
        except (ValueError, RuntimeError, SystemError, ImportError, AttributeError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise BundleError(f"{PACKAGES[self.runtime]} cannot load {named}: {reason}.") from error
        self._interpreter, self._named = interpreter, named
        specs_in = {name: _spec(name, detail) for name, detail in sorted(details_in.items())}
        specs_out = {name: _spec(name, detail) for name, detail in sorted(details_out.items())}
        self.inputs = {name: spec for name, spec in specs_in.items() if not name.startswith(STATE)}
        self.states = {name: spec for name, spec in specs_in.items() if name.startswith(STATE)}
        self.outputs = {name: spec for name, spec in specs_out.items() if not name.startswith(NEXT)}
        self.next_states = {name: spec for name, spec in specs_out.items() if name.startswith(NEXT)}
        _check_tensors(self.tensors.values(), named)
        _check_states(self.states, self.next_states, named)
        self._inputs = {name: _Input(spec, details_in[name]["index"]) for name, spec in self.inputs.items()}
        self._states = {name: _Input(spec, details_in[name]["index"]) for name, spec in self.states.items()}
        self._loops = [
            (details_out[NEXT + name.removeprefix(STATE)]["index"], details_in[name]["index"]) for name in self.states
        ]
        self._outputs = {name: _Output(spec, details_out[name]["index"]) for name, spec in self.outputs.items()}
        self.reset()

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """Return the shape, type and scaling of every input, state, output and next state, by name."""
        return {**self.inputs, **self.states, **self.outputs, **self.next_states}

    def reset(self) -> None:
        """Set every state to zero."""
        for state in self._states.values():
            self._interpreter.set_tensor(state.index, state.store(np.zeros(state.spec.shape, np.float32)))

    def step(self, **inputs: ArrayLike) -> dict[str, Float]:
        """Run one step and return the outputs by name. The states move on to their next values.

        Outputs are real numbers, float32, without the batch axis of 1; `inputs` may have that axis. Raises TypeError if
        an input is missing or unknown, ValueError if one does not fit its tensor, and BundleError if the runtime
        refuses to run the model.
        """
        if inputs.keys() != self._inputs.keys():
            raise TypeError(f"The model takes {sorted(self._inputs)}, not {sorted(inputs)}.")
        interpreter = self._interpreter
        for name, values in inputs.items():
            tensor = self._inputs[name]
            interpreter.set_tensor(tensor.index, tensor.store(values))
        try:
            interpreter.invoke()
        except RuntimeError as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise BundleError(f"{PACKAGES[self.runtime]} cannot run {self._named}: {reason}.") from error
        outputs = {name: out.real(interpreter.get_tensor(out.index)) for name, out in self._outputs.items()}
        for source, target in self._loops:
            interpreter.set_tensor(target, interpreter.get_tensor(source))
        return outputs


def _spec(name: str, detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return TensorSpec(name, shape, np.dtype(detail["dtype"]).name, float(scale), int(zero_point))


def _check_tensors(specs: Iterable[TensorSpec], named: str) -> None:
    for spec in specs:
        if not spec.quantised and spec.dtype != "float32":
            raise BundleError(f"{named} cannot be fed: {spec.name} is {spec}, neither quantised nor float32.")
        if not spec.shape or spec.shape[0] != 1 or min(spec.shape) < 1:
            raise BundleError(f"{named} is not a step model: {spec.name} is {spec}, its first axis must be 1.")


def _check_states(states: dict[str, TensorSpec], next_states: dict[str, TensorSpec], named: str) -> None:
    pairs = {NEXT + name.removeprefix(STATE): spec for name, spec in states.items()}
    if pairs.keys() != next_states.keys():
        raise BundleError(
            f"{named} is not a step model: its states ask for {sorted(pairs)}, its outputs give {sorted(next_states)}."
        )
    for name, spec in pairs.items():
        if not spec.alike(next_states[name]):
            raise BundleError(f"{named} cannot be stepped: {spec.name} is {spec}, {name} is {next_states[name]}.")
