#!/usr/bin/env python3
"""The face chain as most people would write it, beside this project's: OpenCV and ONNX Runtime in Python, the same
networks, the same recording, in one run.

    make models clips build && python3 benches/python_chain.py models/fetched/clips/*.mp4

Both decode the recording, look for the face once a second, and fit the mesh in every frame, on one thread for the
networks. The Python side stops there. The other side is `deepfake scan --profile thorough`, which also computes
expressions, quality and every signal, and decides. Speeds are frames a second of wall time and of processor time (all
threads). Needs `pip install opencv-python-headless onnxruntime numpy`.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import cv2
    import numpy as np
    import onnxruntime as ort
except ImportError as error:
    sys.exit(f"error: {error.name} is missing: pip install opencv-python-headless onnxruntime numpy")

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models/fetched"
SIDE, MESH_SIDE = 128, 256
RIGHT_EYE, LEFT_EYE = 33, 263


def session(name: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(MODELS / name), options, providers=["CPUExecutionProvider"])


def anchors() -> np.ndarray:
    """Centres of BlazeFace's short range: two a cell of 16 x 16, six a cell of 8 x 8."""
    rows = []
    for cells, each in ((16, 2), (8, 6)):
        for y in range(cells):
            for x in range(cells):
                rows += [((x + 0.5) / cells, (y + 0.5) / cells)] * each
    return np.array(rows, np.float32)


class Chain:
    def __init__(self) -> None:
        self.detector, self.mesh = session("blazeface-short.onnx"), session("face-mesh-v2.onnx")
        self.anchors = anchors()
        self.roi: tuple[float, float, float, float] | None = None
        self.looked = -1e9

    def detect(self, picture: np.ndarray) -> None:
        h, w = picture.shape[:2]
        scale = SIDE / max(h, w)
        small = cv2.resize(picture, (round(w * scale), round(h * scale)), interpolation=cv2.INTER_AREA)
        left, top = (SIDE - small.shape[1]) // 2, (SIDE - small.shape[0]) // 2
        box = np.zeros((SIDE, SIDE, 3), np.uint8)
        box[top:top + small.shape[0], left:left + small.shape[1]] = small
        tensor = cv2.cvtColor(box, cv2.COLOR_BGR2RGB).astype(np.float32)[None] / 127.5 - 1
        out = self.detector.run(None, {self.detector.get_inputs()[0].name: tensor})
        scores = next(o for o in out if o.shape[-1] == 1).reshape(-1)
        boxes = next(o for o in out if o.shape[-1] == 16).reshape(-1, 16)
        best = int(scores.argmax())
        if scores[best] < 0:
            return
        points = boxes[best, 4:8].reshape(2, 2) / SIDE + self.anchors[best]
        centre = boxes[best, :2] / SIDE + self.anchors[best]
        size = boxes[best, 2:4].max() / SIDE
        place = lambda p: ((p[0] * SIDE - left) / scale, (p[1] * SIDE - top) / scale)  # noqa: E731
        (rx, ry), (lx, ly), (cx, cy) = place(points[0]), place(points[1]), place(centre)
        self.roi = (cx, cy, size * SIDE / scale * 1.5, math.atan2(ly - ry, lx - rx))

    def face(self, picture: np.ndarray, seconds: float) -> bool:
        if self.roi is None or seconds - self.looked >= 1:
            self.looked = seconds
            if self.roi is None:
                self.detect(picture)
            else:
                kept = self.roi
                self.detect(picture)
                self.roi = kept
        if self.roi is None:
            return False
        cx, cy, size, turn = self.roi
        k = MESH_SIDE / size
        cos, sin = math.cos(turn) * k, math.sin(turn) * k
        half = MESH_SIDE / 2
        to_crop = np.array([[cos, sin, half - cos * cx - sin * cy], [-sin, cos, half + sin * cx - cos * cy]])
        crop = cv2.warpAffine(picture, to_crop, (MESH_SIDE, MESH_SIDE), flags=cv2.INTER_LINEAR)
        tensor = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32)[None] / 255
        out = self.mesh.run(None, {self.mesh.get_inputs()[0].name: tensor})
        points = max(out, key=lambda o: o.size).reshape(-1, 3)[:468, :2]
        back = cv2.invertAffineTransform(to_crop)
        points = points @ back[:, :2].T + back[:, 2]
        low, high = points.min(0), points.max(0)
        (rx, ry), (lx, ly) = points[RIGHT_EYE], points[LEFT_EYE]
        middle = (low + high) / 2
        self.roi = (middle[0], middle[1], float((high - low).max()) * 1.5, math.atan2(ly - ry, lx - rx))
        return min(out, key=lambda o: o.size).reshape(-1)[0] > 0


def python(clip: str) -> tuple[int, int, float, float]:
    """Frames, frames with a face, wall and processor seconds."""
    chain, reader = Chain(), cv2.VideoCapture(clip)
    fps = reader.get(cv2.CAP_PROP_FPS) or 25
    frames = faces = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while True:
        good, picture = reader.read()
        if not good:
            break
        faces += chain.face(picture, frames / fps)
        frames += 1
    return frames, faces, time.perf_counter() - wall, time.process_time() - cpu


def scan(clip: str, program: str) -> tuple[int, int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "r.jsonl"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "scan", clip, "--profile", "thorough", "--jobs", "1", "--json", str(out)],
                       check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        scanned = json.loads(out.read_text())["outcome"]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return scanned["frames_analysed"], scanned["frames_judged"], scanned["wall_s"], cpu


def main() -> int:
    clips = sys.argv[1:]
    program = os.environ.get("PROGRAM", str(ROOT / "target/release/deepfake"))
    if not clips or not Path(program).is_file():
        sys.exit("usage: python_chain.py CLIP... (after `make models clips build`; PROGRAM names deepfake)")
    cv2.setNumThreads(1)
    print(f"OpenCV {cv2.__version__}, ONNX Runtime {ort.__version__}, Python {sys.version.split()[0]}")
    print(f"{'clip':20} {'chain':22} {'frames':>7} {'with face':>9} {'frames/s':>9} {'per CPU s':>9}")
    for clip in clips:
        for name, (frames, faces, wall, cpu) in (("Python", python(clip)), ("deepfake scan", scan(clip, program))):
            print(f"{Path(clip).name:20} {name:22} {frames:7} {faces:9} {frames / wall:9.1f} {frames / cpu:9.1f}",
                  flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
