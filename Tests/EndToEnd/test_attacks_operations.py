"""What happens round the server: files change, logs are not read, signals come, a thread stands still."""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import time

import numpy as np
import pytest
import safetensors.numpy

from attacks import HONEST, LIVE, ask, at_once, connect, read_answer, request, serves
from server import MODEL, PATIENCE, Server, bits
from test_observability import counts
from test_tls import wait_for

EMBEDDINGS = "embeddings.word_embeddings.weight"


@pytest.fixture
def folder(tmp_path):
    """A copy of the default model that may be spoiled."""
    shutil.copytree(MODEL, tmp_path / "model")
    return tmp_path / "model"


def word_id(word):
    return (MODEL / "vocab.txt").read_text().splitlines().index(word)


def row_of(path, word):
    """Where a word's embedding stands in the file, and how many bytes it has."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        tensor = json.loads(file.read(length))[EMBEDDINGS]
    size = tensor["shape"][1] * (4 if tensor["dtype"] == "F32" else 2)
    return 8 + length + tensor["data_offsets"][0] + word_id(word) * size, size


def overwrite(path, offset, data):
    """In place: the file keeps its number and its length."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


# Files


def test_a_model_rewritten_in_place(folder, tmp_path):
    """Answers stay what they were, bit for bit, or readiness is withdrawn; the log names the file."""
    path, log_path = folder / "model.safetensors", tmp_path / "server.log"
    with log_path.open("w") as log, Server(model=folder, log=log) as server:
        expected = server.tensors(["a fish", "a bicycle"])["default"]
        for word in ("fish", "bicycle"):
            offset, size = row_of(path, word)
            overwrite(path, offset, np.full(size // 4, 3.0, np.float32).tobytes())
        response = server.post(["a fish", "a bicycle"], format="safetensors")
        if response.status_code == 200:
            found = safetensors.numpy.load(response.content)["default"]
            assert np.array_equal(bits(found), bits(expected))
        else:
            assert server.get("/health/ready").status_code == 503
        wait_for(lambda: "model.safetensors" in log_path.read_text())
        assert server.get("/health/live").status_code == 200


@pytest.mark.parametrize("kept", [0, 4096, 20_000_000])
def test_a_model_cut_in_place(folder, log, kept):
    """The process lives on, and answers as before or not at all."""
    with Server(model=folder, log=log) as server:
        expected = server.tensors(["a fish", "zebra"])["default"]
        os.truncate(folder / "model.safetensors", kept)
        words = (MODEL / "vocab.txt").read_text().splitlines()[2000:30000:400]
        for text in ["a fish", *words]:
            status, _, answer = ask(server, request("POST", "/encode", json.dumps(text)))
            assert server.process.poll() is None, f"ended with {server.process.returncode}"
            assert status in (200, 503), answer
        response = server.post(["a fish", "zebra"], format="safetensors")
        if response.status_code == 200:
            assert np.array_equal(bits(safetensors.numpy.load(response.content)["default"]), bits(expected))


# Numbers


@pytest.fixture
def poisoned(folder, log):
    """A model whose embedding of `fish` is NaN, and passes that wait for company."""
    path = folder / "model.safetensors"
    offset, size = row_of(path, "fish")
    overwrite(path, offset, np.full(size // 4, np.nan, np.float32).tobytes())
    with Server("--batch-max-wait-ms", 300, model=folder, log=log) as running:
        yield running


@pytest.mark.parametrize("key", ["default", "sequence_output", "sentence_embedding", "encoder_outputs"])
def test_a_nan_is_its_own_texts_alone(poisoned, key):
    texts = ["a bicycle", "a fish", "a river and a glacier", "the lantern", "fish", "quietly"]
    path = f"/encode?output_key={key}&format=base64"
    bodies = [request("POST", path, json.dumps(text)) for text in texts]
    alone = [ask(poisoned, body) for body in bodies]
    for _ in range(5):
        together = at_once(len(bodies), lambda number: ask(poisoned, bodies[number]))
        for text, (status, _, answer), (_, _, expected) in zip(texts, together, alone, strict=True):
            assert status == (500 if "fish" in text else 200), f"{text}: {status} {answer[:200]}"
            assert "fish" in text or answer == expected
    assert ask(poisoned, LIVE)[0] == 200


def test_a_nan_in_a_stream_is_its_own_lines_alone(poisoned):
    texts = ["a bicycle", "a fish", "a river", "the lantern"]
    body = "\n".join(map(json.dumps, texts))
    status, _, answer = ask(poisoned, request("POST", "/encode?format=base64", body, "application/x-ndjson"))
    lines = [json.loads(line) for line in answer.splitlines()]
    assert status == 200 and len(lines) == len(texts)
    assert ["error" in line for line in lines] == [False, True, False, False]


# Logs


@contextlib.contextmanager
def full_pipe():
    """A pipe that holds no byte more: its ends."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x")
        os.set_blocking(writing, True)
        yield reading, writing
    finally:
        os.close(reading)
        with contextlib.suppress(OSError):
            os.close(writing)


@pytest.mark.parametrize("flags", [[], ["--log-level", "trace"], ["--log-level", "trace", "--log-format", "json"]])
def test_a_log_that_nobody_reads(flags):
    """Every request has its answer, the stop its exit status; who reads again gets the lines that were kept."""
    with full_pipe() as (reading, writing):
        server = Server(*flags, log=writing)
        os.close(writing)
        try:
            server.wait_until_ready()
            for _ in range(300):
                status, _, _ = ask(server, request("POST", "/encode?timeout_ms=1", '["a fish"]'), 30)
                assert status in (200, 504)
                assert ask(server, LIVE, 30)[0] == 200
            serves(server, 30)
            told = b""
            if flags:
                os.set_blocking(reading, False)
                deadline = time.monotonic() + 30
                while b"/encode" not in told and time.monotonic() < deadline:
                    with contextlib.suppress(BlockingIOError):
                        told += os.read(reading, 65536)
                    ask(server, LIVE, 30)
                    time.sleep(0.05)
                assert b"/encode" in told
            server.session.close()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(60) == 0
        finally:
            server.process.kill()
            server.process.wait()
            server.process.stdout.close()


def test_a_clients_own_deadline_is_no_error_of_ours(tmp_path):
    path = tmp_path / "log"
    with path.open("w") as log, Server(log=log) as server:
        before = path.read_text()
        for _ in range(20):
            assert ask(server, request("POST", "/encode?timeout_ms=1", json.dumps(["a fish " * 200] * 50)))[0] == 504
        assert path.read_text() == before


def test_an_identifier_is_logged_as_it_came(tmp_path):
    names = ["007", "1e3", "-0", "0x10", "true", "null", "1.0", "12345678901234567890", '{"a":1}', '"', "[]"]
    path = tmp_path / "log"
    with path.open("w") as log, Server("--log-level", "debug", "--log-format", "json", log=log) as server:
        for name in names:
            fields = f"X-Request-Id: {name}\r\n"
            status, answered, _ = ask(server, request("POST", "/encode", '["a"]', fields=fields))
            assert status == 200 and answered["X-Request-Id"] == name
        assert server.get("/health/live").status_code == 200
    found = [json.loads(line).get("id") for line in path.read_text().splitlines()]
    assert [name for name in names if name not in [each for each in found if isinstance(each, str)]] == []


def test_refused_requests_are_logged_and_counted(tmp_path):
    """One line and one count each: no route, no method, no type, no key, too large, left before the answer."""
    path, key = tmp_path / "log", tmp_path / "keys"
    key.write_text("secret-key\n")
    flags = ["--log-level", "debug", "--log-format", "json", "--api-key-file", key, "--max-body-bytes", 10_000]
    with path.open("w") as log, Server(*flags, log=log) as server:
        server.session.headers["Authorization"] = "Bearer secret-key"
        fields = "Authorization: Bearer secret-key\r\nX-Request-Id: {}\r\n"
        asked = {
            "missing": (404, request("GET", "/nowhere", fields=fields)),
            "method": (405, request("PUT", "/encode", "{}", fields=fields)),
            "type": (415, request("POST", "/encode", "a", "image/png", fields)),
            "coding": (415, request("POST", "/encode", "a", "text/plain", fields + "Content-Encoding: br\r\n")),
            "denied": (401, request("POST", "/encode", '["a"]', fields=fields.replace("secret-key", "other-key"))),
            "many": (422, request("POST", "/encode", "[]", fields=fields)),
        }
        # Counted by their status alone: they never became requests.
        broken = {
            "large": (413, request("POST", "/encode", "a" * 10_001, fields=fields)),
            "host": (400, request("GET", "/encode", fields=fields + "Host: b\r\n")),
        }
        before = total_requests(server)
        for name, (status, data) in {**asked, **broken}.items():
            assert ask(server, data.replace(b"{}\r\n", name.encode() + b"\r\n"))[0] == status, name
        # Who is gone while the answer is made.
        long = json.dumps(["a fish " * 200] * 50)
        with connect(server) as connection:
            connection.sendall(request("POST", "/encode", long[:9999], "text/plain", fields.replace("{}", "gone")))
        wait_for(lambda: total_requests(server) - before >= len(asked) + 1)

        def lines():
            return [json.loads(line) for line in path.read_text().splitlines()]

        for name, (status, _) in {**asked, **broken}.items():
            wait_for(lambda name=name: [line for line in lines() if line.get("id") == name])
            [line] = [line for line in lines() if line.get("id") == name]
            assert (line["message"], line["status"], "failure" in line) == ("request", status, name in broken)
        wait_for(lambda: [line for line in lines() if line.get("id") == "gone"])
        [gone] = [line for line in lines() if line.get("id") == "gone"]
        assert gone["message"] == "request" and gone["route"] == "/encode"


def total_requests(server):
    """All requests but those for this."""
    return sum(
        value
        for (name, *labels), value in counts(server).items()
        if name == "bert_http_requests_total" and ("route", "/metrics") not in labels
    )


# Signals


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM"])
def test_signals_that_are_no_stop(name, log):
    with Server(log=log) as server:
        for _ in range(3):
            server.process.send_signal(getattr(signal, name))
            time.sleep(0.1)
            assert server.encode(["a fish"])["lengths"] == [4]
        assert server.get("/health/ready").status_code == 200


def test_hangup_reads_keys_and_certificates_again(tmp_path, log):
    keys = tmp_path / "keys"
    keys.write_text("old-key-1\n")
    with Server("--api-key-file", keys, log=log) as server:
        def status(key):
            return server.post(["a"], headers={"Authorization": f"Bearer {key}"}).status_code

        assert (status("old-key-1"), status("new-key-1")) == (200, 401)
        keys.write_text("new-key-1\n")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: (status("old-key-1"), status("new-key-1")) == (401, 200))


# Threads


LIBC = ctypes.CDLL(None, use_errno=True)
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17


def stop_thread(thread):
    """Holds one thread of a process still, as a debugger does; False if this is not allowed."""
    if LIBC.ptrace(SEIZE, thread, None, None) != 0:
        return False
    LIBC.ptrace(INTERRUPT, thread, None, None)
    os.waitpid(thread, 0x40000000)  # __WALL
    return True


def busiest_threads(server, work):
    """The threads that took most time for some work."""

    def ticks():
        found = {}
        for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
            found[int(task.name)] = int(fields[11]) + int(fields[12])
        return found

    before = ticks()
    work()
    return [thread for thread, count in ticks().items() if count - before.get(thread, 0) >= 20]


def test_readiness_is_withdrawn_when_nothing_is_answered(log):
    """The threads that encode stand still; requests wait; readiness says no until they go on."""
    with Server("--request-timeout-seconds", 600, log=log) as server:
        texts = json.dumps(["a fish rides a bicycle " * 20] * 300)
        threads = busiest_threads(server, lambda: ask(server, request("POST", "/encode", texts)))
        assert threads
        held = []
        # The same thread must trace, be waited for and detach.
        for thread in threads:
            if not stop_thread(thread):
                pytest.skip("threads cannot be traced here")
            held.append(thread)
        try:
            waiting = [connect(server) for _ in range(4)]
            for connection in waiting:
                connection.sendall(HONEST)
            assert ask(server, LIVE, 30)[0] == 200
            deadline = time.monotonic() + PATIENCE
            while ask(server, request("GET", "/health/ready"), 30)[0] != 503:
                assert time.monotonic() < deadline, "ready, though nothing is answered"
                time.sleep(0.2)
        finally:
            for thread in held:
                LIBC.ptrace(DETACH, thread, None, None)
        for connection in waiting:
            assert read_answer(connection)[0] == 200
            connection.close()
        wait_for(lambda: ask(server, request("GET", "/health/ready"))[0] == 200)
