"""The pod of 512 MiB, attacked in every way at the same time, beside a client that means well.

The client asks twice a second over a connection of its own and loses nothing: each of its requests is
answered with 200. It asks again only as the contract tells: after 429 (the queue is full) and 503 (no
room for another connection or body), when Retry-After has passed, and after a connection that was
closed before a byte of an answer. Liveness is asked once a second and is answered the first time.
"""

import collections
import contextlib
import ctypes
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import ssl
import threading
import time

import pytest

from attacks import (
    BODY_LIMIT, HONEST, LIVE, MARKS, POD_BYTES, filled, pod, pour, read_answer, request, serves,
    status_bytes, zipped,
)  # fmt: skip
from server import PATIENCE
from test_attacks_memory import CROWDS, LONG
from test_limits import client_hello
from test_tls import FLAGS, trusting

SECONDS = float(os.environ.get("BERT_ATTACK_SECONDS", "30"))


class Attack:
    """Connections of one kind, on some threads of a process of its own."""

    def __init__(self, server, tls):
        self.address, self.tls = (server.host, server.port), tls
        self.statuses = collections.Counter()

    @contextlib.contextmanager
    def connection(self, seconds=5, receive_buffer=None):
        """In TLS if there is any; whatever becomes of it is the attacker's own affair."""
        plain = socket.socket()
        try:
            if receive_buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.settimeout(seconds)
            plain.connect(self.address)
            if self.tls:
                plain = trusting("server").wrap_socket(plain, server_hostname="localhost")
            yield plain
        except (OSError, ValueError):
            self.statuses["closed"] += 1
        finally:
            plain.close()

    def ask(self, data, seconds=5):
        with self.connection(seconds) as connection:
            pour(connection, data)
            connection.settimeout(seconds)
            self.statuses[read_answer(connection)[0] or "closed"] += 1

    def hold(self, data, seconds, receive_buffer=None):
        """Sends, and then neither reads nor leaves for a while."""
        with self.connection(receive_buffer=receive_buffer) as connection:
            pour(connection, data)
            self.statuses["held"] += 1
            time.sleep(seconds)


def bodies(attack, number):
    method, path = [("POST", "/encode"), ("GET", "/health/live"), ("POST", "/nowhere")][number % 3]
    attack.hold(request(method, path, "a" * BODY_LIMIT, "text/plain")[:-1], 5)


def bombs(attack, number):
    path, kind, parts = list(CROWDS.values())[number % len(CROWDS)]
    body, fields = zipped(filled(*parts), random.choice([1, 1, 3]))
    attack.ask(request("POST", path, body, kind, fields))


def long_texts(attack, number):
    path = ["/tokenize", "/encode?tokens=true", "/encode?output_key=sequence_output"][number % 3]
    attack.ask(request("POST", path, *([json.dumps({"inputs": LONG})] if number % 3 == 0 else [LONG, "text/plain"])))


def full_queues(attack, _):
    attack.ask(request("POST", "/encode", json.dumps(["a fish rides " * 30] * 300)), 20)


def streams(attack, number):
    key = ["encoder_outputs", "sequence_output"][number % 2]
    lines = "\n".join([json.dumps("so it goes on " * 60)] * 2000)
    attack.hold(request("POST", f"/encode?output_key={key}", lines, "application/x-ndjson"), 20, 4096)


def deaf_readers(attack, number):
    rows = request("POST", "/encode?output_key=encoder_outputs", json.dumps(["a fish " * 120] * 10))
    attack.hold([request("GET", "/metrics") * 500, rows * 5][number % 2], 15, 4096)


def idle_connections(attack, _):
    with attack.connection() as connection:
        connection.sendall(LIVE)
        attack.statuses[read_answer(connection)[0]] += 1
        time.sleep(10)


def slow_heads(attack, _):
    with attack.connection() as connection:
        for byte in itertools.islice(itertools.cycle(b"GET / HTTP/1.1\r\nA: b"), 40):
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    attack.statuses["held"] += 1


def names(attack, number):
    name = MARKS * 400_000
    body = {"inputs": "a", "output_key": name} if number % 2 else {"inputs": "a", name: 1}
    attack.ask(request("POST", "/encode", json.dumps(body, ensure_ascii=False)))


def broken_requests(attack, number):
    chunks = b"POST /encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n7FFFFFFFFFFFFFFF\r\n"
    empty = request("POST", "/encode", '{"inputs":"a","output_key":"all","layers":[]}')
    attack.ask([chunks, empty, b"\x16\x03\x01\x00\xff" * 20, os.urandom(2000)][number % 4])


def hellos(attack, _):
    """To a server without TLS these are noise."""
    with contextlib.suppress(OSError), socket.create_connection(attack.address, 5) as connection:
        connection.sendall(HELLO[0])
        connection.recv(100)
        attack.statuses["held"] += 1


HELLO = []
# How many do each at a time.
ATTACKS = {
    bodies: 24, bombs: 4, long_texts: 4, full_queues: 2, streams: 8, deaf_readers: 24, idle_connections: 900,
    slow_heads: 200, names: 4, broken_requests: 2, hellos: 4,
}  # fmt: skip


def run_attack(server, tls, work, count, over, results):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The server's processors are the attackers' too: their own work is not to starve it.
    os.nice(19)
    attack = Attack(server, tls)
    numbers = itertools.count()

    def again():
        while not over.value:
            work(attack, next(numbers))
            time.sleep(0.01)

    threading.stack_size(1 << 20)
    for _ in range(count):
        threading.Thread(target=again, daemon=True).start()
    while not over.value:
        time.sleep(0.1)
    results.put((work.__name__, dict(attack.statuses)))


class Innocent(threading.Thread):
    """Asks at a fixed pace, each time over a connection of its own."""

    def __init__(self, server, tls, data, pause, may_retry):
        super().__init__()
        self.server, self.tls, self.data, self.pause, self.may_retry = server, tls, data, pause, may_retry
        self.over, self.seconds, self.failures = threading.Event(), [], []
        self.retries = collections.Counter()

    def run(self):
        while not self.over.wait(self.pause):
            began = time.monotonic()
            try:
                while (status := self.ask()) != 200:
                    self.retries[status or "closed"] += 1
                    if not self.may_retry or status not in (0, 429, 503):
                        self.failures.append(status)
                        break
                    if time.monotonic() > began + PATIENCE:
                        self.failures.append(f"nothing but {status} for {PATIENCE} s")
                        break
            except OSError as error:
                self.failures.append(repr(error))
            self.seconds.append(time.monotonic() - began)

    def ask(self):
        context = trusting("server") if self.tls else None
        try:
            with socket.create_connection((self.server.host, self.server.port), PATIENCE) as plain:
                connection = context.wrap_socket(plain, server_hostname="localhost") if context else plain
                connection.sendall(self.data)
                status, fields, _ = read_answer(connection)
        except (ConnectionError, ssl.SSLEOFError):
            status, fields = 0, {}
        if status in (429, 503):
            assert "Retry-After" in fields
        if status != 200:
            time.sleep(min(5, float(fields.get("Retry-After", 0.2))))
        return status

    def row(self, name):
        times = sorted(self.seconds)
        share = {part: times[min(len(times) - 1, int(part * len(times)))] for part in (0.5, 0.99)}
        retries = ", ".join(f"{status}: {count}" for status, count in sorted(self.retries.items(), key=str))
        return (
            f"  {name:18} {len(times):4} asked, {len(self.failures)} lost; p50 {share[0.5] * 1e3:.0f} ms,"
            f" p99 {share[0.99] * 1e3:.0f} ms, worst {times[-1] * 1e3:.0f} ms; asked again after {retries or 'none'}"
        )


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_everything_at_once(tls, tmp_path, capsys):
    HELLO[:] = [client_hello()]
    log_path = tmp_path / "server.log"
    with log_path.open("w") as log, pod(*(FLAGS if tls else []), log=log) as server:
        server.session.close()
        before = status_bytes(server, "VmHWM")
        methods = multiprocessing.get_context("fork")
        # Without locks: a thousand starved threads would fight for them.
        over, results = methods.RawValue(ctypes.c_bool), methods.SimpleQueue()
        attackers = [
            methods.Process(target=run_attack, args=[server, tls, work, count, over, results], daemon=True)
            for work, count in ATTACKS.items()
        ]
        innocent = Innocent(server, tls, HONEST, 0.5, may_retry=True)
        probe = Innocent(server, tls, LIVE, 1, may_retry=False)
        for each in [*attackers, innocent, probe]:
            each.start()
        try:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and server.process.poll() is None:
                time.sleep(0.2)
            assert server.process.poll() is None, f"the process ended with {server.process.returncode}"
            peak = status_bytes(server, "VmHWM")
        finally:
            innocent.over.set()
            probe.over.set()
            innocent.join()
            probe.join()
            over.value = True
            statuses = dict(results.get() for _ in attackers)
            for process in attackers:
                process.kill()
                process.join()
        with capsys.disabled():
            print(
                f"\n{'TLS' if tls else 'plain'}, {SECONDS:.0f} s, {POD_BYTES >> 20} MiB: peak {peak >> 20} MiB"
                f" (before: {before >> 20} MiB)\n" + innocent.row("innocent") + "\n" + probe.row("liveness")
            )
            for work, count in ATTACKS.items():
                found = sorted(statuses[work.__name__].items(), key=str)
                print(f"  {work.__name__:18} {count:4} at a time: " + ", ".join(f"{a}: {b}" for a, b in found))
        if not tls:
            serves(server)
    assert peak < POD_BYTES
    assert innocent.seconds and innocent.failures == []
    assert probe.failures == []
