"""Keeps a GRU's memory in floats between the steps of a model that is int8 otherwise.

If an update gate is near 1, a step moves the memory by less than half of an int8 unit. Rounding would undo the move
every time. So the update z h + (1 - z) n is computed in floats. The copy that enters products is rounded, because
rounding errors do not accumulate there.
"""

from __future__ import annotations

import itertools
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from device.bundles.tflite import NEXT, STATE
from export.conversion.graph import code_of, constant, content_of, model_of, operator, tensor_like

_OP = schema.BuiltinOperator
FROM_INT8 = 2
"""The first version of DEQUANTIZE that takes int8."""


def in_floats(content: bytes) -> tuple[bytes, list[str]]:
    """Keep the memories of a .tflite step model in floats. Returns the model and the names of these states.

    A memory is a state with the next value z h + (1 - z) n, where z is the output of a sigmoid.
    """
    model = model_of(content)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    entries_in = {entry.name.decode(): entry for entry in signature.inputs}
    made_by = {int(op.outputs[0]): op for op in graph.operators}
    freed = []
    for after in signature.outputs:
        name = STATE + after.name.decode().removeprefix(NEXT)
        if name not in entries_in:
            continue
        before = entries_in[name]
        found = _update(model, made_by, int(before.tensorIndex), int(after.tensorIndex))
        if found is not None:
            _free(model, before, after, *found)
            freed.append(name)
    return (content_of(model), freed) if freed else (content, [])


def _update(model: Any, made_by: dict[int, Any], state: int, after: int) -> tuple[int, int] | None:
    """Return the sigmoid's argument and the candidate n if `after` is z h + (1 - z) n, else None."""

    def parts(tensor: int, code: int) -> list[int]:
        op = made_by.get(tensor)
        return [int(i) for i in op.inputs] if op is not None and code_of(model, op) == code else []

    for kept, fresh in itertools.permutations(parts(after, _OP.ADD), 2):
        for gate, h in itertools.permutations(parts(kept, _OP.MUL), 2):
            for rest, candidate in itertools.permutations(parts(fresh, _OP.MUL), 2):
                argument, complement = parts(gate, _OP.LOGISTIC), parts(rest, _OP.SUB)
                if h == state and argument and complement[1:] == [gate] and constant(model, complement[0]) == 1.0:
                    return argument[0], candidate
    return None


def _free(model: Any, before: Any, after: Any, argument: int, candidate: int) -> None:
    """Compute the update in floats, as n + z (h - n). Rounded copies of h and of the next h enter products."""
    graph = model.subgraphs[0]
    rounded_before, rounded_after = int(before.tensorIndex), int(after.tensorIndex)
    steps: list[Any] = []

    def made(code: int, inputs: list[int], options: Any, version: int = 1) -> int:
        out = tensor_like(graph, rounded_before, f"_{len(graph.tensors)}", None)
        steps.append(operator(model, code, version, inputs, out, options))
        return out

    h = tensor_like(graph, rounded_before, "_float", None)
    s = made(_OP.DEQUANTIZE, [argument], schema.DequantizeOptionsT(), FROM_INT8)
    z = made(_OP.LOGISTIC, [s], None)
    n = made(_OP.DEQUANTIZE, [candidate], schema.DequantizeOptionsT(), FROM_INT8)
    apart = made(_OP.SUB, [h, n], schema.SubOptionsT())
    kept = made(_OP.MUL, [z, apart], schema.MulOptionsT())
    h_after = made(_OP.ADD, [n, kept], schema.AddOptionsT())
    steps.append(operator(model, _OP.QUANTIZE, 1, [h_after], rounded_after, schema.QuantizeOptionsT()))
    first = operator(model, _OP.QUANTIZE, 1, [h], rounded_before, schema.QuantizeOptionsT())
    (last,) = [i for i, op in enumerate(graph.operators) if rounded_after in op.outputs]
    graph.operators = [first, *graph.operators[:last], *steps, *graph.operators[last + 1 :]]
    before.tensorIndex, after.tensorIndex = h, h_after
