#!/bin/bash
# Scan recorded calls: every message of the detector as a line of JSON on standard output.
#
# Usage: scan.sh FILE...
#
# Exit status: 0 no alert, 1 alerts, 2 a file could not be scanned. The program is rust/scan.rs; SCAN names it when it
# is built already (default: cargo builds it). With jq, the alerts alone:
#   scan.sh *.mp4 | jq -c 'select(.type == "deepfake-alert") | {file, at: (.stream_time / 1e9), kind: .alert.kind}'

set -euo pipefail
. "$(dirname "$0")/lib.sh"
[[ $# -ge 1 ]] || usage 2 >&2

manifest=$(dirname "$(realpath "$0")")/../Cargo.toml
exec ${SCAN:-cargo run --quiet --release --locked --manifest-path "$manifest" --example scan --} "$@"
