"""Bytes at the edge of what the parsers of HTTP, JSON and names were made for."""

import contextlib
import itertools
import json
import os
import time

import pytest

from attacks import MARKS, ask, at_once, connect, read_answer, request, serves, zipped
from server import BLOCKS, MODEL, PATIENCE, Server

NAME = MODEL.name
INFER, PREDICT = f"/v2/models/{NAME}/infer", f"/v1/models/{NAME}:predict"


# Chunks


LIMITS = [2**31, 2**32, 2**63, 2**64]
EDGES = sorted({limit + step for limit in LIMITS for step in (-2, -1, 0, 1)})


@pytest.mark.parametrize("size", [f"{edge:X}" for edge in EDGES] + ["f" * 17, "0" * 20 + "7" + "f" * 15])
@pytest.mark.parametrize(("target", "before"), [("GET /health/live", 1), ("POST /encode", 0), ("POST /encode", 3)])
def test_a_chunk_of_an_impossible_size(victim, target, before, size):
    """As the first chunk, and as one behind others, whose bytes it is added to."""
    head = f"{target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, fields, _ = ask(victim, (head + "1\r\na\r\n" * before + size + "\r\n").encode())
    assert status in (400, 413)
    assert fields["Connection"] == "close"
    assert victim.process.poll() is None
    serves(victim)


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("target", ["GET /health/live", "POST /encode"])
def test_a_length_that_is_impossible(victim, target, size):
    status, fields, _ = ask(victim, f"{target} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
    assert status in (400, 413)
    assert fields["Connection"] == "close"
    serves(victim)


EXTENSIONS = ["a", "a=b", 'a="b"', 'a="\\""', 'a="";b', " ;a", "\t; a = b"]
BROKEN_EXTENSIONS = ["=b", "a=", "a=b c", 'a="b', 'a="b"c', ";", "a b", "a=b;", "a=(", "(=a", "a==b", 'a="\x7f"', "é"]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_chunk_extensions(victim, extension):
    mark = "" if ";" in extension[:3] else ";"
    body = f"6{mark}{extension}\r\na fish\r\n0\r\n\r\n".encode()
    head = b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert ask(victim, head + body)[0] == 200


@pytest.mark.parametrize("extension", BROKEN_EXTENSIONS)
def test_chunk_extensions_have_a_grammar(victim, extension):
    """RFC 9112, section 7.1.1."""
    body = f"6;{extension}\r\na fish\r\n0\r\n\r\n".encode()
    head = b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert ask(victim, head + body)[0] == 400


# Targets and hosts


@pytest.mark.parametrize("character", '"<>[\\]^{|}`')
@pytest.mark.parametrize("target", ["/health/live{}", "/{}", "/health/live?a={}", "/health/live?{}=a"])
def test_characters_that_no_target_has(victim, target, character):
    """RFC 3986 wants them percent-encoded."""
    raw = target.replace("{}", character)
    assert ask(victim, f"GET {raw} HTTP/1.1\r\nHost: a\r\n\r\n".encode())[0] == 400
    coded = target.replace("{}", f"%{ord(character):02X}")
    assert ask(victim, f"GET {coded} HTTP/1.1\r\nHost: a\r\n\r\n".encode())[0] in (200, 400, 404)


BAD_HOSTS = [
    "%", "a%zz", "a%", "%4", "[::::::]", "[1]", "[]", "[::1", "::1", "[::1]a", "[1::2::3]", "[12345::]", "[::1%25eth0]x",
    "[1:2:3:4:5:6:7:8:9]", "[:1]", "[1:]", "[::1.2.3]", "[::256.1.1.1]", "[v]", "[v1.]", "a:b", "a:-1", "a:65536",
    "a b", "a\tb", "<a>", "a\\b", "a^", 'a"', "a|", "{a}", "a#", "a?b", "user@a", "a/",
]  # fmt: skip
GOOD_HOSTS = ["a", "a:80", "a:", "127.0.0.1", "[::1]", "[::1]:8080", "[1:2:3:4:5:6:7:8]", "[1::8]", "[::ffff:1.2.3.4]",
              "[v1.a:b]", "a%41", "a-b_c~d.e", "a!$&'()*+;="]  # fmt: skip


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_hosts_that_are_none(victim, host):
    assert ask(victim, f"GET /health/live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[0] == 400


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_hosts(victim, host):
    assert ask(victim, f"GET /health/live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[0] == 200


def test_a_close_comes_in_stages(victim):
    """RFC 9112, section 9.6: what the client still sends after the last answer does not cost it that answer."""
    for size in [1, 1000, 100_000, 3_000_000] * 5:
        with connect(victim) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            rest = memoryview(b"x" * size)
            # The answer has left, and the client, which has not looked, goes on.
            time.sleep(0.05)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while rest:
                    rest = rest[connection.send(rest[:65536]) :]
            time.sleep(0.05)
            status, fields, body = read_answer(connection)
            assert status == 200 and len(body) == int(fields["Content-Length"])


# Values that nobody means


ODD = [
    [], [None], [[]], [{}], {}, None, "", " ", "\u0000", True, 0, -1, 1.5, 1e308, -0.0, 2**31, 2**32, 2**53, 2**63 - 1, 2**63,
    2**64, -(2**63), 10**400, ["", None], [0] * 300, "0" * 5000, ",", "..", "1..", "..1", "9..0", "-1..-9", "+0", "00", "0x1",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "0..9223372036854775807", "١", "é", "\ud800",
]  # fmt: skip
TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
IDS = {"name": "input_word_ids", "datatype": "INT32", "shape": [1, 3], "data": [101, 1037, 102]}
ROUTES = {
    "/encode": (
        {"inputs": ["a", "b"], "output_key": "all", "layers": [0], "seq_length": 8},
        ["inputs", "text", "texts", "instances", "output_key", "layers", "seq_length", "max_tokens", "truncate", "tokens",
         "format", "dtype", "timeout_ms", "model", "is_tokenized", "id"],
    ),
    "/v1/embeddings": (
        {"input": ["a"], "model": NAME}, ["input", "model", "encoding_format", "dimensions", "user"],
    ),
    "/embed": (
        {"inputs": ["a"]},
        ["inputs", "normalize", "truncate", "truncation_direction", "dimensions", "prompt_name"],
    ),
    "/embed_all": ({"inputs": ["a"]}, ["inputs", "truncate", "prompt_name"]),
    "/similarity": (
        {"inputs": {"source_sentence": "a", "sentences": ["b"]}},
        ["inputs", "inputs.source_sentence", "inputs.sentences", "parameters"],
    ),
    "/tokenize": ({"inputs": ["a"]}, ["inputs", "add_special_tokens", "prompt_name"]),
    "/decode": ({"ids": [[101, 1037]]}, ["ids", "skip_special_tokens"]),
    PREDICT: (
        {"instances": ["a"], "signature_name": "all"}, ["instances", "inputs", "signature_name"],
    ),
    INFER: (
        {"id": "x", "inputs": [TEXT], "outputs": [{"name": "default"}], "parameters": {"seq_length": 8}},
        ["id", "inputs", "inputs.0", "inputs.0.name", "inputs.0.datatype", "inputs.0.shape", "inputs.0.data",
         "inputs.0.parameters", "outputs", "outputs.0", "outputs.0.name", "outputs.0.parameters", "parameters",
         "parameters.seq_length", "parameters.max_tokens", "parameters.truncate", "parameters.layers",
         "parameters.timeout", "parameters.binary_data_output"],
    ),
    INFER + "?ids": (
        {"inputs": [IDS]}, ["inputs.0.shape", "inputs.0.shape.0", "inputs.0.shape.1", "inputs.0.data", "inputs.0.data.1"],
    ),
    "/v2/repository/index": ({"ready": True}, ["ready"]),
}  # fmt: skip


def with_member(value, path, odd):
    name, _, rest = path.partition(".")
    name = int(name) if isinstance(value, list) else name
    copy = list(value) if isinstance(value, list) else dict(value)
    there = copy[name] if isinstance(name, int) else copy.get(name, {})
    copy[name] = with_member(there, rest, odd) if rest else odd
    return copy


@pytest.mark.parametrize("route", ROUTES)
def test_members_with_odd_values(victim, route):
    """Whatever a client's code puts there by accident: an answer, never a fault of ours, never a death."""
    whole, paths = ROUTES[route]
    for path in paths:
        for odd in ODD:
            body = json.dumps(with_member(whole, path, odd))
            status, _, answer = ask(victim, request("POST", route, body))
            assert victim.process.poll() is None, body[:500]
            assert 200 <= status < 500, f"{body[:500]}: {status} {answer[:300]}"
            if status != 200:
                assert json.loads(answer)["error"], body[:500]


@pytest.mark.parametrize("path", ["/encode", "/v1/embeddings", "/embed", "/", "/tokenize", PREDICT, INFER])
def test_reading_ends_with_the_deadline(path, log):
    """A million members take a second to read. That they are not JSON would be seen at their end."""
    body = ('{"input":"a","inputs":"a"' + "".join(f',"m{index}":1' for index in range(1_000_000))).encode()
    with Server("--request-timeout-seconds", 0.3, log=log) as server:
        assert server.post(body, path=path).status_code == 504
    if path in ("/encode", PREDICT):
        with Server(log=log) as server:
            assert server.post(body, path=path, timeout_ms=300).status_code == 504
            assert server.post(body[:1000], path=path, timeout_ms=300).status_code == 400


@pytest.mark.parametrize("layers", [[], [None]])
def test_an_empty_list_of_layers_is_refused(victim, layers):
    body = json.dumps({"inputs": "a", "output_key": "all", "layers": layers})
    status, _, answer = ask(victim, request("POST", "/encode", body))
    assert status in (400, 422) and "layers" in json.loads(answer)["error"]


PARAMETERS = ["output_key", "layers", "seq_length", "max_tokens", "truncate", "tokens", "format", "dtype", "timeout_ms", "model"]


def test_parameters_with_odd_values(victim):
    values = [str(odd) for odd in ODD if isinstance(odd, (str, int, float))]
    values = [value for value in values if value.isascii() and "\0" not in value and len(value) < 6000]
    for name, value in itertools.product(PARAMETERS, values + ["%00", "%FF", "%C3%A9", "a&a", "&", "=", "=="]):
        path = f"/encode?output_key=encoder_outputs&{name}={value.replace(' ', '%20')}"
        status, _, answer = ask(victim, request("POST", path, '["a"]'))
        assert victim.process.poll() is None, path
        assert 200 <= status < 500, f"{path[:200]}: {status} {answer[:300]}"


@pytest.mark.parametrize("header", ["", "-1", "0", "1", "9223372036854775807", "9223372036854775808", "+2", "2 ", "0x2", "é"])
def test_lengths_of_a_binary_inference(victim, header):
    body = json.dumps({"inputs": [{**TEXT, "data": None, "parameters": {"binary_data_size": 5}}]}).encode()
    body += b"\x01\x00\x00\x00a"
    for size in (header, str(len(body) - 5)):
        fields = f"Inference-Header-Content-Length: {size}\r\n"
        for content in (body, body[:-1], body[:-5] + b"\xff" * 5, body[:-5] + b"\xff\xff\xff\x7fa"):
            status, _, _ = ask(victim, request("POST", INFER, content, "application/octet-stream", fields))
            assert 200 <= status < 500 and victim.process.poll() is None


@pytest.mark.parametrize("number", ["00", "+0", "-0", "01", " 0", "0 ", "-01", "0.0", "0x0", "٠", "-7", "6", "9223372036854775808"])
def test_blocks_have_one_name_each(victim, number):
    name = f"encoder_outputs.{number}"
    body = json.dumps({"inputs": [TEXT], "outputs": [{"name": name}]})
    status, _, answer = ask(victim, request("POST", INFER, body))
    assert status == 400 and "output" in json.loads(answer)["error"]
    good = json.dumps({"inputs": [TEXT], "outputs": [{"name": f"encoder_outputs.{BLOCKS - 1}"}]})
    assert ask(victim, request("POST", INFER, good))[0] == 200


# Names of combining marks


NAMED = {
    "member": ("/encode", lambda name: {"inputs": "a", name: 1}),
    "output_key": ("/encode", lambda name: {"inputs": "a", "output_key": name}),
    "output_key_list": ("/encode", lambda name: {"inputs": "a", "output_key": [name, name]}),
    "model": ("/encode", lambda name: {"inputs": "a", "model": name}),
    "truncate": ("/encode", lambda name: {"inputs": "a", "truncate": name}),
    "format": ("/encode", lambda name: {"inputs": "a", "format": name, "dtype": name}),
    "layers": ("/encode", lambda name: {"inputs": "a", "output_key": "all", "layers": name}),
    "openai_member": ("/v1/embeddings", lambda name: {"input": "a", name: 1}),
    "openai_model": ("/v1/embeddings", lambda name: {"input": "a", "model": name}),
    "openai_format": ("/v1/embeddings", lambda name: {"input": "a", "encoding_format": name}),
    "embed_ignored": ("/embed", lambda name: {"inputs": "a", name: 1}),
    "embed_nested": ("/embed", lambda name: {"inputs": "a", "more": {name: 1, name + "a": 2}}),
    "embed_direction": ("/embed", lambda name: {"inputs": "a", "truncation_direction": name}),
    "embed_prompt": ("/embed", lambda name: {"inputs": "a", "prompt_name": name}),
    "embed_model": ("/embed", lambda name: {"inputs": "a", "model": name}),
    "similarity": ("/similarity", lambda name: {"inputs": {"source_sentence": "a", "sentences": ["b"], name: 1}}),
    "predict_signature": (PREDICT, lambda name: {"instances": ["a"], "signature_name": name}),
    "predict_input": (PREDICT, lambda name: {"instances": [{name: "a"}, {name: "b"}]}),
    "predict_column": (PREDICT, lambda name: {"inputs": {name: ["a"]}}),
    "infer_member": (INFER, lambda name: {"inputs": [TEXT], name: 1}),
    "infer_input": (INFER, lambda name: {"inputs": [{**TEXT, "name": name}, {**TEXT, "name": name}]}),
    "infer_datatype": (INFER, lambda name: {"inputs": [{**TEXT, "datatype": name}]}),
    "infer_output": (INFER, lambda name: {"inputs": [TEXT], "outputs": [{"name": name}, {"name": name}]}),
    "infer_block": (INFER, lambda name: {"inputs": [TEXT], "outputs": [{"name": "encoder_outputs." + name}]}),
    "infer_parameter": (INFER, lambda name: {"inputs": [TEXT], "parameters": {name: 1, "truncate": name}}),
    "infer_id": (INFER, lambda name: {"inputs": [TEXT], "id": name}),
    "index": ("/v2/repository/index", lambda name: {"ready": True, name: name}),
}


@pytest.mark.parametrize("where", NAMED)
def test_a_name_of_combining_marks(where, log):
    """As many at once as there are CPUs, and two more; 2 MB each, and 16 MiB by way of gzip, once and three
    times. Each has an answer, an honest request beside them too, and SIGTERM is heard."""
    path, body_of = NAMED[where]
    plain = json.dumps(body_of(MARKS * 500_000), ensure_ascii=False)
    long = json.dumps(body_of(MARKS * 1_000_000), ensure_ascii=False)
    bodies = [request("POST", path, plain)]
    bodies += [request("POST", path, body, fields=fields) for body, fields in (zipped(long), zipped(long, 3))]
    with Server(log=log) as server:
        statuses = at_once(
            3 * (os.cpu_count() + 2), lambda number: ask(server, bodies[number % 3], PATIENCE)[0]
        )
        assert [status for status in statuses if not 200 <= status < 500 and status != 503] == []
        serves(server, 30)


def test_texts_of_combining_marks(log):
    """The same as texts, which are no names: all positions of a text, pair, word, prompt and a query."""
    text = MARKS * 500_000
    bodies = [
        request("POST", "/encode", json.dumps(text, ensure_ascii=False)),
        request("POST", "/encode", json.dumps([["a", text]], ensure_ascii=False)),
        request("POST", "/encode", json.dumps({"is_tokenized": True, "inputs": [[text]]}, ensure_ascii=False)),
        request("POST", "/encode?tokens=true", json.dumps("a" + text, ensure_ascii=False)),
        request("POST", "/tokenize", json.dumps({"inputs": text}, ensure_ascii=False)),
        request("POST", "/encode?output_key=" + "%CC%81%CC%A3" * 600, '"a"'),
        request("GET", "/v1/models/" + "%CC%81%CC%A3" * 600),
        request("GET", "/health/live", fields="X-Request-Id: " + MARKS * 1000 + "\r\n"),
    ]
    with Server(log=log) as server:
        statuses = at_once(len(bodies) * 2, lambda number: ask(server, bodies[number % len(bodies)])[0])
        assert [status for status in statuses if not 200 <= status < 500 and status != 503] == []
        serves(server, 30)
