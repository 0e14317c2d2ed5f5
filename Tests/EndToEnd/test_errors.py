"""Every failure is JSON with the right status and says what to change."""

import http.client
import json
import re
import socket
import threading
import time

import pytest

from server import PATIENCE, Server, run
from texts import SEED, SEED_TOKENS, TEXTS

LONG = TEXTS["words_19"]


def check(response, status, *words):
    """`response` is of requests, or raw: (status, headers, body). Each word is in the message."""
    if isinstance(response, tuple):
        found, headers, body = response
    else:
        found, headers, body = response.status_code, response.headers, response.content
    assert found == status, body[:500]
    assert headers["Content-Type"].split(";")[0] == "application/json"
    assert "Date" in headers
    answer = json.loads(body)
    assert set(answer) == {"error", "error_type"}
    assert isinstance(answer["error_type"], str) and answer["error_type"]
    for word in words:
        assert re.search(word, answer["error"], re.IGNORECASE), answer["error"]
    return answer


@pytest.fixture(scope="module")
def narrow(log):
    """A server with small limits."""
    flags = {
        "--max-body-bytes": 2000,
        "--max-output-bytes": 300_000,
        "--max-header-bytes": 2000,
        "--max-texts": 4,
        "--header-timeout-seconds": 1,
        "--body-timeout-seconds": 1,
    }
    with Server(*(word for flag in flags.items() for word in flag), log=log) as running:
        yield running


# 400


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET  /health HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\nhello",
        b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_framing(server, request_bytes):
    response = server.raw_response(request_bytes)
    check(response, 400)
    assert response[1]["Connection"].lower() == "close"


@pytest.mark.parametrize(
    ("body", "offset"),
    [('["a", ]', 6), ('{"inputs": "a"', 14), ('["a\\x"]', 3), ("nothing", 1), ("", 0), ('["a"] x', 6)],
)
def test_json(server, body, offset):
    answer = check(server.post(body.encode()), 400)
    # Parsers point at the start or at the end of what is wrong.
    numbers = [int(number) for number in re.findall(r"\d+", answer["error"])]
    assert any(abs(number - offset) <= 1 for number in numbers), answer["error"]


@pytest.mark.parametrize(
    "body", ['"\\ud800"', "[1]", "null", "[null]", '{"inputs": {}}', '{"inputs": 3}', '[["a","b","c"]]',
             "{}", '{"inputs": "a", "text": "b"}', "[[[]]]", "[" * 100_000]
)  # fmt: skip
def test_json_of_another_shape(server, body):
    check(server.post(body.encode()), 400)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-ndjson"])
def test_utf8(server, content_type):
    check(server.post(b'"caf\xe9"', content_type=content_type), 400, "utf-8")


def test_utf8_in_json(server):
    check(server.post(b'["caf\xe9"]'), 400, "utf-8")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"outputkey": "default"}, ["outputkey"]),
        ({"output_key": "pooled"}, ["pooled", "pooled_output", "sequence_output"]),
        ({"output_key": ""}, ["output_key"]),
        ({"output_key": "encoder_outputs", "layers": "6"}, ["layers", "6"]),
        ({"output_key": "encoder_outputs", "layers": "-7"}, ["layers"]),
        ({"output_key": "encoder_outputs", "layers": "x"}, ["layers"]),
        ({"seq_length": "2"}, ["seq_length", "3"]),
        ({"seq_length": "513"}, ["seq_length", "512"]),
        ({"max_tokens": "1"}, ["max_tokens"]),
        ({"max_tokens": "513"}, ["max_tokens", "512"]),
        ({"truncate": "middle"}, ["truncate", "left"]),
        ({"tokens": "perhaps"}, ["tokens"]),
        ({"format": "xml"}, ["format", "npy"]),
        ({"dtype": "int8"}, ["dtype", "float16"]),
        ({"format": "npy", "dtype": "bfloat16"}, ["npy", "bfloat16"]),
        ({"format": "npy", "output_key": "default,sequence_output"}, ["npy", "key"]),
        ({"timeout_ms": "0"}, ["timeout_ms"]),
        ({"timeout_ms": "soon"}, ["timeout_ms"]),
    ],
)
def test_parameters(server, parameters, words):
    check(server.post([SEED], **parameters), 400, *words)


def test_ragged_rectangles(server):
    response = server.post([SEED, "short"], output_key="sequence_output", format="npy")
    check(response, 422, "seq_length")


def test_members(server):
    check(server.post({"inputs": SEED, "colour": "red"}), 400, "colour")
    check(server.post({"inputs": SEED, "max_tokens": "many"}), 400, "max_tokens")


def test_target_escapes(server):
    check(server.raw_response(b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400)


# 401


def test_api_keys(tmp_path, log):
    keys = tmp_path / "keys"
    keys.write_text("# of the tests\n\nfirst-key-1\r\nsecond-key\n")
    with Server("--api-key-file", keys, log=log) as server:
        for given in [None, "Bearer first-key", "Bearer first-key-11", "Bearer ", "Basic first-key-1"]:
            headers = {"Authorization": given} if given else {}
            for response in (
                server.post([SEED], headers=headers),
                server.get("/info", headers=headers),
                server.get("/metrics", headers=headers),
            ):
                check(response, 401, "API key")
                is_wrong = (given or "").startswith("Bearer first")
                assert response.headers["WWW-Authenticate"] == "Bearer" + is_wrong * ' error="invalid_token"'
                words = response.json()["error"]
                assert ("is not one of this server's" in words) == is_wrong
                assert ("is needed" in words) == (given is None)
        for key in ["first-key-1", "second-key"]:
            headers = {"Authorization": f"Bearer {key}"}
            assert server.post([SEED], headers=headers).status_code == 200
            assert server.get("/info", headers=headers).status_code == 200
        for path in ["/health", "/health/live", "/health/ready"]:
            assert server.get(path).status_code == 200


@pytest.mark.parametrize("content", ["", "# none\n", "short\n", "with a space\n"])
def test_unusable_file_of_keys_stops_the_start(tmp_path, content):
    keys = tmp_path / "keys"
    keys.write_text(content)
    ended = run("serve", "--port", "0", "--api-key-file", keys)
    assert ended.returncode > 0
    assert str(keys) in ended.stderr


# 404, 405


def test_no_such_route_or_model(server):
    check(server.get("/nowhere"), 404, "/nowhere")
    check(server.post([SEED], model="other"), 404, "other", "all-MiniLM-L6-v2")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/encode", "POST"), ("DELETE", "/encode", "POST"), ("POST", "/info", "GET"),
     ("PUT", "/metrics", "GET"), ("BREW", "/health", "GET")],
)  # fmt: skip
def test_wrong_method(server, method, path, allowed):
    response = server.session.request(method, server.url + path)
    check(response, 405, method)
    assert allowed in response.headers["Allow"].split(", ")


# 408


def test_header_deadline(narrow):
    check(narrow.raw_response(b"POST /encode HTTP/1.1\r\nHost: a\r\n"), 408)


def test_body_deadline(narrow):
    request = b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
    check(narrow.raw_response(request), 408)


# 413, 414, 431


def test_body_too_large(narrow):
    check(narrow.post("x" * 2001, content_type="text/plain"), 413, "2000")
    head = b"POST /encode HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    check(narrow.raw_response(head + b"400\r\n" + b"x" * 1024 + b"\r\n" + b"400\r\n" + b"x" * 1024), 413)
    assert narrow.post("x" * 2000, content_type="text/plain").status_code == 200


def test_answer_too_large(narrow):
    check(narrow.post(["word " * 100] * 3, output_key="encoder_outputs"), 413, "300000|300,000")
    assert narrow.post([SEED]).status_code == 200


def test_target_and_headers_too_large(narrow):
    check(narrow.get("/health?" + "x" * 20_000), 414)
    check(narrow.get("/health", headers={"X-Long": "x" * 3000}), 431, "2000")
    many = {f"X-{number}": "x" for number in range(200)}
    check(narrow.get("/health", headers=many), 431)


# 415, 417


def test_unknown_content(server):
    response = server.post(b"abc", content_type="image/png")
    check(response, 415, "image/png")
    assert "application/json" in response.headers["Accept"]
    response = server.post([SEED], headers={"Content-Encoding": "br"})
    check(response, 415, "br")
    assert "Accept-Encoding" in response.headers


def test_unknown_expectation(server):
    check(server.post([SEED], headers={"Expect": "a miracle"}), 417)


# 422


def test_unprocessable(server, narrow):
    check(server.post([]), 422)
    check(server.post({"inputs": []}), 422)
    check(narrow.post(["a"] * 5), 422, "5", "4")
    answer = check(server.post([SEED, LONG], truncate="error"), 422, "256")
    assert len(re.findall(r"\d+", answer["error"])) >= 2


# 429, 503, 504


def test_full_queue(log):
    """More texts at once than a small queue holds: some are answered, the rest told to wait; what the
    latter send next on their connections is not read for half a second."""
    answers = []
    with Server("--threads", 1, "--max-queue-tokens", 1100, log=log) as server:

        def ask():
            connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
            begin = time.monotonic()
            connection.request("POST", "/encode", json.dumps([LONG] * 4), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.status, response.headers, response.read()
            connection.request("GET", "/health/live")
            assert connection.getresponse().status == 200
            answers.append((answer, time.monotonic() - begin))

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {status for (status, _, _), _ in answers} == {200, 429}
        for response, seconds in answers:
            if response[0] == 429:
                check(response, 429)
                assert int(response[1]["Retry-After"]) >= 1
                assert seconds >= 0.5
        assert server.encode([SEED])["lengths"] == [SEED_TOKENS]


def test_loading(log):
    """The port opens before the model is there. A start may be too fast to be seen loading."""
    for _ in range(20):
        server = Server(log=log)
        loading, ready = server.post([SEED]), server.get("/health/ready")
        with server:
            assert server.post([SEED]).status_code == 200
        if loading.status_code == 503:
            break
    check(loading, 503)
    assert int(loading.headers["Retry-After"]) >= 1
    assert ready.status_code in (200, 503)


def test_deadline(server):
    check(server.post([LONG] * 200, timeout_ms=1), 504, "timeout_ms|deadline")
    assert server.encode([SEED], timeout_ms=60_000)["lengths"] == [SEED_TOKENS]


def test_the_server_lives_on_after_a_client_is_gone(server):
    body = json.dumps([LONG] * 100).encode()
    for _ in range(5):
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as connection:
            connection.sendall(
                b"POST /encode?output_key=encoder_outputs HTTP/1.1\r\nHost: a\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
    assert server.encode([SEED])["lengths"] == [SEED_TOKENS]
