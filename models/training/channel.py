"""From a picture to what a call shows of it: camera motion, optics, noise, webcam processing, codecs.

Genuine and forged go through it with the same random numbers, so that nothing of the channel tells one from the other.
What differs is where the forged face enters: after the camera, before the call's encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import forge, video
from .decoders import Decoders
from .landmarks import middle
from .recapture import recaptured
from .sources import Source

#: Side of the picture that the network sees, and the widest face in it, pixels.
SIDE, WIDEST_FACE = 256, 150.0
#: Narrowest face that is trained on, pixels.
NARROWEST_FACE = 56.0
#: Cells a side of the heat map.
CELLS = 16
#: Frames that go through the encoders; the last one is the sample.
FRAMES = 2
#: Share of samples with a recaptured twin.
RECAPTURED = 0.4


@dataclass
class Sample:
    """A genuine picture, its forged twin, sometimes its recaptured one (SIDE x SIDE x 3, 8 bit), and where the forgery is."""

    genuine: np.ndarray
    forged: np.ndarray
    recaptured: np.ndarray | None
    #: CELLS x CELLS, share of forged pixels.
    mask: np.ndarray
    #: Width of the face, pixels of the crop.
    width: float
    what: dict[str, str]


def _even(n: float) -> int:
    return max(2, int(round(n / 2)) * 2)


def _path(rng: np.random.Generator, scale: float) -> list[np.ndarray]:
    """A slow wandering of the head in the picture: 2 x 3 matrices about the origin, one a frame."""
    shift, angle, zoom = rng.normal(0, 1, 2), rng.normal(0, 4), 1.0
    speed, spin = rng.normal(0, 1, 2) * rng.choice([0.1, 0.6, 2.0]), rng.normal(0, 0.3)
    matrices = []
    for _ in range(FRAMES):
        c, s = np.cos(np.deg2rad(angle)) * scale * zoom, np.sin(np.deg2rad(angle)) * scale * zoom
        matrices.append(np.array([[c, -s, shift[0]], [s, c, shift[1]]], np.float32))
        shift, angle, zoom = shift + speed, angle + spin, zoom * (1 + rng.normal(0, 0.003))
    return matrices


def _warped(picture: np.ndarray, matrix: np.ndarray, centre: np.ndarray, size: int, scale: float,
            border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """`picture` under `matrix` with `centre` in the middle of a square; shrinking does not alias."""
    if scale < 0.8:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 / scale)
    m = matrix.copy()
    m[:, 2] += size / 2 - m[:, :2] @ centre
    return cv2.warpAffine(picture, m, (size, size), flags=cv2.INTER_CUBIC, borderMode=border)


class Camera:
    """Noise and processing of one camera; the same for every frame of a sample."""

    def __init__(self, rng: np.random.Generator):
        self.lens = rng.uniform(0.0, 0.9)
        self.read = rng.uniform(0.2, 1.6)
        self.shot = rng.uniform(0.0, 0.1)
        self.colour = rng.uniform(0.2, 0.9)
        self.blur = rng.uniform(0.0, 0.9)
        self.denoise = rng.choice([0.0, rng.uniform(3, 14)], p=[0.4, 0.6])
        self.sharpen = rng.choice([0.0, rng.uniform(0.1, 0.8)], p=[0.5, 0.5])
        self.mjpeg = int(rng.integers(2, 7)) if rng.random() < 0.4 else None

    def sees(self, rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
        """One frame (float, 0..255)."""
        h, w = picture.shape[:2]
        if self.lens > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), self.lens)
        sigma = np.sqrt(self.read**2 + self.shot**2 * np.maximum(picture.mean(-1, keepdims=True), 0))
        grey = rng.standard_normal((h, w, 1), np.float32)
        own = rng.standard_normal((h, w, 3), np.float32)
        if self.blur > 0.35:
            own = cv2.GaussianBlur(own, (0, 0), self.blur) * (1 + 2.5 * self.blur)
        out = picture + sigma * (0.7 * grey + self.colour * 0.7 * own)
        if self.denoise:
            out = cv2.bilateralFilter(np.clip(out, 0, 255).astype(np.float32), 5, float(self.denoise), 1.5)
        if self.sharpen:
            out = out + self.sharpen * (out - cv2.GaussianBlur(out, (0, 0), 1.0))
        return np.clip(out, 0, 255)


def _coded(frames: list[np.ndarray], codec: str, quality: int) -> list[np.ndarray]:
    out = video.through_codec([np.clip(f, 0, 255).astype(np.uint8) for f in frames], codec, quality)
    return out if len(out) == len(frames) else frames


def _light(rng: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """White balance, exposure, gamma and a gradient of light, for both classes alike."""
    h, w = rgb.shape[:2]
    out = (rgb.astype(np.float32) / 255) ** rng.uniform(0.75, 1.4) * rng.normal(1, 0.04, 3)
    y, x = np.mgrid[-1:1:h * 1j, -1:1:w * 1j].astype(np.float32)
    colour = rng.normal(0, 0.1, 3) if rng.random() < 0.3 else np.repeat(rng.normal(0, 0.1), 3)
    out *= 1 + (x * rng.normal() + y * rng.normal())[..., None] * colour * 0.5
    out = out * rng.uniform(0.65, 1.05)
    grey = out.mean(-1, keepdims=True)
    return np.clip((grey + rng.uniform(0.6, 1.1) * (out - grey)) * 255, 0, 255)


def _beautified(rng: np.random.Generator, rgb: np.ndarray, width: float) -> np.ndarray:
    """What a beauty filter does to all skin in the picture, genuine or not: told by colour, not by landmarks."""
    ycc = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
    skin = np.exp(-(((ycc[..., 1] - 0.58) / 0.06) ** 2 + ((ycc[..., 2] - 0.44) / 0.06) ** 2))
    smooth = cv2.bilateralFilter(rgb.astype(np.float32), -1, rng.uniform(10, 30), max(width * 0.012, 1.0))
    weight = (cv2.GaussianBlur(skin, (0, 0), 2.0) * rng.uniform(0.3, 0.9))[..., None]
    return rgb * (1 - weight) + smooth * weight


def _cropped(picture: np.ndarray, centre: np.ndarray) -> np.ndarray:
    x, y = np.round(centre - SIDE / 2).astype(int)
    h, w = picture.shape[:2]
    pad = [max(0, -y), max(0, y + SIDE - h), max(0, -x), max(0, x + SIDE - w)]
    if any(pad):
        picture = cv2.copyMakeBorder(picture, *pad, cv2.BORDER_REPLICATE)
        x, y = x + pad[2], y + pad[0]
    return np.ascontiguousarray(picture[y:y + SIDE, x:x + SIDE])


def _shrunk(source: Source, width: float) -> Source:
    """Not much larger than it will be shown: forging costs by the pixel."""
    if source.width <= width * 1.1:
        return source
    scale = width / source.width
    rgb = cv2.resize(source.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Source(source.name, source.person, source.moving, rgb, source.points * np.float32(scale))


def sample(rng: np.random.Generator, source: Source, others: list[Source], decoders: Decoders) -> Sample:
    """One sample from one source."""
    widest = min(WIDEST_FACE, source.width * 1.02)
    width = float(rng.uniform(min(NARROWEST_FACE, widest * 0.8), widest))
    # The forger works at the camera's size; the call shows it at this size or smaller.
    before = float(min(width * rng.choice([1.0, rng.uniform(1.0, 2.2)]), max(source.width, width)))
    source = _shrunk(source, 1.25 * before)
    scale, size = before / source.width, _even(SIDE * before / width)
    clean = source.rgb if not source.moving and rng.random() < 0.15 else _light(rng, source.rgb)
    if rng.random() < 0.12:
        clean = _beautified(rng, clean, source.width)
    lit = Source(source.name, source.person, source.moving, np.clip(clean, 0, 255).astype(np.uint8), source.points)
    face, mask, what = forge.forged(rng, lit, others, decoders)
    screen = None
    if rng.random() < RECAPTURED:
        screen, what["medium"] = recaptured(rng, lit.rgb, source.width)
    centre = middle(source.points) + rng.normal(0, 0.03 * source.width, 2)

    camera, path = Camera(rng), _path(rng, scale)
    flicker, jitter = rng.choice([0.0, rng.uniform(0, 0.01)]), rng.uniform(0.0, 0.35)
    keep_noise = rng.choice([0.0, rng.uniform(0.3, 1.0)])
    pictures = [lit.rgb] + ([] if screen is None else [screen])
    first: list[list[np.ndarray]] = [[] for _ in pictures]
    for matrix in path:
        seed = int(rng.integers(1 << 31))
        for frames, picture in zip(first, pictures):
            seen = _warped(picture.astype(np.float32), matrix, centre, size, scale)
            frames.append(camera.sees(np.random.default_rng(seed), seen))
    if camera.mjpeg:
        first = [_coded(frames, "mjpeg", camera.mjpeg) for frames in first]
    composed, where, sharper = [], mask, rng.uniform(0.3, 1.0)
    for matrix, frame in zip(path, first[0]):
        moved = matrix.copy()
        moved[:, 2] += rng.normal(0, jitter, 2)
        laid = _warped(face.astype(np.float32), moved, centre, size, scale) * (1 + rng.normal(0, flicker))
        if camera.lens > 0.3:
            laid = cv2.GaussianBlur(laid, (0, 0), camera.lens * sharper)
        if keep_noise:
            plain = _warped(lit.rgb.astype(np.float32), matrix, centre, size, scale)
            # Of the luma alone: what is put back over a swapped face is grey.
            laid = laid + keep_noise * (frame.astype(np.float32) - plain).mean(-1, keepdims=True)
        where = np.clip(_warped(mask, matrix, centre, size, scale, cv2.BORDER_CONSTANT), 0, 1)
        composed.append(frame * (1 - where[..., None]) + laid * where[..., None])

    final = _even(SIDE)
    twins = [first[0], composed, *first[1:]]
    if rng.random() < 0.4:
        quality = int(rng.integers(14, 27))
        twins = [_coded(frames, "h264", quality) for frames in twins]
    if size != final:
        twins = [[cv2.resize(np.clip(f, 0, 255).astype(np.uint8), (final, final), interpolation=cv2.INTER_AREA) for f in frames]
                 for frames in twins]
        where = cv2.resize(where, (final, final), interpolation=cv2.INTER_AREA)
    codec = str(rng.choice(["h264", "vp8", "vp9", "mjpeg"], p=[0.62, 0.16, 0.08, 0.14]))
    low, high = {"h264": (12, 31), "vp8": (4, 34), "vp9": (12, 40), "mjpeg": (2, 9)}[codec]
    quality = int(rng.integers(low, high))
    what["codec"] = f"{codec}-{quality}"
    seen = [_coded(frames, codec, quality)[-1] for frames in twins]
    at = np.array([final / 2, final / 2]) + rng.normal(0, 2, 2)
    cells = cv2.resize(_cropped(where, at), (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
    seen = [np.clip(_cropped(p, at), 0, 255).astype(np.uint8) for p in seen]
    return Sample(seen[0], seen[1], seen[2] if len(seen) > 2 else None, cells, width, what)
