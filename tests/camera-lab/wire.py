"""The software cameras of gadget.py at the far end of USB/IP: no gadget and no driver there, only a program and a socket.

Run as `wire.py DESCRIPTOR CAMERA`, it plays one of CAMERAS over the connected socket of that number until that is
closed. The protocol is that of the kernel's Documentation/usb/usbip_protocol.rst.
"""

import collections
import socket
import struct
import sys
import threading

import gadget

SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
STALL, UNLINKED_IN_TIME = -32, -104
HEADER = 48
GET_STATUS, GET_CONFIGURATION = 0x00, 0x08


class Wire:
    def __init__(self, connected, camera):
        self.socket, self.camera = connected, camera
        self.writing = threading.Lock()
        # Numbers of the requests for pictures that wait.
        self.waiting = collections.deque()
        self.arrived = threading.Condition()
        self.started = threading.Event()

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def submitted(self, number, status, length, data=b""):
        head = struct.pack(">5I5i8x", SUBMITTED, number, 0, 0, 0, status, length, 0, 0, 0)
        with self.writing:
            self.socket.sendall(head + data)

    def unlinked(self, number, victim):
        with self.arrived:
            in_time = victim in self.waiting
            if in_time:
                self.waiting.remove(victim)
        head = struct.pack(
            ">5Ii24x", UNLINKED, number, 0, 0, 0, UNLINKED_IN_TIME if in_time else 0
        )
        with self.writing:
            self.socket.sendall(head)

    def control(self, number, setup):
        direction, request, value, index, length = struct.unpack("<BBHHH", setup)
        if not direction & 0x80:
            committed = request == gadget.SET_CUR and value >> 8 == gadget.COMMIT
            if committed and index & 0xFF == gadget.STREAMING_INTERFACE:
                self.started.set()
            return self.submitted(number, 0, length)
        descriptors = {1: gadget.device(self.camera), 2: gadget.configuration(512)}
        if request == gadget.GET_DESCRIPTOR and value >> 8 in descriptors:
            data = descriptors[value >> 8]
        elif direction == 0x80 and request == GET_CONFIGURATION:
            data = b"\x01"
        elif request == GET_STATUS:
            data = b"\0\0"
        else:
            data = gadget.answer(self.camera, request, value, index, length)
        if data is None:
            return self.submitted(number, STALL, 0)
        return self.submitted(number, 0, len(data[:length]), data[:length])

    def pictures(self):
        self.started.wait()
        for payload in gadget.paced(self.camera):
            with self.arrived:
                self.arrived.wait_for(lambda: self.waiting)
                number = self.waiting.popleft()
            self.submitted(number, 0, len(payload), payload)

    def serve(self):
        threading.Thread(target=self.pictures, daemon=True).start()
        while True:
            head = self.read(HEADER)
            command, number, _, inwards, endpoint = struct.unpack_from(">5I", head)
            if command == UNLINK:
                self.unlinked(number, struct.unpack_from(">I", head, 20)[0])
                continue
            length = struct.unpack_from(">i", head, 24)[0]
            if not inwards:
                self.read(length)
            if endpoint == 0:
                self.control(number, head[40:])
            else:
                with self.arrived:
                    self.waiting.append(number)
                    self.arrived.notify()


if __name__ == "__main__":
    try:
        Wire(socket.socket(fileno=int(sys.argv[1])), gadget.CAMERAS[sys.argv[2]]).serve()
    except (EOFError, OSError):
        pass  # the other end has gone
