"""Trains the frame network: `python -m training frame look|validate|fit`. See README.md."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    from .frame import command
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    command.parser(parser.add_subparsers(dest="command", required=True))
    try:
        command.run(parser.parse_args())
    except (FileNotFoundError, ValueError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
