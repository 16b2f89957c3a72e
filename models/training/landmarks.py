"""Faces and their landmarks, with the very networks that the plugin runs (BlazeFace, face mesh v1 or v2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

#: Networks as `make models` puts them.
FETCHED = Path(__file__).resolve().parents[1] / "fetched"

#: Points of the surface; the second mesh has the irises after them.
POINTS = 468
# Indices into these.
#: Outline of the face, closed.
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
#: Outer lips, closed.
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
#: Eye with its lids, closed; right and left of the person.
RIGHT_EYE = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]
LEFT_EYE = [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]
RIGHT_BROW = [70, 63, 105, 66, 107, 55, 65, 52, 53, 46]
LEFT_BROW = [300, 293, 334, 296, 336, 285, 295, 282, 283, 276]
#: Middle of the bridge of the nose.
NOSE_BRIDGE = 195
NOSE = [168, 193, 245, 128, 114, 217, 198, 209, 49, 64, 98, 97, 2, 326, 327, 294, 279, 429, 420, 437, 343, 357, 465, 417]


def middle(points: np.ndarray) -> np.ndarray:
    """Centre of the upright rectangle around a mesh."""
    return (points.min(0) + points.max(0)) / 2


def extent(points: np.ndarray) -> float:
    """Longer side of that rectangle."""
    return float((points.max(0) - points.min(0)).max())


def roll(points: np.ndarray) -> float:
    """Tilt of the line through the eyes, radians, clockwise on the screen."""
    eyes = points[263] - points[33]
    return float(np.arctan2(eyes[1], eyes[0]))


@dataclass
class Face:
    """One face: `points` are 468 x 2 frame pixels, `width` the width of their bounding box, pixels."""

    points: np.ndarray
    presence: float

    @property
    def box(self) -> np.ndarray:
        """x, y, w, h of all points, frame pixels."""
        low, high = self.points.min(0), self.points.max(0)
        return np.concatenate([low, high - low])

    @property
    def width(self) -> float:
        return float(self.box[2])

    @property
    def roll(self) -> float:
        return roll(self.points)


def _anchors(grids: list[tuple[int, int]]) -> np.ndarray:
    rows = []
    for cells, each in grids:
        centre = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centre, centre, indexing="ij")
        rows.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), each, axis=0))
    return np.concatenate(rows).astype(np.float32)


class FaceFinder:
    """Finds the largest face of a picture and follows it through a recording."""

    #: side, anchor grids of the two detectors.
    DETECTORS = {"short": (128, [(16, 2), (8, 6)]), "full": (192, [(48, 1)])}

    def __init__(self, folder: Path = FETCHED, threads: int = 1, mesh: str = "face-mesh-v1"):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")

        def load(name: str) -> ort.InferenceSession:
            path = folder / name
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing: run `make models` first")
            return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        self.detectors = {kind: load(f"blazeface-{kind}.onnx") for kind in self.DETECTORS}
        self.mesh = load(f"{mesh}.onnx")
        self.side = int(self.mesh.get_inputs()[0].shape[1])
        self.roi: tuple[float, float, float, float] | None = None

    def _detect(self, kind: str, rgb: np.ndarray) -> tuple[float, float, float, float] | None:
        side, grids = self.DETECTORS[kind]
        h, w = rgb.shape[:2]
        scale = side / max(h, w)
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((side, side, 3), np.float32)
        top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
        canvas[top:top + small.shape[0], left:left + small.shape[1]] = small / 127.5 - 1.0
        session = self.detectors[kind]
        boxes, scores = session.run(None, {session.get_inputs()[0].name: canvas[None]})
        if boxes.shape[-1] == 1:
            boxes, scores = scores, boxes
        best = int(scores[0, :, 0].argmax())
        if scores[0, best, 0] < 0.0:
            return None
        row = boxes[0, best] / side
        centre = _anchors(grids)[best]
        cx, cy = row[:2] + centre
        eyes = row[4:8].reshape(2, 2) + centre
        size = max(row[2], row[3]) * side / scale * 1.5
        angle = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
        return ((cx * side - left) / scale, (cy * side - top) / scale, size, angle)

    def _mesh(self, rgb: np.ndarray, roi: tuple[float, float, float, float]) -> Face:
        cx, cy, size, angle = roi
        side = self.side
        c, s = np.cos(angle) * size / side, np.sin(angle) * size / side
        # Crop pixels to frame pixels.
        m = np.array([[c, -s, cx - (c - s) * side / 2], [s, c, cy - (s + c) * side / 2]], np.float32)
        crop = cv2.warpAffine(rgb, m, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REPLICATE)
        out = self.mesh.run(None, {self.mesh.get_inputs()[0].name: crop[None].astype(np.float32) / 255.0})
        points, presence = (next(o for o, t in zip(out, self.mesh.get_outputs()) if t.name == n) for n in ("landmarks", "presence"))
        points = points.reshape(-1, 3)[:POINTS, :2]
        frame = points @ m[:, :2].T + m[:, 2]
        return Face(frame.astype(np.float32), float(1 / (1 + np.exp(-presence.reshape(-1)[0]))))

    def find(self, rgb: np.ndarray, follow: bool = True) -> Face | None:
        """The face of an RGB picture (h x w x 3, 8 bit); `None` if there is none."""
        if not follow:
            self.roi = None
        if self.roi is None:
            self.roi = self._detect("short", rgb) or self._detect("full", rgb)
            if self.roi is None:
                return None
        face = self._mesh(rgb, self.roi)
        if face.presence < 0.5:
            self.roi = None
            return None
        x, y, w, h = face.box
        self.roi = (x + w / 2, y + h / 2, max(w, h) * 1.5, face.roll)
        # A second look with a well-placed crop, as every later frame of a recording has.
        if not follow:
            face = self._mesh(rgb, self.roi)
        return face
