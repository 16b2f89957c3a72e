#!/bin/bash
# A program's stream that calls itself a camera, in a PipeWire of its own, judged by the program deepfake ($1): what
# feeds it ($2), and what it says of itself ($3, further properties of the stream).
# Exit status 77: PipeWire cannot be run here.

set -uo pipefail
deepfake=$1 feed=$2 says=$3
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR PIPEWIRE_RUNTIME_DIR=$XDG_RUNTIME_DIR
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$XDG_RUNTIME_DIR"' EXIT

# Until the command succeeds, for ten seconds at most.
until_true() {
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "not within 10 s: $*" >&2
    exit 77
}
camera() { pw-dump | grep -q '"node.name": "fake-cam"'; }

pipewire >/dev/null 2>&1 &
until_true pw-dump
wireplumber >/dev/null 2>&1 &
# shellcheck disable=SC2086  # a description is words
gst-launch-1.0 -q $feed \
    ! pipewiresink mode=provide stream-properties="p,media.class=Video/Source,node.name=fake-cam,$says" \
    >/dev/null 2>&1 &
until_true camera
id=$(pw-dump | tr -d ' \n' | grep -oP '"id":\K\d+(?=,"type":"PipeWire:Interface:Node"(?:(?!"PipeWire:Interface).)*"node.name":"fake-cam")')
"$deepfake" source --json --seconds 20 "pipewiresrc path=$id num-buffers=60 ! video/x-raw"
