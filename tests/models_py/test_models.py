"""Tests of models/: the manifest, the converter and the fetch program."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
import onnxruntime
import pytest
import support
import tflite
from support import APPENDED, CONVERTED, DATA, DOWNLOADS, MODELS, REFERENCE, ROOT, fetch, tflite_to_onnx

ROLES = {
    "face-detector-short",
    "face-detector-full",
    "face-mesh-v2",
    "face-mesh-v1",
    "face-blendshapes",
}
TOLERANCE = 1e-3  # of the largest value of an output


def is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def original(name: str) -> bytes:
    """The .tflite bytes of a model, or skip."""
    source = MODELS[name]["source"]
    path = support.CACHE / DOWNLOADS[source["download"]]["file"]
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the download cache: run `make models`")
    return fetch.extract(path, source, source["size"])


def convert(name: str, data: bytes) -> bytes:
    """Convert as fetch.py does."""
    return fetch.converted(MODELS[name], data)


def session(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


# ---- manifest -----------------------------------------------------------------------


def test_manifest_entries_are_complete() -> None:
    assert ROLES <= {model["role"] for model in DATA["model"]}
    for section in ("download", "model", "library", "clip"):
        for entry in DATA[section]:
            assert is_digest(entry["sha256"]), entry
            assert entry["size"] > 0 and entry["licence"], entry
    for section in ("download", "model", "clip"):
        names = [entry.get("id", entry.get("name")) for entry in DATA[section]]
        assert len(set(names)) == len(names)
    entries = [entry for section in ("model", "library", "clip") for entry in DATA[section]]
    assert len({(entry["file"], entry.get("arch")) for entry in entries}) == len(entries)


def test_manifest_describes_the_networks() -> None:
    for model in DATA["model"]:
        for tensor in model["input"] + model["output"]:
            open_batch = model["role"] == "face-signal" and tensor["shape"][0] == -1
            sides = tensor["shape"][1:] if open_batch else tensor["shape"]
            assert tensor["dtype"] == "f32" and all(d > 0 for d in sides), tensor
        assert all(output["meaning"] for output in model["output"])
        if model["role"] == "face-signal":
            continue  # their keys are checked by the plugin's own tests
        if "preprocessing" in model:
            low, high = model["preprocessing"]["range"]
            assert low < high
            assert model["preprocessing"]["layout"] == "nhwc"
        if "anchor_grids" in model:
            anchors = sum(side * side * each for side, each in model["anchor_grids"])
            assert anchors == model["output"][0]["shape"][1]
            assert len(model["keypoints"]) * 2 + 4 == model["output"][0]["shape"][2]
    shapes = MODELS["face-blendshapes"]
    assert len(shapes["labels"]) == len(set(shapes["labels"])) == 52
    subset = shapes["landmark_subset"]
    assert len(subset) == 146 and subset == sorted(set(subset)) and subset[-1] < 478


@pytest.mark.parametrize("name", MODELS)
def test_fetched_model_matches_the_manifest(name: str) -> None:
    model = MODELS[name]
    path = ROOT / "models" / model["file"]
    if not path.is_file():
        pytest.skip(f"{path.name} is not fetched: run `make models`")
    assert fetch.is_right(path, model["sha256"], model["size"])
    network = session(str(path))
    for declared, actual in (
        (model["input"], network.get_inputs()),
        (model["output"], network.get_outputs()),
    ):
        wanted = [(t["name"], t["shape"]) for t in declared]
        found = [(t.name, t.shape) for t in actual]
        if model["role"] == "face-signal":
            # A dimension that either side leaves open serves any size; outputs may be left out.
            shapes = dict(found)
            for tensor, sides in wanted:
                assert len(sides) == len(shapes[tensor])
                pairs = zip(sides, shapes[tensor], strict=True)
                assert all(not isinstance(is_, int) or want in (-1, is_) for want, is_ in pairs)
        else:
            assert wanted == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 2", "schema 2"),
        ("schema = ", "cannot read"),
        ('schema = 1\n[[clip]]\nfile = "../x"\ndownload = "a"', "leads out"),
        ('schema = 1\n[[clip]]\nfile = "/x"\ndownload = "a"', "leads out"),
        ('schema = 1\n[[clip]]\nfile = "x"\ndownload = "a"', "no download with the id 'a'"),
        ('schema = 1\n[[download]]\nid = "a"\nfile = "../a.zip"', "not a plain file name"),
    ],
)
def test_bad_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.toml").write_text(text)
    with pytest.raises(fetch.FetchError, match=message):
        fetch.load_manifest(tmp_path / "manifest.toml")


# ---- converter ------------------------------------------------------------------------


@pytest.mark.parametrize("name", APPENDED)
def test_what_something_is_appended_to_computes_what_the_original_does(name: str) -> None:
    network = session(tflite_to_onnx.convert(original(name)))
    reference, output = np.load(REFERENCE / f"{name}.npz"), MODELS[name]["source"]["embedding"]
    for kind, value in support.inputs_of(MODELS[name]).items():
        (result,) = network.run([output], {network.get_inputs()[0].name: value.repeat(2, axis=0)})
        wanted = reference[f"{kind}.{output}"]
        assert np.abs(result[:1] - wanted).max() < TOLERANCE * np.abs(wanted).max()


@pytest.mark.parametrize("name", [n for n in CONVERTED if n not in APPENDED])
def test_converted_model_computes_what_the_original_does(name: str) -> None:
    network = session(convert(name, original(name)))
    reference = np.load(REFERENCE / f"{name}.npz")
    model = MODELS[name]
    for kind, value in support.inputs_of(model).items():
        results = network.run(None, {model["input"][0]["name"]: value})
        for output, result in zip(model["output"], results, strict=True):
            wanted = reference[f"{kind}.{output['name']}"]
            assert result.shape == wanted.shape
            error = np.abs(result - wanted).max() / np.abs(wanted).max()
            assert error < TOLERANCE, f"{kind} {output['name']}: {error}"
            if kind == "face" and output["meaning"] == "presence":
                assert result.item() > 0, "a face was not seen as one"


@pytest.mark.parametrize("name", CONVERTED)
def test_conversion_is_deterministic(name: str) -> None:
    data = original(name)
    digests = {hashlib.sha256(convert(name, data)).hexdigest() for _ in range(2)}
    assert digests == {MODELS[name]["sha256"]}


def tiny_model(operator: int, element: int = tflite.TensorType.FLOAT32) -> bytes:
    """A .tflite file with one operator from one tensor of 4 numbers to another."""
    builder = flatbuffers.Builder(256)

    def numbers(values: list[int]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependInt32(value)
        return builder.EndVector()

    def tables(items: list[int]) -> int:
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return builder.EndVector()

    tensors = []
    for title in ("in", "out"):
        name, shape = builder.CreateString(title), numbers([1, 4])
        tflite.TensorStart(builder)
        tflite.TensorAddShape(builder, shape)
        tflite.TensorAddType(builder, element)
        tflite.TensorAddName(builder, name)
        tensors.append(tflite.TensorEnd(builder))
    ins, outs = numbers([0]), numbers([1])
    tflite.OperatorStart(builder)
    tflite.OperatorAddInputs(builder, ins)
    tflite.OperatorAddOutputs(builder, outs)
    operators = tables([tflite.OperatorEnd(builder)])
    all_tensors = tables(tensors)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, all_tensors)
    tflite.SubGraphAddInputs(builder, ins)
    tflite.SubGraphAddOutputs(builder, outs)
    tflite.SubGraphAddOperators(builder, operators)
    graphs = tables([tflite.SubGraphEnd(builder)])
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(operator, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, operator)
    codes = tables([tflite.OperatorCodeEnd(builder)])
    tflite.BufferStart(builder)
    buffers = tables([tflite.BufferEnd(builder)])
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_tiny_model_converts() -> None:
    network = session(tflite_to_onnx.convert(tiny_model(tflite.BuiltinOperator.RELU), "x"))
    (result,) = network.run(None, {"x": np.array([[-1, 0, 1, 2]], np.float32)})
    assert result.tolist() == [[0, 0, 1, 2]]


def test_unsupported_operator_is_named() -> None:
    with pytest.raises(tflite_to_onnx.ConversionError, match="operator LSTM .* not supported"):
        tflite_to_onnx.convert(tiny_model(tflite.BuiltinOperator.LSTM))


def test_quantised_model_is_refused() -> None:
    data = tiny_model(tflite.BuiltinOperator.RELU, tflite.TensorType.INT8)
    with pytest.raises(tflite_to_onnx.ConversionError, match="float"):
        tflite_to_onnx.convert(data)


@pytest.mark.parametrize("data", [b"", b"not a network", b"\0\0\0\0TFL3" + b"\xff" * 64])
def test_corrupt_file_is_refused(data: bytes) -> None:
    with pytest.raises(tflite_to_onnx.ConversionError):
        tflite_to_onnx.convert(data)


def test_truncated_file_is_refused() -> None:
    data = tiny_model(tflite.BuiltinOperator.RELU)
    for length in range(0, len(data) - 1, 7):
        try:
            tflite_to_onnx.convert(data[:length])
        except tflite_to_onnx.ConversionError:
            pass  # any other exception fails the test


# ---- fetch ------------------------------------------------------------------------------


class Shelf:
    """A manifest with one clip, and a folder that holds the clip's archive."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.archives = folder, folder / "archives"
        self.archives.mkdir()
        self.payload = b"payload" * 100
        self.archive = self.archives / "box-1.0-py3-none-any.whl"
        with zipfile.ZipFile(self.archive, "w") as zipped:
            zipped.writestr("box/clip.mp4", self.payload)
        self.target = folder / "fetched" / "clip.mp4"
        self.digest, self.size = fetch.sha256_of(self.archive), len(self.payload)
        self.member = "box/clip.mp4"

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        manifest = f"""schema = 1
            [[download]]
            id = "box"
            registry = "pypi"
            package = "box"
            version = "1.0"
            file = "{self.archive.name}"
            sha256 = "{self.digest}"
            licence = "MIT"
            [[clip]]
            name = "clip"
            file = "fetched/clip.mp4"
            sha256 = "{hashlib.sha256(self.payload).hexdigest()}"
            size = {self.size}
            licence = "MIT"
            download = "box"
            member = "{self.member}"
            """
        (self.folder / "manifest.toml").write_text(manifest)
        command = [sys.executable, str(ROOT / "models" / "fetch.py"), "--only", "clips"]
        command += ["--manifest", str(self.folder / "manifest.toml")]
        command += ["--cache", str(self.folder / "cache"), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def offline(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("--offline", str(self.archives), *options)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_fetch_offline_from_a_folder(shelf: Shelf) -> None:
    result = shelf.offline()
    assert result.returncode == 0, result.stderr
    assert shelf.target.read_bytes() == shelf.payload
    shelf.archive.unlink()  # a second run needs no archive
    assert shelf.offline().returncode == 0
    assert shelf.offline("--verify").returncode == 0


def test_fetch_refuses_an_archive_with_a_wrong_digest(shelf: Shelf) -> None:
    shelf.digest = "0" * 64
    result = shelf.offline()
    assert result.returncode == 1 and "is not the file that the manifest names" in result.stderr
    assert not shelf.target.exists()


def test_fetch_refuses_a_member_that_is_larger_than_stated(shelf: Shelf) -> None:
    shelf.size -= 1
    result = shelf.offline()
    assert result.returncode == 1 and "is larger than" in result.stderr
    assert not shelf.target.exists()


def test_fetch_refuses_a_changed_member(shelf: Shelf) -> None:
    shelf.payload = b"another" * 100
    result = shelf.offline()
    assert result.returncode == 1 and "the result has the sha256" in result.stderr
    assert list((shelf.folder / "fetched").glob("*")) == []


def test_fetch_names_what_is_missing(shelf: Shelf) -> None:
    shelf.member = "box/other.mp4"
    assert "other.mp4" in shelf.offline().stderr
    shelf.archive.unlink()
    result = shelf.offline()
    assert result.returncode == 1 and "is not in" in result.stderr
    assert "missing" in shelf.offline("--verify").stderr


def test_fetch_makes_a_corrupt_file_anew(shelf: Shelf) -> None:
    shelf.offline()
    shelf.target.write_bytes(b"corrupt")
    assert "wrong" in shelf.offline("--verify").stderr
    assert shelf.offline().returncode == 0
    assert shelf.target.read_bytes() == shelf.payload


# ---- fixtures of the Rust tests -------------------------------------------------------


def test_fixtures_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tests" / "fixtures" / "generate.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
