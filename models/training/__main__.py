"""Trains the skin, the motion and the frame model from folders of genuine faces: `python -m training run --faces DIR ...`.

Everything is resumable: what lies in the output folder already is not made again. Delete a part to make it anew:
`samples/` (forged pictures), `autoencoder-*.pt` (decoders), `checkpoint.pt` (the network).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    # Imported where they are needed, so that --help does not wait for PyTorch.
    from .card import Run
    from .labelled import Labelled

#: In the order of the network's channels.
PLANES = ["Y", "Cr", "Cb"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def common(name: str, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("--faces", type=Path, nargs="+", required=True, metavar="DIR",
                         help="folders of genuine stills and recordings; only use footage that you may train on")
        one.add_argument("--out", type=Path, default=Path("training-run"), metavar="DIR", help="where everything goes [%(default)s]")
        one.add_argument("--seed", type=int, default=1, help="[%(default)s]")
        return one

    run = common("run", "Everything: faces, decoders, samples, the models, ONNX, check, cards")
    run.add_argument("--only", choices=["frame", "skin", "motion"], help="one of the models [all]")
    run.add_argument("--one-light", metavar="PATTERN",
                     help="names of stills that were taken in one light with one camera, say 'studio_*': the skin model learns from them what "
                          "to take off for the skin's tone")
    run.add_argument("--attacks", type=Path, metavar="DIR",
                     help="real attacks to mix in: sub-folders genuine/ forged/ recaptured/, or manifest.csv with `file,label`")
    run.add_argument("--shards", type=int, default=160, help="of 64 genuine/forged pairs each [%(default)s]")
    run.add_argument("--steps", type=int, default=3000, help="[%(default)s]")
    run.add_argument("--pairs", type=int, default=16, help="pairs in a step [%(default)s]")
    run.add_argument("--rate", type=float, default=2e-3, help="highest learning rate [%(default)s]")
    run.add_argument("--jobs", type=int, default=2, help="processes that make samples [%(default)s]")
    run.add_argument("--threads", type=int, default=0, help="threads of the training; 0: all cores [%(default)s]")
    run.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ...; auto: CUDA if there is one [%(default)s]")
    run.add_argument("--planes", nargs="+", choices=PLANES, default=["Cb"],
                     help="whose bands the frame model looks at; luma and red difference learn the forger, not the forged [Cb]")
    run.add_argument("--filters", action="store_true", help="with a bank of learned filters in the frame model")
    sheet = common("sheet", "A picture of genuine faces and their forged and recaptured twins, to judge the forger by eye")
    sheet.add_argument("--rows", type=int, default=12, help="[%(default)s]")
    return parser


def _faces_and_decoders(args: argparse.Namespace, device: str) -> tuple[Path, list, list]:
    """The file of all faces; those of it to train on, and those to validate on."""
    from . import decoders, sources
    for folder in args.faces:
        if not folder.is_dir():
            raise FileNotFoundError(f"--faces {folder}: there is no such folder")
    kept = sources.kept(args.faces, args.out)
    people, held_out = sources.split(sources.load(kept))
    if not people or not held_out:
        raise ValueError(f"{len(people)} faces to train on and {len(held_out)} of other people to validate on: more people are needed")
    print(f"{len(people)} genuine pictures of {len({s.person for s in people})} people; "
          f"{len(held_out)} of {len({s.person for s in held_out})} others for validation")
    decoders.train(people, args.out, device=device)
    return kept, people, held_out


def _device(wanted: str) -> str:
    import torch
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    torch.empty(1, device=wanted)
    return wanted


def run(args: argparse.Namespace) -> None:
    import torch
    from . import card, dataset, labelled
    device = _device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    attacks = labelled.collect(args.attacks) if args.attacks else None
    if args.only in (None, "skin"):
        _skin(args)
    if args.only in (None, "motion"):
        _motion(args)
    if args.only not in (None, "frame"):
        return
    kept, people, held_out = _faces_and_decoders(args, device)
    samples = args.out / "samples"
    dataset.make(kept, 1, args.out, samples / "validation", 8, args.seed + 1, args.jobs)
    dataset.make(kept, 0, args.out, samples / "training", args.shards, args.seed, args.jobs)
    told = card.Run(args.out, args.faces, people, held_out, " ".join(sys.argv[1:]))
    _frame(args, told, samples, attacks, device)


def _told(written: list, card: Path) -> None:
    for one in written:
        print(f"{one.file.name}: {one.size / 1e6:.2f} MB, {one.milliseconds:.1f} ms a crop on one core")
    print(f"take {written[0].file.name}, its entry {card.with_suffix('.toml').name} and its card {card.name} from {card.parent}")


def _frame(args: argparse.Namespace, told: Run, samples: Path, attacks: Labelled | None, device: str) -> None:
    from . import card, export, train
    train.train(samples / "training", samples / "validation", args.out, args.steps, args.pairs, args.rate, device,
                labelled=attacks, learned=args.filters, planes=tuple(sorted(PLANES.index(p) for p in set(args.planes))))
    net = export.trained(args.out / "checkpoint.pt")
    written = export.export_frame(net, args.out / "deepfake-frame.onnx", samples / "training", samples / "validation")
    _told(written, card.write_frame(told, "deepfake-frame", written))


def _skin(args: argparse.Namespace) -> None:
    import torch
    from . import card, export, skin, sources, unwrap
    found = sources.followed(args.faces)
    if not found:
        raise ValueError("no recording with a face: the skin model learns from video as cameras and codecs make it")
    with torch.no_grad():
        model = skin.SkinModel(unwrap.layout(unwrap.mean_shape(found), skin.TEXELS))
        fitted = skin.fit(model, found)
        if args.one_light:
            fitted["tone"] = skin.fit_tone(model, sources.collect(args.faces, pattern=args.one_light), found)
        else:
            print("warning: without --one-light the score depends on the skin's tone", file=sys.stderr)
        written = export.export_skin(model, args.out / "deepfake-skin.onnx", found[:: max(1, len(found) // 32)])
    told = card.Run(args.out, args.faces, found, [], " ".join(sys.argv[1:]))
    _told([written], card.write_skin(told, "deepfake-skin", written, fitted))


def _motion(args: argparse.Namespace) -> None:
    import torch
    from . import card, export, motion, sources, unwrap
    found = sources.followed(args.faces, moments=2, frames=1)
    if not found:
        raise ValueError("no recording with a face: the motion model learns from video")
    with torch.no_grad():
        model = motion.MotionModel(unwrap.layout(unwrap.mean_shape(found), motion.TEXELS))
        fitted, names = motion.fit(model, args.faces, args.seed)
        written = export.export_motion(model, args.out / "deepfake-motion.onnx", motion.some(model, args.faces))
    seen = [s for s in found if s.name.split("#")[0] in names]
    _told([written], card.write_motion(card.Run(args.out, args.faces, seen, [], " ".join(sys.argv[1:])), "deepfake-motion", written, fitted, names))


def sheet(args: argparse.Namespace) -> None:
    import cv2
    from . import channel
    from .decoders import Decoders
    _, people, _ = _faces_and_decoders(args, "cpu")
    decoders, rng, rows = Decoders(args.out), np.random.default_rng(args.seed), []
    while len(rows) < args.rows:
        made = channel.sample(rng, people[int(rng.integers(len(people)))], people, decoders)
        again = made.recaptured if made.recaptured is not None else np.zeros_like(made.genuine)
        heat = cv2.resize((made.mask * 255).astype(np.uint8), made.genuine.shape[:2])
        row = np.hstack([made.genuine, made.forged, again, np.repeat(heat[..., None], 3, 2)])
        cv2.putText(row, json.dumps(made.what), (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 0), 1, cv2.LINE_AA)
        rows.append(row)
    path = args.out / "sheet.png"
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])
    print(f"{path}: genuine, forged, recaptured, where")


def main() -> int:
    args = _parser().parse_args()
    try:
        {"run": run, "sheet": sheet}[args.command](args)
    except (FileNotFoundError, ValueError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
