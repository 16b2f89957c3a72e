# Shared by the launch lines in this folder; not a program.

# Prints the comment at the head of the calling script.
usage() {
    sed -n '2,/^$/ s/^# \{0,1\}//p' "$0"
    exit "${1:-0}"
}

[[ "${1:-}" != -h && "${1:-}" != --help ]] || usage

# Not --exists: that wants a plugin as new as GStreamer itself.
if ! gst-inspect-1.0 deepfakedetect > /dev/null 2>&1; then
    echo "error: GStreamer does not find deepfakedetect: run \`make install\`," >&2
    echo "or \`make build\` and then: export GST_PLUGIN_PATH=$(dirname "$(dirname "$(realpath "$0")")")/target/release" >&2
    exit 1
fi
