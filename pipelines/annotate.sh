#!/bin/bash
# Draw the verdict into a recorded call and write it as MP4 (the picture only).
#
# Usage: annotate.sh INPUT OUTPUT.mp4
#
# Every sampled frame is analysed before it goes on (mode=sync), as fast as the machine can: the same file gives the
# same result on every run.

set -euo pipefail
. "$(dirname "$0")/lib.sh"
[[ $# == 2 ]] || usage 2 >&2

exec gst-launch-1.0 -q filesrc location="$1" ! decodebin caps='video/x-raw(ANY)' expose-all-streams=false ! videoconvert \
    ! deepfakedetect mode=sync ! deepfakeoverlay ! queue ! videoconvert \
    ! x264enc speed-preset=veryfast pass=quant quantizer=23 ! h264parse ! mp4mux faststart=true ! filesink location="$2"
