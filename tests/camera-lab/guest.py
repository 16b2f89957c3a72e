"""The cases of the camera lab, run inside the virtual machine: each makes a fake camera and asks what it is."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import gadget
import wire

PROGRAM, MODULES = sys.argv[1:3]
OUT = Path("/run/out")
CLASS = Path("/sys/class/video4linux")
WAIT = 40.0
C920 = "HD Pro Webcam C920"
MOVED = "vivid, its controls moved"
# VIDIOC_G_CTRL, and the controls of vivid that are moved: brightness, automatic gain. The gain itself changes by itself
# while the automatic is on.
GET_CONTROL = 0xC008561B
CONTROLS = (0x00980900, 0x00980912)


def modprobe(module, *options):
    subprocess.run(["modprobe", "-d", MODULES, module, *options], check=True)


def nodes():
    return {p.name for p in CLASS.glob("video*")} if CLASS.is_dir() else set()


def until(what, condition):
    """Waits for something that a kernel or another process does."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise RuntimeError(f"waited {WAIT:.0f} s for {what}")


def named(name):
    """The node that the kernel calls so."""
    for node in sorted(nodes()):
        if (CLASS / node / "name").read_text().strip() == name:
            return node
    return None


def feed(node, log):
    """A pipeline that writes pictures to a loopback node; returns when its format is set."""
    raw = "video/x-raw,format=YUY2,width=320,height=240,framerate=10/1"
    source = f"videotestsrc is-live=true pattern=ball ! {raw} ! v4l2sink device=/dev/{node}"
    command = ["gst-launch-1.0", "-q", *source.split()]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    attribute = CLASS / node / "format"

    def ready():
        if process.poll() is not None:
            raise RuntimeError(f"the feeding pipeline ended with {process.returncode}")
        return attribute.read_text().strip()

    until("the feeding pipeline", ready)
    return process


def capture(node, log):
    """Whether an application gets pictures from the node."""
    pipeline = f"v4l2src device=/dev/{node} num-buffers=5 ! fakesink"
    command = ["timeout", "60", "gst-launch-1.0", "-q", *pipeline.split()]
    return subprocess.run(command, stdout=log, stderr=log, check=False).returncode == 0


def vivid(log):
    modprobe("vivid", "n_devs=1", "node_types=0x1", "input_types=0x00")
    node = until("vivid", lambda: named("vivid-000-vid-cap"))
    return node, capture(node, log)


def loaded_vivid(_log):
    return named("vivid-000-vid-cap"), None


def loopback(module, *options):
    def case(log):
        before = nodes()
        modprobe(module, *options)
        (node,) = until(module, lambda: nodes() - before)
        process = feed(node, log)
        seen = capture(node, log)
        return node, seen, process

    return case


def unload(module):
    subprocess.run(["modprobe", "-d", MODULES, "-r", module], check=True)


def idle_loopback(log):
    before = nodes()
    modprobe("v4l2loopback", "card_label=Integrated Camera")
    (node,) = until("v4l2loopback", lambda: nodes() - before)
    return node, None


def play_camera(camera, log):
    """Starts a software camera on the only USB device controller there is."""
    folder = Path("/run/gadget")
    folder.mkdir(exist_ok=True)
    modprobe("gadgetfs")
    subprocess.run(["mount", "-t", "gadgetfs", "gadgetfs", str(folder)], check=True)
    command = [sys.executable, gadget.__file__, str(folder), camera]
    return subprocess.Popen(command, stdout=log, stderr=log)


def usb_node(before):
    """The node that uvcvideo made; its second one carries metadata."""

    def found():
        new = sorted(nodes() - before)
        return next((n for n in new if (CLASS / n / "index").read_text().strip() == "0"), None)

    return until("uvcvideo", found)


def dummy_hcd(camera):
    def case(log):
        modprobe("uvcvideo")
        modprobe("dummy_hcd")
        before = nodes()
        process = play_camera(camera, log)
        node = usb_node(before)
        return node, capture(node, log), process

    return case


def connected():
    """Two ends of a connection of this machine with itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


def attach(near):
    """Gives one end of a connection to the kernel, as a USB cable."""
    port, high_speed, bus_and_number = 0, 3, 0x10002
    Path("/sys/devices/platform/vhci_hcd.0/attach").write_text(
        f"{port} {near.fileno()} {bus_and_number} {high_speed}\n"
    )


def usb_wire(camera):
    """A program that speaks USB/IP, and no device at all."""

    def case(log):
        modprobe("uvcvideo")
        modprobe("vhci-hcd")
        before = nodes()
        near, far = connected()
        command = [sys.executable, wire.__file__, str(far.fileno()), camera]
        process = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=[far.fileno()])
        far.close()
        attach(near)
        near.close()
        node = usb_node(before)
        return node, capture(node, log), process

    return case


def usb_ip(log):
    """The same camera, forwarded by USB/IP, from this machine to itself."""
    modprobe("usbip-vudc")
    modprobe("vhci-hcd")
    before = nodes()
    play_camera("c920", log)
    near, far = connected()
    (device,) = Path("/sys/devices/platform").glob("usbip-vudc.0")

    def offered():
        try:
            return (device / "usbip_sockfd").write_text(f"{far.fileno()}\n")
        except OSError:  # not connected yet
            return None

    until("the gadget", offered)
    attach(near)
    node = usb_node(before)
    # Left running: Linux 6.1's usbip-vudc does not survive the loss of its gadget, and this case is the last.
    return node, capture(node, log)


# Name, expected class, how it is made, what has to be unloaded after it.
CASES = [
    ("vivid", "virtual", vivid, []),
    (MOVED, "virtual", loaded_vivid, []),
    ("v4l2loopback, idle, named Integrated Camera", "virtual", idle_loopback, ["v4l2loopback"]),
    ("v4l2loopback, default name, fed", "virtual", loopback("v4l2loopback"), ["v4l2loopback"]),
    (
        "v4l2loopback, named C920, exclusive_caps, fed",
        "virtual",
        loopback("v4l2loopback", f"card_label={C920}", "exclusive_caps=1"),
        ["v4l2loopback"],
    ),
    (
        "v4l2loopback built anew as uvcvideo, fed",
        "virtual",
        loopback("disguised", f"card_label={C920}", "exclusive_caps=1"),
        ["disguised"],
    ),
    ("USB gadget, forged C920, fed", "virtual", dummy_hcd("c920"), ["gadgetfs", "dummy_hcd"]),
    (
        "USB gadget, forged built-in camera, a camera's times",
        "virtual",
        dummy_hcd("built-in"),
        ["gadgetfs", "dummy_hcd"],
    ),
    (
        "USB gadget, forged C270, a film in a loop",
        "virtual",
        dummy_hcd("c270"),
        ["gadgetfs", "dummy_hcd"],
    ),
    (
        "a program over USB/IP, forged built-in camera",
        "virtual",
        usb_wire("built-in"),
        ["vhci-hcd"],
    ),
    (
        "a program over USB/IP, forged C270, a film in a loop",
        "virtual",
        usb_wire("c270"),
        ["vhci-hcd"],
    ),
    ("the gadget C920 over USB/IP, fed", "virtual", usb_ip, []),
]


def judge(node, log):
    """The program's report: the node's device asked, and its pictures watched for some seconds."""
    command = [PROGRAM, "source", "--json", f"/dev/{node}"]
    answer = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=log, text=True, timeout=120, check=False
    )
    # 3 says that the policy does not want the source, which is no failure.
    if answer.returncode not in (0, 3) or not answer.stdout.strip():
        raise RuntimeError(f"the program ended with {answer.returncode}")
    return json.loads(answer.stdout.splitlines()[0])


def controls(node):
    """The values of the controls."""
    with open(f"/dev/{node}", "rb", buffering=0) as device:
        asked = (fcntl.ioctl(device, GET_CONTROL, struct.pack("Ii", c, 0)) for c in CONTROLS)
        return [struct.unpack("Ii", answer)[1] for answer in asked]


def moved(node, log):
    """The report of a run that moves the controls: vivid's pictures answer, and all stands as before."""
    before = controls(node)
    raw = "video/x-raw,width=320,height=180,framerate=10/1"
    command = [PROGRAM, "source", "--json", "--controls", "--seconds", "60"]
    answer = subprocess.run(
        [*command, f"v4l2src device=/dev/{node} ! {raw}"],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        timeout=150,
        check=False,
    )
    log.write(answer.stdout)
    report = json.loads(answer.stdout.splitlines()[0])
    (found,) = [f for f in report["findings"] if f["check"] == "control-response"]
    if (found["outcome"], found["class"]) != ("found", "physical"):
        raise RuntimeError(f"vivid's pictures answer, and it says: {found['reason']}")
    if controls(node) != before:
        raise RuntimeError(f"the controls were {before} and are {controls(node)}")
    return report


def main():
    (OUT / "up").write_text(Path("/proc/uptime").read_text().split()[0])
    # No udev here: devtmpfs makes the nodes.
    for number, (name, expected, case, after) in enumerate(CASES):
        begun = time.monotonic()
        result = {"name": name, "expected": expected}
        processes = []
        with (OUT / f"{number}.log").open("w") as log:
            try:
                node, seen, *processes = case(log)
                frames = {True: "yes", False: "no", None: "-"}[seen]
                report = moved(node, log) if name == MOVED else judge(node, log)
                result |= {"node": node, "frames": frames, "report": report}
            except Exception as error:  # one case's failure is a row of the table
                result["error"] = f"{type(error).__name__}: {error}"
            for process in processes:
                process.terminate()
                process.wait()
            try:
                if "gadgetfs" in after:
                    subprocess.run(["umount", "/run/gadget"], check=True)
                for module in after:
                    unload(module)
            except subprocess.CalledProcessError as error:
                log.write(f"{error}\n")
        result["seconds"] = round(time.monotonic() - begun, 1)
        with (OUT / "cases.jsonl").open("a") as to:
            to.write(json.dumps(result) + "\n")
        print(f"camera-lab: {name}: {result['seconds']} s", flush=True)
    with (OUT / "kernel.log").open("w") as to:
        subprocess.run(["dmesg"], stdout=to, check=False)
    (OUT / "done").write_text("")
    os.sync()


main()
