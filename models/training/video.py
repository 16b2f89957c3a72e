"""Recordings in, pictures out; and pictures through real encoders, in memory."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np

#: Encoders of the channel, with the container that carries them.
CODECS = {"h264": ("libx264", "mp4"), "vp8": ("libvpx", "webm"), "vp9": ("libvpx-vp9", "webm"), "mjpeg": ("mjpeg", "avi")}


def length(path: Path, limit: int) -> int:
    """How many pictures a recording has; counts no further than `limit`."""
    with av.open(str(path)) as container:
        return sum(1 for _ in itertools.islice(container.decode(video=0), limit))


def rate(path: Path) -> float:
    """Pictures a second, as the container has it; 25 where it does not say."""
    with av.open(str(path)) as container:
        return float(container.streams.video[0].average_rate or 25)


def picked(path: Path, indices: range) -> Iterator[tuple[int, np.ndarray]]:
    """Those pictures of a recording, RGB h x w x 3, 8 bit, with their numbers. One at a time: a call has thousands."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= indices.stop:
                return
            if index in indices:
                # As it is meant to be shown: phones store their pictures lying.
                yield index, np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def through_codec(pictures: list[np.ndarray], codec: str, quality: int, fps: int = 25) -> list[np.ndarray]:
    """`pictures` (RGB, same size, even sides) encoded and decoded.

    `quality` is the encoder's own constant-quality number: CRF for H.264 (0..51) and VP8/VP9 (4..63),
    quantiser for MJPEG (2..31); higher is worse.
    """
    name, container = CODECS[codec]
    h, w = pictures[0].shape[:2]
    if h % 2 or w % 2:
        raise ValueError(f"sides must be even, not {w}x{h}")
    options = {
        "h264": {"crf": str(quality), "preset": "veryfast", "tune": "zerolatency"},
        "vp8": {"crf": str(quality), "b": "2M", "deadline": "realtime", "cpu-used": "8"},
        "vp9": {"crf": str(quality), "b": "0", "deadline": "realtime", "cpu-used": "8"},
        "mjpeg": {"qmin": str(quality), "qmax": str(quality)},
    }[codec]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(name, rate=fps, options=options)
        stream.width, stream.height = w, h
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.thread_count = 1
        for picture in pictures:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    buffer.seek(0)
    with av.open(buffer) as container:
        container.streams.video[0].thread_count = 1
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def in_pieces(pictures: Iterable[np.ndarray], codec: str, quality: int, piece: int = 100) -> Iterator[np.ndarray]:
    """`pictures` through `through_codec`, so many at a time, with even sides: a call has thousands."""
    pictures = iter(pictures)
    while batch := [p[: p.shape[0] // 2 * 2, : p.shape[1] // 2 * 2] for p in itertools.islice(pictures, piece)]:
        yield from through_codec([np.ascontiguousarray(p) for p in batch], codec, quality)
