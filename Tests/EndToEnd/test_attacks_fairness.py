"""Many connections that ask for much: whoever asks for little, or for the process's health, is served
between them."""

import contextlib
import gzip
import json
import multiprocessing
import os
import random
import select
import socket
import time

import pytest

from attacks import HONEST, Growth, ask, connect, pod, read_answer, request, serves
from server import PATIENCE, Server
from test_attacks_connections import GROSS, probes, report

SECONDS = 5
DOCUMENT = request("GET", "/openapi.json", fields="Accept-Encoding: gzip\r\n")
PAGE = request("GET", "/")
PADDED = request("POST", "/encode?seq_length=512&tokens=true", json.dumps([""] * 660))
CHUNKS = b"POST /encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
DISCARDED = b"GET /health/live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def flood(address, count, first, again):
    """Sends on so many connections for ever, and throws away what comes back; begun anew when closed."""
    os.nice(19)
    streams = {}

    def begin():
        stream = socket.create_connection(address, PATIENCE)
        stream.setblocking(False)
        streams[stream] = first
        poll.register(stream, select.POLLIN | select.POLLOUT)
        numbers[stream.fileno()] = stream

    numbers, poll = {}, select.poll()
    for _ in range(count):
        begin()
    while True:
        for number, event in poll.poll():
            stream = numbers[number]
            try:
                if event & select.POLLIN and not stream.recv(1 << 16):
                    raise ConnectionError
                if event & select.POLLOUT:
                    sent = stream.send(streams[stream])
                    streams[stream] = streams[stream][sent:] or again
            except BlockingIOError:
                pass
            except OSError:
                poll.unregister(stream)
                del numbers[number], streams[stream]
                stream.close()
                begin()


@contextlib.contextmanager
def flooded(server, *arguments):
    process = multiprocessing.get_context("fork").Process(
        target=flood, args=[(server.host, server.port), *arguments], daemon=True
    )
    process.start()
    time.sleep(1)
    try:
        yield
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize(
    ("name", "count", "first", "again"),
    [
        ("documents", 200, DOCUMENT * 16, DOCUMENT * 16),
        ("pages", 200, PAGE * 16, PAGE * 16),
        ("padded texts", 100, PADDED, PADDED),
        ("chunks of a byte", 100, CHUNKS, b"1\r\na\r\n" * 10_000),
        ("discarded chunks", 100, DISCARDED, b"1\r\na\r\n" * 10_000),
    ],
)
def test_probes_beside_a_flood_of(name, count, first, again, log, capsys):
    with Server(log=log) as server, flooded(server, count, first, again):
        times = probes(server, SECONDS)
        serves(server, GROSS)
    report(capsys, f"{count} connections with {name}", times)
    # A turn is a millisecond, and a probe needs a few; the rest is the machine's.
    assert times[len(times) // 2] < 2


def test_small_requests_pass_large_ones(log, capsys):
    """A hundred compressed bodies of a second's work each wait, and a small compressed one does not."""
    large = gzip.compress(b"a b " * 3_900_000)
    small = request("POST", "/encode", gzip.compress(HONEST_TEXT), "text/plain", "Content-Encoding: gzip\r\n")
    attack = request("POST", "/encode?truncate=error", large, "text/plain", "Content-Encoding: gzip\r\n")
    with Server(log=log) as server:
        connections = [connect(server) for _ in range(100)]
        for connection in connections:
            connection.sendall(attack)
        time.sleep(1)
        times = []
        for _ in range(5):
            began = time.monotonic()
            assert ask(server, small)[0] == 200
            times.append(time.monotonic() - began)
        for connection in connections:
            connection.close()
    report(capsys, "100 large bodies", sorted(times))
    assert sorted(times)[2] < GROSS


HONEST_TEXT = b"a fish rides a bicycle"


def test_the_pod_counts_what_connections_keep(log, capsys):
    """Large heads, requests sent ahead and streamed answers nobody reads: as many as will have it."""
    letters = random.Random(1)
    text = "".join(letters.choice("abcdefghijklmnopqrstuvwxyz0123456789.,;:!?-+*/") for _ in range(5000))
    fields = "".join(f"X{number}: {'v' * 330}\r\n" for number in range(90))
    data = request("POST", "/tokenize", json.dumps({"inputs": text}), fields=fields)
    ahead = (request("GET", "/health/live") * 1600)[:63_000]
    with pod(log=log) as server, contextlib.ExitStack() as stack:
        growth = Growth(server)
        refused = 0
        for _ in range(950):
            connection = stack.enter_context(connect(server, receive_buffer=2048))
            try:
                connection.sendall(data[:-9])
                connection.sendall(data[-9:] + ahead)
                refused += connection.recv(15) != b"HTTP/1.1 200 OK"
            except OSError:
                refused += 1
            if refused > 50:
                break
        with capsys.disabled():
            print(f"\nafter {refused} refusals: {growth.bytes >> 20} MiB more")
        assert server.process.poll() is None and refused > 50
        growth.check(300 << 20)


def test_a_slow_reader_is_not_cut_off(log):
    """Who takes a little of a long answer within each limit of time gets all of it."""
    text = "x,y;z." * 50_000
    with Server("--write-timeout-seconds", 2, log=log) as server, connect(server, receive_buffer=4096) as connection:
        connection.sendall(request("POST", "/tokenize", json.dumps({"inputs": text})))
        end = time.monotonic() + 8
        while time.monotonic() < end:
            assert connection.recv(2048)
            time.sleep(0.2)
        # Who takes nothing at all is.
        time.sleep(6)
        with pytest.raises((ConnectionError, AssertionError)):
            while True:
                assert connection.recv(65536)


def test_members_of_gzip_cost_what_they_hold(log):
    body = gzip.compress(b"") * 20_000 + gzip.compress(b'{"inputs":"a fish"}')
    with pod(log=log) as server:
        data = request("POST", "/encode", body, fields="Content-Encoding: gzip\r\n")
        assert ask(server, data)[0] == 200


def test_rows_of_ids_are_counted_first(log):
    """Four million rows of one token id each, in binary."""
    count = 4 << 20
    head = json.dumps(
        {"inputs": [{"name": "input_word_ids", "datatype": "INT32", "shape": [count, 1],
                     "parameters": {"binary_data_size": 4 * count - 1024}}]}
    ).encode()  # fmt: skip
    count_line = f"Inference-Header-Content-Length: {len(head)}\r\n"
    with pod(log=log) as server:
        growth = Growth(server)
        body = head + bytes(4 * count - 1024)
        data = request("POST", f"/v2/models/{server_name(server)}/infer", body, "application/octet-stream", count_line)
        status, _, answer = ask(server, data)
        assert status in (400, 413, 422), answer[:300]
        growth.check()


def server_name(server):
    return server.get("/v2/models/stats").json()["model_stats"][0]["name"]


@pytest.mark.parametrize("kind", ["reset", "closed"])
def test_who_leaves_within_a_body_is_logged(kind, tmp_path):
    path = tmp_path / "log"
    with path.open("w") as log, Server("--log-level", "debug", "--log-format", "json", log=log) as server:
        with connect(server) as connection:
            connection.sendall(
                b"POST /encode HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone\r\nContent-Length: 100\r\n\r\nabc"
            )
            time.sleep(0.3)
            if kind == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        end = time.monotonic() + PATIENCE
        lines = []
        while not lines and time.monotonic() < end:
            lines = [json.loads(line) for line in path.read_text().splitlines() if '"gone"' in line]
            time.sleep(0.05)
        [line] = lines
        assert (line["status"], line["route"], line["level"]) == (499, "/encode", "debug")
