"""Gives a state that comes out in other units than it goes in a last step into the right ones.

Where a state's value also enters a concatenation, the converter may widen its output's scale to that of its neighbours,
while the input keeps its own. A QUANTIZE operator behind that output, added to the converted file, brings it back.
"""

from __future__ import annotations

import copy
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from device.runtime import NEXT, SAME_SCALE, STATE

QUANTIZE_VERSION = 2
"""The first version of the operator that goes from int8 to int8."""


def requantise(content: bytes) -> tuple[bytes, list[str]]:
    """A .tflite file whose every `next_*` has the quantisation of its `state_*`, and the names that needed it."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
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
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), mended


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None or one.scale is None or other.scale is None:
        return True
    same_zero = int(one.zeroPoint[0]) == int(other.zeroPoint[0])
    return same_zero and abs(one.scale[0] - other.scale[0]) <= SAME_SCALE * one.scale[0]


def _append(model: Any, graph: Any, source: int, quantisation: Any) -> int:
    """Adds QUANTIZE from the output `source`; returns the tensor that is the output instead."""
    tensor = copy.deepcopy(graph.tensors[source])
    tensor.name = tensor.name + b"_requantised"
    tensor.quantization = copy.deepcopy(quantisation)
    tensor.buffer = 0
    graph.tensors.append(tensor)
    target = len(graph.tensors) - 1
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model)
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    graph.operators.append(operator)
    graph.outputs = [target if index == source else int(index) for index in graph.outputs]
    return target


def _opcode(model: Any) -> int:
    quantize = schema.BuiltinOperator.QUANTIZE
    for i, code in enumerate(model.operatorCodes):
        if code.builtinCode == quantize:
            code.version = max(code.version, QUANTIZE_VERSION)
            return i
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = quantize
    code.version = QUANTIZE_VERSION
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
