"""What a forger puts in the place of a face: from a genuine picture, a forged one of the same size.

The forgeries are made hard on purpose. Real-time swaps keep the luma texture nearly (7 % less in the skin's finest band)
and lose a fifth of the colour texture, fine and coarse, so the strengths below reach down to that. Every method works on the clean
picture, before the camera's noise: what a decoder makes has none of it.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator

from . import masks
from .decoders import KINDS, Decoders
from .landmarks import LIPS, OVAL
from .sources import Source

#: Methods and how often each is drawn.
METHODS = {"detail": 0.36, "decoder": 0.2, "identity": 0.32, "self": 0.12}
_ANCHORS = sorted(set(OVAL + LIPS + list(range(0, 468, 7))))


def _split(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ycc = cv2.cvtColor(np.clip(rgb, 0, 255).astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
    return ycc[..., 0] * 255, ycc[..., 1:] * 255


def _joined(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    ycc = np.dstack([luma, chroma]).astype(np.float32) / 255
    return np.clip(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB) * 255, 0, 255)


def even_colour(rng: np.random.Generator, chroma: np.ndarray, width: float) -> np.ndarray:
    """Blotches, blemishes and veins evened out: fine colour structure of skin is what decoders lose first.

    `chroma` is h x w x 2. Two scales, up to a tenth of the face's width, each keeps a random part.
    """
    out = chroma
    for low, high in ((0.008, 0.03), (0.03, 0.1)):
        smooth = cv2.GaussianBlur(out, (0, 0), max(width * rng.uniform(low, high), 0.5))
        out = smooth + rng.uniform(0.0, 0.75) * (out - smooth)
    return out


def less_detail(rng: np.random.Generator, rgb: np.ndarray, width: float) -> np.ndarray:
    """Fine texture taken away, of the colours more than of the luma, and a little sharpening over it."""
    luma, chroma = _split(rgb)
    sigma = width * rng.uniform(0.004, 0.015)
    if rng.random() < 0.6:
        base = cv2.bilateralFilter(luma, -1, rng.uniform(6, 20), sigma)
    else:
        base = cv2.GaussianBlur(luma, (0, 0), max(sigma * 0.6, 0.4))
    luma = base + rng.uniform(0.65, 1.1) * (luma - base)
    if rng.random() < 0.6:
        radius = max(width * rng.uniform(0.004, 0.012), 0.5)
        luma = luma + rng.uniform(0.1, 1.0) * (luma - cv2.GaussianBlur(luma, (0, 0), radius))
    return _joined(luma, even_colour(rng, chroma, width))


def _soft_seam(rng: np.random.Generator, face: np.ndarray, mask: np.ndarray, width: float) -> np.ndarray:
    """Texture faded where the mask rises: two textures that are averaged leave less of either."""
    seam = (4 * mask * (1 - mask))[..., None] * rng.uniform(0.3, 1.0)
    return face * (1 - seam) + cv2.GaussianBlur(face, (0, 0), max(width * rng.uniform(0.008, 0.025), 0.5)) * seam


def _decoded(rng: np.random.Generator, rgb: np.ndarray, points: np.ndarray, width: float, decoders: Decoders) -> np.ndarray:
    """Through an autoencoder, with some of the detail put back, as sharper generators have it."""
    out, reach = decoders.through(rgb.astype(np.uint8), points, int(rng.integers(len(KINDS))))
    (y0, c0), (y1, c1) = _split(rgb), _split(out)
    cutoff = width * rng.uniform(0.01, 0.04)
    detail = y0 - cv2.GaussianBlur(y0, (0, 0), cutoff)
    own = y1 - cv2.GaussianBlur(y1, (0, 0), cutoff)
    luma = y1 + rng.uniform(0.4, 1.0) * (detail - own)
    chroma = c1 + rng.uniform(0.1, 0.8) * (c0 - cv2.GaussianBlur(c0, (0, 0), cutoff) - c1 + cv2.GaussianBlur(c1, (0, 0), cutoff))
    reach = reach[..., None]
    return _joined(luma, even_colour(rng, chroma, width)) * reach + rgb * (1 - reach)


def displaced(points_from: np.ndarray, points_to: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Where each pixel of a picture of that shape comes from (h x w x 2), so that `points_to` show `points_from`."""
    h, w = shape
    corners = np.array([[0, 0], [w - 1, 0], [0, h - 1], [w - 1, h - 1]], np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(points_to[_ANCHORS], points_from[_ANCHORS], method=cv2.LMEDS)
    to = np.concatenate([points_to[_ANCHORS], corners])
    source = np.concatenate([points_from[_ANCHORS], corners @ matrix[:, :2].T + matrix[:, 2]])
    ny, nx = max(2, h // 5), max(2, w // 5)
    y, x = np.meshgrid(np.linspace(0, h - 1, ny), np.linspace(0, w - 1, nx), indexing="ij")
    coarse = LinearNDInterpolator(to, source)(np.stack([x, y], -1).reshape(-1, 2)).reshape(ny, nx, 2)
    coarse = np.nan_to_num(coarse).astype(np.float32)
    sx, sy = (nx - 1) / max(w - 1, 1), (ny - 1) / max(h - 1, 1)
    gy, gx = np.mgrid[:h, :w].astype(np.float32)
    return cv2.remap(coarse, gx * sx, gy * sy, cv2.INTER_LINEAR)


def _identity(rgb: np.ndarray, points: np.ndarray, other: Source) -> np.ndarray:
    """Another person's face in the shape of this one."""
    field = displaced(other.points, points, rgb.shape[:2])
    return cv2.remap(other.rgb, field, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)


def _shifted(rng: np.random.Generator, rgb: np.ndarray, points: np.ndarray, width: float) -> np.ndarray:
    """The same face once more, a little displaced and recoloured (self-blending, Shiohara & Yamasaki, CVPR 2022)."""
    scale = 1 + rng.normal(0, 0.02)
    matrix = cv2.getRotationMatrix2D(tuple(map(float, points.mean(0))), rng.normal(0, 1.5), scale)
    matrix[:, 2] += rng.normal(0, 0.015 * width, 2)
    size = (rgb.shape[1], rgb.shape[0])
    moved = cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    moved = masks.elastic(rng, moved, 0.008 * width, 0.15 * width)
    return np.clip(moved * rng.normal(1, 0.03, 3) + rng.normal(0, 3, 3), 0, 255)


def _matched(face: np.ndarray, target: np.ndarray, mask: np.ndarray, strength: float) -> np.ndarray:
    """Colours of `face` brought to those of `target` inside the mask (Reinhard et al. 2001), by so much."""
    a, b = (cv2.cvtColor(np.clip(v, 0, 255).astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for v in (face, target))
    inside = mask > 0.5
    if inside.sum() < 50:
        return face
    ma, mb = a[inside].mean(0), b[inside].mean(0)
    sa, sb = a[inside].std(0) + 0.5, b[inside].std(0) + 0.5
    moved = (a - ma) * np.clip(sb / sa, 0.5, 2.0) + mb
    out = a + strength * (moved - a)
    return np.clip(cv2.cvtColor(out.astype(np.float32), cv2.COLOR_LAB2RGB) * 255, 0, 255)


def _multiband(face: np.ndarray, target: np.ndarray, mask: np.ndarray, levels: int = 4) -> np.ndarray:
    """Blended band by band (Burt & Adelson 1983): coarse structure softly, fine structure sharply."""
    out, a, b = np.zeros_like(target), face, target
    for level in range(levels):
        sigma = 1.5 * 2**level
        weight = cv2.GaussianBlur(mask, (0, 0), sigma)[..., None]
        last = level == levels - 1
        la = a if last else cv2.GaussianBlur(a, (0, 0), sigma)
        lb = b if last else cv2.GaussianBlur(b, (0, 0), sigma)
        out += (a if last else a - la) * weight + (b if last else b - lb) * (1 - weight)
        a, b = la, lb
    return np.clip(out, 0, 255)


def forged(rng: np.random.Generator, source: Source, others: list[Source],
           decoders: Decoders) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """The forged picture's face, the mask to lay it in with, and what was done.

    Returns (h x w x 3 of 0..255, h x w of 0..1, {"method", "shape", "blend"}).
    """
    rgb, points, width = source.rgb.astype(np.float32), source.points, source.width
    mask, shape = masks.drawn(rng, rgb.shape[:2], points)
    method = str(rng.choice(list(METHODS), p=list(METHODS.values())))
    if method == "detail":
        face = less_detail(rng, rgb, width)
    elif method == "decoder":
        face = _decoded(rng, rgb, points, width, decoders)
    elif method == "identity":
        wide = [o for o in others if o.person != source.person and o.width > 0.7 * width]
        other = wide[int(rng.integers(len(wide)))] if wide else source
        face = _identity(rgb, points, other)
        if rng.random() < 0.85:
            face = less_detail(rng, face, width)
    else:
        face = _shifted(rng, rgb, points, width)
        if rng.random() < 0.8:
            face = less_detail(rng, face, width)
    if method != "self" or rng.random() < 0.5:
        face = _matched(face, rgb, mask, rng.uniform(0.7, 1.0))
    if rng.random() < 0.6:
        face = _soft_seam(rng, face, mask, width)
    blend = str(rng.choice(["alpha", "multiband", "poisson"], p=[0.65, 0.2, 0.15]))
    if blend == "multiband":
        face = _multiband(face, rgb, mask)
    elif blend == "poisson":
        hard = (mask > 0.5).astype(np.uint8) * 255
        hard[[0, -1]], hard[:, [0, -1]] = 0, 0
        x, y, w, h = cv2.boundingRect(hard)
        if w > 8 and h > 8:
            middle = (x + w // 2, y + h // 2)
            face = cv2.seamlessClone(np.clip(face, 0, 255).astype(np.uint8), source.rgb, hard, middle,
                                     cv2.NORMAL_CLONE).astype(np.float32)
    return face, mask.astype(np.float32), {"method": method, "shape": shape, "blend": blend}
