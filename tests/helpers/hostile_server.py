"""A web server on 127.0.0.1 that misbehaves as the first part of the path says.

`GET /reset/name` breaks the line in the middle of file `name`, `GET /good/name` sends
it as it should: so `server.mirror("reset")` is a mirror with that fault.
"""

import contextlib
import gzip
import http.server
import socket
import socketserver
import struct
import threading
import time

BOMB = gzip.compress(bytes(64 << 20), 1)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def handle_error(self, request, client_address):
        """A client that hangs up is what many tests are about."""

    def mirror(self, fault):
        return f"http://127.0.0.1:{self.server_port}/{fault}/"


@contextlib.contextmanager
def serve(files):
    """A running server of `files` (bytes by name); `.log` lists (fault, name) asked."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.files = files
    server.log = []
    server.meeting = threading.Barrier(2, timeout=60)
    server.closing = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def refused_mirror():
    """The address of a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        _, fault, name = self.path.split("/", 2)
        self.server.log.append((fault, name))
        if fault.isdigit():
            self.send_error(int(fault))
        else:
            getattr(self, "_" + fault)(self.server.files[name])

    def _send(self, body, **headers):
        self.send_response(200)
        headers.setdefault("Content_Length", len(body))
        for key, value in headers.items():
            if value is not None:
                self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def _good(self, data):
        self._send(data)

    def _meet(self, data):
        """Answer when two clients have asked."""
        self.server.meeting.wait()
        self._send(data)

    def _apache(self, data):
        """Call a .gz file a compressed body, as Apache's defaults do."""
        self._send(data, Content_Encoding="x-gzip")

    def _moved(self, data):
        self.send_response(301)
        self.send_header("Location", self.path.replace("moved", "good"))
        self.end_headers()

    def _first_two(self, data):
        """Serve two files and no more."""
        if len(self.server.log) <= 2:
            self._send(data)
        else:
            self.send_error(404)

    def _busy_once(self, data):
        if len(self.server.log) == 1:
            self.send_error(503)
        else:
            self._send(data)

    def _reset(self, data):
        self._send(data[: len(data) // 2], Content_Length=len(data))
        self.wfile.flush()
        time.sleep(0.05)
        self._break_line()

    def _reset_at_once(self, data):
        self._break_line()

    def _break_line(self):
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _trickle(self, data):
        while not self.server.closing.wait(0.05):
            self.wfile.write(data)

    def _drip(self, data):
        self._send(b"", Content_Length=len(data))
        self._trickle(b"\x1f")

    def _drip_headers(self, data):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        self._trickle(b"x")

    def _silent(self, data):
        self.server.closing.wait()

    def _short(self, data):
        """Announce more than is sent."""
        self._send(data, Content_Length=len(data) + 100)

    def _long(self, data):
        """Announce less than is sent."""
        self._send(data, Content_Length=len(data) - 10)

    def _bad_length(self, data):
        self._send(data, Content_Length="many")

    def _truncated(self, data):
        self._send(data[:-20])

    def _loop(self, data):
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()

    def _endless_redirect(self, data):
        """A redirect whose body never ends."""
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()
        self._flood()

    def _endless(self, data):
        self._send(b"", Content_Length=None)
        self._flood()

    def _flood(self):
        while not self.server.closing.is_set():
            self.wfile.write(bytes(1 << 16))

    def _html(self, data):
        self._send(b"<!DOCTYPE html><title>Log in to the hotel's Wi-Fi</title>")

    def _other_content(self, data):
        """Right size, right format, one pixel or label different."""
        content = bytearray(gzip.decompress(data))
        content[-1] ^= 1
        self._send(gzip.compress(bytes(content)))

    def _bomb(self, data):
        self._send(BOMB)

    def _encoded_bomb(self, data):
        self._send(gzip.compress(BOMB), Content_Encoding="gzip, gzip")

    def _plain(self, data):
        self._send(gzip.decompress(data))

    def _empty(self, data):
        self._send(b"")

    def _gibberish(self, data):
        self.wfile.write(b"\x00\xff 220 ready\r\n\x1b[31m\r\n")
