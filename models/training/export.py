"""From a checkpoint to the file that the plugin runs: ONNX, checked against PyTorch, quantised if that is faster."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.metrics import roc_auc_score
from torch import nn

from . import evenness
from .dataset import batches
from .net import SIDE, FrameModel

#: Largest difference from PyTorch's numbers, logits.
TOLERANCE = 2e-3
#: Held-out AUC that quantising may cost.
COST = 0.005
OUTPUTS = ["forged", "recaptured", "heat"]


@dataclass(frozen=True)
class Exported:
    """What was written, and how it compares."""

    file: Path
    sha256: str
    size: int
    difference: float
    milliseconds: float
    auc: float


def trained(checkpoint: Path) -> FrameModel:
    """The averaged network of a checkpoint."""
    held = torch.load(checkpoint, weights_only=False, map_location="cpu")
    net = FrameModel(**held["options"])
    net.load_state_dict({k.removeprefix("module."): v for k, v in held["mean"].items() if k.startswith("module.")})
    return net.eval()


class _Shaped(nn.Module):
    """As the manifest has it: logits n x 1, heat map n x 1 x C x C."""

    def __init__(self, net: FrameModel):
        super().__init__()
        self.net = net

    def forward(self, face: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        forged, recaptured, heat = self.net(face)
        return forged.unsqueeze(1), recaptured.unsqueeze(1), heat.unsqueeze(1)


def _session(file: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _milliseconds(session: ort.InferenceSession, side: int) -> float:
    """The shortest of many runs of one crop, one thread."""
    face = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    best = np.inf
    for _ in range(60):
        start = time.perf_counter()
        session.run(None, {"face": face})
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def _auc(session: ort.InferenceSession, validation: Path) -> float:
    genuine, forged = [], []
    for batch in batches(validation, 32, None):
        x = batch.pictures[: 2 * batch.pairs].numpy().astype(np.float32) / 255
        logits = np.concatenate([session.run(["forged"], {"face": face[None]})[0].ravel() for face in x])
        genuine.append(logits[: batch.pairs])
        forged.append(logits[batch.pairs:])
    a, b = np.concatenate(genuine), np.concatenate(forged)
    return float(roc_auc_score(np.r_[np.zeros(len(a)), np.ones(len(b))], np.r_[a, b]))


class _Reader(CalibrationDataReader):
    def __init__(self, folder: Path, number: int = 128):
        batch = next(batches(folder, number // 2, 7))
        self.faces = iter(batch.pictures.numpy().astype(np.float32) / 255)

    def get_next(self) -> dict[str, np.ndarray] | None:
        face = next(self.faces, None)
        return None if face is None else {"face": face[None]}


def _described(file: Path, difference: float, auc: float, side: int) -> Exported:
    data = file.read_bytes()
    return Exported(file, hashlib.sha256(data).hexdigest(), len(data), difference, _milliseconds(_session(file), side), auc)


def _written(module: nn.Module, file: Path, side: int, outputs: list[str], faces: torch.Tensor) -> float:
    """Writes the ONNX file; returns the largest difference of its numbers from PyTorch's on `faces` (n x 3 x side x side)."""
    batch = {0: torch.export.Dim("n", min=1, max=64)}
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(module, (torch.rand(2, 3, side, side),), str(file), input_names=["face"], output_names=outputs,
                      opset_version=18, dynamo=True, dynamic_shapes=(batch,), external_data=False, verbose=False)
    model = onnx.load(str(file))
    onnx.checker.check_model(model, full_check=True)
    # The exporter's notes name files of the machine that it ran on.
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    onnx.save(model, str(file))
    with torch.inference_mode():
        expected = module(faces)
    session = _session(file)
    difference = max(float(np.abs(session.run([name], {"face": faces.numpy()})[0] - e.numpy()).max())
                     for name, e in zip(outputs, expected))
    if not difference < TOLERANCE:
        raise ValueError(f"ONNX Runtime's numbers differ from PyTorch's by {difference:.2g} logits")
    return difference


def export_frame(net: FrameModel, file: Path, training: Path, validation: Path) -> list[Exported]:
    """Writes `file` (32-bit) and `file` with `-int8` in its name; the better choice is the first of the result."""
    # The check runs on crops as they come, not on noise.
    faces = next(batches(validation, 16, None)).pictures.float() / 255
    difference = _written(_Shaped(net).eval(), file, SIDE, OUTPUTS, faces)
    plain = _described(file, difference, _auc(_session(file), validation), SIDE)
    small = file.with_stem(file.stem + "-int8")
    quantize_static(str(file), str(small), _Reader(training), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    quantised = _described(small, float("nan"), _auc(_session(small), validation), SIDE)
    better = quantised.milliseconds < plain.milliseconds and quantised.auc > plain.auc - COST
    return [quantised, plain] if better else [plain, quantised]


def export_colour(model: evenness.Evenness, file: Path, genuine: np.ndarray, forged: np.ndarray) -> list[Exported]:
    """Writes `file`; `genuine` and `forged` are held-out crops, n x SIDE x SIDE x 3, 8 bit."""
    faces = torch.from_numpy(np.concatenate([genuine[:16], forged[:16]]).transpose(0, 3, 1, 2).copy()).float() / 255
    difference = _written(model.eval(), file, evenness.SIDE, ["forged", "heat"], faces)
    scores = [(evenness.measured(model, v) @ model.weights.numpy()).ravel() for v in (genuine, forged)]
    truth = np.r_[np.zeros(len(genuine)), np.ones(len(forged))]
    return [_described(file, difference, float(roc_auc_score(truth, np.concatenate(scores))), evenness.SIDE)]
