"""Reads the graph of a .tflite file as objects, and changes it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils


def model_of(content: bytes) -> Any:
    """Return the content of a .tflite file as objects (`schema.ModelT`), which can be changed."""
    return flatbuffer_utils.convert_bytearray_to_object(bytearray(content))


def content_of(model: Any) -> bytes:
    """Return the content of the .tflite file that holds `model`.

    The graph's inputs and outputs become those of the signature. Operators that no output needs are removed.
    """
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    graph.inputs = [entry.tensorIndex for entry in signature.inputs]
    graph.outputs = list(dict.fromkeys(entry.tensorIndex for entry in signature.outputs))
    wanted, kept = set(graph.outputs), []
    for op in reversed(graph.operators):
        if wanted.intersection(map(int, op.outputs)):
            wanted.update(map(int, op.inputs))
            kept.append(op)
    graph.operators = kept[::-1]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def code_of(model: Any, operator: Any) -> int:
    """Return the number in `schema.BuiltinOperator` that says which kind of operator `operator` is."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def constant(model: Any, index: int) -> float | None:
    """Return the real value of tensor `index` to two digits, if it is an int8 tensor with one constant number.

    Returns None for any other tensor.
    """
    tensor = model.subgraphs[0].tensors[index]
    data, scale = model.buffers[tensor.buffer].data, tensor.quantization
    if tensor.type != schema.TensorType.INT8 or data is None or len(data) != 1:
        return None
    stored = int(np.asarray(data, np.uint8).view(np.int8)[0])
    return round((stored - int(scale.zeroPoint[0])) * float(scale.scale[0]), 2)


def tensor_like(graph: Any, index: int, name: str, quantisation: Any) -> int:
    """Add a tensor with the shape of tensor `index` to the graph. Returns the index of the added tensor.

    It is int8 with this `quantisation`, or float32 if `quantisation` is None.
    """
    tensor = copy.deepcopy(graph.tensors[index])
    tensor.name = tensor.name + name.encode()
    tensor.quantization = copy.deepcopy(quantisation)
    tensor.type = schema.TensorType.FLOAT32 if quantisation is None else schema.TensorType.INT8
    tensor.buffer = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def operator(model: Any, code: int, version: int, inputs: list[int], output: int, options: Any = None) -> Any:
    """Return a new operator, which the caller must put into the graph.

    `inputs` and `output` are tensor indices. `options` is the `schema.*OptionsT` of this kind of operator, or None.
    """
    made = schema.OperatorT()
    made.opcodeIndex = _opcode(model, code, version)
    made.inputs, made.outputs = inputs, [output]
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        made.builtinOptionsType, made.builtinOptions = getattr(schema.BuiltinOptions, kind), options
    return made


def _opcode(model: Any, builtin: int, version: int) -> int:
    """Return the index of the operator code `builtin` in the model's list of operator codes.

    The code is added to the list if it is missing. Its version becomes at least `version`.
    """
    for i, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            code.version = max(code.version, version)
            return i
    code = schema.OperatorCodeT()
    code.builtinCode = builtin
    # Readers from before 2020 use this field. Its largest value is 127.
    code.deprecatedBuiltinCode = min(builtin, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
