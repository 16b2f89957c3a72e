"""The skin model: does the skin show the colour detail that the rest of this face lets expect?

Blood, freckles, stubble and the camera's own colour noise give living skin fine red and blue differences. Decoders that
generate faces lose most of it, while they keep, or put back, the detail of the luma. How much there should be depends on the
camera, the codec and the light, and all of these are in the same picture: in the eyes, the brows and the mouth, in the hair and the
background around the face, and in the skin's own luma.

So the face is unwrapped: each of 160 x 160 texels has a fixed place between three points of the mesh (inside the face: of its
triangle; around it: on the ray from the nose through the outline), and the logarithm of the mean gradient is taken over
skin, features and surroundings, for luma, red and blue difference, at four scales. Ridge regressions on genuine recordings
alone predict the skin's red and blue detail at three scales from all the others; the score is by how many standard deviations the
skin falls short. No forgery is trained on: a one-class model cannot learn the forger instead of the forged. A recaptured
picture falls on the other side, for the medium's grid adds colour that skin has not: its score is the same with the sign
turned.

Dark skin shows more of this detail than pale skin. What the score owes to the skin's mean colour is learned from stills that were all
taken in one light with one camera, and taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from .crops import aligned, places
from .landmarks import LEFT_BROW, LEFT_EYE, LIPS, NOSE_BRIDGE, OVAL, RIGHT_BROW, RIGHT_EYE
from .sources import Source

#: Side of the crop, pixels, and its size in units of the face's longer side.
SIDE, SCALE = 192, 1.7
#: Texels a side of the unwrapped picture, and cells a side of the heat map.
TEXELS, CELLS = 160, 16
#: Points of the mesh that are read.
POINTS = 468
#: Texels that a pixel of each scale spans.
SCALES = (1, 2, 4, 8)
#: The scales whose detail is predicted.
JUDGED = 3
REGIONS = ("skin", "features", "surroundings")
#: Mean gradients below this are rounding, steps of 1/255.
FLOOR = 0.02
#: Of the ridge regressions, in units of a recording.
PENALTY = 10.0
#: Of the regression on the skin's mean colour, in units of a still.
TONE_PENALTY = 0.1
#: Between these multiples of the outline's distance from the nose lie the surroundings.
NEAR, FAR = 1.12, 1.5


def _filled(points: np.ndarray, indices: list[int], hull: bool = False) -> np.ndarray:
    polygon = points[indices].astype(np.float32)
    mask = np.zeros((TEXELS, TEXELS), np.uint8)
    cv2.fillPoly(mask, [np.round(cv2.convexHull(polygon)[:, 0] if hull else polygon).astype(np.int32)], 1)
    return mask


def _disc(radius: float) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(round(radius)) + 1,) * 2)


@dataclass
class Layout:
    """Where each texel lies: `points` (T x 3, indices into the mesh), `weights` (T x 3, sum 1); `regions` 3 x TEXELS x TEXELS, 0 or 1."""

    points: np.ndarray
    weights: np.ndarray
    regions: np.ndarray


def layout(mean: np.ndarray) -> Layout:
    """Made from the mean mesh in the crop, POINTS x 2, pixels of the crop."""
    mesh = mean.astype(np.float64) * TEXELS / SIDE
    y, x = np.mgrid[:TEXELS, :TEXELS]
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
    face = _filled(mesh, OVAL)
    features = _filled(mesh, RIGHT_EYE) | _filled(mesh, LEFT_EYE) | _filled(mesh, LIPS)
    features |= _filled(mesh, RIGHT_BROW, True) | _filled(mesh, LEFT_BROW, True)
    features = cv2.dilate(features, _disc(0.035 * width))
    inner = cv2.erode(face, _disc(0.08 * width))
    reach = reach.reshape(TEXELS, TEXELS)
    around = ((reach > NEAR) & (reach < FAR)).astype(np.uint8)
    return Layout(points, weights, np.stack([inner & (1 - features), inner & features, around]).astype(np.float32))


class SkinModel(nn.Module):
    """Crop (n x 3 x 192 x 192 RGB, 0..1) and mesh (n x 468 x 2, 0..1 of the crop) -> forged logit, recaptured logit (n x 1 each) and
    heat map (n x 1 x 16 x 16: how much of the colour detail that is due each cell lacks; low outside the skin).
    """

    def __init__(self, at: Layout):
        super().__init__()
        self.register_buffer("texel_points", torch.from_numpy(at.points.reshape(-1)))
        self.register_buffer("texel_weights", torch.from_numpy(at.weights.astype(np.float32))[None, :, :, None])
        # Luma, red and blue difference, steps of 1/255.
        y = torch.tensor([0.299, 0.587, 0.114])
        red, blue = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
        self.register_buffer("colours", 255 * torch.stack([y, 0.713 * (red - y), 0.564 * (blue - y)])[:, :, None, None])
        for scale in SCALES:
            shares = F.avg_pool2d(torch.from_numpy(at.regions)[None], scale)[0]
            shares = torch.where(shares > 0.6, shares, 0.0)
            self.register_buffer(f"shares{scale}", (shares / shares.sum((1, 2), keepdim=True)).flatten(1).T.contiguous())
        # Of the two judged colours at the judged scales: what the other numbers predict, and the spread around it.
        self.register_buffer("weights", torch.zeros(len(SCALES) * 7, 2 * JUDGED))
        self.register_buffer("bias", torch.zeros(2 * JUDGED))
        self.register_buffer("spread", torch.ones(2 * JUDGED))
        # What the score owes to the skin's mean luma, red and blue difference, and the colour at which that is nothing.
        self.register_buffer("tone", torch.zeros(3, 1))
        self.register_buffer("reference", torch.zeros(3))
        inside = F.avg_pool2d(torch.from_numpy(at.regions[None, :1]), TEXELS // CELLS)
        self.register_buffer("inside", (inside > 0.3).float())

    def unwrapped(self, face: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Luma, red and blue difference of the texels, n x 3 x TEXELS x TEXELS, steps of 1/255."""
        corners = points[:, self.texel_points].reshape(-1, TEXELS * TEXELS, 3, 2)
        grid = (corners * self.texel_weights).sum(2).reshape(-1, TEXELS, TEXELS, 2) * 2 - 1
        return F.grid_sample(F.conv2d(face, self.colours), grid, mode="bilinear", padding_mode="border", align_corners=False)

    def gradients(self, x: torch.Tensor) -> list[torch.Tensor]:
        """For each scale, sums of absolute differences to the right and below, n x 3 x T x T."""
        out = []
        for scale in SCALES:
            small = F.avg_pool2d(x, scale) if scale > 1 else x
            padded = F.pad(small, (0, 1, 0, 1), mode="replicate")
            out.append((padded[:, :, :-1, 1:] - small).abs() + (padded[:, :, 1:, :-1] - small).abs())
        return out

    def features(self, gradients: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logarithms of mean gradients: what is judged, n x 6 (scale by scale, red then blue), and what predicts it, n x 28."""
        judged, given = [], []
        for number, (scale, gradient) in enumerate(zip(SCALES, gradients)):
            # n x 3 colours x 3 regions
            mean = torch.log(gradient.flatten(2) @ getattr(self, f"shares{scale}") + FLOOR)
            if number < JUDGED:
                judged.append(mean[:, 1:, 0])
            given += [mean[:, :1, 0], mean[:, :, 1:].flatten(1)]
        return torch.cat(judged, 1), torch.cat(given, 1)

    def colour(self, texels: torch.Tensor) -> torch.Tensor:
        """The skin's mean luma, red and blue difference, n x 3, 0..1."""
        return (texels.flatten(2) @ self.shares1[:, :1]).squeeze(2) / 255

    def forward(self, face: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        texels = self.unwrapped(face, points)
        gradients = self.gradients(texels)
        judged, given = self.features(gradients)
        expected = given @ self.weights + self.bias
        logit = ((expected - judged) / self.spread).mean(1, keepdim=True) - (self.colour(texels) - self.reference) @ self.tone
        # A cell's own detail in place of the whole skin's.
        cells = [torch.log(F.adaptive_avg_pool2d(g[:, 1:], CELLS) + FLOOR) for g in gradients[:JUDGED]]
        lack = (expected[:, :, None, None] - torch.cat(cells, 1)) / self.spread[None, :, None, None]
        # Elsewhere there is no skin to lack anything: flat walls would outshine it.
        return logit, -logit, lack.mean(1, keepdim=True) * self.inside - 6 * (1 - self.inside)


def mean_shape(sources: list[Source]) -> np.ndarray:
    """Mean mesh of all faces in the crop, POINTS x 2, pixels."""
    return np.mean([places(s.points, SIDE, SCALE) for s in sources], 0)


def inputs(rgb: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the plugin hands the network for a picture and its mesh (pixels): 3 x SIDE x SIDE and POINTS x 2, 32-bit floats."""
    face = aligned(rgb, points, SIDE, SCALE).astype(np.float32).transpose(2, 0, 1) / 255
    return face, (places(points, SIDE, SCALE) / SIDE).astype(np.float32)


@torch.inference_mode()
def measured(model: SkinModel, sources: list[Source]) -> tuple[np.ndarray, np.ndarray]:
    """`SkinModel.features` of genuine pictures."""
    out = []
    for source in tqdm(sources, desc="skin", unit="face"):
        face, points = (torch.from_numpy(v)[None] for v in inputs(source.rgb, source.points))
        out.append([v.numpy() for v in model.features(model.gradients(model.unwrapped(face, points)))])
    judged, given = (np.concatenate(v).astype(np.float64) for v in zip(*out))
    return judged, given


def recording_of(source: Source) -> str:
    """Name of the file that a picture is of."""
    return source.name.split("#")[0]


def fit(model: SkinModel, sources: list[Source]) -> dict[str, list[float]]:
    """Sets the model's weights from pictures of genuine recordings, each recording weighing the same.

    The spread is that of recordings left out in turn. Returns the share of the variance explained, and the spreads.
    """
    judged, given = measured(model, sources)
    names = np.array([recording_of(s) for s in sources])
    recordings, counts = np.unique(names, return_counts=True)
    if len(recordings) < 10:
        raise ValueError(f"{len(recordings)} genuine recordings: the skin model needs 10 at least, of many people")
    share = 1 / counts[np.searchsorted(recordings, names)]
    mean = np.average(given, 0, share)
    scale = np.sqrt(np.average((given - mean) ** 2, 0, share)) + 1e-3
    x, level = (given - mean) / scale, np.average(judged, 0, share)
    y = judged - level

    def solved(rows: np.ndarray) -> np.ndarray:
        a = x[rows] * share[rows, None]
        return np.linalg.solve(a.T @ x[rows] + PENALTY * np.eye(x.shape[1]), a.T @ y[rows])
    left = np.concatenate([y[names == n] - x[names == n] @ solved(names != n) for n in recordings])
    order = np.concatenate([np.flatnonzero(names == n) for n in recordings])
    spread = np.sqrt(np.average(left**2, 0, share[order]))
    weights = solved(np.ones(len(x), bool)) / scale[:, None]
    model.weights.copy_(torch.from_numpy(weights).float())
    model.bias.copy_(torch.from_numpy(level - mean @ weights).float())
    model.spread.copy_(torch.from_numpy(spread).float())
    explained = 1 - spread**2 / np.average(y**2, 0, share)
    return {"explained": explained.round(3).tolist(), "spread": spread.round(4).tolist()}


@torch.inference_mode()
def fit_tone(model: SkinModel, stills: list[Source], recorded: list[Source]) -> list[float]:
    """Takes off what the score owes to the skin's tone, as `stills` of one light and camera show it; nothing at the mean of `recorded`."""
    def seen(sources: list[Source], what: str) -> tuple[np.ndarray, np.ndarray]:
        rows = []
        for source in tqdm(sources, desc=what, unit="face"):
            face, points = (torch.from_numpy(v)[None] for v in inputs(source.rgb, source.points))
            rows.append((float(model(face, points)[0]), model.colour(model.unwrapped(face, points))[0].numpy()))
        return np.array([r[0] for r in rows]), np.array([r[1] for r in rows], np.float64)
    if (people := len({s.person for s in stills})) < 50:
        raise ValueError(f"{people} people in one light: what the skin's tone does is learned from 50 at least")
    model.tone.zero_()
    scores, colours = seen(stills, "tone")
    _, reference = seen(recorded[:: max(1, len(recorded) // 200)], "light")
    x, y = colours - colours.mean(0), scores - scores.mean()
    tone = np.linalg.solve(x.T @ x + TONE_PENALTY * np.eye(3), x.T @ y)
    model.tone.copy_(torch.from_numpy(tone).float()[:, None])
    model.reference.copy_(torch.from_numpy(reference.mean(0)).float())
    return tone.round(2).tolist()
