"""Small face autoencoders: forged faces have been through a decoder, so ours go through one as well.

Each is trained on the genuine faces for a few minutes and kept beside the other caches. They are tools of the
training, not models of the project: nothing of them ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import trange

from .sources import Source

#: Side of the aligned face that goes through the autoencoders, pixels.
SIDE = 128
#: Where eyes and mouth lie in it (fractions): right eye, left eye, mouth centre, of the person.
PLACES = np.array([[0.32, 0.36], [0.68, 0.36], [0.5, 0.76]], np.float32)


@dataclass(frozen=True)
class Kind:
    """One shape of autoencoder."""

    name: str
    #: Cells a side and channels of the bottleneck.
    cells: int
    channels: int
    #: `shuffle`, `transposed` or `bilinear`.
    decoder: str
    #: `l1`, `l2` or `ssim` (with L1).
    loss: str


KINDS = [Kind("shuffle", 16, 12, "shuffle", "ssim"), Kind("transposed", 8, 32, "transposed", "l2"),
         Kind("bilinear", 8, 24, "bilinear", "l1")]


def aligning(points: np.ndarray) -> np.ndarray:
    """2 x 3 matrix from picture pixels to the aligned face."""
    places = np.stack([points[[33, 133]].mean(0), points[[263, 362]].mean(0), points[[13, 14]].mean(0)])
    matrix, _ = cv2.estimateAffinePartial2D(places.astype(np.float32), PLACES * SIDE, method=cv2.LMEDS)
    return matrix.astype(np.float32)


def _up(decoder: str, a: int, b: int) -> nn.Module:
    if decoder == "shuffle":
        return nn.Sequential(nn.Conv2d(a, 4 * b, 3, padding=1), nn.PixelShuffle(2))
    if decoder == "transposed":
        return nn.ConvTranspose2d(a, b, 4, 2, 1)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(a, b, 3, padding=1))


class Autoencoder(nn.Module):
    """n x 3 x 128 x 128 in 0..1, in and out."""

    def __init__(self, kind: Kind):
        super().__init__()
        widths = [3, 24, 48, 80, 112][: int(np.log2(SIDE // kind.cells)) + 1]
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.1)]
        layers += [nn.Conv2d(widths[-1], kind.channels, 1)]
        self.encoder = nn.Sequential(*layers)
        layers = [nn.Conv2d(kind.channels, widths[-1], 3, padding=1), nn.LeakyReLU(0.1)]
        for a, b in zip(widths[:0:-1], widths[-2:0:-1] + [16]):
            layers += [_up(kind.decoder, a, b), nn.LeakyReLU(0.1), nn.Conv2d(b, b, 3, padding=1), nn.LeakyReLU(0.1)]
        layers += [nn.Conv2d(16, 3, 3, padding=1)]
        self.decoder = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.decoder(self.encoder(x)))


def _ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    def mean(v: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(v, 7, 1)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    return ((2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4))).mean()


def train(sources: list[Source], folder: Path, steps: int = 1500, device: str = "cpu") -> dict[str, Path]:
    """Trains what is not in `folder` yet; returns the files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind.name: folder / f"autoencoder-{kind.name}.pt" for kind in KINDS}
    faces = None
    for kind in KINDS:
        if files[kind.name].is_file():
            continue
        if faces is None:
            cut = [cv2.warpAffine(s.rgb, aligning(s.points), (SIDE, SIDE), flags=cv2.INTER_AREA,
                                  borderMode=cv2.BORDER_REPLICATE) for s in sources if s.width >= 80]
            faces = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2)
        torch.manual_seed(1)
        net = Autoencoder(kind).to(device)
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
        bar = trange(steps, desc=f"autoencoder {kind.name}", unit="step")
        for _ in bar:
            batch = faces[torch.randint(len(faces), (12,))].to(device).float() / 255
            if torch.rand(()) < 0.5:
                batch = batch.flip(3)
            out = net(batch)
            loss = F.mse_loss(out, batch) * 10 if kind.loss == "l2" else F.l1_loss(out, batch)
            if kind.loss == "ssim":
                loss = loss + 0.3 * (1 - _ssim(out, batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.set_postfix(loss=f"{loss.item():.4f}")
        torch.save(net.cpu().state_dict(), files[kind.name])
    return files


class Decoders:
    """The trained autoencoders, for forging."""

    def __init__(self, folder: Path):
        self.nets = []
        for kind in KINDS:
            net = Autoencoder(kind)
            net.load_state_dict(torch.load(folder / f"autoencoder-{kind.name}.pt", weights_only=True))
            self.nets.append(net.eval())

    @torch.inference_mode()
    def through(self, rgb: np.ndarray, points: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The face after decoder `index`, in the place of the original, and where it reaches (0..1); both h x w (x 3)."""
        matrix = aligning(points)
        face = cv2.warpAffine(rgb, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        out = self.nets[index](torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255)[0]
        decoded = (out.permute(1, 2, 0).numpy() * 255).astype(np.float32)
        size = (rgb.shape[1], rgb.shape[0])
        back = cv2.warpAffine(decoded, matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        reach = cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.clip(back, 0, 255), reach
