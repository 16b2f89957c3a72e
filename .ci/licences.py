#!/usr/bin/env python3
"""Check the licences and origins of all crates against deny.toml, where cargo-deny is not installed.

Usage: licences.py [--config KEY=VALUE ...]      options are passed on to cargo
"""

import json
import os
import re
import subprocess
import sys
import tomllib


def allowed(expression, allow):
    """Whether an SPDX expression can be met with the licences of `allow`."""
    # Old crates write "MIT/Apache-2.0" for "MIT OR Apache-2.0".
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = both() or result
        return result

    def both():
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        if not tokens:
            return False
        token = tokens.pop(0)
        if token == "(":
            result = either()
            return tokens.pop(0) == ")" and result if tokens else False
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}" if tokens else token
        return token in allow

    result = either()
    return result and not tokens


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    with open("deny.toml", "rb") as file:
        allow = set(tomllib.load(file)["licenses"]["allow"])
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--format-version=1", "--all-features"]
    metadata = json.loads(subprocess.run(command + sys.argv[1:], check=True, stdout=subprocess.PIPE).stdout)
    bad = []
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        if not allowed(package["license"] or "", allow):
            bad.append(f"{name}: licence {package['license'] or 'not named'} is not allowed by deny.toml")
        if (package["source"] or "").startswith("git+"):
            bad.append(f"{name}: comes from git, not from a registry")
    print("\n".join(bad) or f"licences: all {len(metadata['packages'])} crates are allowed by deny.toml")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
