#!/usr/bin/env python3
"""The self-test on many machines: one shard of `deepfake redteam run` a Ray task, the results put together.

    python3 pipelines/redteam_ray.py --shards 8 --results all.jsonl -- alice=calls/a.mp4 bob=calls/b.mp4 --budget 20000

What follows `--` goes to `deepfake redteam run` as it is. The work list is the same everywhere, so a shard is named
by its number alone; one that died is done again by Ray, and what its file already holds is not. Recordings, models and
program must be at the same place on every machine. Needs `pip install ray`; RAY_ADDRESS names a cluster, without it
Ray runs on this machine. PROGRAM names the program (default: target/release/deepfake). At the end the results
are one file: the same call of the program with `--results all.jsonl --report report.html` and no work left reports.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import ray
except ImportError:
    sys.exit("error: Ray is missing: pip install ray")

HERE = Path(__file__).resolve().parent


@ray.remote(max_retries=3)
def shard(program: str, number: int, of: int, arguments: list[str], folder: str, where: str) -> tuple[int, bytes, str]:
    """Does one shard; its number, its results, and what went wrong."""
    # Relative paths are the caller's, not those of Ray's own folder.
    os.chdir(where)
    path = Path(folder) / f"shard-{number}-of-{of}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [program, "redteam", "run", *arguments, "--shard", f"{number}/{of}", "--results", str(path), "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    results = path.read_bytes() if path.exists() else b""
    # 1 says that something regressed against a baseline, which is for the whole to tell.
    failed = "" if done.returncode in (0, 1) else f"shard {number}: {done.stderr.strip()[-500:]}"
    return number, results, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True, help="parts of the work; several a core are good")
    parser.add_argument("--results", type=Path, required=True, help="where all results go, a line of JSON each")
    parser.add_argument("--folder", help="where shards keep theirs meanwhile, to go on after an interruption")
    parser.add_argument("arguments", nargs="+", help="for `deepfake redteam run`")
    options = parser.parse_args()
    if not 1 <= options.shards <= 100_000:
        parser.error("--shards must be 1 to 100000")
    program = os.environ.get("PROGRAM", str(HERE.parent / "target/release/deepfake"))
    if not Path(program).is_file():
        sys.exit(f"error: {program} is not there: run `make build`, or name it in PROGRAM")
    folder = options.folder or tempfile.mkdtemp(prefix="redteam-")
    ray.init(log_to_driver=False, include_dashboard=False, logging_level="error")
    waiting = [shard.remote(program, n, options.shards, options.arguments, folder, os.getcwd())
               for n in range(1, options.shards + 1)]
    failures = []
    with options.results.open("ab") as out:
        while waiting:
            (ready, *_), waiting = ray.wait(waiting)
            number, results, failed = ray.get(ready)
            out.write(results)
            out.flush()
            lines = results.count(b"\n")
            print(f"shard {number} of {options.shards}: {lines} evaluations", flush=True)
            if failed:
                failures.append(failed)
    ray.shutdown()
    for failed in failures:
        print(f"error: {failed}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
