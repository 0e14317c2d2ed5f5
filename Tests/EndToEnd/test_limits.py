"""Every limit answers with an error that names it; those who reach it hurt nobody else."""

import contextlib
import gzip
import json
import os
import resource
import socket
import ssl
import threading
import time

import pytest

from server import PATIENCE, Server
from test_tls import FLAGS, trusting, wait_for
from texts import SEED

GET = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
INFO = b"GET /info HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=PATIENCE)


def gauge(server, name):
    """By way of a connection of its own."""
    status, _, body = server.raw_response(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert status == 200
    lines = body.decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))


@pytest.fixture(scope="module")
def tight(log):
    limits = {
        "max-target-bytes": 100,
        "max-header-bytes": 1024,
        "max-header-count": 20,
        "max-body-bytes": 5000,
        "max-output-bytes": 20_000,
        "max-json-depth": 5,
        "max-texts": 8,
        "max-queue-tokens": 2000,
    }
    with Server(*(word for name, value in limits.items() for word in (f"--{name}", value)), log=log) as running:
        yield running


def post(body, fields=""):
    return f"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


@pytest.mark.parametrize(
    ("request_bytes", "status", "number"),
    [
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, 100),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"v" * 1100 + b"\r\n\r\n", 431, 1024),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"X: " + b"v" * 60 + b"\r\n") * 19 + b"\r\n", 431, 1024),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: v\r\n" * 20 + b"\r\n", 431, 20),
        (post(b"x" * 5001), 413, 5000),
        (post(gzip.compress(b"x" * 5001), "Content-Encoding: gzip\r\n"), 413, 5000),
        (post(json.dumps(["a"] * 8).encode()), 413, 20_000),
        (post(json.dumps(["a"] * 9).encode(), "Content-Type: application/json\r\n"), 422, 8),
        (post(b"[" * 6 + b"]" * 6, "Content-Type: application/json\r\n"), 400, 5),
        (b"POST /encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1389\r\n", 413, 5000),
    ],
    ids=["target", "line", "header", "count", "body", "inflated", "output", "texts", "depth", "chunk"],
)
def test_sizes(tight, request_bytes, status, number):
    got, _, body = tight.raw_response(request_bytes)
    assert got == status
    assert str(number) in json.loads(body)["error"]


def test_deadlines(log):
    flags = [word for name in ("header", "body", "idle") for word in (f"--{name}-timeout-seconds", 0.3)]
    with Server(*flags, log=log) as server:
        for begun, status in [(b"GET / HT", 408), (post(b"abc")[:-1], 408), (GET, 200), (b"", None)]:
            with connect(server) as connection:
                connection.sendall(begun)
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
            assert answer[9:12].decode() == (str(status) if status else "")


def test_connections_of_an_address(log):
    with Server("--max-connections-per-address", 5, log=log) as server:
        server.session.close()
        wait_for(lambda: gauge(server, "bert_open_connections") == 1)
        held = []

        def is_held():
            # The gauge's own connection counts until the server has seen it close.
            connection = connect(server)
            with contextlib.suppress(ConnectionError):
                connection.sendall(INFO)
                if connection.recv(65536).startswith(b"HTTP/1.1 200 "):
                    held.append(connection)
                    return True
            connection.close()
            return False

        for _ in range(5):
            wait_for(is_held)
        status, headers, body = server.raw_response(INFO)
        assert status == 429 and "(5)" in json.loads(body)["error"]
        assert headers["Connection"] == "close"
        # A health check is answered all the same.
        assert server.raw_response(GET)[0] == 200
        # Another address, of the same machine.
        with socket.create_connection((server.host, server.port), PATIENCE, ("127.0.0.2", 0)) as other:
            other.sendall(GET)
            assert other.recv(65536).startswith(b"HTTP/1.1 200 ")
        # However many are refused, those there are go on; room comes back.
        for _ in range(300):
            # Beyond what is told politely.
            with contextlib.suppress(ConnectionResetError):
                connect(server).close()
        held[0].sendall(GET)
        assert held[0].recv(65536).startswith(b"HTTP/1.1 200 ")
        for connection in held:
            connection.close()

        def is_served():
            # A connection refused while many are is reset.
            with contextlib.suppress(ConnectionError):
                return server.raw_response(INFO)[0] == 200

        wait_for(is_served)


def processor_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_no_descriptors_left(tmp_path):
    """Accepting waits without spinning, is logged once, and goes on when there is room."""
    log_path = tmp_path / "server.log"
    with log_path.open("w") as log, Server("--max-connections", 1000, log=log) as server:
        assert server.get("/health").status_code == 200
        used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        held = [connect(server) for _ in range(60)]
        wait_for(lambda: "accepting a connection failed" in log_path.read_text())
        before, began = processor_seconds(server), time.monotonic()
        time.sleep(1.5)
        # A loop that spins would take all of one processor.
        assert processor_seconds(server) - before < 0.3 * (time.monotonic() - began)
        assert log_path.read_text().count("accepting a connection failed") == 1
        # Who has a connection is served.
        assert server.encode(["a fish"])["lengths"] == [4]
        for connection in held[:40]:
            connection.close()
        for connection in held[40:]:
            connection.sendall(GET)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            connection.close()


def client_hello():
    """A handshake's first message."""
    outward = ssl.MemoryBIO()
    client = trusting("server").wrap_bio(ssl.MemoryBIO(), outward, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outward.read()


class Slow(threading.Thread):
    """Clients that send a byte now and then, or take nothing of their answers."""

    TRICKLING, DEAF = 300, 40
    COUNT = TRICKLING + DEAF

    def __init__(self, server, tls):
        super().__init__()
        self.over, self.connections = threading.Event(), []
        self.trickled = client_hello() if tls else post(json.dumps([SEED] * 40).encode())
        context = trusting("server")
        for number in range(self.COUNT):
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.settimeout(PATIENCE)
            plain.connect((server.host, server.port))
            if number < self.DEAF:
                connection = context.wrap_socket(plain, server_hostname="localhost") if tls else plain
                # More than the buffers between us hold, asked for and not read.
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 300)
                self.connections.append(connection)
            else:
                self.connections.insert(0, plain)

    def run(self):
        position = 0
        while not self.over.wait(0.2):
            for connection in self.connections[: self.TRICKLING]:
                connection.sendall(self.trickled[position : position + 1])
            position += 1

    def stop(self):
        self.over.set()
        self.join()
        for connection in self.connections:
            connection.close()


@pytest.mark.parametrize("tls", [False, True])
def test_slow_clients_hold_nobody_up(tls, log, capsys):
    # They are to last as long as the test.
    flags = ["--header-timeout-seconds", 600, "--body-timeout-seconds", 600, *(FLAGS if tls else [])]
    with Server(*flags, log=log) as server:

        def seconds():
            times = []
            for _ in range(20):
                began = time.monotonic()
                assert server.encode([SEED])["lengths"]
                times.append(time.monotonic() - began)
            return sorted(times)

        def metric(name):
            lines = server.get("/metrics").text.splitlines()
            return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))

        alone, memory = seconds(), metric("process_resident_memory_bytes")
        slow = Slow(server, tls)
        slow.start()
        try:
            # Connected is not yet accepted.
            wait_for(lambda: metric("bert_open_connections") == Slow.COUNT + 1)
            beside = seconds()
            assert metric("bert_open_connections") == Slow.COUNT + 1
            memory = (metric("process_resident_memory_bytes") - memory) / Slow.COUNT
        finally:
            slow.stop()
        # Buffers and all.
        assert memory < 250_000
        with capsys.disabled():
            print(
                f"\n{'TLS' if tls else 'plain'}: median {alone[10] * 1e3:.1f} ms, and"
                f" {beside[10] * 1e3:.1f} ms beside {Slow.COUNT} slow clients of"
                f" {memory / 1e3:.0f} kB each"
            )
