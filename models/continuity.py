"""Append to a network that embeds faces what turns it into a check of continuity: is this still the face of some seconds ago?

The result is a network of time (see README.md): its state holds the face's mean embedding so far and that of the last
moments, and its score falls with their cosine. The embedding never leaves the network.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Seconds: time constant of the last moments; in which any face is taken in; over which the mean forgets; that the first
# picture stands for, and the longest that any stands for.
RECENT, ENROLMENT, LONGEST, FIRST, STEP = 0.6, 2.0, 30.0, 0.2, 1.0
# Embeddings of faces are learned on pictures in which the eyes, nose and mouth have set places (112 x 112, the eyes at 38 and 74,
# 52). The manifest's crop is centred on the mesh; this part of it, and a scale of 1.444, bring them there.
PICTURE, TOP, LEFT = 144, 1, 17
# A face less like the mean than this is not taken in, and how sharply that begins.
ALIKE, SHARPNESS = 0.65, 25.0
# The score is a logit in rough units; the manifest's calibration says what it is worth.
SCALE = 10.0


def state_size(embedding: int) -> int:
    """Numbers in the state: two weights and two embeddings."""
    return 2 + 2 * embedding


def appended(data: bytes, picture: str, embedding: str, score: str, following: str) -> bytes:
    """Return the network ``data`` (NHWC) with a batch of one and, instead of its output ``embedding``, the outputs ``score``
    (1 x 1, grows as the face becomes another one) and ``following`` (the next state), and the inputs ``seconds`` and ``state``.
    Its input is a part of the new input ``picture`` (1 x PICTURE x PICTURE x channels).

    Raises ``ValueError`` if the network is not one picture in, one embedding out.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    if len(graph.input) != 1 or [o.name for o in graph.output] != [embedding]:
        raise ValueError(f"expected one input and the output {embedding!r}")
    batch, size = (d.dim_value for d in graph.output[0].type.tensor_type.shape.dim)
    for weight in graph.initializer:
        # The batch is written into the shape that the embedding is given at the end.
        if weight.data_type == TensorProto.INT64 and numpy_helper.to_array(weight).tolist() == [batch, size]:
            weight.CopyFrom(numpy_helper.from_array(np.array([1, size], np.int64), weight.name))
    sides = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    if len(sides) != 4 or sides[1] + TOP > PICTURE or sides[2] + LEFT > PICTURE or graph.input[0].name == picture:
        raise ValueError(f"its input {graph.input[0].name!r} {sides} is no part of a picture {picture!r} of {PICTURE} pixels")
    del graph.output[:], graph.value_info[:]

    def number(name: str, value: float) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array([[value]], np.float32), name))
        return name

    def node(kind: str, inputs: str, outputs: str, **attributes: object) -> None:
        graph.node.append(helper.make_node(kind, inputs.split(), outputs.split(), **attributes))

    for name, value in [("zero", 0.0), ("one", 1.0), ("first", FIRST), ("longest_step", STEP), ("recent_s", -RECENT),
                        ("enrolment", ENROLMENT), ("longest", LONGEST), ("alike", ALIKE), ("sharpness", SHARPNESS),
                        ("scale", SCALE)]:
        number(name, value)
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1, size, size], np.int64), "parts"))
    for name, values in [("part_from", [TOP, LEFT]), ("part_to", [TOP + sides[1], LEFT + sides[2]]), ("part_axes", [1, 2])]:
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    # In front of all that reads it.
    part = helper.make_node("Slice", [picture, "part_from", "part_to", "part_axes"], [graph.input[0].name])
    graph.node.insert(0, part)
    del graph.input[:]
    node("LpNormalization", embedding, "now", axis=1, p=2)
    node("Split", "state parts", "seen weight mean recent", axis=1)
    node("LessOrEqual", "seen zero", "fresh")
    node("Min", "seconds longest_step", "short")
    node("Where", "fresh first short", "step")
    # The last moments: an exponential mean, divided by its weight so far.
    node("Div", "step recent_s", "minus_age")
    node("Exp", "minus_age", "kept")
    node("Sub", "one kept", "gain")
    node("Sub", "one weight", "missing")
    node("Mul", "gain missing", "more")
    node("Add", "weight more", "next_weight")
    node("Div", "gain next_weight", "share")
    node("Sub", "now recent", "newer")
    node("Mul", "share newer", "change")
    node("Add", "recent change", "next_recent")
    # How like the mean they are; a first picture is like itself.
    node("Where", "fresh now mean", "known")
    node("LpNormalization", "known", "known_unit", axis=1, p=2)
    node("LpNormalization", "next_recent", "recent_unit", axis=1, p=2)
    node("Mul", "known_unit recent_unit", "products")
    node("ReduceSum", "products axis", "cosine", keepdims=1)
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    # The mean takes in what is like it, and at first everything.
    node("Sub", "cosine alike", "above")
    node("Mul", "above sharpness", "sharp")
    node("Sigmoid", "sharp", "gate")
    node("Less", "seen enrolment", "enrolling")
    node("Where", "enrolling one gate", "open")
    node("Add", "seen step", "longer")
    node("Min", "longer longest", "next_seen")
    node("Div", "step next_seen", "weight_of_now")
    node("Mul", "weight_of_now open", "taken")
    node("Sub", "now known", "other")
    node("Mul", "taken other", "learned")
    node("Add", "known learned", "next_mean")
    node("Concat", "next_seen next_weight next_mean next_recent", following, axis=1)
    node("Sub", "alike cosine", "below")
    node("Mul", "below scale", score)
    shapes = {picture: [1, PICTURE, PICTURE, sides[3]], "seconds": [1, 1], "state": [1, state_size(size)]}
    graph.input.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    outputs = {score: [1, 1], following: [1, state_size(size)]}
    graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items())
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
