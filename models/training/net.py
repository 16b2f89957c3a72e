"""The frame model: does the inner face have the texture of the rest of the picture?

A fixed front end splits the native-resolution crop into bands (of luma and of the two colour differences) and takes the logarithm of their local energy: what decoders lose and blending leaves is there at once, and a
small network cannot help itself to what the face looks like instead. A bank of learned filters of the finest band (after
Bayar & Stamm, "constrained convolution", IH&MMSec 2016) sees what those do not: grids, ringing, checkerboards. A thumbnail
tells skin from hair and background. Cells are compared with the picture's own mean, and each says whether it is forged; the
verdict on the picture attends to the most telling ones.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

#: Side of the input, pixels; cells a side of the heat map.
SIDE, CELLS = 256, 16
#: Levels of the pyramid.
LEVELS = 3


class Bands(nn.Module):
    """n x 3 x S x S RGB in 0..1 -> the finest bands of Y, Cr, Cb at S, S/2 and S/4 (steps of 1/255), and Y, Cr, Cb at S/4.

    A band is the picture less its 3 x 3 binomial blur (standard deviation 0.7 pixels of its level).
    """

    def __init__(self) -> None:
        super().__init__()
        y = torch.tensor([0.299, 0.587, 0.114])
        red, blue = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
        colours = 255 * torch.stack([y, 0.713 * (red - y), 0.564 * (blue - y)])
        line = torch.tensor([0.25, 0.5, 0.25])
        high = -torch.outer(line, line)
        high[1, 1] += 1
        self.register_buffer("colours", colours[:, :, None, None])
        self.register_buffer("band", colours[:, :, None, None] * high)

    def forward(self, x: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        bands = []
        for level in range(LEVELS):
            bands.append(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.band))
            if level < LEVELS - 1:
                x = F.avg_pool2d(x, 2)
        return bands, F.conv2d(x, self.colours)


class Block(nn.Module):
    """Depthwise separable residual block."""

    def __init__(self, a: int, b: int, stride: int = 1, kernel: int = 3):
        super().__init__()
        self.depth = nn.Conv2d(a, a, kernel, stride, kernel // 2, groups=a, bias=False)
        self.norm = nn.BatchNorm2d(a)
        self.wide = nn.Conv2d(a, 2 * b, 1, bias=False)
        self.wide_norm = nn.BatchNorm2d(2 * b)
        self.narrow = nn.Conv2d(2 * b, b, 1, bias=False)
        self.narrow_norm = nn.BatchNorm2d(b)
        self.skip = stride == 1 and a == b

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm(self.depth(x))
        out = self.narrow_norm(self.narrow(F.relu(self.wide_norm(self.wide(out)))))
        return x + out if self.skip else out


class Compared(nn.Module):
    """Adds to each cell how it differs from the mean of the picture."""

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mix(torch.cat([x - x.mean((2, 3), keepdim=True), x], 1))


class FrameModel(nn.Module):
    """n x 3 x 256 x 256 RGB in 0..1 -> forged logit n, recaptured logit n, heat map n x 16 x 16 (forged logits).

    `widths` sizes the trunk; `planes` are those of Y, Cr, Cb (0, 1, 2) whose bands are looked at; `learned` and
    `thumbnail` switch branches off for the ablation.
    """

    def __init__(self, widths: tuple[int, int] = (48, 96), learned: bool = False, thumbnail: bool = True,
                 planes: tuple[int, ...] = (2,)):
        super().__init__()
        self.options = {"widths": list(widths), "learned": learned, "thumbnail": thumbnail, "planes": list(planes)}
        a, b = widths
        self.bands, self.planes, self.thumbnail = Bands(), list(planes), thumbnail
        # Filters of the finest band, of which only the energy counts, like that of the fixed ones.
        self.learned = nn.Conv2d(len(planes), 24, 6, 4, 1, bias=False) if learned else None
        entry = LEVELS * len(planes) + (24 if learned else 0) + (3 if thumbnail else 0)
        self.enter = nn.Sequential(nn.BatchNorm2d(entry), nn.Conv2d(entry, a, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU())
        self.fine = nn.Sequential(Block(a, a), Block(a, a, kernel=5), Block(a, b, 2))
        self.coarse = nn.Sequential(Block(b, b), Compared(b), Block(b, b, kernel=5), Compared(b), Block(b, b, kernel=5))
        self.heat = nn.Conv2d(b, 1, 1)
        self.attend = nn.Conv2d(b, 2, 1)
        self.drop = nn.Dropout(0.2)
        self.forged = nn.Linear(b + 1, 1)
        self.recaptured = nn.Linear(b, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        bands, planes = self.bands(x)
        bands = [b[:, self.planes] for b in bands]
        parts = [torch.log(F.avg_pool2d(b.abs(), 8 >> level) + 0.1) for level, b in enumerate(bands)]
        if self.learned is not None:
            # Residuals are small; beyond a few steps they are edges, which say little.
            fine = self.learned(torch.tanh(bands[0] / 6))
            parts.append(torch.log(F.avg_pool2d(fine.abs(), 2) + 0.02))
        if self.thumbnail:
            parts.append(F.avg_pool2d(planes, 2) / 64)
        out = self.coarse(self.fine(self.enter(torch.cat(parts, 1))))
        heat = self.heat(out)
        weight = self.attend(out).flatten(2).softmax(-1)
        seen = out.flatten(2)
        forged = (seen * weight[:, :1]).sum(-1)
        medium = (seen * weight[:, 1:]).sum(-1)
        peak = (heat.flatten(2) * weight[:, :1]).sum(-1)
        logit = self.forged(torch.cat([self.drop(forged), peak], 1)).squeeze(1)
        return logit, self.recaptured(self.drop(medium)).squeeze(1), heat.squeeze(1)
