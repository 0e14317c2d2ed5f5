"""Records what a server answers to some 6,000 fixed requests, and compares two such records.

    record_answers.py --server .build/release/bert-server --out before.jsonl
    record_answers.py --compare before.jsonl after.jsonl

For a change that may change no answer: record before and after it. Each request has a connection of
its own. What differs from run to run (dates, ids, times, counters, the machine) is masked, and the
scalar kernels make the numbers the same on every machine.
"""

import argparse
import collections
import gzip
import itertools
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys

MODEL = "all-MiniLM-L6-v2"
KEY = "secret-key-1"
# Name → flags and environment of a server; each gets the requests of its name below.
SERVERS = {
    "plain": ([], {}),
    "keyed": (
        ["--cors-origins", "https://page.example", "--base-path", "/bert/v9", "--compression", "all",
         "--served-model-name", "ada,large"],
        {"BERT_SERVER_API_KEYS": KEY},
    ),
    "tight": (
        ["--max-texts", "3", "--max-tokens", "8", "--max-body-bytes", "600", "--max-output-bytes", "20000",
         "--max-target-bytes", "300", "--max-header-bytes", "1024", "--max-header-count", "12",
         "--max-json-depth", "6", "--max-queue-tokens", "1024", "--cors-origins", "*",
         "--metrics-access", "open", "--served-model-name", "*"],
        {},
    ),
}
MASKS = [
    (rb"(?i)^(date|x-request-id|server-timing|x-[a-z]+-time): [^\r]*", rb"\1: *"),
    (rb"nonce([-=]\"?)[0-9a-f-]+", rb"nonce\1*"),
    (rb"(?i)^(traceparent: 00-[0-9a-f]+)-[0-9a-f]+", rb"\1-*"),
    (rb'"(last_inference|ns|count|\w+_count|created|threads|tokenization_workers)":\d+', rb'"\1":0'),
    (rb'"threads_because":"[^"]*"', rb'"threads_because":"*"'),
    (rb"(?m)^((?:te|bert|process)_\w+(?:\{[^}\n]*\})?) \S+$", rb"\1 *"),
]


def request(method, target, body=b"", fields=(), version="HTTP/1.1"):
    """The bytes of a request that closes its connection."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    fields = {"Host": "h", "Connection": "close", **dict(fields)}
    if body or method in ("POST", "PUT"):
        fields.setdefault("Content-Type", "application/json")
        if "Transfer-Encoding" not in fields:
            fields.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


TEXTS = ["", "a", "The quick brown fox.", "中文 and é 😀", "[CLS] [MASK] ##ing", "a b\n\tc", "x" * 300, "word " * 30]
BAD_JSON = [b"", b"{", b"[", b"nul", b"\xff", b'"a', b"[1,]", b'{"inputs":}', b'{"inputs":["a"]} x', b'"\\ud800"',
            b"[" * 80 + b"]" * 80, b'{"inputs":"a","inputs":"b"}', b'{"inputs":"\x01"}', b"1e999", b"null", b"5", b"{}"]
ODD = [None, True, 1, 1.5, -1, [], {}, "", "x", [None], [1], [[]], [["a"]], [["a", "b"]], [["a", "b", "c"]], {"a": 1}, 10**30]


def native():
    """`/encode`."""
    keys = ["default", "pooled_output", "sequence_output", "encoder_outputs", "sentence_embedding"]
    for key, form in itertools.product([*keys, "all", "default,pooled_output"], ["json", "base64", "npy", "safetensors"]):
        for dtype in [None, "float32", "float16", "bfloat16", "int8"]:
            query = f"output_key={key}&format={form}" + (f"&dtype={dtype}" if dtype else "")
            yield request("POST", f"/encode?{query}", {"inputs": ["one two", "three"]})
        for length in ["5", "longest"]:
            yield request("POST", f"/encode?output_key={key}&format={form}&seq_length={length}", ["a", "b c d"])
    for name, value in itertools.product(
        ["output_key", "layers", "seq_length", "max_tokens", "truncate", "timeout_ms", "tokens", "format", "dtype",
         "model", "nonsense"],
        ["", "0", "1", "3", "8", "-1", "0,2,-1", "2..4", "4..2", "9", "513", "99999999999999999999", "true", "left",
         "error", "x", "%41", "a%2Cb", "json", MODEL],
    ):
        if name == "timeout_ms" and value in ["1", "3", "8", "9"]:
            continue  # some are answered in time
        yield request("POST", f"/encode?{name}={value}", ["several words are here"])
        yield request("POST", f"/encode?output_key=encoder_outputs&{name}={value}", {"inputs": "some words"})
        yield request("POST", "/encode", {"inputs": "w", name: value})
    for name, value in itertools.product(["inputs", "text", "texts", "instances", "is_tokenized", "id", "max_tokens"], ODD):
        yield request("POST", "/encode", {name: value})
        yield request("POST", "/encode", {"inputs": ["a"], name: value})
    for text in TEXTS:
        for kind in ["text/plain", "text/plain; charset=utf-8", "text/plain; charset=latin1", None, "application/x-ndjson"]:
            yield request("POST", "/encode?tokens=true&format=base64", text, {"Content-Type": kind})
        yield request("POST", "/encode?tokens=true", [text, [text, "second"]])
    for accept in ["application/x-npy", "application/x-safetensors;q=0, application/x-npy", "*/*", "text/html", "x;;,"]:
        yield request("POST", "/encode", ["a"], {"Accept": accept})
    for lines in [b'"a"\n"b"\n', b'{"inputs":"a"}\n{"inputs":5}\n', b'"a"\n\n"b"', b"{\n"]:
        for query in ["", "?seq_length=4", "?format=npy", "?format=base64&tokens=true"]:
            yield request("POST", "/encode" + query, lines, {"Content-Type": "application/x-ndjson"})


def protocols():
    for path in ["/embed", "/", "/embed_all", "/tokenize", "/decode", "/similarity"]:
        for name, value in itertools.product(["inputs", "ids", "truncate", "normalize", "dimensions", "prompt_name",
                                              "truncation_direction", "add_special_tokens", "skip_special_tokens",
                                              "model", "parameters", "other"], [*ODD[:9], "Right", "left", MODEL, 8]):
            body = {"ids": [101, 2023, 102]} if path == "/decode" else {"inputs": "a few words"}
            if path == "/similarity":
                body = {"inputs": {"source_sentence": "a", "sentences": ["b", "a"]}}
            yield request("POST", path, {**body, name: value})
        for inputs in [*ODD, TEXTS, [101, 2023], [[101, 2023], [5]], {"source_sentence": "a", "sentences": [1]}]:
            yield request("POST", path, {"ids" if path == "/decode" else "inputs": inputs})
    for path in ["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"]:
        for name, value in itertools.product(["input", "model", "encoding_format", "dimensions", "user", "truncate", "x"],
                                             [*ODD, "float", "base64", MODEL, 8, 384, 385]):
            yield request("POST", path, {"input": ["a", "b c"], "model": MODEL, name: value})
    for path in [f"/v1/models/{MODEL}", f"/v1/models/{MODEL}/versions/1", f"/v1/models/{MODEL}/versions/2",
                 f"/v1/models/{MODEL}/labels/stable", "/v1/models/none"]:
        for body in [{"instances": ["a", "b"]}, {"instances": [{"text": "a"}]}, {"inputs": {"text": ["a"]}},
                     {"inputs": ["a"], "signature_name": "all"}, {"instances": ["a"], "signature_name": "x"},
                     {"instances": [{"b64": "YQ=="}]}, {"instances": [{"input_word_ids": [101, 102]}]},
                     {"instances": [{"input_word_ids": [101, -1], "input_mask": [1, 1], "input_type_ids": [0, 0]}]},
                     {"instances": []}, {"instances": "a"}, {"instances": [1]}, {}, [], {"instances": ["a"], "inputs": ["a"]}]:
            yield request("POST", path + ":predict", body)
        yield request("POST", path + ":predict?seq_length=4&timeout_ms=x", {"instances": ["a"]})
    for path in [f"/v2/models/{MODEL}/infer", f"/v2/models/{MODEL}/versions/1/infer", "/v2/models/none/infer"]:
        text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
        ids = {"name": "input_word_ids", "shape": [1, 3], "datatype": "INT64", "data": [101, 5, 102]}
        for inputs in [[text], [ids], [text, ids], [], None, [{**text, "shape": [2]}], [{**text, "shape": [-1]}],
                       [{**text, "datatype": "FP32"}], [{**text, "name": "x"}], [{**text, "shape": [2**40, 2**40]}],
                       [{**ids, "data": [101, 40000, 2]}], [{**text, "parameters": {"binary_data_size": 9}}]]:
            yield request("POST", path, {"id": "7", "inputs": inputs})
            for output in ["default", "sequence_output", "encoder_outputs.5", "encoder_outputs.9", "tokens", "attention_mask"]:
                yield request("POST", path, {"inputs": inputs, "outputs": [{"name": output, "parameters": {"binary_data": True}}]})
        for name, value in itertools.product(["timeout", "sequence_id", "binary_data_output", "seq_length", "max_tokens"], ODD[:9]):
            yield request("POST", path, {"inputs": [text], "parameters": {name: value}})
        head = json.dumps({"inputs": [{**text, "data": None, "parameters": {"binary_data_size": 6}}]}).replace('"data": null, ', "").encode()
        for length in [len(head), 0, len(head) + 50, "x", ""]:
            yield request("POST", path, head + struct.pack("<I", 2) + b"hi", {"Inference-Header-Content-Length": length})


def routes(paths):
    """Each route and its relatives by each method; errors that all of them share."""
    places = {"{model}": MODEL, "{version}": "1", "{label}": "stable"}
    for path in paths:
        for name, value in places.items():
            path = path.replace(name, value)
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"]:
            yield request(method, path)
        for changed in [path + "/", path + "?x=1", path + "?model=none", path.replace(MODEL, "none"), path.upper()]:
            yield request("GET", changed)
        for body in [b"{", b'{"a":1}', b"\x1f\x8b damaged"]:
            coding = "gzip" if body[:1] == b"\x1f" else None
            yield request("POST", path, body, {"Content-Encoding": coding})
    for body, path in itertools.product(BAD_JSON, ["/encode", "/embed", "/v1/embeddings", f"/v1/models/{MODEL}:predict"]):
        yield request("POST", path, body)


def common():
    """What HTTP, keys, origins and codings add, by a request that is good without them."""
    good = {"inputs": ["one two"]}
    for name, value in [
        ("Accept-Encoding", "gzip"), ("Accept-Encoding", "gzip;q=0, *;q=0"), ("Accept-Encoding", "br"),
        ("Content-Encoding", "br"), ("Content-Encoding", "gzip, gzip"), ("Content-Encoding", "identity"),
        ("Content-Type", "image/png"), ("Content-Type", "application/json; charset=utf-16"), ("Content-Type", "x"),
        ("Authorization", f"Bearer {KEY}"), ("Authorization", "Bearer wrong-key-1"), ("Authorization", "Basic eDp5"),
        ("x-api-key", KEY), ("api-key", KEY), ("Origin", "https://page.example"), ("Origin", "https://other.example"),
        ("X-Request-Id", "mine-1"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("traceparent", "x"), ("Expect", "100-continue"), ("Expect", "more"), ("Content-Length", "-1"),
        ("Content-Length", "99999999999999999999"), ("Content-Length", "16777217"), ("Transfer-Encoding", "gzip"),
        ("Transfer-Encoding", "chunked, chunked"), ("Host", None), ("Host", "a b"), ("Bad Name", "x"), ("X", "\x01"),
        ("X", "y" * 5000), ("X", "y" * 40000), ("Access-Control-Request-Method", "POST"), ("Connection", "keep-alive, close"),
    ]:
        for path in ["/encode", "/bert/v9/encode", "/v1/embeddings", f"/v2/models/{MODEL}/infer", "/info"]:
            body = {"input": "a"} if "embeddings" in path else good
            fields = {"Authorization": f"Bearer {KEY}"} if path == "/bert/v9/encode" else {}
            yield request("POST", path, body, {**fields, name: value})
        yield request("OPTIONS", "/encode", fields={"Origin": "https://page.example", "Access-Control-Request-Method": "POST", name: value})
        yield request("GET", "/info", fields={"Origin": "https://page.example", name: value})
    for text in TEXTS:
        body = gzip.compress(json.dumps([text]).encode(), mtime=0)
        yield request("POST", "/encode?format=base64", body, {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"})
        yield request("POST", "/encode?format=base64", body[:-5], {"Content-Encoding": "gzip"})
    for body in [b'3\r\n["a\r\n2;x=y\r\n"]\r\n0\r\nT: x\r\n\r\n', b'5\r\n["a"]\r\n0\r\n\r\n', b"x\r\n", b"5\n", b"ffffffffffffffff1\r\n",
                 b"ffffffffffffffff\r\n", b"1\r\nab\r\n", b'5;="\r\n', b"0\r\nbad\r\n\r\n"]:
        yield request("POST", "/encode", body, {"Transfer-Encoding": "chunked"})
    for start in ["GET /info HTTP/1.0", "GET /info HTTP/2.0", "GET  /info HTTP/1.1", "GET info HTTP/1.1", "GET /%zz HTTP/1.1",
                  "GET http://h/info HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT h:1 HTTP/1.1", "G@T / HTTP/1.1", "GET /\x7f HTTP/1.1",
                  "GET /info", "", "GET /" + "a" * 9000 + " HTTP/1.1", "X" * 40 + " / HTTP/1.1", "GET /info?a=%00 HTTP/1.1"]:
        yield f"{start}\r\nHost: h\r\nConnection: close\r\n\r\n".encode("latin1")
    yield request("GET", "/info", fields={f"X-{number}": "y" for number in range(120)})
    yield request("POST", "/encode", [f"text {number}" for number in range(2049)])
    yield b"GET /info HTTP/1.1\nHost: h\n\n"
    yield b"GET /info HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"
    yield b"GET /info HTTP/1.1\r\n Host: h\r\n\r\n"


def requests_of(name, paths):
    if name == "plain":
        return [*native(), *protocols(), *routes(paths), *common()]
    # Of the rest an eighth, with the key where one is asked for.
    parts = [*list(native())[::8], *list(protocols())[::8], *list(routes(paths))[::8]]
    key = f"\r\nAuthorization: Bearer {KEY}\r\n".encode()
    return [*common(), *(data.replace(b"\r\n", key, 1) if name == "keyed" else data for data in parts)]


def unchunked(body):
    """Where a body is cut into chunks depends on time."""
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


def answer(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass  # refused before it was whole
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            received += b"\n(reset)"
    head, gap, body = received.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" in head:
        body = b"".join(unchunked(body))
    masked = body
    for pattern, replacement in MASKS:
        head, masked = (re.sub(pattern, replacement, part, flags=re.M) for part in (head, masked))
    if masked != body or data.startswith(b"HEAD"):
        head = re.sub(rb"(?i)(content-length): \d+", rb"\1: *", head)
    return head + gap + masked


def record(binary, out):
    count = 0
    with open(out, "w") as file:
        for name, (flags, environment) in SERVERS.items():
            process = subprocess.Popen(
                [binary, "serve", "--port", "0", "--kernels", "scalar", "--drain-seconds", "0",
                 "--header-timeout-seconds", "0.5", "--body-timeout-seconds", "0.5", *flags],
                env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                port = int(process.stdout.readline().rsplit(":", 1)[1])
                while not answer(port, request("GET", "/health/ready")).startswith(b"HTTP/1.1 200"):
                    assert process.poll() is None, "the server ended"
                described = answer(port, request("GET", "/openapi.json", fields={"Authorization": f"Bearer {KEY}"}))
                paths = json.loads(described.partition(b"\r\n\r\n")[2])["paths"]
                for data in requests_of(name, paths):
                    told = answer(port, data).decode("latin1")
                    file.write(json.dumps({"server": name, "request": data.decode("latin1"), "answer": told}) + "\n")
                    count += 1
            finally:
                process.terminate()
                process.wait()
    print(f"{count} answers recorded")


def read(path):
    """Answers by server, request, and how often that came before: a route more or less moves nothing else."""
    answers, seen = {}, collections.Counter()
    for line in open(path):
        record = json.loads(line)
        asked = record["server"], record["request"]
        answers[*asked, seen[asked]] = record["answer"]
        seen[asked] += 1
    return answers


def compare(before, after):
    before, after = read(before), read(after)
    asked = [*before, *(key for key in after if key not in before)]
    different = [key for key in asked if before.get(key) != after.get(key)]
    for key in different:
        print(f"--- {key[0]}: {key[1][:300]!r}")
        for name, answers in [("before", before), ("after", after)]:
            print(f"{name}: {answers.get(key, 'not asked')[:600]!r}")
    print(f"{len(asked)} requests, {len(different)} answered differently")
    return bool(different)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--compare", nargs=2, metavar=("BEFORE", "AFTER"))
    given = parser.parse_args()
    if given.compare:
        sys.exit(compare(*given.compare))
    record(given.server, given.out)
