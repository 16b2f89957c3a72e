"""Append to a network that embeds faces what turns it into a check of continuity: is this still the face of a moment ago?

The result is a network of time (see README.md): its state holds the face's mean embedding so far and that of the last
moments, and its score falls with their cosine. The embedding never leaves the network.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Seconds: time constant of the last moments; in which a face must stay alike to be known; over which the mean forgets; that the first
# picture stands for, and the longest that any stands for.
RECENT, ENROLMENT, LONGEST, FIRST, STEP = 0.3, 2.0, 10.0, 0.2, 1.0
# Embeddings of faces are learned on pictures in which the eyes, nose and mouth have set places (112 x 112, the eyes at 38 and 74,
# 52). The manifest's crop is centred on the mesh; this part of it, and a scale of 1.444, bring them there.
PICTURE, TOP, LEFT = 144, 1, 17
# A picture less like both the last moments and the mean is another face all at once. From there on the mean stays as it is, until
# what comes is that much like it again. A head that turns changes step by step, and is followed.
ALIKE, AGAIN = 0.65, 0.7
# The score is a logit in rough units; the manifest's calibration says what it is worth. It says nothing at that likeness.
SCALE, NEUTRAL = 10.0, 0.62


def state_size(embedding: int) -> int:
    """Numbers in the state: two weights, whether the face is another one, and two embeddings."""
    return 3 + 2 * embedding


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
                        ("enrolment", ENROLMENT), ("longest", LONGEST), ("alike", ALIKE), ("again", AGAIN), ("half", 0.5),
                        ("scale", SCALE), ("neutral", SCALE * (ALIKE - NEUTRAL))]:
        number(name, value)
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 1, size, size], np.int64), "parts"))
    for name, values in [("part_from", [TOP, LEFT]), ("part_to", [TOP + sides[1], LEFT + sides[2]]), ("part_axes", [1, 2])]:
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    # In front of all that reads it.
    part = helper.make_node("Slice", [picture, "part_from", "part_to", "part_axes"], [graph.input[0].name])
    graph.node.insert(0, part)
    del graph.input[:]
    node("LpNormalization", embedding, "now", axis=1, p=2)
    node("Split", "state parts", "seen weight other mean recent", axis=1)
    node("LessOrEqual", "seen zero", "fresh")
    node("Min", "seconds longest_step", "short")
    node("Where", "fresh first short", "step")
    node("Less", "seen enrolment", "enrolling")
    node("Not", "enrolling", "known")

    def cosine(first: str, second: str, name: str) -> None:
        for vector in (first, second):
            if f"{vector}_unit" not in made:
                made.add(f"{vector}_unit")
                node("LpNormalization", vector, f"{vector}_unit", axis=1, p=2)
        node("Mul", f"{first}_unit {second}_unit", f"{name}_products")
        node("ReduceSum", f"{name}_products axis", name, keepdims=1)

    made: set[str] = set()
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    # A first picture is like itself.
    node("Where", "fresh now mean", "before")
    node("Where", "fresh now recent", "just_before")
    cosine("before", "now", "to_mean")
    cosine("just_before", "now", "to_recent")
    node("Less", "to_mean alike", "unlike_mean")
    node("Less", "to_recent alike", "unlike_recent")
    node("And", "unlike_mean unlike_recent", "sudden")
    node("And", "sudden known", "jump")
    node("Greater", "other half", "was_other")
    node("Or", "was_other jump", "may_be_other")
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
    cosine("before", "next_recent", "likeness")
    node("Greater", "to_mean again", "now_again")
    node("Greater", "likeness again", "long_again")
    node("And", "now_again long_again", "is_again")
    node("Not", "is_again", "is_not_again")
    node("And", "may_be_other is_not_again", "is_other")
    node("Where", "is_other one zero", "next_other")
    # A face that is not yet known, and is not alike, is taken as it is now: what came before may have been half hidden.
    node("And", "enrolling unlike_mean", "anew")
    node("Add", "seen step", "longer")
    node("Min", "longer longest", "watched")
    node("Where", "anew step watched", "next_seen")
    node("Div", "step watched", "part_of_now")
    node("Where", "is_other zero part_of_now", "taken")
    node("Sub", "now before", "apart")
    node("Mul", "taken apart", "learned")
    node("Add", "before learned", "followed")
    node("Where", "anew now followed", "next_mean")
    node("Concat", "next_seen next_weight next_other next_mean next_recent", following, axis=1)
    node("Sub", "alike likeness", "below")
    node("Mul", "below scale", "unlikeness")
    node("Min", "unlikeness neutral", "harmless")
    node("Where", "is_other unlikeness harmless", "judged")
    node("Less", "next_seen enrolment", "unknown")
    node("Where", "unknown neutral judged", score)
    shapes = {picture: [1, PICTURE, PICTURE, sides[3]], "seconds": [1, 1], "state": [1, state_size(size)]}
    graph.input.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    outputs = {score: [1, 1], following: [1, state_size(size)]}
    graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items())
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
