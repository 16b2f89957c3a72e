"""The operators of TensorFlow Lite, each written as ONNX nodes.

Used by ``tflite_to_onnx.py``, which says how the conversion works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import tflite
from onnx import helper, numpy_helper

NCHW = "nchw"
PLAIN = "plain"  # the axis order of the original file (NHWC for images)

_DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.INT64: np.int64,
}
OPERATOR_NAMES = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)


class ConversionError(Exception):
    """The file cannot be converted; the message says why."""


class Operators:
    """The ONNX graph as built so far, and a method for each operator.

    An operator's method takes the operator and the indices of its input and
    output tensors; it returns the ONNX name of the result and its layout.
    """

    def __init__(self, data: bytes) -> None:
        self.model = tflite.Model.GetRootAsModel(data, 0)
        if self.model.SubgraphsLength() != 1:
            raise ConversionError(f"{self.model.SubgraphsLength()} subgraphs; only 1 is supported")
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: dict[str, onnx.TensorProto] = {}
        self.values: dict[tuple[int, str], str] = {}  # (tensor, layout) -> ONNX name
        self.constants: dict[int, np.ndarray] = {}
        self.step = 0  # index of the operator under conversion, used in names

    # ---- reading the original ------------------------------------------------

    def tensor(self, index: int) -> tflite.Tensor:
        if not 0 <= index < self.graph.TensorsLength():
            raise ConversionError(
                f"operator {self.step} names tensor {index}, which does not exist"
            )
        return self.graph.Tensors(index)

    def shape(self, index: int) -> list[int]:
        tensor = self.tensor(index)
        return [int(d) for d in tensor.ShapeAsNumpy()] if tensor.ShapeLength() else []

    def check_type(self, index: int) -> None:
        """Refuse a tensor of a type that is not handled, such as a quantised one."""
        kind = self.tensor(index).Type()
        if kind not in _DTYPES:
            raise ConversionError(
                f"tensor {index} has element type {kind}; only float and integer networks are "
                "supported, not quantised ones"
            )

    def constant(self, index: int) -> np.ndarray | None:
        """The value of a constant tensor, or None if it is computed."""
        if index in self.constants:
            return self.constants[index]
        tensor = self.tensor(index)
        buffer = self.model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            return None
        self.check_type(index)
        value = np.frombuffer(buffer.DataAsNumpy().tobytes(), _DTYPES[tensor.Type()])
        self.constants[index] = value.reshape(self.shape(index))
        return self.constants[index]

    def need_constant(self, index: int, what: str) -> np.ndarray:
        value = self.constant(index)
        if value is None:
            raise ConversionError(f"operator {self.step}: {what} is not a constant")
        return value

    # ---- writing ONNX --------------------------------------------------------

    def weight(self, value: np.ndarray, name: str) -> str:
        """Add an initialiser (once a name) and return its name."""
        if name not in self.initialisers:
            kind = np.int64 if np.issubdtype(value.dtype, np.integer) else np.float32
            array = np.ascontiguousarray(value, dtype=kind).reshape(value.shape)
            self.initialisers[name] = numpy_helper.from_array(array, name)
        return name

    def add(self, kind: str, inputs: Sequence[str], **attributes: object) -> str:
        """Add a node with one output and return the output's name."""
        name = f"{kind.lower()}_{self.step}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def value(self, index: int, layout: str) -> str:
        """The ONNX name of a tensor in a layout, transposed if it must be."""
        if (index, layout) in self.values:
            return self.values[index, layout]
        constant = self.constant(index)
        if constant is not None:
            if layout == NCHW and constant.ndim:
                # Line up the trailing axes with NHWC before moving the channels.
                constant = constant.reshape((1,) * (4 - constant.ndim) + constant.shape)
                constant = constant.transpose(_TO_NCHW)
            return self.weight(constant, f"c{index}_{layout}")
        other = PLAIN if layout == NCHW else NCHW
        if (index, other) not in self.values:
            raise ConversionError(
                f"operator {self.step} reads tensor {index} before it is computed"
            )
        perm = _TO_NCHW if layout == NCHW else _TO_NHWC
        self.values[index, layout] = self.add("Transpose", [self.values[index, other]], perm=perm)
        return self.values[index, layout]

    def preferred(self, indices: Sequence[int]) -> str:
        """The layout for an elementwise operator: NCHW if an input has it."""
        computed = [i for i in indices if self.constant(i) is None]
        if all(len(self.shape(i)) == 4 for i in computed):
            if any((i, NCHW) in self.values for i in computed):
                return NCHW
        return PLAIN

    def activate(self, name: str, function: int) -> str:
        """Apply the activation that an operator carries inside."""
        kinds = tflite.ActivationFunctionType
        if function == kinds.NONE:
            return name
        if function == kinds.RELU:
            return self.add("Relu", [name])
        if function == kinds.RELU6:
            low, high = (self.weight(np.float32(v), f"clip_{v}") for v in (0, 6))
            return self.add("Clip", [name, low, high])
        raise ConversionError(f"operator {self.step}: activation {function} is not supported")

    # ---- operators -----------------------------------------------------------

    def options(self, op: tflite.Operator, kind: type) -> object:
        table = op.BuiltinOptions()
        if table is None:
            raise ConversionError(f"operator {self.step} has no options")
        result = kind()
        result.Init(table.Bytes, table.Pos)
        return result

    def window(self, options: object, index: int, kernel: Sequence[int]) -> dict[str, list[int]]:
        """Strides, dilations and explicit pads of a convolution or a pool."""
        stride = [options.StrideH(), options.StrideW()]
        dilation = [1, 1]
        if hasattr(options, "DilationHFactor"):
            dilation = [options.DilationHFactor(), options.DilationWFactor()]
        pads = [0, 0, 0, 0]
        if options.Padding() == tflite.Padding.SAME:
            size = self.shape(index)[1:3]
            for axis in range(2):
                reach = (kernel[axis] - 1) * dilation[axis] + 1
                steps = -(-size[axis] // stride[axis])
                total = max((steps - 1) * stride[axis] + reach - size[axis], 0)
                pads[axis], pads[axis + 2] = total // 2, total - total // 2
        return {
            "strides": stride,
            "dilations": dilation,
            "pads": pads,
            "kernel_shape": list(kernel),
        }

    def conv(self, op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
        options = self.options(op, tflite.Conv2DOptions)
        weights = self.need_constant(ins[1], "the convolution's weights")  # O,H,W,I
        return self.any_conv(options, ins, weights.transpose(0, 3, 1, 2), 1)

    def depthwise(self, op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
        options = self.options(op, tflite.DepthwiseConv2DOptions)
        weights = self.need_constant(ins[1], "the convolution's weights")  # 1,H,W,O
        return self.any_conv(options, ins, weights.transpose(3, 0, 1, 2), self.shape(ins[0])[3])

    def any_conv(
        self, options: object, ins: list[int], weights: np.ndarray, group: int
    ) -> tuple[str, str]:
        inputs = ["", ""]
        if len(ins) > 2 and ins[2] >= 0:
            inputs.append(self.weight(self.need_constant(ins[2], "the bias"), f"b{ins[2]}"))
        window = self.window(options, ins[0], weights.shape[2:])
        if self.is_dense(ins[0], weights, group, window["strides"]):
            # A matrix product on the original axes: no transposes around it.
            dense = self.weight(weights[:, :, 0, 0].T, f"dense{ins[1]}")
            name = self.add("MatMul", [self.value(ins[0], PLAIN), dense])
            if len(inputs) > 2:
                name = self.add("Add", [name, inputs[2]])
            return self.activate(name, options.FusedActivationFunction()), PLAIN
        inputs[:2] = [self.value(ins[0], NCHW), self.weight(weights, f"w{ins[1]}_{group}")]
        name = self.add("Conv", inputs, group=group, **window)
        return self.activate(name, options.FusedActivationFunction()), NCHW

    def is_dense(self, index: int, weights: np.ndarray, group: int, strides: list[int]) -> bool:
        """Whether a convolution is a product of matrices (an MLP written as 1x1 convolutions)."""
        flat = self.shape(index)[1] == 1 and (index, PLAIN) in self.values
        return flat and group == 1 and weights.shape[2:] == (1, 1) and strides == [1, 1]

    def max_pool(self, op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
        options = self.options(op, tflite.Pool2DOptions)
        window = self.window(options, ins[0], [options.FilterHeight(), options.FilterWidth()])
        name = self.add("MaxPool", [self.value(ins[0], NCHW)], **window)
        return self.activate(name, options.FusedActivationFunction()), NCHW

    def prelu(self, _: tflite.Operator, ins: list[int], __: list[int]) -> tuple[str, str]:
        """PRelu(x) = x + (1 - slope) * Relu(-x), with depthwise 1x1 convolutions.

        ONNX Runtime has no PRelu in its blocked layout: it would leave and enter
        that layout around each one, and its PRelu is slow besides. Written so,
        the whole network stays in the blocked layout (face mesh v2: 14 -> 4 ms).
        """
        layout = self.preferred(ins[:1])
        slope = self.need_constant(ins[1], "the slope of PRELU")
        x = self.value(ins[0], layout)
        if layout != NCHW or slope.size != slope.shape[-1]:
            return self.add("PRelu", [x, self.value(ins[1], layout)]), layout
        gain = (1 - slope.astype(np.float32)).reshape(-1, 1, 1, 1)
        minus = self.weight(np.full(gain.shape, -1, np.float32), f"minus_{gain.size}")
        one = {"group": gain.size, "kernel_shape": [1, 1]}
        negative = self.add("Relu", [self.add("Conv", [x, minus], **one)])
        scaled = self.add("Conv", [negative, self.weight(gain, f"gain{ins[1]}")], **one)
        return self.add("Add", [scaled, x]), NCHW

    def pad(self, _: tflite.Operator, ins: list[int], outs: list[int]) -> tuple[str, str]:
        pads = self.need_constant(ins[1], "the amount of padding")
        layout = self.preferred(ins[:1])
        if layout == NCHW:
            pads = pads[list(_TO_NCHW)]
            if not pads[[0, 2, 3]].any():
                # Channels only: a 1x1 convolution with a shifted identity, which
                # (unlike Pad) stays in the blocked layout and merges with the ADD
                # that follows in these networks.
                inner, outer = self.shape(ins[0])[3], self.shape(outs[0])[3]
                eye = np.eye(outer, inner, k=-int(pads[1][0]), dtype=np.float32)
                kernel = self.weight(eye[:, :, None, None], f"pad{ins[1]}_{inner}")
                name = self.add("Conv", [self.value(ins[0], NCHW), kernel], kernel_shape=[1, 1])
                return name, NCHW
        amounts = self.weight(pads.T.reshape(-1), f"pads{ins[1]}_{layout}")
        return self.add("Pad", [self.value(ins[0], layout), amounts]), layout

    def elementwise(self, kind: str, options: type | None = None) -> Callable:
        def convert_one(op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
            layout = self.preferred(ins)
            name = self.add(kind, [self.value(i, layout) for i in ins])
            if options is not None:
                function = self.options(op, options).FusedActivationFunction()
                name = self.activate(name, function)
            return name, layout

        return convert_one

    def squared_difference(
        self, _: tflite.Operator, ins: list[int], __: list[int]
    ) -> tuple[str, str]:
        layout = self.preferred(ins)
        name = self.add("Sub", [self.value(i, layout) for i in ins])
        return self.add("Mul", [name, name]), layout

    def rsqrt(self, _: tflite.Operator, ins: list[int], __: list[int]) -> tuple[str, str]:
        layout = self.preferred(ins)
        return self.add("Reciprocal", [self.add("Sqrt", [self.value(ins[0], layout)])]), layout

    def reduce(self, kind: str) -> Callable:
        def convert_one(op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
            axes = self.need_constant(ins[1], "the list of axes").reshape(-1)
            keep = int(self.options(op, tflite.ReducerOptions).KeepDims())
            inputs = [self.value(ins[0], PLAIN), self.weight(axes, f"axes{ins[1]}")]
            return self.add(kind, inputs, keepdims=keep), PLAIN

        return convert_one

    def reshape(self, _: tflite.Operator, ins: list[int], outs: list[int]) -> tuple[str, str]:
        target = self.weight(np.array(self.shape(outs[0]), np.int64), f"shape{outs[0]}")
        return self.add("Reshape", [self.flat(ins[0]), target]), PLAIN

    def flat(self, index: int) -> str:
        """A tensor whose elements lie in the original order, whatever its axes."""
        if (index, NCHW) in self.values and self.shape(index)[1:3] == [1, 1]:
            return self.values[index, NCHW]
        return self.value(index, PLAIN)

    def transpose(self, _: tflite.Operator, ins: list[int], __: list[int]) -> tuple[str, str]:
        perm = self.need_constant(ins[1], "the order of axes").tolist()
        return self.add("Transpose", [self.value(ins[0], PLAIN)], perm=perm), PLAIN

    def concat(self, op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
        options = self.options(op, tflite.ConcatenationOptions)
        layout, rank = self.preferred(ins), len(self.shape(ins[0]))
        axis = options.Axis() % rank
        if layout == NCHW:
            axis = _TO_NCHW.index(axis)
        name = self.add("Concat", [self.value(i, layout) for i in ins], axis=axis)
        return self.activate(name, options.FusedActivationFunction()), layout

    def strided_slice(self, op: tflite.Operator, ins: list[int], _: list[int]) -> tuple[str, str]:
        options = self.options(op, tflite.StridedSliceOptions)
        if options.EllipsisMask() or options.NewAxisMask():
            raise ConversionError(
                f"operator {self.step}: this form of STRIDED_SLICE is not supported"
            )
        begin, end, stride = (
            self.need_constant(i, "a bound of the slice").copy() for i in ins[1:4]
        )
        shrink = [a for a in range(len(begin)) if options.ShrinkAxisMask() >> a & 1]
        for axis in range(len(begin)):
            if stride[axis] <= 0:
                raise ConversionError(f"operator {self.step}: a slice that runs backwards")
            if options.BeginMask() >> axis & 1:
                begin[axis] = 0
            if axis in shrink:
                end[axis] = begin[axis] + 1 if begin[axis] != -1 else np.iinfo(end.dtype).max
            elif options.EndMask() >> axis & 1:
                end[axis] = np.iinfo(end.dtype).max
        bounds = {"begin": begin, "end": end, "axes": np.arange(len(begin)), "step": stride}
        inputs = [self.weight(v, f"{n}_{self.step}") for n, v in bounds.items()]
        name = self.add("Slice", [self.value(ins[0], PLAIN), *inputs])
        if shrink:
            axes = self.weight(np.array(shrink), f"squeeze_{self.step}")
            name = self.add("Squeeze", [name, axes])
        return name, PLAIN

    def table(self) -> dict[str, Callable]:
        """Which method converts which operator."""
        return {
            "ABS": self.elementwise("Abs"),
            "ADD": self.elementwise("Add", tflite.AddOptions),
            "CONCATENATION": self.concat,
            "CONV_2D": self.conv,
            "DEPTHWISE_CONV_2D": self.depthwise,
            "DIV": self.elementwise("Div", tflite.DivOptions),
            "LOGISTIC": self.elementwise("Sigmoid"),
            "MAX_POOL_2D": self.max_pool,
            "MEAN": self.reduce("ReduceMean"),
            "MUL": self.elementwise("Mul", tflite.MulOptions),
            "NEG": self.elementwise("Neg"),
            "PAD": self.pad,
            "PRELU": self.prelu,
            "RELU": self.elementwise("Relu"),
            "RESHAPE": self.reshape,
            "RSQRT": self.rsqrt,
            "SQRT": self.elementwise("Sqrt"),
            "SQUARED_DIFFERENCE": self.squared_difference,
            "STRIDED_SLICE": self.strided_slice,
            "SUB": self.elementwise("Sub", tflite.SubOptions),
            "SUM": self.reduce("ReduceSum"),
            "TRANSPOSE": self.transpose,
        }
