"""`encode --server` and a service that means no good: it ends with a message, in bounded memory."""

import base64
import contextlib
import json
import socket
import struct
import threading

import pytest

from attacks import at_once
from server import run, run_measured

INFO = {
    "model": "m", "precision": "float32", "kernels": "avx2",
    "shape": {"hidden_size": 2, "blocks": 1, "positions": 512, "sentence_size": 2},
    "limits": {"max_tokens": 256}, "output_keys": ["default", "sequence_output", "sentence_embedding"],
}  # fmt: skip
VECTOR = base64.b64encode(struct.pack("<2f", 1, 2)).decode()
GOOD = {
    "model": "m", "outputs": {"default": [VECTOR]}, "shapes": {"default": [1, 2]}, "lengths": [3],
    "truncated": [False],
}  # fmt: skip


def framed(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Hostile:
    """Answers /info with one thing and everything else with another: bytes, or a function of the socket."""

    def __init__(self, info, answer):
        self.answers = info, answer
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=[connection], daemon=True).start()

    def answer(self, connection):
        with contextlib.suppress(OSError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            answer = self.answers[0 if head.startswith(b"GET") else 1]
            answer(connection) if callable(answer) else connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def chunked(*sizes):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(size.encode() + b"\r\na\r\n" for size in sizes)


def endless(piece, before=b""):
    def send(connection):
        connection.sendall(before)
        while True:
            connection.sendall(piece * 1024)

    return send


def changed(value, path, new):
    value = json.loads(json.dumps(value))
    *way, last = path.split(".")
    inner = value
    for name in way:
        inner = inner[name]
    inner[last] = new
    return value


HUGE = 9223372036854775807
ANSWERS = {
    "chunk_overflow": chunked("7FFFFFFFFFFFFFFF"),
    "chunk_overflow_later": chunked("1", "1", "7FFFFFFFFFFFFFFF"),
    "chunk_too_long": chunked("FFFFFFFFFFFFFFFFFFFF"),
    "chunk_negative": chunked("-1"),
    "length_huge": b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n{}",
    "length_negative": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "status_huge": b"HTTP/1.1 99999999999999999999 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no_http": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "lengths_huge": framed(changed(GOOD, "lengths", [HUGE])),
    "lengths_negative": framed(changed(GOOD, "lengths", [-1])),
    "lengths_real": framed(changed(GOOD, "lengths", [1e300])),
    "vector_short": framed(changed(GOOD, "outputs.default", ["AAAA"])),
    "vector_long": framed(changed(GOOD, "outputs.default", [VECTOR[:-2] + VECTOR * 10])),
    "vector_empty": framed(changed(GOOD, "outputs.default", [""])),
    "vector_missing": framed(changed(GOOD, "outputs", {})),
    "vectors_many": framed(changed(GOOD, "outputs.default", [VECTOR] * 3)),
    "nothing": b"",
    "list": framed(b"[]"),
    "deep": framed(b"[" * 100_000 + b"]" * 100_000),
}
INFOS = {
    "hidden_size_huge": changed(INFO, "shape.hidden_size", HUGE),
    "hidden_size_big": changed(INFO, "shape.hidden_size", 2**40),
    "blocks_huge": changed(INFO, "shape.blocks", HUGE),
    "blocks_zero": changed(INFO, "shape.blocks", 0),
    "blocks_negative": changed(INFO, "shape.blocks", -(2**63)),
    "positions_zero": changed(INFO, "shape.positions", 0),
    "positions_huge": changed(INFO, "shape.positions", HUGE),
    "positions_negative": changed(INFO, "shape.positions", -(2**63)),
    "max_tokens_huge": changed(INFO, "limits.max_tokens", HUGE),
    "max_tokens_negative": changed(INFO, "limits.max_tokens", -1),
    "sentence_size_huge": changed(INFO, "shape.sentence_size", HUGE),
}
ENDLESS = {
    "field": endless(b"A: b\r\n", b"HTTP/1.1 200 OK\r\n"),
    "line": endless(b"a", b"HTTP/1.1 200 "),
    "body": endless(b"a", b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n"),
    "chunks": endless(b"1\r\na\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "until_close": endless(b" ", b"HTTP/1.1 200 OK\r\n\r\n"),
}


def check(done, name=""):
    """Ended by itself, with a message that is one of ours."""
    assert done.returncode in (1, 64), (name, done.returncode, done.stderr[-1000:])
    assert "bert-server: " in done.stderr or "Error: " in done.stderr, (name, done.stderr)
    assert "Fatal error" not in done.stderr, (name, done.stderr)


def encode(service, folder, measured=False, texts="a\n", *arguments):
    path = folder / "texts.txt"
    path.write_text(texts)
    command = run_measured if measured else run
    return command("encode", path, "-o", folder / "out", "--server", service.url, *arguments)


def test_answers_that_are_wrong(tmp_path):
    """All of them side by side: what may be a lost connection is asked again for a minute."""

    def work(number):
        folder = tmp_path / list(ANSWERS)[number]
        folder.mkdir()
        with Hostile(framed(INFO), list(ANSWERS.values())[number]) as service:
            return encode(service, folder)

    for name, done in zip(ANSWERS, at_once(len(ANSWERS), work), strict=True):
        check(done, name)
        assert not list((tmp_path / name / "out").glob("part-*")), name


@pytest.mark.parametrize("name", INFOS)
@pytest.mark.parametrize("key", ["default", "encoder_outputs", "sentence_embedding"])
def test_a_description_that_is_wrong(name, key, tmp_path):
    if (name, key) == ("sentence_size_huge", "default"):
        pytest.skip("the size of an entry that is not asked for is not read")
    with Hostile(framed(INFOS[name]), framed(GOOD)) as service:
        arguments = ["--output-key", key, "--format", "safetensors"]
        check(encode(service, tmp_path, False, "a\n", *arguments))


@pytest.mark.parametrize("where", ["info", "answer"])
def test_answers_without_an_end(where, tmp_path):
    def work(number):
        folder, answer = tmp_path / list(ENDLESS)[number], list(ENDLESS.values())[number]
        folder.mkdir()
        with Hostile(*((answer, b"") if where == "info" else (framed(INFO), answer))) as service:
            return encode(service, folder, measured=True)

    for name, (done, peak) in zip(ENDLESS, at_once(len(ENDLESS), work), strict=True):
        check(done, name)
        assert peak < 1 << 30, name


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "1e308", "-inf", "0x10", "99999999999999999999", "", "\xff"])
def test_a_wait_that_is_none(value, tmp_path):
    """Retry-After is a number of seconds, bounded; what is none is passed over."""
    field = b"Retry-After: " + value.encode("latin-1") + b"\r\n"
    asked = []

    def answer(connection):
        asked.append(1)
        if len(asked) > 1:
            connection.sendall(framed(GOOD))
        else:
            connection.sendall(b"HTTP/1.1 429 Busy\r\n" + field + b"Content-Length: 2\r\n\r\n{}")

    with Hostile(framed(INFO), answer) as service:
        done = encode(service, tmp_path)
    assert done.returncode == 0, done.stderr
    # Once refused, once again, and once for what tells the service's weights.
    assert len(asked) in (2, 3)
