"""Which part of a face is forged: soft masks of many shapes, from landmarks."""

from __future__ import annotations

import cv2
import numpy as np

from .landmarks import LEFT_BROW, LEFT_EYE, LIPS, NOSE, OVAL, RIGHT_BROW, RIGHT_EYE

#: Shapes and how often each is drawn.
SHAPES = {"oval": 0.45, "inner": 0.27, "hull": 0.14, "mouth": 0.07, "eyes": 0.07}
_INNER = RIGHT_BROW + LEFT_BROW + LIPS + NOSE + [50, 280, 205, 425, 152, 199, 200, 175, 148, 377, 172, 397, 132, 361]


def _polygon(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.round(points * 8).astype(np.int32)], 1.0, shift=3)
    return mask


def _hull(points: np.ndarray) -> np.ndarray:
    return cv2.convexHull(points.astype(np.float32))[:, 0]


def _grown(points: np.ndarray, factor: float) -> np.ndarray:
    centre = points.mean(0)
    return centre + (points - centre) * factor


def drawn(rng: np.random.Generator, shape: tuple[int, int], points: np.ndarray) -> tuple[np.ndarray, str]:
    """A random mask (h x w, 0..1) and the name of its shape; its border is elastic and feathered."""
    name = str(rng.choice(list(SHAPES), p=list(SHAPES.values())))
    width = float(np.ptp(points[:, 0]))
    if name == "oval":
        mask = _polygon(shape, _grown(points[OVAL], rng.uniform(0.84, 1.06)))
    elif name == "inner":
        mask = _polygon(shape, _grown(_hull(points[_INNER]), rng.uniform(0.95, 1.2)))
    elif name == "hull":
        some = rng.choice(len(points), 40, replace=False)
        mask = _polygon(shape, _hull(points[np.concatenate([some, LIPS, RIGHT_BROW, LEFT_BROW])]))
    elif name == "mouth":
        mask = _polygon(shape, _grown(_hull(points[LIPS]), rng.uniform(1.3, 1.9)))
    else:
        mask = np.maximum(_polygon(shape, _grown(_hull(points[RIGHT_EYE + RIGHT_BROW]), rng.uniform(1.05, 1.4))),
                          _polygon(shape, _grown(_hull(points[LEFT_EYE + LEFT_BROW]), rng.uniform(1.05, 1.4))))
    mask = elastic(rng, mask, width * rng.uniform(0.0, 0.05), width * 0.12)
    feather = width * rng.uniform(0.008, 0.07)
    mask = cv2.GaussianBlur(mask, (0, 0), feather)
    if rng.random() < 0.5:
        # A feather that lies inside the outline, as swappers erode before they blur.
        mask = np.clip(mask * 2 - 1, 0, 1)
    return np.clip(mask, 0, 1) * rng.choice([1.0, rng.uniform(0.8, 1.0)]), name


def elastic(rng: np.random.Generator, picture: np.ndarray, amplitude: float, scale: float) -> np.ndarray:
    """Deformed by smooth random displacements of that size (pixels) and correlation length (pixels)."""
    if amplitude < 0.3:
        return picture
    h, w = picture.shape[:2]
    grid = (max(2, int(h / scale)), max(2, int(w / scale)))
    dx, dy = (cv2.resize(rng.normal(0, amplitude, grid).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
              for _ in range(2))
    y, x = np.mgrid[:h, :w].astype(np.float32)
    return cv2.remap(picture, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
