"""Tests of models/vision.py and frame_network.py: the graphs that they write compute what they say."""

from __future__ import annotations

import io

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import MODELS, ROOT

import frame_network  # noqa: E402  (support.py sets the path)
import vision  # noqa: E402

RNG = np.random.default_rng(3)
# Of a score, for weights in few bits.
LOSS = 0.1


def run(model: bytes, **given: np.ndarray) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, given)


def transformer() -> bytes:
    """A file with one block of random weights, named as the fetched one names them."""
    width, root = vision.WIDTH, f"{vision.ROOT}.0"
    plain = {"backbone.embeddings.patch_embeddings.projection.weight": (width, 3, vision.PATCH, vision.PATCH),
             "backbone.embeddings.patch_embeddings.projection.bias": (width,), "backbone.embeddings.cls_token": (1, 1, width),
             "onnx::Concat_1957": (1, 1, width), "onnx::Reshape_1962": (1, vision.LEARNED**2, width)}
    for name, size in [("norm1.weight", width), ("norm1.bias", width), ("norm2.weight", width), ("norm2.bias", width),
                       ("layer_scale1.lambda1", width), ("layer_scale2.lambda1", width), ("mlp.fc1.bias", 4 * width), ("mlp.fc2.bias", width),
                       ("attention.output.dense.bias", width), *((f"attention.attention.{p}.bias", width) for p in ("query", "key", "value"))]:
        plain[f"{root}.{name}"] = (size,)
    weights = [numpy_helper.from_array(RNG.normal(0, 0.05, s).astype(np.float32), n) for n, s in plain.items()]
    nodes = []
    for name, shape in [("attention.attention.query", (width, width)), ("attention.attention.key", (width, width)),
                        ("attention.attention.value", (width, width)), ("attention.output.dense", (width, width)),
                        ("mlp.fc1", (width, 4 * width)), ("mlp.fc2", (4 * width, width))]:
        weights.append(numpy_helper.from_array(RNG.normal(0, 0.05, shape).astype(np.float32), f"onnx::{name}"))
        nodes.append(helper.make_node("MatMul", ["x", f"onnx::{name}"], [f"{name}_out"], name=f"/{root}.{name}".replace(".", "/") + "/MatMul"))
        nodes[-1].name = nodes[-1].name.replace("layer/0", "layer.0")
    graph = helper.make_graph(nodes, "t", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)], [], weights)
    return helper.make_model(graph).SerializeToString()


def mesh(centre: tuple[float, float] = (0.5, 0.5), size: tuple[float, float] = (0.28, 0.36)) -> np.ndarray:
    """Points whose outline is an ellipse; the point under the nose is its middle."""
    points = np.full((1, 468, 2), centre, np.float32)
    angle = np.linspace(0, 2 * np.pi, len(frame_network.OVAL), endpoint=False)
    points[0, frame_network.OVAL] = np.stack([np.sin(angle), -np.cos(angle)], 1) * size + centre
    return points.astype(np.float32)


def regions(points: np.ndarray) -> np.ndarray:
    writer = vision.Writer()
    name = frame_network.regions(writer, "points")
    model = vision.model_of(writer, {"points": ["n", 468, 2]}, {name: ["n", 4, 256]})
    return run(model.SerializeToString(), points=points)[0]


def test_patches_are_told_apart_by_the_outline() -> None:
    inside, outside, lower, upper = regions(mesh())[0].reshape(4, 16, 16)
    y, x = (np.mgrid[:16, :16] + 0.5) / 16 - 0.5
    radius = np.hypot(x / 0.28, y / 0.36)
    assert (inside[radius < 0.95] > 0).all() and (inside[radius > 1.0] == 0).all()
    assert ((inside > 0) ^ (outside > 0)).all() and ((lower > 0) | (upper > 0) == (inside > 0)).all()
    assert (lower[y < 0] == 0).all() and (upper[y > 0] == 0).all()
    for part in (inside, outside, lower, upper):
        assert part.sum() == pytest.approx(1, abs=1e-5)


def test_a_face_beyond_the_picture_does_no_harm() -> None:
    weights = regions(mesh(centre=(5.0, 5.0)))
    assert np.isfinite(weights).all() and weights[0, 0].sum() == 0 and weights[0, 1].sum() == pytest.approx(1)
    assert np.isfinite(regions(np.zeros((1, 468, 2), np.float32))).all()


def test_the_score_is_what_the_pools_say() -> None:
    data, head = transformer(), io.BytesIO()
    weights = RNG.normal(0, 0.05, (1, len(frame_network.POOLS), vision.WIDTH)).astype(np.float32)
    np.savez(head, blocks=[1], weights=weights, bias=np.float32(0.25))
    model = frame_network.joined(data, head.getvalue(), "face", "points", "forged", "heat")
    assert model == frame_network.joined(data, head.getvalue(), "face", "points", "forged", "heat"), "the same bytes each time"
    writer = vision.Writer()
    left = vision.tokens(writer, vision.weights_of(onnx.load_from_string(data)), "face", [1], whole=True)[1]
    plain = vision.model_of(writer, {"face": ["n", 3, 224, 224]}, {left: ["n", vision.TOKENS, vision.WIDTH]}).SerializeToString()
    pictures = RNG.normal(size=(2, 3, 224, 224)).astype(np.float32)
    points = np.concatenate([mesh(), mesh((0.45, 0.55), (0.2, 0.3))])
    score, heat = run(model, face=pictures, points=points)
    tokens, parts = run(plain, face=pictures)[0].astype(np.float64), regions(points)
    means = np.einsum("nrp,npw->nrw", parts, tokens[:, 1:])
    squares = np.einsum("nrp,npw->nrw", parts[:, :2], tokens[:, 1:] ** 2)
    spread = np.sqrt(np.maximum(squares - means[:, :2] ** 2, 1e-6))
    pooled = np.concatenate([tokens[:, :1], means, spread], 1)
    assert score[:, 0] == pytest.approx((pooled * weights[0]).sum((1, 2)) + 0.25, abs=LOSS)
    assert heat.shape == (2, 1, 16, 16)
    for one, within, s in zip(heat[:, 0], parts[:, 0].reshape(2, 16, 16) > 0, score[:, 0]):
        assert (one[~within] == frame_network.NOWHERE).all()
        assert one[within].mean() == pytest.approx(s, abs=1e-3), "on the whole, the map says what the score says"


def test_a_file_that_is_no_head_is_refused() -> None:
    for held in ({"weights": np.zeros(3)}, {"blocks": [1], "weights": np.zeros((2, 3, 4)), "bias": 0.0}):
        head = io.BytesIO()
        np.savez(head, **held)
        with pytest.raises(ValueError, match="head"):
            frame_network.joined(b"", head.getvalue(), "face", "points", "forged", "heat")


def test_the_manifest_names_a_head_that_is_one() -> None:
    entry = MODELS["deepfake-frame"]
    with np.load(ROOT / "models" / entry["source"]["head"]) as head:
        assert head["weights"].shape == (len(head["blocks"]), len(frame_network.POOLS), vision.WIDTH)
        assert np.isfinite(head["weights"]).all() and list(head["blocks"]) == sorted(head["blocks"])
