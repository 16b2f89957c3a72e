"""The crops that the networks see: the manifest's `aligned` and `box` ones, as the plugin cuts them."""

from __future__ import annotations

import cv2
import numpy as np

from .landmarks import extent, middle, roll


def aligned(rgb: np.ndarray, points: np.ndarray, side: int, scale: float) -> np.ndarray:
    """side x side about the middle of the mesh, eyes level, `scale` times its longer side: the manifest's `aligned` crop."""
    centre, size = middle(points), extent(points) * scale
    if size > 1.5 * 1.25 * side:
        # The plugin reads large regions at this size.
        shrink = 1.25 * side / size
        rgb = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        centre, size = centre * shrink, size * shrink
    angle, step = roll(points), size / side
    c, s = np.cos(angle) * step, np.sin(angle) * step
    half = (side - 1) / 2
    matrix = np.array([[c, -s, centre[0] - 0.5 - (c - s) * half], [s, c, centre[1] - 0.5 - (s + c) * half]], np.float32)
    return cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)


def places(points: np.ndarray, side: int, scale: float) -> np.ndarray:
    """Where the mesh lies in that crop, 468 x 2."""
    centre, size = middle(points), extent(points) * scale
    angle = roll(points)
    c, s = np.cos(angle), np.sin(angle)
    turned = (points - centre) @ np.array([[c, -s], [s, c]])
    return (turned / size + 0.5) * side


def box(rgb: np.ndarray, points: np.ndarray, side: int, scale: float) -> np.ndarray:
    """side x side about the middle of the mesh, upright, `scale` times its longer side: the manifest's `box` crop with `outside` shift
    and `filter` linear. Larger than the picture it is made to fit, and moved into it where it reaches out.
    """
    h, w = rgb.shape[:2]
    size = min(extent(points) * scale, h, w)
    left, top = np.clip(middle(points) - size / 2, 0, [w - size, h - size])
    step = size / side
    matrix = np.array([[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]], np.float32)
    return cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)
