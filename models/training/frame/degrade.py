"""What happens to a picture on its way: scale, noise, exposure, a real encoder. Drawn alike for genuine and forged.

All pictures of a recording, and of both sides of a pair, go through the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from .. import video

#: Constant-quality numbers of the encoders, from good to poor.
QUALITY = {"h264": (20, 33), "vp8": (8, 40), "vp9": (22, 45), "mjpeg": (3, 12)}
#: Narrowest face that a picture is shrunk to, pixels.
NARROWEST = 72.0


@dataclass(frozen=True)
class Degrading:
    """`codec` and its `quality`; `shrink` (0..1, 0: not) of the way down to the narrowest face; `noise` (8-bit steps, standard
    deviation); `gamma`; `crop`: sides of the picture against the face; `close`: the frame ends so near the face (times the face), or 0.
    """

    codec: str
    quality: int
    shrink: float
    noise: float
    gamma: float
    crop: float
    close: float
    seed: int


def drawn(key: str, version: int, scale: float) -> Degrading:
    """The `version`th degrading of whatever has that key; version 0 leaves all as it is. `scale` is the manifest's crop."""
    if version == 0:
        return Degrading("", 0, 0.0, 0.0, 1.0, scale, 0.0, 0)
    seed = int.from_bytes(hashlib.sha256(f"{key} {version}".encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    codec = str(rng.choice(sorted(QUALITY)))
    return Degrading(codec, int(rng.integers(*QUALITY[codec])), float(rng.random() if rng.random() < 0.6 else 0.0),
                     float(rng.choice([0, 0, 1.5, 3])), float(np.exp(rng.normal(0, 0.15))), float(scale * np.exp(rng.normal(0, 0.06))),
                     float(rng.uniform(1.05, 1.4)) if rng.random() < 0.2 else 0.0, seed)


def degraded(pictures: list[np.ndarray], points: list[np.ndarray], how: Degrading) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures (h x w x 3, 8 bit, each of its own size) and their meshes (468 x 2, pixels) after `how`."""
    if not how.codec:
        return pictures, points
    rng = np.random.default_rng(how.seed)
    out, moved = [], []
    # One size for the encoder: that of the smallest face, or less.
    widths = [float(np.ptp(p[:, 0])) for p in points]
    for picture, mesh, width in zip(pictures, points, widths):
        if how.close:
            centre, half = (mesh.min(0) + mesh.max(0)) / 2, (mesh.max(0) - mesh.min(0)) * how.close / 2
            low = np.maximum(np.floor(centre - half), 0).astype(int)
            high = np.minimum(np.ceil(centre + half), picture.shape[1::-1]).astype(int)
            picture, mesh = picture[low[1]:high[1], low[0]:high[0]], mesh - low
        target = max(NARROWEST, width * (NARROWEST / width) ** how.shrink) if width > NARROWEST else width
        scale = target / width
        size = [max(32, int(round(s * scale / 2)) * 2) for s in picture.shape[1::-1]]
        mesh = mesh * (np.array(size) / picture.shape[1::-1])
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        picture = 255 * (picture / 255) ** how.gamma
        if how.noise:
            picture = picture + rng.normal(0, how.noise, picture.shape)
        out.append(np.clip(picture + 0.5, 0, 255).astype(np.uint8))
        moved.append(mesh.astype(np.float32))
    # The encoder wants one size for all: pictures lie at the top left of the largest, borders repeated.
    h, w = (max(p.shape[i] for p in out) for i in (0, 1))
    laid = [cv2.copyMakeBorder(p, 0, h - p.shape[0], 0, w - p.shape[1], cv2.BORDER_REPLICATE) for p in out]
    coded = video.through_codec(laid, how.codec, how.quality)
    return [np.ascontiguousarray(c[:p.shape[0], :p.shape[1]]) for c, p in zip(coded, out)], moved
