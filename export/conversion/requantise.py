"""Gives the output of a state the same int8 scale as its input.

A step model returns the next value of each state as an output and takes it as an input at the next step, so both need
the same scale. But if the next value also enters a concatenation, the converter may give the output the wider scale of
the other parts. This module then adds a QUANTIZE operator to the file, which converts the output to the input's scale.
"""

from __future__ import annotations

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from device.bundles.tflite import NEXT, SAME_SCALE, STATE
from export.conversion.graph import content_of, model_of, operator, tensor_like

FROM_INT8 = 2
"""The first version of QUANTIZE that goes from int8 to int8."""


def requantise(content: bytes) -> tuple[bytes, list[str]]:
    """Give the output of each state the same int8 scale and zero point as its input.

    A state's input is named `state_*`, its output `next_*`. Returns the .tflite file and the names of the changed
    outputs. If no output needs a change, the file is returned as it was.
    """
    model = model_of(content)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    index_in = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
    mended = []
    for entry in signature.outputs:
        name = entry.name.decode()
        if not name.startswith(NEXT):
            continue
        state = graph.tensors[index_in[STATE + name.removeprefix(NEXT)]]
        if _alike(state.quantization, graph.tensors[entry.tensorIndex].quantization):
            continue
        entry.tensorIndex = _append(model, graph, entry.tensorIndex, state.quantization)
        mended.append(name)
    if not mended:
        return content, []
    return content_of(model), mended


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None or one.scale is None or other.scale is None:
        return True
    same_zero = int(one.zeroPoint[0]) == int(other.zeroPoint[0])
    return same_zero and abs(one.scale[0] - other.scale[0]) <= SAME_SCALE * one.scale[0]


def _append(model: Any, graph: Any, source: int, quantisation: Any) -> int:
    """Add a QUANTIZE operator that converts the tensor `source` to `quantisation`. Returns the index of its output."""
    target = tensor_like(graph, source, "_requantised", quantisation)
    quantize = schema.BuiltinOperator.QUANTIZE
    graph.operators.append(operator(model, quantize, FROM_INT8, [source], target, schema.QuantizeOptionsT()))
    return target
