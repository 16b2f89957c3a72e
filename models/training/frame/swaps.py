"""Swaps of our own making: another person's face, warped by the mesh into a genuine recording, or the same face displaced.

They stand in for kinds of which there are no recordings. What the place of a face swap has in common with them: another skin and
another sharpness within an edge, in the light and the geometry of the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import Delaunay

from ..landmarks import OVAL, extent, middle, roll
from .looks import Found

#: Sides of the faces that swappers make, pixels.
SIDES = [64, 96, 128, 160, 224]
#: Donors that are looked at before the most alike is taken.
CANDIDATES = 40


@dataclass
class Donor:
    """A face that may be put into another's place: `rgb` h x w x 3, 8 bit, `points` 468 x 2 in its pixels."""

    name: str
    rgb: np.ndarray
    points: np.ndarray


def _upright(points: np.ndarray) -> np.ndarray:
    """The mesh with level eyes, of size 1, about its middle."""
    angle = roll(points)
    c, s = np.cos(angle), np.sin(angle)
    return (points - middle(points)) @ np.array([[c, -s], [s, c]]) / extent(points)


def _skin(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mean colour of the face's oval, 0..1."""
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(mask, [points[OVAL].astype(np.int32)], 1)
    return rgb[mask > 0].mean(0) / 255 if mask.any() else np.zeros(3)


def chosen(rng: np.random.Generator, rgb: np.ndarray, points: np.ndarray, donors: list[Donor]) -> Donor:
    """Of some donors the one whose pose, shape and colour are nearest to the face's."""
    some = [donors[i] for i in rng.choice(len(donors), min(CANDIDATES, len(donors)), replace=False)]
    shape, colour = _upright(points), _skin(rgb, points)
    return min(some, key=lambda d: np.abs(_upright(d.points) - shape).mean() * 10 + np.abs(_skin(d.rgb, d.points) - colour).mean())


def warped(source: np.ndarray, source_points: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`source` moved so that its mesh lies on `points`, in a picture of `size` (w, h)."""
    mesh = Delaunay(points)
    low = np.maximum(np.floor(points.min(0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0)), size).astype(int)
    y, x = np.mgrid[low[1]:high[1], low[0]:high[0]]
    at = np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)
    which = mesh.find_simplex(at)
    transform = mesh.transform[which]
    b = np.einsum("nij,nj->ni", transform[:, :2], at - transform[:, 2])
    weights = np.concatenate([b, 1 - b.sum(1, keepdims=True)], 1)
    from_xy = np.einsum("nk,nkd->nd", weights, source_points[mesh.simplices[which]].astype(np.float64)).astype(np.float32)
    from_xy[which < 0] = -1
    out = np.zeros((size[1], size[0], 3), np.uint8)
    grid = from_xy.reshape(*y.shape, 2)
    out[low[1]:high[1], low[0]:high[0]] = cv2.remap(source, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out


def _mask(rng: np.random.Generator, points: np.ndarray, size: tuple[int, int], erode: float, blur: float, brow: bool) -> np.ndarray:
    """Share of the other face, 0..1, h x w."""
    outline = points[OVAL].copy()
    centre = middle(points)
    if brow:
        # Without the forehead: not above the brows.
        top = points[[105, 334], 1].mean() - 0.02 * extent(points)
        outline[:, 1] = np.maximum(outline[:, 1], top)
    outline = centre + (outline - centre) * (1 - erode)
    mask = np.zeros(size[::-1], np.float32)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1.0)
    return np.clip(gaussian_filter(mask, blur * extent(points)) * 1.0, 0, 1)


def _in_colours_of(face: np.ndarray, target: np.ndarray, mask: np.ndarray, strength: float) -> np.ndarray:
    """`face` with the mean and spread of the target's colours within the mask, in Lab."""
    a, b = (cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for p in (face, target))
    here = mask > 0.5
    if here.sum() < 50:
        return face
    ma, sa, mb, sb = a[here].mean(0), a[here].std(0) + 1e-3, b[here].mean(0), b[here].std(0) + 1e-3
    moved = (a - ma) * np.clip(sb / sa, 0.6, 1.6) + mb
    return np.clip(cv2.cvtColor(a + (moved - a) * strength, cv2.COLOR_LAB2RGB) * 255, 0, 255)


def swapped(found: Found, rng: np.random.Generator, donor: Donor | None) -> Found:
    """The recording with the donor's face, or with its own face a little displaced and recoloured where there is none."""
    erode, blur, brow = float(rng.uniform(0.02, 0.15)), float(rng.choice([0.01, 0.02, 0.035, 0.05])), bool(rng.random() < 0.5)
    side, strength = int(rng.choice(SIDES)), float(rng.uniform(0.7, 1.0))
    sharpen, opacity = float(rng.choice([0, 0, 0.5, 1.0])), float(rng.choice([1, 1, 1, 0.85, 0.7]))
    shift, zoom = rng.normal(0, 0.012, 2), float(np.exp(rng.normal(0, 0.025)))
    colour, jitter = rng.normal(0, 5, 3), float(rng.choice([0, 0.002, 0.005]))
    out = Found([], found.points, found.seconds, found.px)
    for picture, points in zip(found.pictures, found.points):
        size, long = picture.shape[1::-1], extent(points)
        centre = middle(points)
        onto = centre + (points - centre) * (zoom if donor is None else 1.0) + (shift if donor is None else 0) * long
        onto = (onto + rng.normal(0, jitter * long, 2)).astype(np.float32)
        source, mesh = (picture, points) if donor is None else (donor.rgb, donor.points)
        # As large as a swapper would have made it, then back.
        scale = min(1.0, side / extent(mesh))
        small = cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        mesh = mesh * (np.array(small.shape[1::-1]) / source.shape[1::-1])
        face = warped(small, mesh, onto, size).astype(np.float32)
        mask = _mask(rng, onto, size, erode, blur, brow)
        if donor is None:
            face = np.clip(face + colour, 0, 255)
        else:
            face = _in_colours_of(face, picture, mask, strength)
        if sharpen:
            face = np.clip(face + sharpen * (face - cv2.GaussianBlur(face, (0, 0), max(0.8, long / 150))), 0, 255)
        # Nothing of the other face beyond its own edge.
        mask = (mask * (gaussian_filter((face.sum(2) > 0).astype(np.float32), 1.0) > 0.99) * opacity)[..., None]
        out.pictures.append(np.clip(picture * (1 - mask) + face * mask + 0.5, 0, 255).astype(np.uint8))
    return out
