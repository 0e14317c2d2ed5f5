"""Health, information, metrics, commands, settings, signals."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

import control_group
import tokens
from server import BINARY, BLOCKS, HIDDEN_SIZE, MODEL, PATIENCE, Server, run
from texts import SEED, SEED_TOKENS

# Routes


def test_first_line_names_the_port(server):
    assert server.first_line == f"listening on http://127.0.0.1:{server.port}\n"
    assert server.port != 0


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health"])
def test_health(server, path):
    response = server.get(path)
    assert response.status_code == 200
    if path != "/health/live":
        assert response.json()["status"] == "ready"
    head = server.session.head(server.url + path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == response.headers["Content-Length"]


# A server that stops closes idle connections: the next request goes over a new one.
ALONE = {"Connection": "close"}


def test_health_while_draining(log):
    """Live and still serving, but not ready; the connection is told to close; exit status 0."""
    with Server(drain_seconds=2, log=log) as server:
        server.session.close()
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while (response := server.get("/health/ready", headers=ALONE)).status_code == 200:
            assert time.monotonic() < deadline
        assert response.status_code == 503
        assert response.json()["status"] == "draining"
        assert server.get("/health/live", headers=ALONE).status_code == 200
        served = server.post([SEED])
        assert served.status_code == 200
        assert served.headers["Connection"].lower() == "close"
        assert server.process.wait(PATIENCE) == 0


def test_info(server):
    text = server.get("/info").text
    information = json.loads(text)
    for word in ["all-MiniLM-L6-v2", "float32", '"version"', "kernel", "threads", "limit"]:
        assert word in text
    numbers = set(numbers_in(information))
    assert {BLOCKS, HIDDEN_SIZE, 512, 256} <= numbers


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for each in value for number in numbers_in(each)]
    return [value] if isinstance(value, int) else []


def metrics(server):
    response = server.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    return list(text_string_to_metric_families(response.text))


def test_metrics(server):
    families = metrics(server)
    assert families
    for family in families:
        assert family.name.startswith(("te_", "bert_", "process_")), family.name
        assert family.documentation, family.name
        assert family.type != "unknown", family.name
    before = total(families)
    for _ in range(5):
        server.encode([SEED])
    after = total(metrics(server))
    assert sum(after.get(name, 0) >= before.get(name, 0) + 5 for name in after) >= 1


def total(families):
    """Every counter's sum over its labels."""
    return {
        sample.name: sum(each.value for each in family.samples if each.name == sample.name)
        for family in families
        for sample in family.samples
        if sample.name.endswith(("_total", "_count"))
    }


# Commands


def test_healthcheck(server):
    there = run("healthcheck", environment={"BERT_SERVER_PORT": str(server.port)})
    assert there.returncode == 0, there.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = run("healthcheck", environment={"BERT_SERVER_PORT": str(free.getsockname()[1])})
    assert gone.returncode != 0


def test_inspect():
    shown = run("inspect", MODEL)
    assert shown.returncode == 0, shown.stderr
    for word in ["384", "512", "30522", "pooled_output", "sentence_embedding", "safetensors"]:
        assert word in shown.stdout


def test_tokenize(tokenizer):
    text = "Goldfish ride bicycles, unbelievably! 中"
    shown = run("tokenize", "--model", MODEL, text)
    assert shown.returncode == 0, shown.stderr
    assert run("tokenize", "--model", MODEL, standard_input=text).stdout == shown.stdout
    encoding = tokens.encode(tokenizer, text)
    lines = shown.stdout.splitlines()
    assert len(lines) >= len(encoding)
    for identifier, token in zip(encoding.ids, encoding.tokens, strict=True):
        assert any(str(identifier) in line and token in line for line in lines)


@pytest.mark.parametrize("command", [[], ["serve"], ["inspect"], ["tokenize"], ["healthcheck"]])
def test_help(command):
    shown = run(*command, "--help")
    assert shown.returncode == 0
    assert "USAGE" in shown.stdout


def test_bench():
    shown = run("bench", "--model", MODEL, "--rounds", 1, "--json", timeout=10 * PATIENCE)
    assert shown.returncode == 0, shown.stderr
    speeds = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(speeds) == 5
    for speed in speeds:
        assert speed["tokens_per_second"] * speed["seconds"] == pytest.approx(speed["tokens"])
        assert speed["flops"] / speed["peak_flops"] == pytest.approx(speed["share"])
        assert speed["bound_seconds"] >= speed["reading_seconds"] > 0


def test_bench_compares_precisions(tmp_path):
    texts = tmp_path / "texts"
    texts.write_bytes(b"one text\r\n\r\nand another of a few more words\n")
    command = ["bench", "--model", MODEL, "--rounds", 1, "--shapes", "1x8,2x16", "--texts", texts]
    shown = run(*command, "--compare-precisions", "--json", timeout=10 * PATIENCE)
    assert shown.returncode == 0, shown.stderr
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [row["precision"] for row in rows] == ["float32", "bfloat16", "int8"]
    assert [list(row["tokens_per_second"]) for row in rows] == 3 * [["1 x 8", "2 x 16", "2 lines of the file"]]
    for key in ("pooled_output", "sentence_embedding"):
        worst = [row["cosine_with_float32"][key]["worst"] for row in rows]
        assert worst[0] == pytest.approx(1, abs=1e-12)
        assert 1 > worst[1] > worst[2] > 0.99
    sizes = [row["weight_bytes"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    table = run(*command, "--compare-precisions", timeout=10 * PATIENCE).stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == ["precision", "float32", "bfloat16", "int8"]
    assert f" {sizes[2] / 1e6:.1f} MB" in table[4]

    refused = run(*command, "--compare-precisions", "--precision", "int8")
    assert refused.returncode == 64
    assert "--precision" in refused.stderr


# Settings


@pytest.mark.parametrize(
    ("flags", "environment", "words"),
    [
        (["--prot", "9000"], {}, ["prot"]),
        (["--port", "99999"], {}, ["port", "99999"]),
        (["--threads", "many"], {}, ["threads", "many"]),
        (["--kernels", "abacus"], {}, ["abacus", "scalar"]),
        (["--precision", "int3"], {}, ["precision", "int3", "float32"]),
        ([], {"BERT_SERVER_PROT": "9000"}, ["BERT_SERVER_PROT"]),
        ([], {"BERT_SERVER_MAX_TEXTS": "-1"}, ["BERT_SERVER_MAX_TEXTS", "-1"]),
        (["--config", "/nowhere/settings.json"], {}, ["/nowhere/settings.json"]),
    ],
)
def test_bad_settings_stop_the_start(flags, environment, words):
    ended = run("serve", "--port", "0", *flags, environment=environment)
    assert ended.returncode not in (0, None) and ended.returncode > 0
    assert "listening" not in ended.stdout
    for word in words:
        assert word in ended.stderr


def test_every_setting_is_a_flag(log):
    """Each row of the table, given as a flag with its default, starts the server."""
    rows = re.findall(r"^\| `\w+` \| `(--[a-z-]+)` \| `\w+` \| `(.*?)` \|", run("settings", "--markdown").stdout, re.M)
    assert len(rows) > 20
    given = {flag: value for flag, value in rows if flag not in ("--port", "--drain-seconds", "--model")}
    assert len(given) == len(rows) - 3
    with Server(*(word for pair in given.items() for word in pair), log=log) as server:
        assert server.encode([SEED])["lengths"] == [SEED_TOKENS]


def test_bad_file(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"prot": 9000}')
    ended = run("serve", "--config", path)
    assert ended.returncode > 0
    assert "prot" in ended.stderr and str(path) in ended.stderr


def test_file_under_environment_under_flags(tmp_path, log):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"max_texts": 2, "max_tokens": 5, "threads": 1}))
    environment = {"BERT_SERVER_MAX_TOKENS": "6", "BERT_SERVER_MAX_TEXTS": "3"}
    flags = ["--config", path, "--max-texts", 4]
    with Server(*flags, environment=environment, log=log) as server:
        assert server.encode([SEED] * 4)["lengths"] == [6] * 4
        assert server.post([SEED] * 5).status_code == 422


# Models


@pytest.mark.parametrize(("megabytes", "is_enough"), [(64, False), (100, False), (256, True)])
def test_memory_limit(tmp_path, megabytes, is_enough):
    """One too small for the model ends the start with a message; no OOM kill under load."""
    with contextlib.ExitStack() as stack:
        try:
            enter = stack.enter_context(control_group.memory_limit(megabytes << 20))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        arguments = ["serve", "--port", "0", "--model", MODEL, "--threads", "2", "--drain-seconds", "0"]
        process = subprocess.Popen(
            [BINARY, *arguments], preexec_fn=enter, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            told = process.stderr.readline()
            if is_enough:
                process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == (0 if is_enough else 1), told
        finally:
            process.kill()
            process.communicate()
        assert ("ready" if is_enough else f"{MODEL} cannot be served: it needs 1") in told


def test_no_model(tmp_path):
    ended = run("serve", "--port", "0", "--model", tmp_path / "nothing")
    assert ended.returncode > 0
    assert str(tmp_path / "nothing") in ended.stderr


@pytest.mark.parametrize(
    ("file", "bytes_kept"), [("config.json", 300), ("vocab.txt", 300), ("model.safetensors", 10**7)]
)
def test_broken_model(tmp_path, file, bytes_kept):
    """Cut off in the middle: the start ends with a message that names the file."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    # Without tokenizer.json the vocabulary is vocab.txt's.
    (folder / "tokenizer.json").unlink()
    os.truncate(folder / file, bytes_kept)
    for command in (["serve", "--port", "0", "--model", folder], ["inspect", folder]):
        ended = run(*command)
        assert ended.returncode > 0, ended.stdout
        assert file in ended.stderr
        assert "Fatal error" not in ended.stderr


# Signals


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_it_in_peace(first, log):
    with Server(log=log) as server:
        server.process.send_signal(first)
        assert server.process.wait(PATIENCE) == 0


def test_a_second_signal_ends_it_at_once(log):
    with (
        Server("--header-timeout-seconds", 600, drain_seconds=600, log=log) as server,
        socket.create_connection((server.host, server.port)) as connection,
    ):
        connection.sendall(b"GET /health HTTP/1.1\r\n")  # half a request keeps it waiting
        server.session.close()
        server.process.send_signal(signal.SIGTERM)
        while server.get("/health/ready", headers=ALONE).status_code == 200:
            pass
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) > 0


def test_port_in_use(server):
    ended = run("serve", "--model", MODEL, "--port", server.port)
    assert ended.returncode > 0
    assert str(server.port) in ended.stderr


def test_linkage(capsys):
    """Foundation's ICU is 40 MB: whatever is linked statically must not bring it along."""
    libraries = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    is_static = "libswiftCore" not in libraries
    size = BINARY.stat().st_size / 1e6
    with capsys.disabled():
        print(f"\n{BINARY.name}: {size:.1f} MB, Swift {'inside' if is_static else 'beside it'}")
    if is_static:
        assert "ICU" not in libraries
        assert b"icudt" not in BINARY.read_bytes()
