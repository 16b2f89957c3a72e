"""USB cameras made of software, with the ids, strings and interfaces of webcams: a USB-level injection.

They speak through the kernel's gadgetfs, so every descriptor is their own, and their pictures go over a bulk endpoint,
which dummy_hcd can carry (it cannot carry the isochronous ones of usb_f_uvc). Run as `gadget.py FOLDER CAMERA`, where
gadgetfs is mounted, it plays one of CAMERAS until it is stopped.
"""

import errno
import itertools
import os
import random
import struct
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Camera:
    """What the device says of itself, and how its pictures come."""

    vendor: int
    product: int
    release: int
    serial: str
    name: str
    # Deviation of the pictures' times, seconds, and of the clock's rate.
    jitter: float = 0.0
    drift: float = 0.0
    # Pictures after which the film begins anew; 0: never.
    film: int = 0


CAMERAS = {
    "c920": Camera(0x046D, 0x082D, 0x0011, "A1B2C3D4", "HD Pro Webcam C920"),
    # Times as a camera's.
    "built-in": Camera(
        0x04F2, 0xB6DD, 0x0203, "0001", "Integrated Camera", jitter=0.003, drift=4e-5
    ),
    # A short film, again and again.
    "c270": Camera(0x046D, 0x0825, 0x0012, "8E5C1A20", "HD Webcam C270", jitter=0.003, film=20),
}
WIDTH, HEIGHT, INTERVAL = 160, 120, 666666
FRAME = WIDTH * HEIGHT * 2
PAYLOAD = 16384
ENDPOINT = 0x81

SETUP = 3
GET_DESCRIPTOR, SET_CONFIGURATION, SET_INTERFACE = 0x06, 0x09, 0x0B
SET_CUR, GET_CUR, GET_MIN, GET_MAX, GET_RES, GET_LEN, GET_INFO, GET_DEF = (
    0x01,
    0x81,
    0x82,
    0x83,
    0x84,
    0x85,
    0x86,
    0x87,
)
STREAMING_INTERFACE, COMMIT = 1, 2


def descriptor(kind, layout, *fields):
    body = struct.pack("<" + layout, *fields)
    return bytes([2 + len(body), kind]) + body


def interface(number, endpoints, kind, sub):
    return descriptor(4, "7B", number, 0, endpoints, kind, sub, 0, 0)


def association(first, count, kind, sub):
    return descriptor(11, "6B", first, count, kind, sub, 0, 0)


def special(sub, layout, *fields):
    """A descriptor that only its class knows."""
    return descriptor(0x24, "B" + layout, sub, *fields)


def endpoint(size):
    return descriptor(5, "BBHB", ENDPOINT, 2, size, 0)


def device(camera):
    ids = camera.vendor, camera.product, camera.release
    return descriptor(1, "HBBBBHHHBBBB", 0x0200, 0xEF, 2, 1, 64, *ids, 0, 2, 1, 1)


def configuration(size):
    sensor = special(
        2, "BHBBHHHB3s", 1, 0x0201, 0, 0, 0, 0, 0, 3, b"\x0a\0\0"
    )  # exposure mode and time
    processing = special(5, "BBHBHB", 2, 1, 0, 2, 0x0003, 0)  # brightness and contrast
    out = special(3, "BHBBB", 3, 0x0101, 0, 2, 0)
    control = sensor + processing + out
    control = special(1, "HHIBB", 0x0100, 13 + len(control), 48000000, 1, 1) + control
    picture = special(
        4, "BB16sBBBBBB", 1, 1, b"YUY2\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 16, 1, 0, 0, 0, 0
    )
    picture += special(
        5, "BBHHIIIIBI", 1, 0, WIDTH, HEIGHT, FRAME * 120, FRAME * 120, FRAME, INTERVAL, 1, INTERVAL
    )
    picture += special(13, "BBB", 1, 1, 4)
    streaming = (
        special(1, "BHBBBBBBBB", 1, 14 + len(picture), ENDPOINT, 0, 3, 0, 0, 0, 1, 0) + picture
    )
    parts = [
        association(0, 2, 14, 3),
        interface(0, 0, 14, 1) + control,
        interface(STREAMING_INTERFACE, 1, 14, 2) + streaming + endpoint(size),
        # The microphone of the true one; nothing is behind it.
        association(2, 2, 1, 2),
        interface(2, 0, 1, 1) + special(1, "HHBB", 0x0100, 9, 1, 3),
        interface(3, 0, 1, 2),
    ]
    body = b"".join(parts)
    return descriptor(2, "HBBBBB", 9 + len(body), 4, 1, 0, 0x80, 250) + body


def negotiated():
    """Answer to the video probe and commit questions."""
    return struct.pack("<HBBIHHHHHII", 1, 1, 1, INTERVAL, 0, 0, 0, 0, 32, FRAME, PAYLOAD)


def answer(camera, request, value, index, length):
    """The data that a request of the host gets; none to refuse it."""
    if request == GET_DESCRIPTOR:
        kind, number = value >> 8, value & 0xFF
        if kind != 3:
            return None
        if number == 0:
            return descriptor(3, "H", 0x0409)
        text = {1: camera.serial, 2: camera.name}.get(number, "").encode("utf-16-le")
        return bytes([2 + len(text), 3]) + text
    if request == GET_INFO:
        return b"\x03"
    if index & 0xFF == STREAMING_INTERFACE:
        data = negotiated()
        return struct.pack("<H", len(data)) if request == GET_LEN else data
    values = {GET_MIN: 1, GET_MAX: 255, GET_RES: 1, GET_DEF: 8, GET_CUR: 8}
    return values[request].to_bytes(length, "little") if request in values else None


def payloads(camera):
    """The transfers of moving grey bars, for ever, each with the seconds after the first at which it is due."""
    for number in itertools.count():
        due = number * INTERVAL / 1e7 * (1 + camera.drift) + random.gauss(0.0, camera.jitter)
        shown = number % camera.film if camera.film else number
        row = b"".join(bytes([16 + (4 * (x + shown)) % 200, 128]) for x in range(WIDTH))
        frame = row * HEIGHT
        for at in range(0, FRAME, PAYLOAD - 2):
            part = frame[at : at + PAYLOAD - 2]
            last = at + len(part) == FRAME
            yield due, bytes([2, 0x80 | last << 1 | number & 1]) + part


def paced(camera):
    """The same, each when it is due; what nobody took in time is not made up for."""
    begun = time.monotonic()
    for due, payload in payloads(camera):
        late = time.monotonic() - begun - due
        if late > 1.0:
            begun += late
        time.sleep(max(0.0, -late))
        yield payload


def pictures(folder, camera):
    (name,) = folder.glob("ep1in*")
    fd = os.open(name, os.O_RDWR)
    os.write(fd, struct.pack("<I", 1) + endpoint(64) + endpoint(512))

    def send(start):
        start.wait()
        for payload in paced(camera):
            os.write(fd, payload)

    start = threading.Event()
    threading.Thread(target=send, args=[start], daemon=True).start()
    return start


def play(folder, camera):
    # The host's next request may overtake the reading of this one's data: gadgetfs does not hold it back.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    (name,) = (p for p in folder.iterdir() if "udc" in p.name)
    ep0 = os.open(name, os.O_RDWR)
    os.write(ep0, struct.pack("<I", 0) + configuration(64) + configuration(512) + device(camera))
    start = None
    while True:
        for *setup, kind in struct.iter_unpack("<BBHHHI", os.read(ep0, 12)):
            if kind != SETUP:
                continue
            direction, request, value, index, length = setup
            note = ""
            try:
                if direction & 0x80:
                    data = answer(camera, request, value, index, length)
                    # Reading where data is to be written refuses the request.
                    os.read(ep0, 0) if data is None else os.write(ep0, data[:length])
                else:
                    if (direction, request) == (0, SET_CONFIGURATION) and value and not start:
                        start = pictures(folder, camera)
                    os.read(ep0, length)
            except OSError as error:
                note = f": {error}"
                if error.errno == errno.EIDRM:
                    # Overtaken: what waits now is the question back, whose event cannot be read before its answer.
                    os.write(ep0, negotiated())
            streaming = index & 0xFF == STREAMING_INTERFACE and value >> 8 == COMMIT
            if direction == 0x21 and request == SET_CUR and streaming and start:
                start.set()
            print(
                f"{direction:02x} {request:02x} {value:04x} {index:04x} {length}{note}", flush=True
            )


if __name__ == "__main__":
    play(Path(sys.argv[1]), CAMERAS[sys.argv[2]])
