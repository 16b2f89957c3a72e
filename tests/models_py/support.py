"""What the tests of the model tools share: paths, the manifest, inputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(__file__).resolve().parent / "reference"
# Where the archives lie; an offline bundle keeps them elsewhere.
CACHE = Path(os.environ.get("MODEL_DOWNLOADS", ROOT / ".cache" / "downloads"))
MANIFEST = ROOT / "models" / "manifest.toml"
sys.path.insert(0, str(ROOT / "models"))

import fetch  # noqa: E402  (needs the path above)
import tflite_to_onnx  # noqa: E402, F401  (for the tests)

DATA = fetch.load_manifest(MANIFEST)
DOWNLOADS = {entry["id"]: entry for entry in DATA["download"]}
MODELS: dict[str, dict[str, Any]] = {model["name"]: model for model in DATA["model"]}
CONVERTED = [n for n, m in MODELS.items() if m.get("source", {}).get("convert") == "tflite"]
# Of these the outputs are not those of the network that was converted.
APPENDED = [n for n in CONVERTED if "append" in MODELS[n]["source"]]
# What goes into the network that was converted, where the manifest's input is a larger picture.
SHAPES = {"face-continuity": [1, 112, 112, 3]}
SEED = 20240607


def inputs_of(model: dict[str, Any]) -> dict[str, np.ndarray]:
    """The inputs that the reference was recorded with.

    ``random``: numpy's PCG64 (``default_rng(SEED).random``, float32), scaled to the
    range of the input. ``face``, for images: 64 x 64 pixels of a face (NASA's portrait
    of Eileen Collins, public domain), its pixels repeated to fill the input.
    """
    shape = SHAPES.get(model["name"], model["input"][0]["shape"])
    noise = np.random.default_rng(SEED).random(shape, dtype=np.float32)
    if "preprocessing" not in model:
        return {"random": noise * np.float32(256)}
    low, high = (np.float32(v) for v in model["preprocessing"]["range"])
    crop = np.load(REFERENCE / "face.npz")["rgb"]
    pixel = np.arange(shape[1]) * crop.shape[0] // shape[1]
    picture = crop[pixel][:, pixel][None].astype(np.float32)
    return {
        "random": low + noise * (high - low),
        "face": low + picture / np.float32(255) * (high - low),
    }


def original_bytes(name: str) -> bytes:
    """The .tflite file of a model, out of the archive in the download cache."""
    source = MODELS[name]["source"]
    path = CACHE / DOWNLOADS[source["download"]]["file"]
    return fetch.extract(path, source, source["size"])
