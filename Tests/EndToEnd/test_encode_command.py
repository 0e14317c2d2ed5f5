"""`bert-server encode`: files of texts to files of numbers, without a server."""

import csv
import io
import json
import os
import random
import re
import resource
import signal
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file

from server import BINARY, CERTIFICATES, MODEL, PATIENCE, ROOT, Server, bits, run, run_measured, said_on_a_terminal
from texts import TEXTS

LINES = [text.replace("\n", " ").replace("\r", " ") for text in TEXTS.values() if isinstance(text, str)]
SEED = int(os.environ.get("BERT_TEST_SEED", 7))


def encode(folder, *arguments, texts=None, status=0):
    """The command's standard error; its output is in `folder`."""
    result = run("encode", "--model", MODEL, "--output", folder, *arguments, standard_input=texts or "")
    assert result.returncode == status, result.stderr
    return result.stderr


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("".join(line + "\n" for line in LINES))
    return path


def test_numbers_are_the_services(server, lines, tmp_path):
    """Every entry in the formats that hold it, bit for bit what /encode answers."""
    expected = server.tensors(LINES[:40], output_key="all", seq_length=64)
    short = tmp_path / "short.txt"
    short.write_text("".join(line + "\n" for line in LINES[:40]))
    for key in ("default", "pooled_output", "sentence_embedding", "sequence_output"):
        encode(tmp_path / key, short, "--output-key", key, "--seq-length", 64)
        found = np.load(tmp_path / key / "part-00000.npy")
        assert np.array_equal(bits(found), bits(expected[key])), key
    keys = "default,encoder_outputs"
    encode(tmp_path / "all", short, "--output-key", keys, "--seq-length", 64, "--format", "safetensors")
    found = load_file(tmp_path / "all" / "part-00000.safetensors")
    assert np.array_equal(bits(found["default"]), bits(expected["default"]))
    for block, numbers in enumerate(expected["encoder_outputs"]):
        assert np.array_equal(bits(found[f"encoder_outputs.{block}"]), bits(numbers))


def test_texts_of_their_own_lengths(server, lines, tmp_path):
    arguments = ["--output-key", "sequence_output,encoder_outputs", "--layers", "0,-1"]
    encode(tmp_path / "a", lines, *arguments, "--format", "safetensors")
    encode(tmp_path / "b", lines, *arguments, "--format", "jsonl")
    found = load_file(tmp_path / "a" / "part-00000.safetensors")
    written = [json.loads(line) for line in open(tmp_path / "b" / "part-00000.jsonl")]
    assert len(written) == len(LINES) and list(found["record"]) == list(range(len(LINES)))
    for index in range(0, len(LINES), 17):
        rows = found["sequence_output"][found["offset"][index] : found["offset"][index + 1]]
        expected = server.tensors([LINES[index]], output_key="encoder_outputs")["encoder_outputs"]
        assert len(rows) == found["tokens"][index] == written[index]["tokens"]
        assert np.array_equal(bits(rows), bits(expected[-1, 0]))
        assert np.array_equal(bits(written[index]["sequence_output"]), bits(rows))
        assert np.array_equal(bits(written[index]["encoder_outputs.0"]), bits(expected[0, 0]))


def test_inputs_of_every_kind_are_one(tmp_path):
    """Text, JSON lines and CSV, files and a pipe: the same texts, the same bytes."""
    texts = ["a fish", 'he said "hi", twice', "", "line ends", "Grüße, 世界"]
    table = io.StringIO()
    csv.writer(table).writerows([["id", "body"], *enumerate(texts)])
    (tmp_path / "a.txt").write_text("".join(text + "\r\n" for text in texts))
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps({"body": text}) for text in texts))
    (tmp_path / "c.csv").write_text(table.getvalue())
    (tmp_path / "d.ndjson").write_text("\n\n".join(json.dumps(text) for text in texts) + "\n\n")
    for name in ("a.txt", "b.jsonl", "c.csv", "d.ndjson"):
        fields = [] if name == "a.txt" else ["--field", "body"]
        encode(tmp_path / f"{name}.out", tmp_path / name, *fields)
    encode(tmp_path / "pipe.out", texts="".join(text + "\n" for text in texts))
    parts = {path: (path / "part-00000.npy").read_bytes() for path in tmp_path.glob("*.out")}
    assert len(parts) == 5 and len(set(parts.values())) == 1


def test_pairs(server, tmp_path):
    expected = server.tensors([["a question", "its answer"]])["default"]
    (tmp_path / "a.jsonl").write_text('["a question", "its answer"]\n')
    (tmp_path / "b.jsonl").write_text('{"q": "a question", "a": "its answer"}\n')
    encode(tmp_path / "a", tmp_path / "a.jsonl")
    encode(tmp_path / "b", tmp_path / "b.jsonl", "--field", "q", "--second-field", "a")
    for name in "ab":
        found = np.load(tmp_path / name / "part-00000.npy")
        assert np.array_equal(bits(found), bits(expected))


def test_a_pooling_of_ones_own(server, tmp_path):
    rows = server.tensors(["a fish swims"], output_key="sequence_output")["sequence_output"][0]
    arguments = ["--output-key", "sentence_embedding", "--pooling", "max"]
    encode(tmp_path / "out", *arguments, texts="a fish swims\n")
    expected = rows.max(axis=0) / np.linalg.norm(rows.max(axis=0))
    assert np.allclose(np.load(tmp_path / "out" / "part-00000.npy")[0], expected, atol=1e-6)


BAD = [
    '"good"', "{", '["one"]', '{"no": "text"}', "7", '"also good"', '{"text": 7}', "\udcff",
    '{"text": "the last"}',
]  # fmt: skip


def test_bad_records_are_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes("\n".join(BAD).encode("utf-8", "surrogateescape"))
    said = encode(tmp_path / "stop", path, status=1)
    assert f"{path}:2: it is not JSON" in said
    assert not list((tmp_path / "stop").glob("part*"))
    said = encode(tmp_path / "stop", path, "--on-error", "skip")
    skipped = [json.loads(line) for line in open(tmp_path / "stop" / "part-00000.skipped.jsonl")]
    assert [line["record"] for line in skipped] == [1, 2, 3, 4, 6, 7]
    assert all(f"{path}:{line['record'] + 1}" == line["place"] for line in skipped)
    assert all(line["place"] in said and line["error"] in said for line in skipped)
    assert np.load(tmp_path / "stop" / "part-00000.npy").shape == (3, 384)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.txt"], "nowhere.txt cannot be read"),
        (["-", "--output-key", "sequence"], "there is no output key 'sequence'"),
        (["-", "--output-key", "sequence_output"], "add --seq-length"),
        (["-", "--output-key", "default,sequence_output"], "--format safetensors"),
        (["-", "--dtype", "bfloat16"], "npy has no bfloat16"),
        (["-", "--layers", "0"], "--output-key"),
        (["-", "--max-tokens", "9999"], "3 to 512"),
        (["-", "--format", "xml"], "unknown value 'xml'; use one of npy, safetensors, jsonl"),
        (["-", "--shard", "3/3"], "I from 0 to N - 1"),
        (["-", "--input-format", "csv", "--field", "body"], "there is no column 'body'"),
    ],
)
def test_mistakes_are_explained(arguments, words, tmp_path):
    result = run("encode", "-o", tmp_path / "out", "--model", MODEL, *arguments,
                 standard_input="id,text\n1,a\n")  # fmt: skip
    assert result.returncode != 0 and words in result.stderr, result.stderr


def test_another_job_does_not_mix_in(lines, tmp_path):
    encode(tmp_path / "out", lines)
    before = contents(tmp_path / "out")
    said = encode(tmp_path / "out", lines, "--dtype", "float16", status=1)
    assert "its dtype is 'float32', and here it is 'float16'" in said
    assert contents(tmp_path / "out") == before


def test_shards_make_the_whole(lines, tmp_path):
    encode(tmp_path / "whole", lines, "--part-size", 16)
    for index in (2, 0, 1):
        encode(tmp_path / "shards", lines, "--part-size", 16, "--shard", f"{index}/3")
    assert contents(tmp_path / "shards") == contents(tmp_path / "whole")
    rows = [np.load(path) for path in sorted((tmp_path / "whole").glob("*.npy"))]
    assert [len(part) for part in rows[:-1]] == [16] * (len(rows) - 1)
    assert sum(map(len, rows)) == len(LINES)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_broken_off_and_resumed(number, tmp_path):
    """At random moments, until it is done: the same bytes as in one go."""
    moments = random.Random(SEED)
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES * 4) + "{}\n")
    arguments = ["encode", path, "--model", MODEL, "--part-size", "150", "--precision", "int8",
                 "--on-error", "skip"]  # fmt: skip
    assert run(*arguments, "-o", tmp_path / "whole").returncode == 0
    stopped = 0
    for attempt in range(100):
        process = subprocess.Popen(
            [BINARY, *map(str, arguments), "-o", tmp_path / "out"], cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            # A shell starts what it puts into the background with the interrupt ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        try:
            process.wait(timeout=moments.uniform(0.05, 0.05 + 0.1 * (attempt + 1)))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            stopped += process.wait(timeout=60) != 0
            assert process.returncode in (0, 130, -number)
        for part in (tmp_path / "out").glob("part*.npy"):
            assert part.read_bytes() == (tmp_path / "whole" / part.name).read_bytes()
        if process.returncode == 0:
            break
    assert stopped > 2
    found = contents(tmp_path / "out")
    # What was killed cannot take its unfinished files along; they are used up by the next run.
    assert found == contents(tmp_path / "whole")


def test_memory_does_not_grow_with_the_input(tmp_path):
    peaks = []
    for count in (3_000, 20_000):
        path = tmp_path / f"{count}.txt"
        path.write_text("a fish\n" * count)
        done, peak = run_measured(
            "encode", path, "-o", tmp_path / f"{count}", "--model", MODEL, "--precision", "int8"
        )
        assert done.returncode == 0, done.stderr
        peaks.append(peak / 2**20)
    assert peaks[1] < peaks[0] + 16, peaks


def test_progress_on_a_terminal(tmp_path):
    """A line that is written over, with the share done and the time left."""
    path = tmp_path / "texts.txt"
    path.write_text("a fish\n" * 6_000)
    said = said_on_a_terminal("encode", path, "-o", tmp_path / "out", "--model", MODEL, "--precision", "int8")
    shown = re.findall(r"\r(\d+) records, \d+ tokens/s, (\d+) %, (\d+):(\d\d):(\d\d) left", said)
    assert len(shown) > 1 and [int(line[0]) for line in shown] == sorted(int(line[0]) for line in shown)


def test_progress_in_a_log_is_plain(lines, tmp_path):
    said = encode(tmp_path / "out", lines)
    assert "\r" not in said and "\x1b" not in said
    assert f"{len(LINES)} records" in said and "parts written: 1" in said


# MARK: - With a service


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output-key", "default,sentence_embedding", "--format", "safetensors"],
        ["--output-key", "sequence_output,encoder_outputs", "--layers", "3,-1", "--format", "jsonl"],
        ["--output-key", "sequence_output", "--seq-length", "32"],
    ],
)
def test_a_service_makes_the_same_files(server, lines, tmp_path, arguments):
    encode(tmp_path / "here", lines, *arguments)
    run_there = ["encode", lines, "-o", tmp_path / "there", "--server", server.url, *arguments]
    done = run(*run_there)
    assert done.returncode == 0, done.stderr
    here, there = contents(tmp_path / "here"), contents(tmp_path / "there")
    here.pop("job.json"), there.pop("job.json")
    assert here == there


def test_a_service_at_an_ipv6_address(tmp_path, log):
    with Server("--host", "::1", log=log) as server:
        assert server.url.startswith("http://[::1]:")
        done = run("encode", "-o", tmp_path / "out", "--server", server.url + "/", standard_input="a\n")
    assert done.returncode == 0, done.stderr


def test_a_service_over_tls(server, lines, tmp_path, log):
    """Its certificate is verified: its authority, and that it is this host's."""
    encode(tmp_path / "here", lines)
    certificate = CERTIFICATES / "server.pem"
    flags = ["--tls-certificate", certificate, "--tls-key", certificate.with_suffix(".key")]
    with Server(*flags, log=log) as secure:
        for name, trusted, words in [
            ("localhost", certificate, ""),
            ("127.0.0.1", certificate, ""),
            # The same address, under a name that is not in the certificate.
            ("127.1", certificate, "hostname mismatch"),
            ("localhost", CERTIFICATES / "other.pem", "self-signed certificate"),
        ]:
            done = subprocess.run(
                [BINARY, "encode", lines, "-o", tmp_path / name, "--server", f"https://{name}:{secure.port}"],
                env={**os.environ, "SSL_CERT_FILE": str(trusted)}, capture_output=True, text=True,
            )  # fmt: skip
            assert (done.returncode == 1) == bool(words), done.stderr
            assert words in done.stderr and ("SSL_CERT_FILE" in done.stderr) == bool(words)
    for name in ("localhost", "127.0.0.1"):
        theirs, ours = contents(tmp_path / name), contents(tmp_path / "here")
        assert theirs["part-00000.npy"] == ours["part-00000.npy"]


def test_a_service_names_the_bad_record(server, tmp_path):
    texts = "".join("a fish\n" for _ in range(40)) + "a fish " * 600 + "\n" + "a fish\n"
    arguments = ["--truncate", "error", "--on-error", "skip", "--server", server.url]
    done = run("encode", "-o", tmp_path / "out", *arguments, standard_input=texts)
    assert done.returncode == 0 and "standard input:41: left out: " in done.stderr, done.stderr
    assert np.load(tmp_path / "out" / "part-00000.npy").shape == (41, 384)


def test_a_service_that_is_full_and_dies(lines, tmp_path, log):
    """429s are asked again, and so is what was lost with a process that another one follows."""
    encode(tmp_path / "here", lines)
    flags = ["--max-queue-tokens", "1024", "--max-batch-tokens", "1024"]
    with Server(*flags, log=log) as first:
        process = subprocess.Popen(
            [BINARY, "encode", lines, "-o", tmp_path / "there", "--server", first.url,
             "--concurrency", "64"], stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not (tmp_path / "there").exists():
            assert process.poll() is None, process.stderr.read()
        first.process.kill()
        first.process.wait()
        with Server(*flags, port=first.port, log=log) as second:
            assert process.wait(120) == 0, process.stderr.read()
            refused = re.search(r"^bert_rejected_requests_total (\d+)", second.get("/metrics").text, re.M)
    assert int(refused[1]) > 0, "its queue was never full"
    assert contents(tmp_path / "there")["part-00000.npy"] == contents(tmp_path / "here")["part-00000.npy"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--server", "ftp://localhost"], "--server takes http://HOST:PORT or https://HOST:PORT"),
        (["--server", "http://localhost:x"], "has no host and port"),
        (["--server", "http://127.0.0.1:1", "--precision", "int8"], "are the service's own"),
    ],
)
def test_a_service_that_cannot_be_asked(arguments, words, tmp_path):
    result = run("encode", "-o", tmp_path / "out", *arguments, standard_input="a\n")
    assert result.returncode != 0 and words in result.stderr, result.stderr


@pytest.mark.parametrize("arguments", [["encode", "-o", "out"], ["bench"]])
@pytest.mark.parametrize("threads", ["1025", "-1", "99999999"])
def test_too_many_threads(arguments, threads):
    refused = run(*arguments, "--model", MODEL, f"--threads={threads}")
    assert refused.returncode == 64 and f"--threads is 0 to 1024, not {threads}" in refused.stderr


def test_threads_that_the_system_does_not_have():
    """Each reserves its stack."""
    limit = 3 << 30
    refused = subprocess.run(
        [BINARY, "serve", "--model", MODEL, "--port", "0", "--threads", "1024"], cwd=ROOT, capture_output=True,
        text=True, timeout=PATIENCE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert refused.returncode == 1 and "of 1024 compute threads" in refused.stderr, refused.stderr
