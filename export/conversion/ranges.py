"""Fits the ranges of the inner tensors of an int8 model.

An int8 tensor divides its range into 256 values, so a wide range is a coarse one. The converter gives each tensor the
range from its least to its greatest value in the calibration. This is often too wide: one loud chord widens the range
for all other steps, and a sigmoid has almost the same output for input 15 as for input 7. So each range is narrowed
step by step, as long as this brings the int8 model's outputs nearer to the float model's. Values beyond the narrowed
range are clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tqdm import tqdm

from device.bundles.golden import relative_error
from device.bundles.tflite import NEXT, STATE, StepModel
from export.conversion.graph import code_of, content_of, model_of
from export.conversion.rolls import Pair

NARROWER = 0.8
"""Factor by which one step of the search multiplies the range of a tensor."""
GAIN = 0.998
"""A narrower range is kept if the error with it is below this share of the error before.

A smaller gain can be chance.
"""
_OP = schema.BuiltinOperator
_MOVES = {
    *(_OP.RESHAPE, _OP.SQUEEZE, _OP.EXPAND_DIMS, _OP.TRANSPOSE, _OP.PAD, _OP.GATHER),
    *(_OP.SLICE, _OP.STRIDED_SLICE, _OP.SPLIT, _OP.SPLIT_V, _OP.UNPACK, _OP.PACK, _OP.CONCATENATION),
}
"""Operators that only move numbers. Their inputs and outputs share one scale."""
_FIXED = {_OP.LOGISTIC, _OP.TANH, _OP.SOFTMAX, _OP.QUANTIZE}
"""Operators whose output has a fixed scale."""
_PRODUCTS = {_OP.CONV_2D, _OP.FULLY_CONNECTED}
"""Operators with a bias. The scale of the bias is the scale of the input times the scale of the weight."""


def narrowed(content: bytes, rolls: list[list[Pair]]) -> tuple[bytes, float, float]:
    """Fit the ranges of the .tflite step model `content`. Returns the new file, the error before and the error after.

    `rolls` are roll-outs of the float model. `error_of` computes the error.
    """
    first = least = error_of(content, rolls)
    free = groups(model_of(content))
    with tqdm(desc="ranges", unit="range") as bar:
        before = math.inf
        while least < GAIN * before:
            before = least
            for group in free:
                bar.update()
                while (error := error_of(trial := scaled(content, group, NARROWER), rolls)) < GAIN * least:
                    content, least = trial, error
    return content, first, least


def error_of(content: bytes, rolls: list[list[Pair]]) -> float:
    """Return how far the outputs of the int8 model `content` are from those of the float model.

    `rolls` hold the inputs and the outputs of the float model. The int8 model runs over the same inputs and keeps its
    own states. The relative L2 error of each output is computed over all steps. The result is the mean over the
    outputs.
    """
    step_model = StepModel(content)
    gave: dict[str, list[Any]] = {}
    wanted: dict[str, list[Any]] = {}
    for roll in rolls:
        step_model.reset()
        for pair in roll:
            inputs = {name: value for name, value in pair.given.items() if not name.startswith(STATE)}
            for name, value in step_model.step(**inputs).items():
                gave.setdefault(name, []).append(value)
                wanted.setdefault(name, []).append(pair.gave[name][0])
    return float(np.mean([relative_error(np.stack(gave[name]), np.stack(wanted[name])) for name in gave]))


def groups(model: Any) -> list[list[int]]:
    """Return the groups of int8 tensors whose range can be changed. Each group is a list of tensor indices.

    All tensors of a group must have the same scale, because the operators between them only move numbers, or because
    they are the input and the output of one state. Tensors with a fixed scale are in no group. The groups are in the
    order in which the model computes them.
    """
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    leader = list(range(len(graph.tensors)))

    def find(i: int) -> int:
        while leader[i] != i:
            i = leader[i]
        return i

    def join(tensors: Iterable[int]) -> None:
        alike = [int(i) for i in tensors if _is_int8(graph.tensors[int(i)])]
        for other in alike[1:]:
            leader[find(other)] = find(alike[0])

    fixed = {entry.tensorIndex for entry in signature.inputs if not entry.name.decode().startswith(STATE)}
    inputs = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
    computed: list[int] = []
    for op in graph.operators:
        code = code_of(model, op)
        if code in _MOVES:
            join([*op.inputs, *op.outputs])
        elif code in _FIXED:
            fixed |= {int(i) for i in op.outputs}
        else:
            computed += [int(i) for i in op.outputs]
    for entry in signature.outputs:
        name = entry.name.decode()
        if name.startswith(NEXT):
            join([inputs[STATE + name.removeprefix(NEXT)], entry.tensorIndex])
    held = {find(i) for i in fixed} | {i for i, tensor in enumerate(graph.tensors) if not _is_int8(tensor)}
    leaders = dict.fromkeys(find(i) for i in computed)
    return [[i for i in range(len(leader)) if find(i) == one] for one in leaders if one not in held]


def scaled(content: bytes, tensors: list[int], factor: float) -> bytes:
    """Multiply the scales of `tensors` (indices) by `factor`. Returns the changed .tflite file.

    The scale of a bias depends on the scale of its operator's input, so it is multiplied too.
    """
    model = model_of(content)
    graph = model.subgraphs[0]
    for i in tensors:
        graph.tensors[i].quantization.scale = [factor * float(graph.tensors[i].quantization.scale[0])]
    for op in graph.operators:
        scaled_in = code_of(model, op) in _PRODUCTS and int(op.inputs[0]) in tensors
        if scaled_in and len(op.inputs) > 2 and op.inputs[2] >= 0:
            bias = graph.tensors[int(op.inputs[2])]
            bias.quantization.scale = [factor * float(scale) for scale in bias.quantization.scale]
            buffer = model.buffers[bias.buffer]
            stored = np.frombuffer(np.asarray(buffer.data, np.uint8).tobytes(), np.int32)
            buffer.data = np.frombuffer(np.rint(stored / factor).astype(np.int32).tobytes(), np.uint8)
    return content_of(model)


def _is_int8(tensor: Any) -> bool:
    return bool(tensor.type == schema.TensorType.INT8)
