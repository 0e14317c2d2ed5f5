"""What the attack tests share: a pod of 512 MiB, hostile bytes, an honest client beside them."""

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import socket
import threading
import time

import pytest

import control_group
from server import PATIENCE, Server

BODY_LIMIT = 16 << 20
# Most bytes that one request, or one attack of many, may make the process grow by. The body limit is
# 16 MiB: this is a body, what it is parsed into, and an answer, each a few times.
GROWTH = 160 << 20
POD_BYTES = 512 << 20
# As in config/kubernetes/base/deployment.yaml; test_manifests.py holds that file to the program.
POD_FLAGS = [
    "--threads", 2, "--body-timeout-seconds", 30, "--max-queue-tokens", 65536,
    "--max-output-bytes", 67_108_864,
]  # fmt: skip
# Combining marks of two classes in turns: to compare them as text, they have to be sorted.
MARKS = "\u0301\u0323"


@contextlib.contextmanager
def pod(*flags, log, **options):
    """The server as the shipped pod runs it, in a control group of its memory limit."""
    with contextlib.ExitStack() as stack:
        try:
            enter = stack.enter_context(control_group.memory_limit(POD_BYTES))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        with Server(*POD_FLAGS, *flags, log=log, before_exec=enter, **options) as server:
            yield server


class Reviving:
    """A server for many tests, begun again if one of them ended it or left it busy."""

    def __init__(self, *flags, **options):
        self.flags, self.options, self.server = flags, options, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.__exit__(None if self.is_well() else AssertionError, None, None)

    def is_well(self):
        try:
            return self.server.process.poll() is None and ask(self.server, HONEST, 10)[0] == 200
        except OSError:
            return False

    @property
    def running(self):
        if not self.server or not self.is_well():
            if self.server:
                self.server.__exit__(AssertionError, None, None)
            self.server = Server(*self.flags, **self.options).__enter__()
        return self.server


# Memory


def status_bytes(server, name):
    """A line of the process's status, as VmHWM, its peak of resident memory."""
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name + ":"))) << 10


class Growth:
    """How far the process's resident memory rises above what it was at the start."""

    def __init__(self, server):
        self.server = server
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
        self.before = status_bytes(server, "VmRSS")

    @property
    def bytes(self):
        return status_bytes(self.server, "VmHWM") - self.before

    def check(self, limit=GROWTH):
        assert self.bytes <= limit, f"the process grew by {self.bytes >> 20} MiB of {limit >> 20} allowed"


def processor_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(server, seconds):
    """Until the process does nothing for a second, or that long."""
    deadline, before = time.monotonic() + seconds, -1
    while time.monotonic() < deadline and processor_seconds(server) - before > 0.05:
        before = processor_seconds(server)
        time.sleep(1)


# Bytes


def request(method, path, body=b"", kind="application/json", fields=""):
    body = body.encode() if isinstance(body, str) else body
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}"
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return (head + "\r\n").encode() + body


def zipped(body, times=1):
    """The body, and the field for it."""
    body = body.encode() if isinstance(body, str) else body
    for _ in range(times):
        body = gzip.compress(body, 9, mtime=0)
    return body, f"Content-Encoding: {', '.join(['gzip'] * times)}\r\n"


def filled(before, piece, after="", limit=BODY_LIMIT):
    """`piece` as often as a body of the limit has room for between the two others."""
    count = (limit - len(before.encode()) - len(after.encode())) // len(piece.encode())
    return before + piece * count + after


# Clients


def connect(server, seconds=PATIENCE, receive_buffer=None):
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(seconds)
    connection.connect((server.host, server.port))
    return connection


def pour(connection, data):
    """Sends until all is gone, the server has closed, or it takes nothing more for a while."""
    connection.settimeout(3)
    with contextlib.suppress(OSError):
        connection.sendall(data)


def read_answer(connection):
    """(status, fields, body); the status is 0 if the connection ends without one."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return response.status, response.headers, response.read()
    except (ConnectionError, http.client.HTTPException):
        return 0, {}, b""
    finally:
        response.close()


def ask(server, data, seconds=PATIENCE):
    """One answer to raw bytes, a part of which the server may refuse to read."""
    with connect(server, seconds) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return read_answer(connection)


LIVE = request("GET", "/health/live")
HONEST = request("POST", "/encode", '{"inputs": "a fish"}')


def serves(server, seconds=PATIENCE):
    """An honest request is answered; who is told to come back does."""
    deadline = time.monotonic() + seconds
    while True:
        assert server.process.poll() is None, f"the process ended with {server.process.returncode}"
        status, fields, body = ask(server, HONEST, max(1, deadline - time.monotonic()))
        if status == 200:
            assert json.loads(body)["lengths"] == [4]
            return
        assert status in (0, 429, 503), (status, body)
        assert time.monotonic() < deadline, f"no answer but {status}"
        time.sleep(float(fields.get("Retry-After", 0.2)))


def at_once(count, work):
    """Calls `work(number)` on as many threads; their results in order."""
    results = [None] * count

    def run(number):
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=[number], daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 2)
    return results
