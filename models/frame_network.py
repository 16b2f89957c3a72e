"""What of the tokens of a picture the frame network looks at: the class token, and the patches within the face and around it.

The face is known by its mesh, an input beside the picture. A patch is within it if its middle lies within the face's outline.
"""

from __future__ import annotations

import io

import numpy as np
import onnx

from vision import CELLS, PICTURE, WIDTH, Writer, model_of, tokens, weights_of

#: Outline of the face in the mesh, closed, and the point under the nose.
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
UNDER_NOSE = 2
#: Parts of the picture, in the order of what `regions` gives.
REGIONS = ["inside", "outside", "lower", "upper"]
#: Parts whose spread is looked at too.
SPREAD = 2
#: What the map says around the face, a logit.
NOWHERE = -8.0
#: Numbers of a block, each as many as a token has: the class token, means of the regions, spreads of the first two.
POOLS = ["class", *REGIONS, "inside spread", "outside spread"]


def regions(w: Writer, points: str) -> str:
    """Writes the weights of the patches in each region, n x 4 x patches; those of a region add up to 1 (to 0 if it is empty).

    `points` are n x 468 x 2, 0..1 of the picture.
    """
    middles = (np.arange(CELLS, dtype=np.float32) + np.float32(0.5)) / np.float32(CELLS)
    y, x = np.meshgrid(middles, middles, indexing="ij")
    w.constant("patch_x", x.reshape(1, 1, -1))
    w.constant("patch_y", y.reshape(1, 1, -1))
    w.constant("outline", np.array(OVAL, np.int64))
    w.constant("outline_next", np.array(OVAL[1:] + OVAL[:1], np.int64))
    w.constant("under_nose", np.array([UNDER_NOSE], np.int64))
    for name, value in [("two", 2.0), ("one", 1.0)]:
        w.constant(name, np.full((1, 1, 1), value, np.float32))
    w.constant("axis_1", np.array([1], np.int64))
    w.constant("axis_2", np.array([2], np.int64))
    for name, index in [("from", "outline"), ("to", "outline_next"), ("nose", "under_nose")]:
        w.node("Gather", f"{points} {index}", f"{name}_xy", axis=1)
        w.node("Split", f"{name}_xy", f"{name}_x {name}_y", axis=2, num_outputs=2)
    # A ray to the right crosses the outline an odd number of times from within.
    w.node("Greater", "from_y patch_y", "from_below")
    w.node("Greater", "to_y patch_y", "to_below")
    w.node("Xor", "from_below to_below", "passes")
    w.node("Sub", "patch_y from_y", "down")
    w.node("Sub", "to_y from_y", "rise")
    w.node("Sub", "to_x from_x", "run")
    w.node("Mul", "run down", "run_down")
    w.node("Div", "run_down rise", "along")
    w.node("Add", "from_x along", "crossed_x")
    w.node("Less", "patch_x crossed_x", "to_the_right")
    w.node("And", "passes to_the_right", "crosses")
    w.node("Cast", "crosses", "crossings", to=1)
    w.node("ReduceSum", "crossings axis_1", "count", keepdims=1)
    w.node("Mod", "count two", "inside", fmod=1)
    w.node("Sub", "one inside", "outside")
    w.node("Greater", "patch_y nose_y", "is_low")
    w.node("Cast", "is_low", "low", to=1)
    w.node("Mul", "inside low", "lower")
    w.node("Sub", "inside lower", "upper")
    w.node("Concat", " ".join(REGIONS), "members", axis=1)
    w.node("ReduceSum", "members axis_2", "sizes", keepdims=1)
    w.node("Max", "sizes one", "divisors")
    return w.node("Div", "members divisors", "regions")


def pools(w: Writer, left: str, weights: str) -> str:
    """Writes what is looked at of the tokens that one block left, n x 7 x numbers of a token; see POOLS."""
    names = {"at_257": 257}
    if "at_257" not in {c.name for c in w.weights}:
        for name, value in names.items():
            w.constant(name, np.array([value], np.int64))
        w.constant("at_2", np.array([2], np.int64))
        w.constant("tiny", np.full((1, 1, 1), 1e-6, np.float32))
    w.node("Slice", f"{left} at_0 at_1 axis_1", f"{left}.class")
    w.node("Slice", f"{left} at_1 at_257 axis_1", f"{left}.patches")
    means = w.node("MatMul", f"{weights} {left}.patches", f"{left}.means")
    w.node("Mul", f"{left}.patches {left}.patches", f"{left}.squares")
    if "wide" not in {o for n in w.nodes for o in n.output}:
        w.node("Slice", f"{weights} at_0 at_2 axis_1", "wide")
    w.node("MatMul", f"wide {left}.squares", f"{left}.square_means")
    w.node("Slice", f"{means} at_0 at_2 axis_1", f"{left}.wide_means")
    w.node("Mul", f"{left}.wide_means {left}.wide_means", f"{left}.mean_squares")
    w.node("Sub", f"{left}.square_means {left}.mean_squares", f"{left}.variance")
    w.node("Max", f"{left}.variance tiny", f"{left}.positive")
    w.node("Sqrt", f"{left}.positive", f"{left}.spread")
    return w.node("Concat", f"{left}.class {means} {left}.spread", f"{left}.pools", axis=1)


def joined(data: bytes, head: bytes, picture: str, points: str, score: str, heat: str) -> bytes:
    """The network: the transformer of the file `data` up to the head's last block, and the head (`head`, an .npz file) behind it.

    `score` n x 1 is a logit, above 0 for forged. `heat` n x 1 x CELLS x CELLS: the score as it were if all of the face looked like the
    patch, within the face; far below everything around it.

    Raises ``ValueError`` if the head is not one.
    """
    with np.load(io.BytesIO(head)) as held:
        if set(held.files) != {"blocks", "weights", "bias"}:
            raise ValueError(f"a head holds blocks, weights and bias, not {sorted(held.files)}")
        blocks, weights, bias = [int(b) for b in held["blocks"]], held["weights"].astype(np.float32), float(held["bias"])
    if weights.shape != (len(blocks), len(POOLS), WIDTH):
        raise ValueError(f"the head's weights are {weights.shape}, not {(len(blocks), len(POOLS), WIDTH)}")
    w = Writer()
    left = tokens(w, weights_of(onnx.load_from_string(data)), picture, blocks)
    where = regions(w, points)
    w.constant("flat_shape", np.array([0, len(blocks) * len(POOLS) * WIDTH], np.int64))
    w.constant("map_shape", np.array([0, 1, CELLS, CELLS], np.int64))
    w.constant("head.weights", weights.reshape(-1, 1))
    w.constant("head.bias", np.array([bias], np.float32))
    w.constant("nowhere", np.full((1, 1, 1), NOWHERE, np.float32))
    pooled = [pools(w, left[b], where) for b in blocks]
    w.node("Concat", " ".join(pooled), "pooled", axis=1)
    w.node("Reshape", "pooled flat_shape", "flat")
    w.node("MatMul", "flat head.weights", "plain_score")
    w.node("Add", "plain_score head.bias", score)
    # The map: how far a patch is from the mean of its half of the face, in the direction of the score.
    parts = []
    for block, row in zip(blocks, weights):
        half = {name: row[POOLS.index("inside")] + row[POOLS.index(name)] for name in ("lower", "upper")}
        for name, weight in half.items():
            w.constant(f"head.{name}{block}", weight[:, None])
            w.node("MatMul", f"{left[block]}.patches head.{name}{block}", f"map.{name}{block}")
            w.node("Slice", f"{left[block]}.means at_{REGIONS.index(name)} at_{REGIONS.index(name) + 1} axis_1", f"map.{name}{block}.mean")
            w.node("MatMul", f"map.{name}{block}.mean head.{name}{block}", f"map.{name}{block}.level")
            w.node("Sub", f"map.{name}{block} map.{name}{block}.level", f"map.{name}{block}.apart")
            w.node("Transpose", f"map.{name}{block}.apart", f"map.{name}{block}.row", perm=[0, 2, 1])
            parts.append(w.node("Mul", f"map.{name}{block}.row {name}", f"map.{name}{block}.here"))
    for number in (3, 4):
        w.constant(f"at_{number}", np.array([number], np.int64))
    now = parts[0]
    for number, part in enumerate(parts[1:]):
        now = w.node("Add", f"{now} {part}", f"map.sum{number}")
    w.node("Unsqueeze", f"{score} axis_2", "map.score")
    w.node("Add", f"{now} map.score", "map.face")
    w.node("Cast", "inside", "is_inside", to=9)
    w.node("Where", "is_inside map.face nowhere", "map.flat")
    w.node("Reshape", "map.flat map_shape", heat)
    shapes = {picture: ["n", 3, PICTURE, PICTURE], points: ["n", 468, 2]}
    return model_of(w, shapes, {score: ["n", 1], heat: ["n", 1, CELLS, CELLS]}).SerializeToString(deterministic=True)
