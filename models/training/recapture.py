"""Prints and screens held before a camera: what the medium does to a picture. Procedural; never to be quoted as a
result on real ones."""

from __future__ import annotations

import cv2
import numpy as np


def _screen(rng: np.random.Generator, rgb: np.ndarray, width: float) -> np.ndarray:
    """An emissive display: sub-pixel grid, its own tone curve, blue tint, reflections."""
    h, w = rgb.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    pitch = width / rng.uniform(60, 260)
    angle = rng.normal(0, 0.06)
    u = (x * np.cos(angle) + y * np.sin(angle)) / pitch + rng.random()
    v = (y * np.cos(angle) - x * np.sin(angle)) / pitch + rng.random()
    # Light that the camera's own grid aliases into moire; finer pitches fade, as lens and pixel area blur them.
    depth = rng.uniform(0.05, 0.5) * np.clip(pitch / 1.6, 0.1, 1.0)
    stripes = np.stack([1 + depth * np.cos(2 * np.pi * (u - k / 3)) for k in range(3)], -1)
    stripes *= (1 + 0.6 * depth * np.cos(2 * np.pi * v))[..., None]
    out = 255 * (np.clip(rgb, 0, 255) / 255) ** rng.uniform(0.8, 1.35)
    out = out * stripes * np.array([rng.uniform(0.85, 1.02), rng.uniform(0.93, 1.03), rng.uniform(0.98, 1.15)])
    out = out * rng.uniform(0.75, 1.1) + rng.uniform(0, 30)
    if rng.random() < 0.4:
        out *= (1 + rng.uniform(0.02, 0.1) * np.sin(2 * np.pi * (y / h * rng.uniform(0.5, 4) + rng.random())))[..., None]
    return out


def _print(rng: np.random.Generator, rgb: np.ndarray, width: float) -> np.ndarray:
    """Ink on paper: halftone, paper grain, a smaller gamut, gloss."""
    h, w = rgb.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    out = np.clip(rgb, 0, 255) / 255
    pitch = width / rng.uniform(70, 260)
    depth = rng.uniform(0.05, 0.5) * np.clip(pitch / 1.6, 0.1, 1.0)
    for k, angle in enumerate(np.deg2rad([15.0, 75.0, 0.0]) + rng.normal(0, 0.1)):
        u = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / pitch
        v = 2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / pitch
        dots = np.cos(u) * np.cos(v)
        # The screen is strongest in the middle tones and gone in white and black.
        out[..., k] += depth * dots * out[..., k] * (1 - out[..., k])
    grey = out.mean(-1, keepdims=True)
    out = grey + rng.uniform(0.6, 1.0) * (out - grey)
    out = rng.uniform(0.03, 0.15) + out * rng.uniform(0.65, 0.85)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), rng.uniform(0.6, 2.0))
    return (out * (1 + rng.uniform(0.0, 0.05) * grain[..., None] / max(grain.std(), 1e-3))) * 255


def recaptured(rng: np.random.Generator, rgb: np.ndarray, width: float, medium: str = "") -> tuple[np.ndarray, str]:
    """`rgb` (h x w x 3, 0..255) as a camera would see it on a medium; `width` is the face's, pixels. The medium is drawn
    unless it is told."""
    soft = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), max(width * rng.uniform(0.002, 0.012), 0.3))
    drawn = str(rng.choice(["screen", "print"]))
    medium = medium or drawn
    out = _screen(rng, soft, width) if medium == "screen" else _print(rng, soft, width)
    out = cv2.GaussianBlur(out.astype(np.float32), (0, 0), rng.uniform(0.3, 0.9))
    if rng.random() < 0.5:
        h, w = out.shape[:2]
        y, x = np.mgrid[:h, :w].astype(np.float32)
        cx, cy, size = rng.uniform(0, w), rng.uniform(0, h), width * rng.uniform(0.3, 1.5)
        glare = np.exp(-((x - cx) ** 2 + (y - cy) ** 2 * rng.uniform(0.3, 3)) / (2 * size**2))
        out += (rng.uniform(10, 90) * glare)[..., None]
    return np.clip(out, 0, 255), medium
