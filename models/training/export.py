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

from . import motion, skin
from .dataset import batches
from .net import SIDE, FrameModel
from .sources import Source

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
    #: On held-out procedural forgeries; not a number where none were made.
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


def _milliseconds(session: ort.InferenceSession, inputs: dict[str, np.ndarray]) -> float:
    """The shortest of many runs, one thread."""
    best = np.inf
    for _ in range(60):
        start = time.perf_counter()
        session.run(None, inputs)
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


def _described(file: Path, difference: float, auc: float, one: dict[str, np.ndarray]) -> Exported:
    """`one`: inputs of a single face, for the timing."""
    data = file.read_bytes()
    return Exported(file, hashlib.sha256(data).hexdigest(), len(data), difference, _milliseconds(_session(file), one), auc)


def _written(module: nn.Module, file: Path, outputs: list[str], inputs: dict[str, torch.Tensor]) -> float:
    """Writes the ONNX file; returns the largest difference of its numbers from PyTorch's on `inputs` (by name, a batch each)."""
    batch = {0: torch.export.Dim("n", min=1, max=64)}
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(module, tuple(v[:2] for v in inputs.values()), str(file), input_names=list(inputs), output_names=outputs,
                      opset_version=18, dynamo=True, dynamic_shapes=(batch,) * len(inputs), external_data=False, verbose=False)
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
        expected = module(*inputs.values())
    session = _session(file)
    given = {name: v.numpy() for name, v in inputs.items()}
    difference = max(float(np.abs(session.run([name], given)[0] - e.numpy()).max())
                     for name, e in zip(outputs, expected))
    if not difference < TOLERANCE:
        raise ValueError(f"ONNX Runtime's numbers differ from PyTorch's by {difference:.2g} logits")
    return difference


def export_frame(net: FrameModel, file: Path, training: Path, validation: Path) -> list[Exported]:
    """Writes `file` (32-bit) and `file` with `-int8` in its name; the better choice is the first of the result."""
    # The check runs on crops as they come, not on noise.
    faces = next(batches(validation, 16, None)).pictures.float() / 255
    difference = _written(_Shaped(net).eval(), file, OUTPUTS, {"face": faces})
    one = {"face": faces[:1].numpy()}
    plain = _described(file, difference, _auc(_session(file), validation), one)
    small = file.with_stem(file.stem + "-int8")
    quantize_static(str(file), str(small), _Reader(training), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    quantised = _described(small, float("nan"), _auc(_session(small), validation), one)
    better = quantised.milliseconds < plain.milliseconds and quantised.auc > plain.auc - COST
    return [quantised, plain] if better else [plain, quantised]


def export_skin(model: skin.SkinModel, file: Path, some: list[Source]) -> Exported:
    """Writes `file`, checked on `some` faces."""
    faces, points = (torch.from_numpy(np.stack(v)) for v in zip(*(skin.inputs(s) for s in some)))
    difference = _written(model.eval(), file, ["forged", "recaptured", "heat"], {"face": faces, "points": points})
    return _described(file, difference, float("nan"), {"face": faces[:1].numpy(), "points": points[:1].numpy()})


def export_motion(model: motion.MotionModel, file: Path, some: dict[str, torch.Tensor]) -> Exported:
    """Writes `file`, checked on `some` inputs (by name, a batch each)."""
    difference = _written(model.eval(), file, ["forged", "recaptured", "next"], some)
    return _described(file, difference, float("nan"), {name: v[:1].numpy() for name, v in some.items()})
