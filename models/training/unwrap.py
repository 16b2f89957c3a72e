"""The face unwrapped: every texel has a fixed place between three points of the mesh, whatever the head does.

Inside the face that is a place in its triangle; around it, on the ray from the nose through the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import nn
from torch.nn import functional as F

from .crops import aligned, places
from .landmarks import LEFT_BROW, LEFT_EYE, LIPS, NOSE_BRIDGE, OVAL, RIGHT_BROW, RIGHT_EYE
from .sources import Source

#: Points of the mesh that are read.
POINTS = 468
#: Size of a crop in units of the face's longer side.
SCALE = 1.7
REGIONS = ("skin", "features", "surroundings")
#: Between these multiples of the outline's distance from the nose lie the surroundings.
NEAR, FAR = 1.12, 1.5


def _filled(points: np.ndarray, indices: list[int], side: int, hull: bool = False) -> np.ndarray:
    polygon = points[indices].astype(np.float32)
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(cv2.convexHull(polygon)[:, 0] if hull else polygon).astype(np.int32)], 1)
    return mask


def _disc(radius: float) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(round(radius)) + 1,) * 2)


@dataclass
class Layout:
    """Where each texel lies: `points` (T x 3, indices into the mesh), `weights` (T x 3, sum 1); `regions` 3 x side x side, 0 or 1."""

    points: np.ndarray
    weights: np.ndarray
    regions: np.ndarray


def layout(mean: np.ndarray, side: int) -> Layout:
    """Made from the mean mesh in the crop, POINTS x 2, 0..1 of it; `side` is in texels."""
    mesh = mean.astype(np.float64) * side
    y, x = np.mgrid[:side, :side]
    texels = np.stack([x, y], -1).reshape(-1, 2) + 0.5
    oval, centre = np.array(OVAL), mesh[NOSE_BRIDGE]
    following = np.roll(oval, -1)
    reach, segment, along = np.full(len(texels), np.inf), np.zeros(len(texels), int), np.zeros(len(texels))
    for i, (a, b) in enumerate(zip(oval, following)):
        shares = (texels - centre) @ np.linalg.inv(np.stack([mesh[a] - centre, mesh[b] - centre]))
        total = shares.sum(1)
        hit = (shares >= -1e-9).all(1) & (total > 0) & (total < reach)
        reach[hit], segment[hit], along[hit] = total[hit], i, shares[hit, 1] / total[hit]
    # Outside the outline: on the ray from the nose, so many times as far as the outline.
    k, t = reach[:, None], along[:, None]
    points = np.stack([np.full(len(texels), NOSE_BRIDGE), oval[segment], following[segment]], 1)
    weights = np.concatenate([1 - k, k * (1 - t), k * t], 1)
    inside = np.flatnonzero(reach <= 1)
    triangles = Delaunay(mesh)
    at = triangles.find_simplex(texels[inside])
    inside, at = inside[at >= 0], at[at >= 0]
    two = np.einsum("nij,nj->ni", triangles.transform[at, :2], texels[inside] - triangles.transform[at, 2])
    points[inside], weights[inside] = triangles.simplices[at], np.concatenate([two, 1 - two.sum(1, keepdims=True)], 1)

    width = float(np.ptp(mesh[:, 0]))
    face = _filled(mesh, OVAL, side)
    features = _filled(mesh, RIGHT_EYE, side) | _filled(mesh, LEFT_EYE, side) | _filled(mesh, LIPS, side)
    features |= _filled(mesh, RIGHT_BROW, side, True) | _filled(mesh, LEFT_BROW, side, True)
    features = cv2.dilate(features, _disc(0.035 * width))
    inner = cv2.erode(face, _disc(0.08 * width))
    reach = reach.reshape(side, side)
    around = ((reach > NEAR) & (reach < FAR)).astype(np.uint8)
    return Layout(points, weights, np.stack([inner & (1 - features), inner & features, around]).astype(np.float32))


class Unwrapped(nn.Module):
    """Crop (n x 3 x h x w RGB, 0..1) and mesh (n x 468 x 2, 0..1 of the crop) -> luma, red and blue difference of the texels
    (n x 3 x side x side), steps of 1/255.
    """

    def __init__(self, at: Layout):
        super().__init__()
        self.side = at.regions.shape[-1]
        self.register_buffer("texel_points", torch.from_numpy(at.points.reshape(-1)))
        self.register_buffer("texel_weights", torch.from_numpy(at.weights.astype(np.float32))[None, :, :, None])
        y = torch.tensor([0.299, 0.587, 0.114])
        red, blue = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
        self.register_buffer("colours", 255 * torch.stack([y, 0.713 * (red - y), 0.564 * (blue - y)])[:, :, None, None])

    def forward(self, face: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        corners = points[:, self.texel_points].reshape(-1, self.side * self.side, 3, 2)
        grid = (corners * self.texel_weights).sum(2).reshape(-1, self.side, self.side, 2) * 2 - 1
        return F.grid_sample(F.conv2d(face, self.colours), grid, mode="bilinear", padding_mode="border", align_corners=False)


def shares(regions: np.ndarray, pooled: int) -> torch.Tensor:
    """Weights of the means over the regions (texels x 3), of a picture pooled by so many texels; a border counts for no region."""
    inside = F.avg_pool2d(torch.from_numpy(regions)[None], pooled)[0]
    inside = torch.where(inside > 0.6, inside, 0.0)
    return (inside / inside.sum((1, 2), keepdim=True)).flatten(1).T.contiguous()


def gradient(x: torch.Tensor) -> torch.Tensor:
    """Sums of absolute differences to the right and below, of the same shape."""
    padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
    return (padded[:, :, :-1, 1:] - x).abs() + (padded[:, :, 1:, :-1] - x).abs()


def mean_shape(sources: list[Source]) -> np.ndarray:
    """Mean mesh of all faces in the crop, POINTS x 2, 0..1 of it."""
    return np.mean([places(s.points, 1, SCALE) for s in sources], 0)


def inputs(rgb: np.ndarray, points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """What the plugin hands a network for a picture and its mesh (pixels): 3 x side x side and POINTS x 2, 32-bit floats."""
    face = aligned(rgb, points, side, SCALE).astype(np.float32).transpose(2, 0, 1) / 255
    return face, (places(points, side, SCALE) / side).astype(np.float32)
