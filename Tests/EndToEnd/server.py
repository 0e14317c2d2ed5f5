"""The real server in a process of its own, and small clients for it."""

import base64
import http.client
import io
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import requests
import safetensors.numpy

ROOT = pathlib.Path(__file__).parents[2]
MODEL = ROOT / "models" / "all-MiniLM-L6-v2"
BINARY = pathlib.Path(os.environ.get("BERT_SERVER", ".build/release/bert-server"))
CERTIFICATES = ROOT / "Tests" / "HTTPTests" / "Fixtures"
BINARY = BINARY if BINARY.is_absolute() else ROOT / BINARY

HIDDEN_SIZE = 384
BLOCKS = 6
# For what only a hang takes; a sanitizer's build is slow.
PATIENCE = 120


def run(*arguments, environment=None, standard_input="", timeout=PATIENCE):
    """A command of the server's binary, to its end."""
    return subprocess.run(
        [BINARY, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        input=standard_input,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


# A child's peak starts from its parent's, so a small process comes between.
PEAK = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def run_measured(*arguments):
    """As `run`, and the most bytes of memory that the command had."""
    command = [sys.executable, "-c", PEAK, BINARY, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    return done, int(done.stdout.split()[-1]) * 1024


def said_on_a_terminal(*arguments):
    """What a run that succeeds writes to a terminal as its standard error."""
    terminal, other = pty.openpty()
    process = subprocess.Popen([BINARY, *arguments], cwd=ROOT, stderr=other)
    os.close(other)
    said = b""
    while True:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    assert process.wait() == 0
    return said.decode()


class Server:
    """`bert-server serve` on a free port; a context that ends with SIGTERM and an exit status of 0."""

    def __init__(self, *flags, model=MODEL, port=0, drain_seconds=0, environment=None, log=None, before_exec=None):
        flags = ["--model", model, "--port", port, "--drain-seconds", drain_seconds, *flags]
        self.process = subprocess.Popen(
            [BINARY, "serve", *map(str, flags)],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=before_exec,
        )
        self.first_line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on (https?)://(.+):(\d+)\n", self.first_line)
        if not match:
            self.process.kill()
            raise AssertionError(f"the first line on standard output is {self.first_line!r}")
        self.host, self.port = match[2], int(match[3])
        self.url = f"{match[1]}://{self.host}:{self.port}"
        self.session = requests.Session()
        self.session.verify = CERTIFICATES / "server.pem"
        self.session.trust_env = False  # no proxy between us

    def __enter__(self):
        self.wait_until_ready()
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None and failure[0] is None:
            self.stop()
        else:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def wait_until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while self.get("/health/ready").status_code != 200:
            assert time.monotonic() < deadline, "the server does not become ready"
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0

    def get(self, path, **options):
        return self.session.get(self.url + path, timeout=PATIENCE, **options)

    def post(self, body, path="/encode", content_type="application/json", headers=None, **parameters):
        """`body`: bytes or a text as it goes over the wire, or whatever JSON can say."""
        headers = {"Content-Type": content_type, **(headers or {})}
        is_raw = isinstance(body, bytes) or content_type != "application/json"
        content = {"data": body.encode() if isinstance(body, str) else body} if is_raw else {"json": body}
        return self.session.post(
            self.url + path, params=parameters, headers=headers, timeout=PATIENCE, **content
        )

    def encode(self, body, **options):
        """The answer of /encode, which must be a good one, as JSON."""
        response = self.post(body, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def tensors(self, body, **options):
        """The output map as arrays, by way of safetensors."""
        response = self.post(body, format="safetensors", **options)
        assert response.status_code == 200, response.text
        return safetensors.numpy.load(response.content)


    def raw_response(self, request):
        """One response to raw bytes: status, headers, body."""
        with socket.create_connection((self.host, self.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, response.headers, response.read()


def from_base64(text, shape, dtype=np.dtype("<f4")):
    return np.frombuffer(base64.b64decode(text, validate=True), dtype).reshape(shape)


def from_npy(content):
    return np.load(io.BytesIO(content), allow_pickle=False)


def to_bfloat16(numbers):
    """The upper halves of the float32s, rounded to nearest, ties to even."""
    whole = bits(numbers)
    return ((whole + 0x7FFF + (whole >> 16 & 1)) >> 16).astype("<u2")


def bits(numbers):
    """float32's bit patterns, so that equal means the same bit for bit."""
    return np.ascontiguousarray(numbers, np.float32).view(np.uint32)
