"""Keeps the memory of a GRU (a recurrent layer) in floats, while the rest of the model is int8.

The next memory of a GRU is z h + (1 - z) n, with memory h, update gate z and candidate n. If z is near 1, a step
changes the memory by less than half of an int8 unit, and rounding to int8 would undo every such change. So the next
memory is computed and kept in floats. Matrix products read a copy that is rounded to int8, because that error does not
accumulate over the steps.
"""

from __future__ import annotations

import itertools
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from device.bundles.tflite import NEXT, STATE
from export.conversion.graph import code_of, constant, content_of, model_of, operator, tensor_like

_OP = schema.BuiltinOperator
FROM_INT8 = 2
"""The first version of the operator DEQUANTIZE that accepts int8."""


def in_floats(content: bytes) -> tuple[bytes, list[str]]:
    """Change the .tflite step model `content` so that its memories are floats.

    Returns the changed file, and the names of the states that are now floats. A state h counts as a memory if its next
    value is z h + (1 - z) n, where z is the output of a sigmoid. Without such a state the file is returned unchanged.
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
    """Find out whether the tensor `after` is z h + (1 - z) n, where h is the tensor `state` and z is a sigmoid.

    If so, returns the tensor indices of the sigmoid's argument and of n, else None. `made_by` maps each tensor to the
    operator that computes it.
    """

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
    """Change the graph so that one memory h is updated in floats, as n + z (h - n).

    `before` and `after` are the signature's entries of h and of the next h. `argument` and `candidate` are the tensors
    that `_update` has found. All other operators read int8 copies of h and of the next h.
    """
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
