"""Compressed bodies and answers."""

import gzip
import json
import zlib

import pytest

from server import Server
from texts import SEED, SEED_TOKENS

PLAIN = {"Accept-Encoding": "identity"}
GZIP = {"Accept-Encoding": "gzip"}
BODY = json.dumps([SEED]).encode()
LIMIT = 200_000


@pytest.fixture(scope="module")
def all_compressed(log):
    with Server("--compression", "all", "--max-body-bytes", LIMIT, log=log) as running:
        yield running


def raw_deflate(data):
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


# Bodies


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY, 1)),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
        ("gzip, identity", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:5]) + gzip.compress(BODY[5:])),
    ],
)
def test_bodies(server, coding, body):
    answer = server.encode(body, headers={"Content-Encoding": coding, **PLAIN})
    assert answer == server.encode(BODY, headers=PLAIN)


def test_a_chunked_compressed_body(server):
    body = gzip.compress(json.dumps([SEED] * 300).encode())
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    response = server.session.post(server.url + "/encode", data=pieces, headers=headers)
    assert response.json()["lengths"] == [SEED_TOKENS] * 300


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BODY),
        ("gzip", gzip.compress(BODY)[:-1]),
        ("gzip", gzip.compress(BODY) + b"more"),
        ("gzip", gzip.compress(BODY)[:-8] + bytes(8)),
        ("gzip", b""),
        ("gzip", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
    ],
)
def test_broken_bodies(server, coding, body):
    response = server.post(body, headers={"Content-Encoding": coding})
    assert response.status_code == 400
    assert response.json()["error_type"] == "Validation"
    # The connection goes on.
    assert server.encode(BODY)["lengths"] == [SEED_TOKENS]


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br", "gzip;q=1", "gzip, gzip", "deflate, gzip"])
def test_unknown_codings(server, coding):
    response = server.post(b"x" * 100, headers={"Content-Encoding": coding})
    assert response.status_code == 415
    assert response.headers["Accept-Encoding"] == "gzip, deflate"


def test_bombs(all_compressed):
    """However small, what comes out counts."""
    server = all_compressed

    def status(body, coding):
        assert len(body) < LIMIT
        return server.post(body, headers={"Content-Encoding": coding}).status_code

    text = b'"' + b"a " * (LIMIT // 2 - 1) + b'"'
    assert status(gzip.compress(text), "gzip") == 200
    assert status(gzip.compress(text + b" "), "gzip") == 413
    zeros = bytes(100_000_000)
    assert status(gzip.compress(zeros), "gzip") == 413
    assert status(zlib.compress(zeros), "deflate") == 413
    error = server.post(gzip.compress(zeros), headers={"Content-Encoding": "gzip"}).json()["error"]
    assert str(LIMIT) in error
    resident = metric(server, "process_resident_memory_bytes")
    for _ in range(100):
        assert status(gzip.compress(zeros[: 50 * LIMIT]), "gzip") == 413
    assert metric(server, "process_resident_memory_bytes") < resident + 50_000_000


def metric(server, name):
    lines = server.get("/metrics", headers=PLAIN).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))


# Answers


def coded(server, accept, **parameters):
    """The answer's coding and length, once it is seen to be the right answer."""
    headers = {"Accept-Encoding": accept}
    plain = server.post(BODY, headers=PLAIN, **parameters)
    response = server.session.post(
        server.url + "/encode",
        data=BODY,
        params=parameters,
        headers={"Content-Type": "application/json", **headers},
        stream=True,
    )
    raw = response.raw.read(decode_content=False)
    coding = response.headers.get("Content-Encoding")
    assert (gzip.decompress(raw) if coding == "gzip" else raw) == plain.content
    assert coding in (None, "gzip")
    return coding, len(raw), response.headers.get("Vary")


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0.1", "gzip"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("deflate", None),
        ("", None),
        ("identity;q=0, gzip;q=0.5", "gzip"),
    ],
)
def test_answers(server, accept, coding):
    got, length, vary = coded(server, accept)
    assert (got, vary) == (coding, "Accept-Encoding")
    assert length < 3000 if coding else length > 4000


def test_what_costs_more_than_it_saves_is_not_compressed(server, all_compressed):
    assert coded(server, "gzip", output_key="sequence_output")[0] is None
    assert coded(all_compressed, "gzip", output_key="sequence_output")[0] == "gzip"
    for format in ("base64", "safetensors"):
        assert coded(all_compressed, "gzip", format=format)[0] is None
        # Unless nothing else is taken.
        assert coded(all_compressed, "gzip, identity;q=0", format=format)[0] == "gzip"
    for each in (server, all_compressed):
        assert "Content-Encoding" not in each.get("/health", headers=GZIP).headers


def test_streamed_answers(all_compressed):
    """One of many pieces, and one of a line a text."""
    server = all_compressed
    texts = [f"{SEED} {number}" for number in range(50)]
    for path, body, kind in [
        ("/encode?output_key=sequence_output", json.dumps(texts), "application/json"),
        ("/encode", "\n".join(map(json.dumps, texts)), "application/x-ndjson"),
    ]:
        plain, zipped = (
            server.post(body, path=path, content_type=kind, headers=headers) for headers in (PLAIN, GZIP)
        )
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Transfer-Encoding"] == "chunked"
        assert zipped.content == plain.content and len(plain.content) > 200_000


def test_streamed_lines_are_not_held_back(server):
    """Each can be read when it is there, not only when the last one is."""
    lines = "\n".join(json.dumps(f"{SEED} {number}") for number in range(2000))
    response = server.session.post(
        server.url + "/encode",
        data=lines,
        headers={"Content-Type": "application/x-ndjson", **GZIP},
        stream=True,
    )
    decoder, pieces, first = zlib.decompressobj(31), response.raw.stream(64, decode_content=False), b""
    while b"\n" not in first:
        first += decoder.decompress(next(pieces))
    assert not decoder.eof
    assert json.loads(first.split(b"\n")[0])["lengths"] == [SEED_TOKENS + 1]
    response.close()


def test_nothing_acceptable(server):
    for accept in ("identity;q=0", "*;q=0", "br, identity;q=0"):
        response = server.post(BODY, headers={"Accept-Encoding": accept})
        assert response.status_code == 406
        assert "Accept-Encoding" in response.json()["error"]


def test_off(log):
    with Server("--compression", "off", log=log) as server:
        assert coded(server, "gzip") == (None, len(server.post(BODY).content), None)
        assert server.post(BODY, headers={"Accept-Encoding": "gzip, identity;q=0"}).status_code == 406
        compressed = server.post(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
        assert compressed.json()["lengths"] == [SEED_TOKENS]


def test_facts(server):
    plain, zipped = (server.get("/metrics", headers=headers) for headers in (PLAIN, GZIP))
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) * 3 < len(zipped.content)
    head = server.session.head(server.url + "/metrics", headers=GZIP)
    assert head.headers["Content-Encoding"] == "gzip" and head.content == b""
