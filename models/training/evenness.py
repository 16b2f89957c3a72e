"""The colour model: is the skin's colour more even than the rest of the picture lets expect?

Decoders and colour transfer even out the fine colour structure of a face (blotches, veins, the camera's own colour noise)
while they keep, or put back, that of the luma. In an aligned crop, the logarithm of the mean absolute amplitude of the
blue difference in five octaves is taken over the skin and over a ring around the face; pale skin varies less than ruddy
skin and bright skin less than dark, so the skin's mean colour is taken as well. Two linear judgements of these thirteen
numbers are added: how far the skin's two finest octaves lie below what the others predict (ridge regression on genuine
faces alone, in standard deviations), and a logistic regression of procedural forgeries against their genuine twins. The sum
is linear again: thirteen weights.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from .crops import aligned, places
from .landmarks import LEFT_BROW, LEFT_EYE, LIPS, OVAL, RIGHT_BROW, RIGHT_EYE, FaceFinder
from .sources import Source

#: Side of the crop, pixels, and its size in units of the face's longer side.
SIDE, SCALE = 192, 1.7
#: Numbers of a crop: octaves of the skin, octaves of the ring, mean luma, red and blue difference of the skin.
FEATURES = 13
#: Standard deviation of the finest octave's blur, pixels, and the number of octaves.
FINEST, OCTAVES = 0.7, 5
#: Added to amplitudes before the logarithm, steps of 1/255: what rounding to 8 bits leaves.
FLOOR = 0.05
CELLS = 16


def regions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin without eyes, brows and mouth, and the ring around the face, of a mesh in the crop: SIDE x SIDE, 0 or 1."""
    def filled(indices: list[int], hull: bool = False) -> np.ndarray:
        polygon = points[indices].astype(np.float32)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(mask, [np.round(cv2.convexHull(polygon)[:, 0] if hull else polygon).astype(np.int32)], 1)
        return mask

    def disc(radius: float) -> np.ndarray:
        return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(radius) + 1,) * 2)
    width = float(np.ptp(points[:, 0]))
    oval = filled(OVAL)
    features = cv2.dilate(filled(RIGHT_EYE) | filled(LEFT_EYE) | filled(LIPS), disc(0.03 * width))
    features |= cv2.dilate(filled(RIGHT_BROW, True) | filled(LEFT_BROW, True), disc(0.02 * width))
    skin = cv2.erode(oval, disc(0.08 * width)) & (1 - features)
    ring = cv2.dilate(oval, disc(0.25 * width)) & (1 - cv2.dilate(oval, disc(0.04 * width)))
    return skin.astype(np.float32), ring.astype(np.float32)


class Evenness(nn.Module):
    """n x 3 x 192 x 192 RGB in 0..1 -> attack logit n x 1, heat map n x 1 x 16 x 16 (how even, nats; low outside the skin)."""

    def __init__(self, skin: np.ndarray, ring: np.ndarray):
        super().__init__()
        self.register_buffer("blue", 255 * 0.564 * torch.tensor([-0.299, -0.587, 0.886])[None, :, None, None])
        self.register_buffer("colours", torch.tensor([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]]).T.contiguous())
        previous = 0.0
        for octave in range(OCTAVES):
            sigma = FINEST * 2**octave
            own = math.sqrt(sigma**2 - previous**2)
            x = torch.arange(-math.ceil(3 * own), math.ceil(3 * own) + 1, dtype=torch.float32)
            line = torch.exp(-(x**2) / (2 * own**2))
            self.register_buffer(f"line{octave}", (line / line.sum())[None, None, None])
            previous = sigma
        masks = torch.from_numpy(np.stack([skin, ring]))
        self.register_buffer("share", (masks / masks.sum((1, 2), keepdim=True)).flatten(1).T.contiguous())
        self.register_buffer("weights", torch.zeros(FEATURES, 1))
        self.register_buffer("bias", torch.zeros(1))
        inside = F.avg_pool2d(masks[None, :1], SIDE // CELLS)
        self.register_buffer("outside", torch.where(inside > 0.3, 0.0, -6.0))

    def octaves(self, x: torch.Tensor) -> torch.Tensor:
        """n x OCTAVES x SIDE x SIDE: absolute amplitudes, steps of 1/255."""
        finer, out = F.conv2d(x, self.blue), []
        for octave in range(OCTAVES):
            line = getattr(self, f"line{octave}")
            pad = line.shape[-1] // 2
            coarser = F.conv2d(F.pad(finer, (pad, pad, 0, 0), mode="reflect"), line)
            coarser = F.conv2d(F.pad(coarser, (0, 0, pad, pad), mode="reflect"), line.transpose(2, 3))
            out.append((finer - coarser).abs())
            finer = coarser
        return torch.cat(out, 1)

    def features(self, face: torch.Tensor, octaves: torch.Tensor) -> torch.Tensor:
        """n x FEATURES: log amplitudes of the skin, then of the ring; then the skin's mean colour, 0..1."""
        mean = octaves.flatten(2) @ self.share
        colour = (face.flatten(2) @ self.share[:, :1]).squeeze(2) @ self.colours
        return torch.cat([torch.log(mean + FLOOR).transpose(1, 2).flatten(1), colour], 1)

    def forward(self, face: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        octaves = self.octaves(face)
        features = self.features(face, octaves)
        logit = features @ self.weights + self.bias
        # A cell's own skin in place of the whole skin's.
        cells = torch.log(F.avg_pool2d(octaves, SIDE // CELLS) + FLOOR)
        skin, others = self.weights[:OCTAVES], self.weights[OCTAVES:]
        heat = (cells * skin[None, :, :, None]).sum(1, keepdim=True)
        heat = heat + (features[:, OCTAVES:] @ others + self.bias)[:, :, None, None]
        return logit, heat + self.outside


def mean_shape(sources: list[Source]) -> np.ndarray:
    """Mean mesh of all faces in the crop, 468 x 2."""
    return np.mean([places(s.points, SIDE, SCALE) for s in sources], 0)


def crops(folder: Path, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Aligned genuine crops of a folder's samples and their forged twins, n x SIDE x SIDE x 3, 8 bit.

    Forgeries of the mouth or the eyes alone are left out: this model looks at the skin.
    """
    import json
    finder, genuine, forged = FaceFinder(), [], []
    for file in tqdm(sorted(folder.glob("*.npz"))[:limit], desc=f"aligned {folder.name}", unit="shard"):
        with np.load(file) as held:
            for real, fake, what in zip(held["genuine"], held["forged"], held["what"]):
                if json.loads(str(what))["shape"] in ("mouth", "eyes"):
                    continue
                if (face := finder.find(real, follow=False)) is not None:
                    genuine.append(aligned(real, face.points, SIDE, SCALE))
                    forged.append(aligned(fake, face.points, SIDE, SCALE))
    return np.stack(genuine), np.stack(forged)


@torch.inference_mode()
def measured(model: Evenness, pictures: np.ndarray) -> np.ndarray:
    """Features of 8-bit crops, n x FEATURES."""
    out = []
    for part in np.array_split(pictures, max(1, len(pictures) // 64)):
        x = torch.from_numpy(part.transpose(0, 3, 1, 2).copy()).float() / 255
        out.append(model.features(x, model.octaves(x)).numpy())
    return np.concatenate(out)


def fit(model: Evenness, genuine: np.ndarray, forged: np.ndarray) -> dict[str, list[float]]:
    """Sets the model's weights from features of genuine and forged crops (twins, in the same order)."""
    skin, others = genuine[:, :OCTAVES], genuine[:, OCTAVES:]
    weights, bias = np.zeros(FEATURES), 0.0
    for octave in (0, 1):
        expected = make_pipeline(StandardScaler(), Ridge(3.0)).fit(others, skin[:, octave])
        spread = float(np.std(skin[:, octave] - expected.predict(others)))
        slope = expected[-1].coef_ / expected[0].scale_
        weights[octave] -= 0.5 / spread
        weights[OCTAVES:] += 0.5 * slope / spread
        bias += 0.5 * (expected[-1].intercept_ - float(slope @ expected[0].mean_)) / spread
    both = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
    both.fit(np.concatenate([genuine, forged]), np.r_[np.zeros(len(genuine)), np.ones(len(forged))])
    slope = both[-1].coef_[0] / both[0].scale_
    weights += slope
    bias += float(both[-1].intercept_[0] - slope @ both[0].mean_)
    model.weights.copy_(torch.from_numpy(weights).float()[:, None])
    model.bias.fill_(float(bias))
    return {"weights": weights.round(4).tolist(), "bias": [round(float(bias), 4)]}
