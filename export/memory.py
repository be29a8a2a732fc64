"""Keeps a GRU's memory in floats between the steps of a model that is int8 otherwise.

Where an update gate is near 1, a step moves the memory by less than half of int8's unit, and rounded it stands still.
So the update z h + (1 - z) n is done in floats, and what goes on into products is rounded: there it does not add up.
"""

from __future__ import annotations

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from device.runtime import NEXT, STATE
from export.graph import code_of, content_of, model_of, operator, tensor_like

_OP = schema.BuiltinOperator
FROM_INT8 = 2
"""The first version of DEQUANTIZE that takes int8."""


def in_floats(content: bytes) -> tuple[bytes, list[str]]:
    """A .tflite step model whose memories stay in floats, and the names of these states.

    A memory is a state whose next is z h + (1 - z) n, where z comes out of a sigmoid.
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


def _update(model: Any, made_by: dict[int, Any], state: int, after: int) -> tuple[int, int, list[Any]] | None:
    """The sigmoid's argument, the candidate n and the update's operators, first to last; None where it is no memory."""

    def parts(tensor: int, code: int) -> tuple[Any, list[int]]:
        op = made_by.get(tensor)
        return (op, [int(i) for i in op.inputs]) if op is not None and code_of(model, op) == code else (None, [])

    total, terms = parts(after, _OP.ADD)
    products = [parts(term, _OP.MUL) for term in terms]
    kept = [(op, factors) for op, factors in products if state in factors]
    fresh = [(op, factors) for op, factors in products if op is not None and state not in factors]
    if len(kept) != 1 or len(fresh) != 1:
        return None
    (keep, (one, other)), (renew, factors) = kept[0], fresh[0]
    gate = other if one == state else one
    sigmoid, arguments = parts(gate, _OP.LOGISTIC)
    rest = [(op, factor) for factor in factors for op, terms in [parts(factor, _OP.SUB)] if gate in terms]
    if sigmoid is None or len(rest) != 1:
        return None
    complement, share = rest[0]
    (candidate,) = [factor for factor in factors if factor != share]
    return arguments[0], candidate, [sigmoid, keep, complement, renew, total]


def _free(model: Any, before: Any, after: Any, argument: int, candidate: int, update: list[Any]) -> None:
    """The update in floats, as n + z (h - n): before it h is rounded for its products, behind it the next h."""
    graph = model.subgraphs[0]
    rounded_before, rounded_after = int(before.tensorIndex), int(after.tensorIndex)

    def made(code: int, inputs: list[int], options: Any, version: int = 1) -> int:
        out = tensor_like(graph, rounded_before, f"_{len(graph.tensors)}", None)
        steps.append(operator(model, code, version, inputs, out, options))
        return out

    steps: list[Any] = []
    h = tensor_like(graph, rounded_before, "_float", None)
    s = made(_OP.DEQUANTIZE, [argument], schema.DequantizeOptionsT(), FROM_INT8)
    z = made(_OP.LOGISTIC, [s], None)
    n = made(_OP.DEQUANTIZE, [candidate], schema.DequantizeOptionsT(), FROM_INT8)
    apart = made(_OP.SUB, [h, n], schema.SubOptionsT())
    kept = made(_OP.MUL, [z, apart], schema.MulOptionsT())
    h_after = made(_OP.ADD, [n, kept], schema.AddOptionsT())
    rounding = schema.QuantizeOptionsT
    steps.append(operator(model, _OP.QUANTIZE, 1, [h_after], rounded_after, rounding()))
    last = graph.operators.index(update[-1])
    operators = [*graph.operators[:last], *steps, *graph.operators[last + 1 :]]
    gone = [id(op) for op in update]
    first = operator(model, _OP.QUANTIZE, 1, [h], rounded_before, rounding())
    graph.operators = [first, *(op for op in operators if id(op) not in gone)]
    before.tensorIndex, after.tensorIndex = h, h_after
