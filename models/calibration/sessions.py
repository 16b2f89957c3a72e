"""What genuine sessions amount to, with scores of the frame network from outside of the folds it was trained on.

    deepfake scan genuine.csv --purpose kyc --json scan.jsonl          # with a model directory without deepfake-frame
    python models/calibration/sessions.py scan.jsonl scores.csv --out models/calibration/sessions.toml

The recordings were trained on by `deepfake-frame`, so its shipped head knows them: what it says of them is left out of the scan
and put in from `scores.csv` (clip, label, score; `python -m training frame validate`), which holds scores of heads that have seen
neither the person nor the generator. Everything else is the scan's. Of each person the session that looks worst counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import tomllib
from collections import defaultdict
from math import exp, log
from pathlib import Path

KINDS = ("presentation", "replay", "forgery", "injection")
PRIOR = 0.001
LEAST_GOOD = 1.0


def ratios(posterior: dict[str, float]) -> dict[str, float]:
    """Log-likelihood ratio of each kind, nats, out of the posterior that it made with the default prior."""
    genuine = max(1.0 - posterior["attack"], 1e-300)
    return {k: log(max(posterior[k], 1e-300) / genuine) - log(PRIOR / len(KINDS) / (1 - PRIOR)) for k in KINDS}


def fused(llr: dict[str, float]) -> float:
    """As `analysis::judgement::fusion` has it."""
    top = max(llr.values())
    return top + log(sum(exp(v - top) for v in llr.values())) - log(len(llr))


def statistic(llr: dict[str, float], result: dict, hypotheses: float = 3.0, session: float = 60.0) -> float:
    """As `Standing::statistic` has it, with the `session-length` of `purpose=kyc`."""
    return max(fused(llr), result["score"] - log(max(result["duration_s"], session) * hypotheses))


def worth(calibration: dict, score: float) -> float:
    """As `NetworkCalibration::llr` has it, for a face that is large enough."""
    llr = calibration["slope"] * score + calibration["bias"]
    return calibration.get("fusion-weight", 1.0) * min(max(llr, calibration["llr-min"]), calibration["llr-max"])


def scores_of(path: Path) -> dict[str, float]:
    """Mean score of each recording."""
    all_: dict[str, list[float]] = defaultdict(list)
    with path.open() as f:
        for row in csv.DictReader(f):
            all_[row["clip"]].append(float(row["score"]))
    return {clip: sum(v) / len(v) for clip, v in all_.items()}


def sessions(scan: Path, scores: dict[str, float], calibration: dict) -> tuple[list[dict], int]:
    """Genuine sessions of which there is a score, and how many there are without."""
    found, without = [], 0
    for line in scan.read_text().splitlines():
        record = json.loads(line)
        result, label = record["outcome"], record.get("label") or {}
        if result["status"] != "scanned" or label.get("attack") or result["good_seconds"] < LEAST_GOOD:
            continue
        name = Path(record["clip"]).name
        if name not in scores:
            without += 1
            continue
        llr = ratios(result["posterior"])
        apart = statistic(llr, result)
        llr["forgery"] += worth(calibration, scores[name])
        found.append({"clip": name, "person": label.get("identity_group") or name, "statistic": statistic(llr, result), "apart": apart})
    return found, without


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--manifest", type=Path, default=Path(__file__).parents[1] / "manifest.toml")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", default="")
    parser.add_argument("--version", default="1")
    args = parser.parse_args()
    models = tomllib.loads(args.manifest.read_text())["model"]
    frame = next(m for m in models if m["name"] == "deepfake-frame")
    found, without = sessions(args.scan, scores_of(args.scores), frame["calibration"])
    people: dict[str, float] = {}
    for one in found:
        people[one["person"]] = max(people.get(one["person"], -1e9), one["statistic"])
    values = sorted(people.values())
    print(f"{len(found)} sessions of {len(people)} people; {without} without a score")
    for share in (0.2, 0.1, 0.05, 0.025, 0.01):
        rank = int(share * (len(values) + 1))
        print(f"  {100 * share:g} %: {values[-rank]:.2f} nats" if rank else f"  {100 * share:g} %: too few people")
    for one in sorted(found, key=lambda o: -o["statistic"])[:8]:
        print(f"  {one['statistic']:+.2f} ({one['apart']:+.2f} without the frame network)  {one['clip']}")
    if args.out:
        numbers = ", ".join(f"{v:.3f}" for v in values)
        args.out.write_text(f"# What genuine sessions amount to: statistics, nats, ascending. Written by models/calibration/sessions.py.\n"
                            f"schema = 1\nversion = {json.dumps(args.version)}\ndata = {json.dumps(args.data)}\nstatistics = [{numbers}]\n")


if __name__ == "__main__":
    main()
