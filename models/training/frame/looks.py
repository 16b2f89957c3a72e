"""Looks at the faces of a recording: pictures as the network is shown them, spread over its time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .. import video
from ..crops import aligned, places
from ..landmarks import FaceFinder, extent, middle
from . import degrade
from .material import Row

#: Side of the picture, pixels, and its side against the face.
SIDE, SCALE = 224, 1.7
#: Looks at a recording, at most, and its longest part that is looked at, frames.
LOOKS, LONGEST = 12, 900
#: Narrower faces are not judged, pixels; and heads tilted further, radians.
NARROWEST, STEEPEST = 40.0, 0.8
#: What is kept around a face before it is degraded, against the face, and the longer side of the face in it, at most, pixels.
CONTEXT, LONGER = 2.2, 280.0


@dataclass
class Looks:
    """`pictures` n x SIDE x SIDE x 3 (8 bit), `points` n x 468 x 2 (0..1 of the picture), `seconds` n, `px` n: width of the face in the
    recording, pixels."""

    pictures: np.ndarray
    points: np.ndarray
    seconds: np.ndarray
    px: np.ndarray


@dataclass
class Found:
    """Faces of a recording with their surroundings: `pictures` of h x w x 3, `points` 468 x 2 in their pixels."""

    pictures: list[np.ndarray]
    points: list[np.ndarray]
    seconds: list[float]
    px: list[float]


def around(rgb: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face with its surroundings, shrunk if it is longer than `LONGER`, and its mesh in that picture."""
    half, centre = extent(points) * CONTEXT / 2, middle(points)
    low = np.maximum(np.floor(centre - half), 0).astype(int)
    high = np.minimum(np.ceil(centre + half), rgb.shape[1::-1]).astype(int)
    picture, moved = rgb[low[1]:high[1], low[0]:high[0]], points - low
    if (longer := extent(moved)) > LONGER:
        scale = LONGER / longer
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        moved = moved * scale
    return np.ascontiguousarray(picture), moved.astype(np.float32)


def found(row: Row, folder: Path, finder: FaceFinder) -> Found:
    """The faces of the recording, at most `LOOKS`."""
    path, out = folder / row.file, Found([], [], [], [])
    frames, rate = video.length(path, LONGEST), video.rate(path)
    step = max(1.0, frames / LOOKS)
    wanted = {int(step / 2 + i * step) for i in range(LOOKS)}
    for index, rgb in video.picked(path, range(frames)):
        if index not in wanted:
            continue
        if row.rect:
            x, y, w, h = row.rect
            rgb = rgb[y:y + h, x:x + w]
        rgb = np.ascontiguousarray(rgb)
        face = finder.find(rgb, follow=False)
        if face is None or face.width < NARROWEST or abs(face.roll) > STEEPEST:
            continue
        picture, points = around(rgb, face.points)
        out.pictures.append(picture)
        out.points.append(points)
        out.seconds.append(index / rate)
        out.px.append(face.width)
    return out


def looks(row: Row, faces: Found, version: int) -> Looks:
    """The faces as the network is shown them, after the `version`th degrading of the row's pair."""
    how = degrade.drawn(row.pair or row.name, version, SCALE)
    pictures, points = degrade.degraded(faces.pictures, faces.points, how)
    return Looks(np.stack([aligned(p, m, SIDE, how.crop) for p, m in zip(pictures, points)]),
                 np.stack([places(m, SIDE, how.crop) / SIDE for m in points]).astype(np.float32),
                 np.array(faces.seconds, np.float32), np.array(faces.px, np.float32))
