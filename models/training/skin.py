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

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from . import genuine, unwrap
from .sources import Source
from .unwrap import Layout

#: Side of the crop, pixels.
SIDE = 192
#: Texels a side of the unwrapped picture, and cells a side of the heat map.
TEXELS, CELLS = 160, 16
#: Texels that a pixel of each scale spans.
SCALES = (1, 2, 4, 8)
#: The scales whose detail is predicted.
JUDGED = 3
#: Mean gradients below this are rounding, steps of 1/255.
FLOOR = 0.02
#: Of the ridge regressions, in units of a recording.
PENALTY = 10.0
#: Of the regression on the skin's mean colour, in units of a still.
TONE_PENALTY = 0.1


class SkinModel(nn.Module):
    """Crop (n x 3 x 192 x 192 RGB, 0..1) and mesh (n x 468 x 2, 0..1 of the crop) -> forged logit, recaptured logit (n x 1 each) and
    heat map (n x 1 x 16 x 16: how much of the colour detail that is due each cell lacks; low outside the skin).
    """

    def __init__(self, at: Layout):
        super().__init__()
        self.unwrapped = unwrap.Unwrapped(at)
        for scale in SCALES:
            self.register_buffer(f"shares{scale}", unwrap.shares(at.regions, scale))
        # Of the two judged colours at the judged scales: what the other numbers predict, and the spread around it.
        self.register_buffer("weights", torch.zeros(len(SCALES) * 7, 2 * JUDGED))
        self.register_buffer("bias", torch.zeros(2 * JUDGED))
        self.register_buffer("spread", torch.ones(2 * JUDGED))
        # What the score owes to the skin's mean luma, red and blue difference, and the colour at which that is nothing.
        self.register_buffer("tone", torch.zeros(3, 1))
        self.register_buffer("reference", torch.zeros(3))
        inside = F.avg_pool2d(torch.from_numpy(at.regions[None, :1]), TEXELS // CELLS)
        self.register_buffer("inside", (inside > 0.3).float())

    def gradients(self, x: torch.Tensor) -> list[torch.Tensor]:
        """For each scale, sums of absolute differences to the right and below, n x 3 x T x T."""
        return [unwrap.gradient(F.avg_pool2d(x, scale) if scale > 1 else x) for scale in SCALES]

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


def inputs(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """What the plugin hands the network; see `unwrap.inputs`."""
    return unwrap.inputs(source.rgb, source.points, SIDE)


@torch.inference_mode()
def measured(model: SkinModel, sources: list[Source]) -> tuple[np.ndarray, np.ndarray]:
    """`SkinModel.features` of genuine pictures."""
    out = []
    for source in tqdm(sources, desc="skin", unit="face"):
        face, points = (torch.from_numpy(v)[None] for v in inputs(source))
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
    fitted = genuine.fit(judged, given, names, PENALTY)
    for name in ("weights", "bias", "spread"):
        getattr(model, name).copy_(torch.from_numpy(getattr(fitted, name)).float())
    return fitted.told()


@torch.inference_mode()
def fit_tone(model: SkinModel, stills: list[Source], recorded: list[Source]) -> list[float]:
    """Takes off what the score owes to the skin's tone, as `stills` of one light and camera show it; nothing at the mean of `recorded`."""
    def seen(sources: list[Source], what: str) -> tuple[np.ndarray, np.ndarray]:
        rows = []
        for source in tqdm(sources, desc=what, unit="face"):
            face, points = (torch.from_numpy(v)[None] for v in inputs(source))
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
