"""Many connections that do little: probes and honest clients are served beside them."""

import contextlib
import select
import socket
import ssl
import threading
import time

import pytest

from attacks import HONEST, LIVE, Growth, connect, read_answer, serves
from server import PATIENCE, Server
from test_limits import client_hello
from test_tls import FLAGS, trusting

# A probe that takes longer is as good as none. The goal is a second, and what was reached is printed.
GROSS = 20


def probe(server, context=None):
    """Seconds to an answer of /health/live over a connection of its own."""
    began = time.monotonic()
    with connect(server, GROSS) as plain:
        connection = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        connection.sendall(LIVE)
        status, _, _ = read_answer(connection)
        assert status == 200, f"a probe is answered with {status}"
    return time.monotonic() - began


def probes(server, seconds, context=None):
    """A probe every quarter second for that long; how long they took, sorted."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(probe(server, context))
        time.sleep(0.25)
    return sorted(times)


def report(capsys, what, times):
    with capsys.disabled():
        print(
            f"\n{what}: {len(times)} probes, median {times[len(times) // 2] * 1e3:.1f} ms,"
            f" worst {times[-1] * 1e3:.1f} ms"
        )


@contextlib.contextmanager
def opened(server, count, first=b""):
    """Connections that send a few bytes and stay."""
    connections = []
    try:
        for _ in range(count):
            connections.append(connect(server))
            if first:
                connections[-1].sendall(first)
        yield connections
    finally:
        for connection in connections:
            connection.close()


LIMIT = 20


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("idle", LIVE),
        ("silent", b""),
        ("heads", b"GET /health/live HTTP/1.1\r\n"),
        ("bodies", b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\na"),
    ],
)
def test_probes_get_through_at_the_connection_limit(kind, first, log):
    """An idle connection is closed for a new one; and whatever the others are at, probes are answered."""
    flags = ["--max-connections", LIMIT, "--header-timeout-seconds", 600, "--body-timeout-seconds", 600]
    with Server(*flags, log=log) as server:
        server.session.close()
        with opened(server, LIMIT + 5, first):
            time.sleep(0.5)
            for _ in range(50):
                probe(server)
            if kind == "idle":
                serves(server, 10)
        serves(server)


def test_the_longest_idle_connection_is_closed_first(log):
    """Of its queue: here there is one."""
    with Server("--max-connections", LIMIT, "--io-queues", 1, log=log) as server:
        server.session.close()
        time.sleep(0.2)
        with opened(server, LIMIT) as connections:
            for connection in connections:
                connection.sendall(LIVE)
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
                time.sleep(0.02)
            # The first is used again, so that the second is idle for longest.
            connections[0].sendall(LIVE)
            assert connections[0].recv(65536).startswith(b"HTTP/1.1 200 ")
            serves(server)
            closed, _, _ = select.select(connections, [], [], 5)
            indices = [connections.index(connection) for connection in closed]
            assert indices == [1] and closed[0].recv(1) == b"", indices
            connections[0].sendall(LIVE)
            assert connections[0].recv(65536).startswith(b"HTTP/1.1 200 ")


class Trickle(threading.Thread):
    """Sends each connection a byte of a head that has no end, again and again."""

    def __init__(self, connections):
        super().__init__(daemon=True)
        self.connections, self.over, self.sent = connections, threading.Event(), 0

    def run(self):
        while not self.over.is_set():
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.send(b"a")
                    self.sent += 1
                if self.over.is_set():
                    return
            time.sleep(0.01)

    def stop(self):
        self.over.set()
        self.join()


def test_probes_beside_five_thousand_slow_heads(log, capsys):
    flags = ["--max-connections", 10_000, "--header-timeout-seconds", 600]
    with Server(*flags, log=log) as server, opened(server, 5000, b"GET /health/live HTTP/1.1\r\nA: ") as slow:
        trickle = Trickle(slow)
        trickle.start()
        try:
            times = probes(server, 10)
        finally:
            trickle.stop()
        report(capsys, f"5,000 slow heads, {trickle.sent} bytes one by one", times)
        serves(server)


@pytest.mark.parametrize("tls", [False, True])
def test_probes_beside_rejected_connections_that_stay(tls, log, capsys):
    """Beyond the limit by 70, and held open: none of them waits for the client's goodbye in the way of others."""
    flags = ["--max-connections", 100, "--header-timeout-seconds", 600, *(FLAGS if tls else [])]
    context = trusting("server") if tls else None
    first = client_hello()[:20] if tls else b"GET /health/live HTTP/1.1\r\n"
    with Server(*flags, log=log) as server:
        server.session.close()
        with opened(server, 170, first):
            times = probes(server, 8, context)
            report(capsys, f"70 rejected {'TLS ' if tls else ''}connections", times)
        serves_over(server, context)


def serves_over(server, context):
    """As `serves`, in TLS if there is a context."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(ConnectionError, ssl.SSLError), connect(server) as plain:
            connection = context.wrap_socket(plain, server_hostname="localhost") if context else plain
            connection.sendall(HONEST)
            if read_answer(connection)[0] == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_probes_beside_a_flood_of_hellos(log, capsys):
    """Handshakes that cost the server a signature each, and are dropped after it."""
    hello, over, sent = client_hello(), threading.Event(), [0]

    def flood():
        while not over.is_set():
            with contextlib.suppress(OSError), connect(server, 5) as connection:
                connection.sendall(hello)
                sent[0] += 1
                # Until the answer is there, so that it was made.
                select.select([connection], [], [], 1)

    with Server(*FLAGS, log=log) as server:
        flooders = [threading.Thread(target=flood, daemon=True) for _ in range(32)]
        for thread in flooders:
            thread.start()
        try:
            times = probes(server, 10, trusting("server"))
        finally:
            over.set()
            for thread in flooders:
                thread.join()
        report(capsys, f"{sent[0]} TLS hellos in 10 s", times)
        serves_over(server, trusting("server"))


def test_silent_connections_cost_little(log):
    with Server("--max-connections", 6000, log=log) as server:
        growth = Growth(server)
        with opened(server, 5000):
            probe(server)
            growth.check(5000 * 20_000)
        serves(server)


@pytest.mark.parametrize("field", [b"Connection: close", b"Accept: */*"])
@pytest.mark.parametrize("seconds", [0, 0.002, 0.02])
def test_a_client_that_half_closes_gets_its_whole_answer(server, seconds, field):
    """It has asked all, and reads later than it is answered, into a small buffer."""
    length = int(server.get("/openapi.json", headers={"Accept-Encoding": "identity"}).headers["Content-Length"])
    for _ in range(10):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.connect((server.host, server.port))
            client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n")
            time.sleep(seconds)
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.02)
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        assert len(answer.partition(b"\r\n\r\n")[2]) == length
