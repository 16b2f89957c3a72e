#!/bin/bash
# Watch a webcam: the picture on the screen, with the verdict drawn in.
#
# Usage: webcam.sh [DEVICE]          DEVICE is /dev/video0 if not given
#
# Environment:
#   SOURCE   elements to use instead of the camera, such as "filesrc location=call.mp4 ! decodebin"
#   SINK     element to use instead of the screen, such as fakesink
#
# The analysis runs beside the stream: the picture is as smooth as without it. Ctrl-C ends.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# SOURCE and SINK are pieces of a launch line: they are split into words on purpose.
exec gst-launch-1.0 -q -e ${SOURCE:-v4l2src device="${1:-/dev/video0}"} ! videoconvert \
    ! deepfakedetect ! deepfakeoverlay ! videoconvert ! ${SINK:-autovideosink}
