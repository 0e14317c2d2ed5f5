"""`bert-server encode --server` and a service that means it ill."""

import base64
import itertools
import json
import socketserver
import threading
import time

import numpy as np
import pytest

from server import run


class HostileService(socketserver.ThreadingTCPServer):
    """Answers each path with the bytes that it is given, and with no end if they are an iterator."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, **answers):
        self.answers = answers
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            path = self.rfile.readline().split()[1].decode().strip("/").partition("?")[0]
            length = 0
            while (line := self.rfile.readline().strip()):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            answer = self.server.answers[path]
            try:
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    self.wfile.write(piece)
            except OSError:
                pass  # It was hung up on, as it should be.

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def http(body, framing=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (framing or b"Content-Length: %d" % len(body), body)


def described(**changes):
    """What /info says, some of its numbers changed."""
    info = {
        "model": "m", "precision": "float32", "kernels": "avx2", "output_keys": ["default"],
        "shape": {"hidden_size": 4, "blocks": 2, "positions": 16}, "limits": {"max_tokens": 16},
    }  # fmt: skip
    for name, value in changes.items():
        info["limits" if name == "max_tokens" else "shape"][name] = value
    return http(info)


def encoded(numbers=4, key="default", **changes):
    """An answer of /encode to one text."""
    values = [base64.b64encode(bytes(4 * numbers)).decode()]
    return http({"outputs": {key: values}, "lengths": [3], "truncated": [False]} | changes)


def described_head(line):
    """An answer whose head has one more line."""
    return described().replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)


LARGE = [2**31, 2**32, 2**63 - 1, 2**63, 2**64, -1, 0, -(2**63)]
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("info", "answer", "words"),
    [(described(**{name: n}), b"", "its /info has no shape") for n in LARGE
     for name in ["hidden_size", "blocks", "positions", "max_tokens"]]
    + [(described(), encoded(lengths=[n]), "is not one of bert-server's /encode") for n in LARGE]
    + [(described(), http(b"1\r\na\r\n%x\r\n" % n, CHUNKED), "an invalid chunk size") for n in LARGE[:5]]
    + [(described(), http(b"", b"Content-Length: %d" % n), "an invalid Content-Length") for n in LARGE[2:6]]
    + [
        (described(), http(b"+1\r\na\r\n", CHUNKED), "an invalid chunk size"),
        (described(), http(b"\r\n\r\n", CHUNKED), "an invalid chunk size"),
        (described(), b"HTTP/1.1 99999999999999999999 OK\r\n\r\n", "an invalid status line"),
        (described(), encoded(numbers=3), "is not one of bert-server's /encode"),
        (described(), encoded(lengths=[]), "is not one of bert-server's /encode"),
        (described(), encoded(outputs={}), "is not one of bert-server's /encode"),
        (described(), encoded(key="x"), "is not one of bert-server's /encode"),
        (described(), itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], itertools.repeat(bytes(65536))),
         "an invalid Content-Length"),
        (described(), itertools.chain([http(b"", CHUNKED)], itertools.repeat(b"10000\r\n%s\r\n" % bytes(65536))),
         "bytes that its answer may have"),
        (described(positions=1, max_tokens=1), b"", "its /info has no shape"),
        (described(positions=2, max_tokens=2), b"", "its /info has no shape"),
        (described(max_tokens=2), b"", "its /info has no shape"),
        (described_head(b"a" * 70000 + b": b"), b"", "whose head is longer than 65536 bytes"),
        (itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"a: b\r\n" * 9000)), b"",
         "whose head is longer than 65536 bytes"),
    ],
)  # fmt: skip
def test_a_hostile_service(info, answer, words, tmp_path):
    """Whatever a service answers, the command ends with a message and writes no file of numbers."""
    with HostileService(info=info, encode=answer) as service:
        done = run("encode", "-o", tmp_path / "out", "--server", service.url, standard_input="a\n")
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert not list(tmp_path.glob("out/part-*"))


class Stays:
    """An answer's bytes, after which the connection stays open."""

    def __init__(self, answer, until):
        self.answer = answer
        self.until = until

    def __iter__(self):
        yield self.answer
        self.until.wait()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_an_answer_ends_where_it_says(framing, tmp_path):
    def framed(answer):
        body = answer.partition(b"\r\n\r\n")[2]
        return answer if framing == "length" else http(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), CHUNKED)

    (tmp_path / "texts.txt").write_text("a\n")
    ended = threading.Event()
    answers = {"info": Stays(framed(described()), ended), "encode": Stays(framed(encoded()), ended)}
    with HostileService(**answers) as service:
        done = run("encode", tmp_path / "texts.txt", "-o", tmp_path / "out", "--server", service.url)
        ended.set()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", b"\x00\xff" * 200, b"SSH-2.0-x\r\n"])
def test_what_is_no_http_is_no_lost_connection(answer, tmp_path):
    """It is not asked again and again."""
    (tmp_path / "texts.txt").write_text("a\n")
    with HostileService(info=answer) as service:
        ended = run("encode", tmp_path / "texts.txt", "-o", tmp_path / "out", "--server", service.url)
    assert ended.returncode != 0 and "status line" in ended.stderr


def test_a_service_that_says_the_least(tmp_path):
    """The answers that the hostile ones are made of are right."""
    with HostileService(info=described(), encode=encoded()) as service:
        done = run("encode", "-o", tmp_path / "out", "--server", service.url, standard_input="a\n")
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "out" / "part-00000.npy").tolist() == [[0.0] * 4]


@pytest.mark.parametrize("count", [15_000, 240_000])
@pytest.mark.parametrize("where", ["name", "value"])
def test_fields_that_take_quadratic_time_to_compare(where, count, tmp_path):
    """Combining marks out of their order: as `String` a megabyte of them is compared in hours."""
    marks = ("\u0316\u0301" * count).encode()
    line = b"a%s: b" % marks if where == "name" else b"Transfer-Encoding: a%s" % marks
    answer = encoded().replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)
    with HostileService(info=described_head(line), encode=answer) as service:
        done = run("encode", "-o", tmp_path / "out", "--server", service.url, standard_input="a\n", timeout=60)
    if count == 15_000 and where == "value":
        assert done.returncode == 0, done.stderr
    elif count == 15_000:
        assert done.returncode == 1 and "an invalid header line" in done.stderr, done.stderr
    else:
        assert done.returncode == 1 and "whose head is longer than 65536 bytes" in done.stderr, done.stderr


def test_a_service_that_sends_a_byte_now_and_then():
    """Each byte comes in time; the answer does not."""

    def bytes_now_and_then():
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            time.sleep(0.2)
            yield b"a"

    with HostileService(**{"health/ready": bytes_now_and_then()}) as service:
        port = service.server_address[1]
        done = run("healthcheck", "--port", port, "--timeout", 1, timeout=60)
    assert done.returncode == 1 and "it does not answer" in done.stderr, done.stderr
