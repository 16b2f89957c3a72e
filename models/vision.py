"""Rebuild a frozen vision transformer (DINOv2, ViT-S/14) from the ONNX file that carries it, up to a block and for one size.

The file's graph spells out shapes and norms in some hundred small nodes and has a decoder behind it that is not wanted. The weights
are taken as they are; the graph is written anew, node by node, always in the same order, so that the result is the same byte for byte.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Side of the picture and of a patch, pixels; numbers a token; heads of the attention.
PICTURE, PATCH, WIDTH, HEADS = 224, 14, 384, 6
#: Patches a side, and tokens: the class token comes first.
CELLS = PICTURE // PATCH
TOKENS = CELLS * CELLS + 1
#: Patches a side that the positions were learned for.
LEARNED = 37
EPSILON = 1e-6
#: Weights in few bits are so many steps to each side: with one bit more, sums of two overflow on processors without VNNI.
BITS_7 = 63
ROOT = "backbone.encoder.layer"


def weights_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All weights by the names of their layers: the file's own names, and those of the node that uses them where it has none."""
    found = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in found:
            found[node.name.strip("/").replace("/", ".").removesuffix(".MatMul") + ".weight"] = found[node.input[1]]
    return found


class Writer:
    """A graph that is being written: names of nodes and constants are given in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: str, output: str, **attributes: object) -> str:
        """`inputs` and `output` are names with blanks between them; returns `output`."""
        self.nodes.append(helper.make_node(kind, inputs.split(), output.split(), **attributes))
        return output


def tokens(writer: Writer, weights: dict[str, np.ndarray], picture: str, blocks: list[int], whole: bool = False) -> dict[int, str]:
    """Writes the transformer over `picture` (n x 3 x PICTURE x PICTURE) up to the last of `blocks` (1 is the first), with the layers' weights
    in 7 bit and what goes into these layers in 8, or in `whole` numbers of 32 bit as the file has them.

    Returns the names of what leaves these blocks, n x TOKENS x WIDTH.
    """
    w = writer
    w.constant("as_heads", np.array([0, TOKENS, 3, HEADS, WIDTH // HEADS], np.int64))
    w.constant("as_tokens", np.array([0, TOKENS, WIDTH], np.int64))
    w.constant("as_rows", np.array([0, WIDTH, CELLS * CELLS], np.int64))
    grid = weights["onnx::Reshape_1962"].reshape(1, LEARNED, LEARNED, WIDTH).transpose(0, 3, 1, 2)
    w.constant("positions", grid)
    w.constant("positions_size", np.array([1, WIDTH, CELLS, CELLS], np.int64))
    w.nodes.append(helper.make_node("Resize", ["positions", "", "", "positions_size"], ["positions_small"], mode="cubic", cubic_coeff_a=-0.75,
                                    coordinate_transformation_mode="half_pixel", nearest_mode="floor"))
    w.node("Reshape", "positions_small as_rows", "positions_rows")
    w.node("Transpose", "positions_rows", "positions_tokens", perm=[0, 2, 1])
    w.constant("patches.weight", weights["backbone.embeddings.patch_embeddings.projection.weight"])
    w.constant("patches.bias", weights["backbone.embeddings.patch_embeddings.projection.bias"])
    w.node("Conv", f"{picture} patches.weight patches.bias", "patches", kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
    w.node("Reshape", "patches as_rows", "patches_rows")
    w.node("Transpose", "patches_rows", "patches_plain", perm=[0, 2, 1])
    w.node("Add", "patches_plain positions_tokens", "patches_placed")
    # The class token, once for each picture: a first patch's numbers times nothing, and it.
    w.constant("class", (weights["backbone.embeddings.cls_token"] + weights["onnx::Concat_1957"]).astype(np.float32))
    w.constant("zero", np.zeros((1, 1, 1), np.float32))
    for name, value in [("at_0", 0), ("at_1", 1)]:
        w.constant(name, np.array([value], np.int64))
    w.node("Slice", "patches_placed at_0 at_1 at_1", "first_patch")
    w.node("Mul", "first_patch zero", "nothing")
    w.node("Add", "nothing class", "class_each")
    now = w.node("Concat", "class_each patches_placed", "embedded", axis=1)
    left = {}
    for number in range(max(blocks)):
        now = _block(w, weights, now, number, whole)
        if number + 1 in blocks:
            left[number + 1] = now
    return left


def _linear(w: Writer, given: str, name: str, weight: np.ndarray, bias: np.ndarray, whole: bool) -> str:
    """`given` @ weight + bias. In few bits, each column of the weights has its scale, and `given` one for all of it."""
    w.constant(f"{name}.bias", bias)
    if whole:
        w.constant(f"{name}.weight", weight)
        w.node("MatMul", f"{given} {name}.weight", f"{name}_plain")
        return w.node("Add", f"{name}_plain {name}.bias", name)
    scale = np.abs(weight).max(0) / np.float32(BITS_7)
    w.constant(f"{name}.weight", np.rint(weight / scale).astype(np.int8))
    w.constant(f"{name}.scale", scale)
    w.node("DynamicQuantizeLinear", given, f"{name}.in {name}.in_scale {name}.in_zero")
    w.node("MatMulInteger", f"{name}.in {name}.weight {name}.in_zero", f"{name}.sums")
    w.node("Cast", f"{name}.sums", f"{name}.float", to=TensorProto.FLOAT)
    w.node("Mul", f"{name}.in_scale {name}.scale", f"{name}.step")
    w.node("Mul", f"{name}.float {name}.step", f"{name}_plain")
    return w.node("Add", f"{name}_plain {name}.bias", name)


def _block(w: Writer, weights: dict[str, np.ndarray], now: str, number: int, whole: bool) -> str:
    """One block: attention and two layers, each added to what comes in. The scales of both are taken into the weights."""
    at = f"b{number + 1}"

    def of(name: str) -> np.ndarray:
        return weights[f"{ROOT}.{number}.{name}"]

    parts = ["query", "key", "value"]
    inward = [of(f"attention.attention.{p}.weight") for p in parts]
    bias = [of(f"attention.attention.{p}.bias") for p in parts]
    # The attention's own scale is a power of two: taken into the queries, it changes no digit.
    scale = np.float32((WIDTH // HEADS) ** -0.5)
    inward[0], bias[0] = inward[0] * scale, bias[0] * scale
    one, two = of("layer_scale1.lambda1"), of("layer_scale2.lambda1")
    for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
        w.constant(f"{at}.{name}", of(name))
    w.node("LayerNormalization", f"{now} {at}.norm1.weight {at}.norm1.bias", f"{at}.n1", axis=-1, epsilon=EPSILON)
    _linear(w, f"{at}.n1", f"{at}.qkv", np.concatenate(inward, 1), np.concatenate(bias), whole)
    w.node("Reshape", f"{at}.qkv as_heads", f"{at}.heads")
    w.node("Transpose", f"{at}.heads", f"{at}.turned", perm=[2, 0, 3, 1, 4])
    w.node("Split", f"{at}.turned", f"{at}.q1 {at}.k1 {at}.v1", axis=0, num_outputs=3)
    for part in "qkv":
        w.node("Squeeze", f"{at}.{part}1 at_0", f"{at}.{part}")
    w.node("Transpose", f"{at}.k", f"{at}.kt", perm=[0, 1, 3, 2])
    w.node("MatMul", f"{at}.q {at}.kt", f"{at}.likeness")
    w.node("Softmax", f"{at}.likeness", f"{at}.shares", axis=-1)
    w.node("MatMul", f"{at}.shares {at}.v", f"{at}.seen")
    w.node("Transpose", f"{at}.seen", f"{at}.seen_turned", perm=[0, 2, 1, 3])
    w.node("Reshape", f"{at}.seen_turned as_tokens", f"{at}.joined")
    _linear(w, f"{at}.joined", f"{at}.out", of("attention.output.dense.weight") * one, of("attention.output.dense.bias") * one, whole)
    w.node("Add", f"{now} {at}.out", f"{at}.half")
    w.node("LayerNormalization", f"{at}.half {at}.norm2.weight {at}.norm2.bias", f"{at}.n2", axis=-1, epsilon=EPSILON)
    _linear(w, f"{at}.n2", f"{at}.up", of("mlp.fc1.weight"), of("mlp.fc1.bias"), whole)
    w.node("Gelu", f"{at}.up", f"{at}.active")
    _linear(w, f"{at}.active", f"{at}.down", of("mlp.fc2.weight") * two, of("mlp.fc2.bias") * two, whole)
    return w.node("Add", f"{at}.half {at}.down", f"{at}.left")


def model_of(writer: Writer, inputs: dict[str, list], outputs: dict[str, list]) -> onnx.ModelProto:
    """The finished file; shapes are lists of numbers, a word stands for a free one."""
    def told(shapes: dict[str, list]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

    graph = helper.make_graph(writer.nodes, "frame", told(inputs), told(outputs), writer.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9, producer_name="", producer_version="")
    onnx.checker.check_model(model, full_check=True)
    return model
