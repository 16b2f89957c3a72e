#!/bin/bash
# Make docs/overlay.png, the picture of the README: the overlay on a printed photo in a moving hand.
#
# Usage: docs/overlay.sh            needs `make build models`, and the network for two Python packages
#
# The face is NASA's portrait of the astronaut Eileen Collins (public domain), as scikit-image ships it. The attack is
# rendered, judged and drawn on by this project's own programs and elements; the frame is the first second in which
# the alert stands (the last frame if none does).

set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GST_PLUGIN_PATH=$PWD/target/release GST_REGISTRY=$work/registry

python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install --no-deps scikit-image==0.26.0 pillow

"$work/venv/bin/python" - "$work" <<'PYTHON'
import pathlib, sys
from PIL import Image
work = pathlib.Path(sys.argv[1])
portrait = Image.open(next(work.glob("venv/lib/*/site-packages/skimage/data/astronaut.png"))).convert("RGB")
# Head and shoulders, in the shape and size of a call.
portrait.crop((52, 0, 412, 270)).resize((640, 480), Image.LANCZOS).save(work / "face.png")
PYTHON

target/release/deepfake redteam render --quiet --attack photo --in "$work/face.png" --out "$work/photo.mp4" \
    --duration 10 --fill 0.95
gst-launch-1.0 -m filesrc location="$work/photo.mp4" ! decodebin ! videoconvert ! deepfakedetect mode=sync \
    ! deepfakeoverlay ! videoconvert ! pngenc ! multifilesink location="$work/frame-%05d.png" > "$work/log"

# 25 frames a second; one second after the alert, so that its reasons are there.
at=$(grep -m1 -oP 'deepfake-alert.*?timestamp=\(guint64\)\K\d+' "$work/log" || echo 9900000000)
"$work/venv/bin/python" - "$work" "$((at / 40000000 + 25))" <<'PYTHON'
import pathlib, sys
from PIL import Image
work, wanted = pathlib.Path(sys.argv[1]), int(sys.argv[2])
frames = sorted(work.glob("frame-*.png"))
frame = Image.open(frames[min(wanted, len(frames) - 1)]).convert("RGB")
frame.quantize(192, dither=Image.Dither.FLOYDSTEINBERG).save("docs/overlay.png", optimize=True)
PYTHON
ls -l docs/overlay.png
