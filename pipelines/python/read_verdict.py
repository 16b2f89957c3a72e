#!/usr/bin/env python3
"""Play a stream through deepfakedetect and print what it says.

Two ways lead to the verdict, and this program shows both:
  * bus messages, for applications that only want to know (state changes, alerts, the summary);
  * metadata on every buffer, for those that need the verdict of a certain frame (--frames).

Examples:
  read_verdict.py call.mp4
  read_verdict.py --uri rtsp://camera/stream
  read_verdict.py --frames --launch "videotestsrc num-buffers=100 ! videoconvert ! deepfakedetect name=detect ! fakesink"

Needs Debian's python3-gi and gir1.2-gstreamer-1.0, and GST_PLUGIN_PATH naming the plugin's folder.
"""

import argparse
import pathlib
import sys
import warnings

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

# GValueArray is deprecated in GLib; in these bindings it is still the only way into a GstValueArray.
warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*ValueArray.*")


def items(structure, field):
    """The structures in an array field (Python cannot read GstValueArray by get_value).

    They are copied, because they belong to `array`, which is gone when this returns.
    """
    found, array = structure.get_array(field)
    return [array.get_nth(i).copy() for i in range(array.n_values)] if found else []


def time(structure, field):
    """A time in seconds, or None where it is not known."""
    value = structure.get_value(field)
    return None if value == Gst.CLOCK_TIME_NONE else value / Gst.SECOND


def seconds(value):
    return "-" if value is None else f"{value:.2f}s"


def reasons(evidence):
    return "; ".join(f"{e.get_value('llr'):+.1f} {e.get_value('reason')}" for e in evidence)


def describe(verdict):
    """One line for a verdict: the same fields in metadata and in messages."""
    line = f"{verdict.get_value('state')} ({verdict.get_value('condition')}) risk {verdict.get_value('risk'):.2f}"
    for track in items(verdict, "tracks"):
        line += f" | face {track.get_value('track-id')}: {track.get_value('state')}"
        line += f" {track.get_value('risk'):.2f} {reasons(items(track, 'evidence'))}"
    return line


def say(line):
    """Prints a line in one piece: the buffers' thread and the bus's thread both do."""
    sys.stdout.write(line + "\n")


def on_buffer(_pad, info):
    buffer = info.get_buffer()
    meta = buffer.get_custom_meta("deepfake-verdict")
    if meta is None:
        say("frame: no verdict")
        return Gst.PadProbeReturn.OK
    verdict = meta.get_structure()
    say(f"frame {seconds(buffer.pts / Gst.SECOND)} (age {seconds(time(verdict, 'age'))}): {describe(verdict)}")
    return Gst.PadProbeReturn.OK


def on_element_message(structure):
    name = structure.get_name()
    if name == "deepfake-verdict":
        say(f"verdict at {seconds(time(structure, 'timestamp'))}: {describe(structure)}")
    elif name == "deepfake-alert":
        face = structure.get_value("track-id") if structure.has_field("track-id") else "the stream"
        say(f"ALERT {structure.get_value('kind')} for {face} at {seconds(time(structure, 'timestamp'))}: "
            f"{reasons(items(structure, 'evidence'))}")
    elif name == "deepfake-summary":
        say(f"summary: {structure.get_value('frames-analysed')} of {structure.get_value('frames-seen')} frames "
            f"analysed, {structure.get_value('alerts')} alerts, worst {structure.get_value('worst-state')} "
            f"{structure.get_value('worst-risk'):.2f}, at the end {structure.get_value('state')}")


def on_message(_bus, message, loop, result):
    if message.type == Gst.MessageType.ELEMENT and message.get_structure():
        on_element_message(message.get_structure())
    elif message.type == Gst.MessageType.WARNING:
        print(f"warning: {message.parse_warning()[0].message}", file=sys.stderr)
    elif message.type == Gst.MessageType.ERROR:
        print(f"error: {message.parse_error()[0].message}", file=sys.stderr)
        result.append(1)
        loop.quit()
    elif message.type == Gst.MessageType.EOS:
        loop.quit()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", help="a recorded call")
    source.add_argument("--uri", help="anything that uridecodebin plays")
    source.add_argument("--launch", help="a whole pipeline, with the element to read from named `detect`")
    parser.add_argument("--frames", action="store_true", help="print the verdict of every frame too")
    options = parser.parse_args()

    Gst.init(None)
    uri = options.uri or (options.file and pathlib.Path(options.file).resolve().as_uri())
    # The URI is set as a property below: pasted into the launch line, its characters could mean something there.
    launch = options.launch or "uridecodebin name=source ! videoconvert ! deepfakedetect name=detect ! fakesink sync=true"
    try:
        pipeline = Gst.parse_launch(launch)
    except GLib.Error as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    if uri:
        pipeline.get_by_name("source").set_property("uri", uri)
    detect = pipeline.get_by_name("detect")
    if options.frames:
        if detect is None:
            print("error: no element is named `detect`", file=sys.stderr)
            return 1
        detect.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, on_buffer)

    loop, result = GLib.MainLoop(), []
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message", on_message, loop, result)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        loop.run()
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)
    return result[0] if result else 0


if __name__ == "__main__":
    sys.exit(main())
