#!/usr/bin/env python3
"""Convert a small float TensorFlow Lite network to ONNX.

Only what the face networks named in ``manifest.toml`` need is supported; any
other operator, type or option stops the conversion with an error that names it.

How it works:

* Weights stored as fp16 (a DEQUANTIZE of a constant) become f32 initialisers.
* Inputs and outputs keep the layout of the original (NHWC). In between, image
  tensors are NCHW, which is what ONNX convolutions take. Each tensor is
  transposed lazily, at most once a direction, so that a convolutional network
  gets one transpose, at its input.
* Chains of operators that ONNX Runtime's blocked convolution layout cannot keep
  are rewritten into ones that it can (see ``prelu`` and ``pad`` in ``tflite_operators.py``).

The same input, names and pinned package versions give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper
from tflite_operators import OPERATOR_NAMES, PLAIN, ConversionError, Operators

OPSET = 18
IR_VERSION = 8


@dataclass(frozen=True)
class Output:
    """An output to keep: its name in the original, its new name and shape.

    ``shape`` must hold as many elements as the original output.
    """

    source: str
    name: str
    shape: tuple[int, ...]


def convert(
    data: bytes, input_name: str | None = None, outputs: Sequence[Output] | None = None
) -> bytes:
    """Return the ONNX bytes of the TensorFlow Lite model in ``data``.

    ``input_name`` renames the single input. ``outputs`` names the outputs to
    keep; what only the others need is left out. Raises ``ConversionError``.
    """
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise ConversionError("not a TensorFlow Lite file (the identifier TFL3 is missing)")
    try:
        return _Converter(data, input_name, outputs).run()
    except ConversionError:
        raise
    # flatbuffers and numpy report a truncated or corrupt buffer in many ways.
    except (ValueError, IndexError, TypeError, AttributeError, OverflowError, KeyError) as error:
        raise ConversionError(f"corrupt TensorFlow Lite file: {error}") from error
    except Exception as error:  # struct.error and numpy's own types
        raise ConversionError(f"cannot read the TensorFlow Lite file: {error!r}") from error


class _Converter(Operators):
    """One conversion: walks the graph, then names the outputs."""

    def __init__(
        self, data: bytes, input_name: str | None, outputs: Sequence[Output] | None
    ) -> None:
        super().__init__(data)
        self.input_name = input_name
        self.wanted = outputs

    def operator_name(self, op: tflite.Operator) -> str:
        code = self.model.OperatorCodes(op.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if number == tflite.BuiltinOperator.CUSTOM:
            return f"CUSTOM {(code.CustomCode() or b'').decode(errors='replace')}"
        return OPERATOR_NAMES.get(number, f"number {number}")

    def run(self) -> bytes:
        """Convert the graph and return the checked, serialised model."""
        if self.graph.InputsLength() != 1:
            raise ConversionError(f"{self.graph.InputsLength()} inputs; only 1 is supported")
        source = int(self.graph.Inputs(0))
        title = self.input_name or self.tensor(source).Name().decode()
        if self.tensor(source).Type() != tflite.TensorType.FLOAT32:
            raise ConversionError("the input is not float (f32): only float networks are supported")
        self.values[source, PLAIN] = title
        table = self.table()
        for step in range(self.graph.OperatorsLength()):
            self.step = step
            op = self.graph.Operators(self.step)
            kind = self.operator_name(op)
            ins = [int(i) for i in op.InputsAsNumpy()]
            outs = [int(i) for i in op.OutputsAsNumpy()]
            for index in outs:
                self.check_type(index)
            if kind == "DEQUANTIZE":
                value = self.need_constant(ins[0], "the input of DEQUANTIZE")
                self.constants[outs[0]] = value.astype(np.float32)
                continue
            if kind not in table:
                raise ConversionError(
                    f"operator {kind} (number {self.step} in the file) is not supported; add it "
                    "to the table in tflite_operators.py"
                )
            name, layout = table[kind](op, ins, outs)
            self.values[outs[0], layout] = name
        return self.finish(source, title)

    def finish(self, source: int, title: str) -> bytes:
        """Name the outputs, drop what they do not need, check and serialise."""
        ours = {self.tensor(int(i)).Name().decode(): int(i) for i in self.graph.OutputsAsNumpy()}
        wanted = self.wanted or [Output(n, n, tuple(self.shape(i))) for n, i in ours.items()]
        results = []
        for out in wanted:
            if out.source not in ours:
                raise ConversionError(f"no output {out.source!r}; there are: {', '.join(ours)}")
            index = ours[out.source]
            if int(np.prod(out.shape)) != int(np.prod(self.shape(index))):
                raise ConversionError(
                    f"output {out.source!r} is {self.shape(index)}, not {out.shape}"
                )
            shape = self.weight(np.array(out.shape, np.int64), f"shape_of_{out.name}")
            node = helper.make_node("Reshape", [self.flat(index), shape], [out.name], name=out.name)
            self.nodes.append(node)
            results.append(helper.make_tensor_value_info(out.name, TensorProto.FLOAT, out.shape))
        needed = {out.name for out in wanted}
        kept = []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        info = helper.make_tensor_value_info(title, TensorProto.FLOAT, self.shape(source))
        weights = [w for n, w in self.initialisers.items() if n in needed]
        graph = helper.make_graph(kept[::-1], "network", [info], results, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version, model.producer_name = IR_VERSION, "tflite_to_onnx"
        try:
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:
            raise ConversionError(f"the converted graph is not valid: {error}") from error
        return model.SerializeToString(deterministic=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: convert one file."""
    parser = argparse.ArgumentParser(description="Convert a float .tflite network to .onnx.")
    parser.add_argument("source", type=Path, help="the .tflite file")
    parser.add_argument("target", type=Path, help="the .onnx file to write")
    parser.add_argument("--input-name", help="new name of the input")
    options = parser.parse_args(arguments)
    try:
        result = convert(options.source.read_bytes(), options.input_name)
        part = options.target.with_name(options.target.name + ".part")
        part.write_bytes(result)
        os.replace(part, options.target)
    except (ConversionError, OSError) as error:
        print(f"error: {options.source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
