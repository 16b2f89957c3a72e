"""Samples on disk: made once by several processes, resumable, read by the training at random."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from . import channel
from .decoders import Decoders
from .sources import Source, load, split

#: Samples in a shard.
SHARD = 64

_state: dict = {}


def _begin(faces: Path, side: int, decoders: Path, folder: Path, seed: int) -> None:
    sources = split(load(faces))[side]
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    os.nice(5)
    _state.update(sources=sources, decoders=Decoders(decoders), folder=folder, seed=seed)
    by_person: dict[str, list[Source]] = {}
    for source in sources:
        by_person.setdefault(source.person, []).append(source)
    _state["people"] = [by_person[k] for k in sorted(by_person)]


def _drawn(rng: np.random.Generator) -> Source:
    """By person rather than by picture, but video, the domain of calls, for half of the samples."""
    moving = rng.random() < 0.5
    people = [p for p in _state["people"] if p[0].moving == moving] or _state["people"]
    # A person of whom there is more is drawn more often, but not in proportion.
    weight = np.sqrt([len(p) for p in people])
    person = people[int(rng.choice(len(people), p=weight / weight.sum()))]
    return person[int(rng.integers(len(person)))]


def _make(index: int) -> int:
    rng = np.random.default_rng([_state["seed"], index])
    samples = []
    while len(samples) < SHARD:
        samples.append(channel.sample(rng, _drawn(rng), _state["sources"], _state["decoders"]))
    again = [i for i, s in enumerate(samples) if s.recaptured is not None]
    path = _state["folder"] / f"{index:05d}.npz"
    partial = path.with_suffix(".part")
    with partial.open("wb") as out:
        np.savez(out, genuine=np.stack([s.genuine for s in samples]), forged=np.stack([s.forged for s in samples]),
                 recaptured=np.stack([samples[i].recaptured for i in again]) if again else np.zeros(0, np.uint8),
                 mask=np.stack([s.mask for s in samples]).astype(np.float16),
                 width=np.array([s.width for s in samples], np.float32),
                 what=np.array([json.dumps(s.what) for s in samples]))
    partial.rename(path)
    return index


def make(faces: Path, side: int, decoders: Path, folder: Path, shards: int, seed: int, jobs: int) -> None:
    """Makes the shards that are not there yet, of the training (`side` 0) or validation (1) people in the file `faces`."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [i for i in range(shards) if not (folder / f"{i:05d}.npz").is_file()]
    if not missing:
        return
    # Not forked: the libraries' own threads do not survive that.
    with multiprocessing.get_context("spawn").Pool(jobs, _begin, (faces, side, decoders, folder, seed)) as pool:
        for _ in tqdm(pool.imap_unordered(_make, missing), total=len(missing), desc=folder.name, unit="shard"):
            pass


@dataclass
class Batch:
    """`pairs` genuine pictures, then their forged twins, then recaptured ones: n x 3 x S x S, 8 bit."""

    pictures: torch.Tensor
    pairs: int
    #: pairs x C x C, share of forged pixels in the forged twins' cells.
    masks: torch.Tensor
    what: list[dict[str, str]]


def batches(folder: Path, pairs: int, seed: int | None, together: int = 4) -> Iterator[Batch]:
    """All samples of the folder once; in random order and half of them mirrored if there is a seed."""
    files = sorted(folder.glob("*.npz"))
    rng = None if seed is None else np.random.default_rng(seed)
    if rng is not None:
        rng.shuffle(files)
    for at in range(0, len(files), together):
        genuine, forged, again, masks, what = [], [], [], [], []
        for file in files[at:at + together]:
            with np.load(file) as held:
                genuine.append(held["genuine"])
                forged.append(held["forged"])
                masks.append(held["mask"].astype(np.float32))
                what += [json.loads(str(w)) for w in held["what"]]
                if held["recaptured"].ndim == 4:
                    again.append(held["recaptured"])
        genuine, forged, masks = np.concatenate(genuine), np.concatenate(forged), np.concatenate(masks)
        again = np.concatenate(again) if again else genuine[:0]
        order = np.arange(len(genuine)) if rng is None else rng.permutation(len(genuine))
        extra = np.arange(len(again)) if rng is None else rng.permutation(len(again))
        steps = max(1, len(order) // pairs)
        for step, (mine, others) in enumerate(zip(np.array_split(order, steps), np.array_split(extra, steps))):
            pictures = np.concatenate([genuine[mine], forged[mine], again[others]])
            mask = masks[mine]
            if rng is not None and rng.random() < 0.5:
                pictures, mask = pictures[:, :, ::-1], mask[:, :, ::-1]
            yield Batch(torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))), len(mine),
                        torch.from_numpy(np.ascontiguousarray(mask)), [what[i] for i in mine])
