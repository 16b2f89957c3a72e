"""The head as a file: what `make models` joins to the transformer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import frame_network
import vision

from .features import BLOCKS
from .head import Head, used


def write(head: Head, path: Path) -> None:
    """Blocks, weights (blocks x pools x width) and bias; the same bytes for the same head."""
    blocks, pools = [BLOCKS[b] for b in head.shape.blocks], used(head.shape)
    weights = np.zeros((len(blocks), len(frame_network.POOLS), vision.WIDTH), np.float32)
    weights[:, pools] = head.weights.reshape(len(blocks), len(pools), vision.WIDTH)
    with path.open("wb") as out:
        np.savez(out, blocks=np.array(blocks, np.int64), weights=weights, bias=np.float32(head.bias))
