#!/bin/bash
# Judge a call that comes in as RTP with H.264, as a SIP server hands it on, and print what is found.
#
# Usage: call-centre.sh [PORT [CALL]]     PORT is 5004, CALL (a name for the messages) "call" if not given
#
# One line for every message: deepfake-verdict on change and each second, deepfake-alert when an alert is raised or
# cleared, deepfake-summary at the end. Nothing is shown and nothing kept. Ctrl-C ends.
#
# To try it, send a file from another terminal:
#   gst-launch-1.0 filesrc location=call.mp4 ! decodebin ! videoconvert ! x264enc tune=zerolatency key-int-max=50 \
#       ! rtph264pay config-interval=-1 ! udpsink host=127.0.0.1 port=5004

set -euo pipefail
. "$(dirname "$0")/lib.sh"

caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=H264"

# on-error=pass: a call goes on even when its analysis cannot; every verdict then says `failed`.
gst-launch-1.0 -e -m udpsrc port="${1:-5004}" caps="$caps" \
    ! rtpjitterbuffer latency=200 ! rtph264depay ! h264parse ! avdec_h264 ! videoconvert \
    ! deepfakedetect session-id="${2:-call}" on-error=pass ! fakesink sync=false \
    | (
        trap '' INT # Ctrl-C ends the pipeline; its summary still has to come through
        exec grep --line-buffered -oE 'deepfake-(verdict|alert|summary), .*|ERROR.*|WARNING.*'
    )
