"""Converts the output of a state to the scale of its input if the two differ.

If a state's value also enters a concatenation, the converter may widen the scale of its output to that of its
neighbours. The input keeps its own scale. A QUANTIZE operator after that output, added to the file, converts it back.
"""

from __future__ import annotations

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from device.bundles.tflite import NEXT, SAME_SCALE, STATE
from export.conversion.graph import content_of, model_of, operator, tensor_like

FROM_INT8 = 2
"""The first version of QUANTIZE that goes from int8 to int8."""


def requantise(content: bytes) -> tuple[bytes, list[str]]:
    """Give every `next_*` the quantisation of its `state_*`. Returns the file and the names that were changed."""
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
    """Add QUANTIZE after the output `source`. Returns the tensor that replaces it as output."""
    target = tensor_like(graph, source, "_requantised", quantisation)
    quantize = schema.BuiltinOperator.QUANTIZE
    graph.operators.append(operator(model, quantize, FROM_INT8, [source], target, schema.QuantizeOptionsT()))
    return target
