"""Tests of models/continuity.py: what is appended to an embedding tells the same face from another one."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import MODELS, ROOT

import continuity  # noqa: E402  (support.py sets the path)

SIZE = 4


def embedding() -> bytes:
    """A network for two pictures at a time whose embeddings are the pictures' own numbers."""
    shape = numpy_helper.from_array(np.array([2, SIZE], np.int64), "shape")
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["part", "shape"], ["embedding"])],
        "embedding",
        [helper.make_tensor_value_info("part", TensorProto.FLOAT, [2, 1, 1, SIZE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [2, SIZE])],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


class Watch:
    """The network with its state."""

    def __init__(self) -> None:
        data = continuity.appended(embedding(), "face", "embedding", "changed", "next")
        self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        self.state = np.zeros((1, continuity.state_size(SIZE)), np.float32)

    @staticmethod
    def picture(face: list[float]) -> np.ndarray:
        """A picture that holds those numbers where the network looks, and others elsewhere."""
        side = continuity.PICTURE
        picture = np.full((1, side, side, SIZE), 9, np.float32)
        picture[0, continuity.TOP, continuity.LEFT] = face
        return picture

    def see(self, face: list[float], pictures: int, seconds: float = 1 / 3) -> list[float]:
        """The scores of so many pictures of a face."""
        out = []
        for _ in range(pictures):
            given = {
                "face": self.picture(face),
                "seconds": np.full((1, 1), seconds, np.float32),
                "state": self.state,
            }
            score, self.state = self.session.run(["changed", "next"], given)
            assert np.isfinite(self.state).all() and np.isfinite(score).all()
            out.append(float(score[0, 0]))
        return out


A, LIKE_A, B = [1, 0.2, 0, 0], [1, 0, 0.3, 0.1], [0, 0.1, 1, 0.5]


def test_the_same_face_stays_the_same() -> None:
    watch = Watch()
    neutral = continuity.SCALE * (continuity.ALIKE - continuity.NEUTRAL)
    assert np.allclose(watch.see(A, 5), neutral), "it says nothing before it knows the face"
    scores = watch.see(A, 7) + watch.see(LIKE_A, 12) + watch.see(A, 12)
    assert max(scores[1:]) < -2.5


def test_another_face_shows_within_a_second_and_is_not_taken_in() -> None:
    watch = Watch()
    watch.see(A, 12)
    scores = watch.see(B, 30)
    assert scores[2] > 1 and min(scores[2:]) > 1
    back = watch.see(A, 4)
    assert back[-1] < -2, "the first face is still known"


def test_a_face_must_stay_alike_to_be_known() -> None:
    watch = Watch()
    assert max(watch.see(A, 3) + watch.see(B, 3) + watch.see(A, 3) + watch.see(B, 3)) < 0.4
    assert watch.see(B, 30)[-1] < -2
    assert watch.see(A, 6)[-1] > 1


def test_a_face_that_turns_is_followed() -> None:
    watch = Watch()
    watch.see(A, 12)
    scores = [watch.see([np.cos(a), np.sin(a), 0, 0], 1)[0] for a in np.linspace(0.2, 3.0, 40)]
    assert max(scores) < 0.4, "in the end it looks the other way, but no step was large"


def test_pictures_far_apart_and_empty_ones_do_no_harm() -> None:
    watch = Watch()
    watch.see(A, 12)
    assert max(watch.see(A, 3, seconds=1e6)) < -2.5
    watch.see([0, 0, 0, 0], 3)
    assert watch.see(A, 6)[-1] < -2


def test_only_one_embedding_can_be_continued() -> None:
    with pytest.raises(ValueError, match="expected one input"):
        continuity.appended(embedding(), "face", "features", "changed", "next")
    with pytest.raises(ValueError, match="no part of a picture"):
        continuity.appended(embedding(), "part", "embedding", "changed", "next")


def test_the_manifest_and_the_network_agree_on_the_state() -> None:
    model = MODELS["face-continuity"]
    path = ROOT / "models" / model["file"]
    if not path.is_file():
        pytest.skip(f"{path.name} is not fetched: run `make models`")
    sizes = {t.name: [d.dim_value for d in t.type.tensor_type.shape.dim] for t in onnx.load(path).graph.input}
    assert sizes["state"] == [1, continuity.state_size(192)] and sizes["face"] == [1, continuity.PICTURE, continuity.PICTURE, 3]
