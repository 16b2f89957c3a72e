"""The motion model: does the skin's colour live as the rest of the picture lets expect?

Where a face lives, the colour of every spot of it changes a little from moment to moment: the skin slides over the bones and
turns in the light, blood comes and goes, the camera's own noise runs over all of it. Decoders that generate a face paint nearly
the same colour again and again, and codecs keep that. A screen or a print that is filmed adds change that skin has not. How much of it there
should be depends on how the person moves, on the camera, the codec and the light; the surroundings and the luma tell.

So the face is unwrapped (see `unwrap`), and for each of 40 x 40 texels a running mean and a running variance are kept, with
exponential weights of `MEMORY` seconds; for skin, features and surroundings also the mean change from picture to picture, and the mean gradient.
All of this is the network's state, which it gets back with the next picture. From genuine recordings alone (see `genuine`)
is learned what to expect of the blue difference's variance in skin and features, and of the detail that is left of skin's red
and blue difference when pictures are averaged; the score is by how many standard deviations the face falls short.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from . import genuine, unwrap, video
from .landmarks import FaceFinder
from .sources import NARROWEST, RECORDINGS, STEEPEST, Source, cut, files, person_of
from .unwrap import Layout

#: Side of the crop, pixels; texels of the unwrapped picture, and of what is kept of it.
SIDE, TEXELS, KEPT = 128, 80, 40
#: Kept texels that a pixel of each scale spans.
SCALES = (1, 2, 4)
#: Time constant of what is kept, seconds.
MEMORY = 2.5
#: A longer time between two pictures tells nothing of the change from one to the next, seconds.
APART = 0.3
#: The time that the first picture stands for, seconds.
FIRST = 0.1
#: Differences below this are rounding, 0..1.
FLOOR = 0.03 / 255
#: Of the ridge regressions, in units of a recording.
PENALTY = 20.0
#: Pictures a second at which recordings are shown in training, as the plugin's profiles do it.
RATES = (10.0, 15.0)
#: Seconds after which a face is measured, and between two measurements.
SETTLE, EVERY = 2.0, 0.5
#: Most pictures read of one recording.
LONGEST = 900

_MAP = 3 * KEPT * KEPT
_SCALARS = 9 * len(SCALES)
#: Numbers in the state: two weights, mean, variance and last picture, and changes and gradients by scale, colour and region.
STATE = 2 + 3 * _MAP + 2 * _SCALARS
#: Variances of the blue difference (skin, features); gradients of red and blue difference in skin (of pictures, of their mean) at two scales.
JUDGED = 2 + 8
#: Ten measures of three colours in the surroundings, and of the luma in skin and features.
GIVEN = 10 * 5


class MotionModel(nn.Module):
    """Crop (n x 3 x SIDE x SIDE RGB, 0..1), mesh (n x 468 x 2, 0..1 of the crop), seconds since the last picture (n x 1) and state (n x STATE,
    zero at the start) -> forged logit, recaptured logit (n x 1 each), next state.
    """

    def __init__(self, at: Layout):
        super().__init__()
        self.unwrapped = unwrap.Unwrapped(at)
        for scale in SCALES:
            self.register_buffer(f"shares{scale}", unwrap.shares(at.regions, TEXELS // KEPT * scale))
        self.register_buffer("weights", torch.zeros(GIVEN, JUDGED))
        self.register_buffer("bias", torch.zeros(JUDGED))
        self.register_buffer("spread", torch.ones(JUDGED))
        # Variance and detail count alike.
        self.register_buffer("mix", torch.tensor([[0.25]] * 2 + [[0.5 / 8]] * 8))

    def means(self, x: torch.Tensor) -> torch.Tensor:
        """Means over the regions at each scale, n x scales x 3 colours x 3 regions."""
        return torch.stack([self._pooled(x, s).flatten(2) @ getattr(self, f"shares{s}") for s in SCALES], 1)

    def gradients(self, x: torch.Tensor) -> torch.Tensor:
        """The same of the gradients at each scale."""
        return torch.stack([unwrap.gradient(self._pooled(x, s)).flatten(2) @ getattr(self, f"shares{s}") for s in SCALES], 1)

    @staticmethod
    def _pooled(x: torch.Tensor, scale: int) -> torch.Tensor:
        return F.avg_pool2d(x, scale) if scale > 1 else x

    def step(self, face: torch.Tensor, points: torch.Tensor, seconds: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The next state."""
        x = F.avg_pool2d(self.unwrapped(face, points), TEXELS // KEPT) / 255
        weight, watched, mean, variance, last, change, gradient = torch.split(state, [1, 1, _MAP, _MAP, _MAP, _SCALARS, _SCALARS], 1)
        fresh = (weight <= 0).float()
        gain = 1 - torch.exp(-(fresh * FIRST + (1 - fresh) * seconds.clamp(0, 10)) / MEMORY)
        # Divided by the weight so far, these are means of what was seen, not of the zeros before it.
        weight = weight + gain * (1 - weight)
        share = gain / weight.clamp(min=1e-6)
        flat = x.flatten(1)
        apart = flat - mean
        mean = mean + share * apart
        variance = (1 - share) * (variance + share * apart * apart)
        gradient = gradient + share * (self.gradients(x).flatten(1) - gradient)
        gain = gain * (1 - fresh) * (seconds < APART).float()
        watched = watched + gain * (1 - watched)
        # The change of a pooled picture, not the pooled change: noise of single texels is not to drown the rest.
        moved = torch.stack([self._pooled((flat - last).reshape(x.shape), s).abs().flatten(2) @ getattr(self, f"shares{s}") for s in SCALES], 1)
        change = change + gain / watched.clamp(min=1e-6) * (moved.flatten(1) - change)
        return torch.cat([weight, watched, mean, variance, flat, change, gradient], 1)

    def features(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is judged (n x JUDGED) and what predicts it (n x GIVEN), logarithms."""
        _, _, mean, variance, _, change, gradient = torch.split(state, [1, 1, _MAP, _MAP, _MAP, _SCALARS, _SCALARS], 1)
        shape = (-1, 3, KEPT, KEPT)
        deviation = torch.sqrt(variance.clamp(min=1e-12)).reshape(shape).flatten(2) @ self.shares1
        parts = [deviation[:, None], *(v.reshape(-1, len(SCALES), 3, 3) for v in (change, gradient)), self.gradients(mean.reshape(shape))]
        # n x 10 measures x 3 colours x 3 regions: deviation, changes, gradients, gradients of the mean.
        m = torch.log(torch.cat(parts, 1) + FLOOR)
        gradients, of_mean = m[:, 4:6, 1:, 0], m[:, 7:9, 1:, 0]
        judged = torch.cat([m[:, 0, 2, :2], gradients.flatten(1), of_mean.flatten(1)], 1)
        given = torch.cat([m[:, :, :, 2].flatten(1), m[:, :, 0, :2].flatten(1)], 1)
        return judged, given

    def forward(self, face: torch.Tensor, points: torch.Tensor, seconds: torch.Tensor,
                state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        state = self.step(face, points, seconds, state)
        judged, given = self.features(state)
        expected = given @ self.weights + self.bias
        logit = ((expected - judged) / self.spread) @ self.mix
        return logit, -logit, state


def watched(path: Path, encoded: np.random.Generator | None = None) -> Iterator[tuple[float, Source | None]]:
    """The face of each picture of a recording, and the picture's time, seconds. With `encoded` the recording goes through a codec first,
    which that draws.
    """
    rate, pictures = video.rate(path), (rgb for _, rgb in video.picked(path, range(LONGEST)))
    if encoded is not None:
        codec = str(encoded.choice(["h264", "h264", "vp8"]))
        quality = int(encoded.integers(20, 36) if codec == "h264" else encoded.integers(12, 45))
        pictures = video.in_pieces(pictures, codec, quality)
    finder = FaceFinder(mesh="face-mesh-v2")
    for number, rgb in enumerate(pictures):
        face = finder.find(rgb)
        good = face is not None and face.width >= NARROWEST and abs(face.roll) <= STEEPEST
        yield number / rate, Source(f"{path.name}#{number}", person_of(path.name), True, *cut(rgb, face.points)) if good else None


def inputs(source: Source) -> tuple[torch.Tensor, torch.Tensor]:
    """What the plugin hands the network of a picture, a batch of one; see `unwrap.inputs`."""
    face, points = unwrap.inputs(source.rgb, source.points, SIDE)
    return torch.from_numpy(face)[None], torch.from_numpy(points)[None]


@torch.inference_mode()
def measured(model: MotionModel, path: Path, encoded: np.random.Generator | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`MotionModel.features` of a recording, shown at each of `RATES`."""
    judged, given = [], []
    watches = {rate: {"due": 0.0, "last": None, "since": 0.0, "told": 0.0, "state": torch.zeros(1, STATE)} for rate in RATES}
    for time, source in watched(path, encoded):
        for rate, w in watches.items():
            if time + 1e-3 < w["due"] or source is None:
                continue
            w["due"] = max(w["due"] + 1 / rate, time)
            if w["last"] is None or time - w["last"] > 1:
                w.update(state=torch.zeros(1, STATE), since=time, last=time)
            seconds = torch.tensor([[time - w["last"]]], dtype=torch.float32)
            w["state"], w["last"] = model.step(*inputs(source), seconds, w["state"]), time
            if time - w["since"] >= SETTLE and time - w["told"] >= EVERY:
                w["told"] = time
                for out, values in zip((judged, given), model.features(w["state"])):
                    out.append(values[0].numpy().astype(np.float64))
    return judged, given


def fit(model: MotionModel, folders: list[Path], seed: int) -> tuple[dict[str, list[float]], list[str]]:
    """Sets the model's weights from genuine recordings, each as it is and once through a codec. Returns what the card tells, and the names
    of the recordings that had a face for long enough.
    """
    judged, given, names = [], [], []
    for number, path in enumerate(tqdm(files(folders, RECORDINGS), desc="motion", unit="file")):
        for encoded in (None, np.random.default_rng([seed, number])):
            a, b = measured(model, path, encoded)
            judged, given, names = judged + a, given + b, names + [path.name] * len(a)
    if not judged:
        raise ValueError("no recording shows a face for two seconds: the motion model learns from video")
    return learn(model, judged, given, names), sorted(set(names))


def learn(model: MotionModel, judged: list[np.ndarray], given: list[np.ndarray], names: list[str]) -> dict[str, list[float]]:
    """Sets the model's weights from `MotionModel.features` of genuine recordings of those names. Returns what the card tells."""
    fitted = genuine.fit(np.array(judged, np.float64), np.array(given, np.float64), np.array(names), PENALTY)
    for name in ("weights", "bias", "spread"):
        getattr(model, name).copy_(torch.from_numpy(getattr(fitted, name)).float())
    return fitted.told()


@torch.inference_mode()
def some(model: MotionModel, folders: list[Path], number: int = 24) -> dict[str, torch.Tensor]:
    """Inputs as they come in the middle of recordings, to check the exported network on: a batch by input."""
    rows = []
    for path in files(folders, RECORDINGS)[:number]:
        state = torch.zeros(1, STATE)
        for time, source in watched(path):
            if source is None:
                break
            row = [*inputs(source), torch.full((1, 1), 0.04), state]
            state = model.step(*row)
            if time > 1:
                rows.append(row)
                break
    return dict(zip(("face", "points", "seconds", "state"), (torch.cat(v) for v in zip(*rows))))
