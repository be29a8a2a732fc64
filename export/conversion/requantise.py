"""Gives a state that comes out in other units than it goes in a last step into the right ones.

Where a state's value also enters a concatenation, the converter may widen its output's scale to that of its neighbours,
while the input keeps its own. A QUANTIZE operator behind that output, added to the converted file, brings it back.
"""

from __future__ import annotations

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from device.bundles.tflite import NEXT, SAME_SCALE, STATE
from export.conversion.graph import content_of, model_of, operator, tensor_like

FROM_INT8 = 2
"""The first version of QUANTIZE that goes from int8 to int8."""


def requantise(content: bytes) -> tuple[bytes, list[str]]:
    """A .tflite file whose every `next_*` has the quantisation of its `state_*`, and the names that needed it."""
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
    """Adds QUANTIZE from the output `source`; returns the tensor that is the output instead."""
    target = tensor_like(graph, source, "_requantised", quantisation)
    quantize = schema.BuiltinOperator.QUANTIZE
    graph.operators.append(operator(model, quantize, FROM_INT8, [source], target, schema.QuantizeOptionsT()))
    return target
