#!/usr/bin/env python3
"""Our server beside others under wrk, in turns; prints JSON lines and Markdown.

    bench_servers.py --server BINARY --models FOLDER --hummingbird BINARY [--rounds 5]

One short text a request (embed), mixed texts against `bench` (share), every protocol against
/encode for the same texts and vectors (protocols), /health/live (http). The client runs on the same
cores as the server.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import shapes
from bench_peers import json_lines

HERE = pathlib.Path(__file__).parent

MODEL = "all-MiniLM-L6-v2"
PRECISIONS = ["float32", "bfloat16", "int8"]
PEERS = {"onnxruntime": ["float32", "int8"], "openvino": PRECISIONS}
CONNECTIONS = [1, 8, 64]
SECONDS = 5


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """A server until the end of the block, which begins when it answers anything but 503."""

    def __init__(self, command, port, environment=None, folder=None):
        self.command, self.folder = list(map(str, command)), folder
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {**os.environ, **(environment or {})}
        self.environment.pop("OPENBLAS_CORETYPE", None)  # see bench_peers.json_lines

    def __enter__(self):
        start = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            self.command, env=self.environment, cwd=self.folder, **quiet
        )
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > start + 120:
                raise SystemExit(f"bench_servers.py: does not answer: {self.command}")
            time.sleep(0.002)
        self.ready_seconds = time.monotonic() - start
        return self

    def answers(self):
        try:
            urllib.request.urlopen(f"{self.url}/health/ready").close()
        except urllib.error.HTTPError as error:
            return error.code != 503
        except OSError:
            return False
        return True

    def peak_megabytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def wrk(url, connections, bodies=None, seconds=SECONDS):
    """Requests a second, p50 and p99 in ms."""
    environment = {**os.environ, **({"BODIES": str(bodies)} if bodies else {})}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", HERE / "wrk.lua", url],
        env=environment, capture_output=True, text=True, check=True,
    )
    line = json.loads(done.stdout.splitlines()[-1])
    if line["errors"]:
        raise SystemExit(f"bench_servers.py: {line['errors']} errors from {url}")
    return line


WORDS = (
    "the a of to and in that it is was for on with as at by from river window paper tax engine "
    "winter market stone yellow bicycle goldfish violin harbour lantern antique glacier plankton"
).split()


def make_texts(lengths):
    """Texts of about so many tokens: nearly all of these words are one, and two frame a text."""
    random = shapes.Random()
    return [
        " ".join(WORDS[random.next() % len(WORDS)] for _ in range(length - 2)) for length in lengths
    ]


def body_file(folder, name, lines, make):
    path = pathlib.Path(folder) / name
    path.write_text("".join(json.dumps(make(line)) + "\n" for line in lines))
    return path


class Bench:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.model = arguments.models / MODEL
        self.threads = 2
        self.results = collections.defaultdict(list)
        short = make_texts([16] * 64)
        self.short = body_file(folder, "short.jsonl", short, lambda text: {"inputs": text})
        self.mixed_file = pathlib.Path(folder) / "mixed.txt"
        random = shapes.Random()
        mixed = make_texts([shapes.mixed_length(random, 256) for _ in range(256)])
        self.mixed_file.write_text("".join(text + "\n" for text in mixed))
        self.mixed = body_file(folder, "mixed.jsonl", mixed, lambda text: {"text": text})

    def add(self, **figures):
        print(json.dumps(figures), flush=True)
        key = tuple(figures[name] for name in ("part", "server", "precision", "connections"))
        self.results[key].append(figures)

    def ours(self, precision):
        port = free_port()
        command = [self.arguments.server, "serve", "--model", self.model, "--port", port]
        command += ["--host", "127.0.0.1", "--precision", precision, "--threads", self.threads]
        return Served(command, port)

    def theirs(self, peer, precision):
        port = free_port()
        environment = {"PEER": peer, "PRECISION": precision, "FOLDER": str(self.model.resolve())}
        environment |= {"THREADS": str(self.threads), "OMP_NUM_THREADS": str(self.threads)}
        command = [sys.executable, "-m", "uvicorn", "peer_server:app", "--port", port]
        command += ["--log-level", "error", "--no-access-log"]
        return Served(command, port, environment, HERE)

    def embed(self, precision):
        servers = {"bert-server": self.ours(precision)}
        servers |= {
            f"FastAPI, {peer}": self.theirs(peer, precision)
            for peer, precisions in PEERS.items()
            if precision in precisions
        }
        for name, server in servers.items():
            with server:
                names = {"part": "embed", "server": name, "precision": precision}
                wrk(f"{server.url}/embed", 8, self.short, 1)
                for connections in CONNECTIONS:
                    line = wrk(f"{server.url}/embed", connections, self.short)
                    line["megabytes"] = server.peak_megabytes()
                    line["ready"] = server.ready_seconds
                    self.add(**names, connections=connections, **line)

    def share(self, precision):
        """Tokens over HTTP as a share of what bench encodes of the same texts, just before."""
        command = [self.arguments.server, "bench", "--json", "--rounds", "3", "--model", self.model]
        command += ["--shapes", "1x16", "--texts", self.mixed_file, "--precision", precision]
        lines, _ = json_lines(list(map(str, command)), self.threads)
        alone = [line for line in lines if "seconds" in line][-1]
        texts_a_second = len(self.mixed_file.read_text().splitlines()) / alone["seconds"]
        with self.ours(precision) as server:
            url = f"{server.url}/encode?output_key=pooled_output"
            wrk(url, 8, self.mixed, 1)
            line = wrk(url, 64, self.mixed, 2 * SECONDS)
        names = {"part": "share", "server": "bert-server", "precision": precision}
        self.add(**names, connections=64, share=line["rate"] / texts_a_second, **line)

    def protocols(self, precision):
        """Two texts a request by each protocol, as a share of /encode's just before and just after."""
        ways = {
            "/encode?output_key=sentence_embedding": lambda texts: {"texts": texts},
            "/embed": lambda texts: {"inputs": texts},
            "/v1/embeddings": lambda texts: {"input": texts, "model": MODEL},
            f"/v2/models/{MODEL}/infer": lambda texts: {
                "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": texts}],
                "outputs": [{"name": "sentence_embedding"}],
            },
            f"/v1/models/{MODEL}:predict": lambda texts: {
                "signature_name": "sentence_embedding",
                "instances": texts,
            },
        }
        texts = self.mixed_file.read_text().splitlines()
        pairs = list(zip(texts[::2], texts[1::2]))
        with self.ours(precision) as server:

            def rate(path, make):
                bodies = body_file(self.folder, "protocol.jsonl", pairs, make)
                return wrk(server.url + path, 64, bodies)

            [(first, make_first), *others] = ways.items()
            rate(first, make_first)
            before = rate(first, make_first)
            for path, make in others:
                line, after = rate(path, make), rate(first, make_first)
                line["share"] = 2 * line["rate"] / (before["rate"] + after["rate"])
                before = after
                names = {"part": "protocols", "server": path, "precision": precision}
                self.add(**names, connections=64, **line)

    def http(self, folder):
        port = free_port()
        (pathlib.Path(folder) / "nginx.conf").write_text(NGINX.replace("PORT", str(port)))
        nginx = ["nginx", "-p", folder, "-c", "nginx.conf", "-g", "daemon off;"]
        other = free_port()
        servers = {
            "bert-server": self.ours("float32"),
            "nginx": Served(nginx, port),
            "Hummingbird": Served([self.arguments.hummingbird, other], other),
        }
        for name, server in servers.items():
            with server:
                for connections in (1, 64):
                    line = wrk(f"{server.url}/health/live", connections, seconds=3)
                    names = {"part": "http", "server": name, "precision": "-"}
                    self.add(**names, connections=connections, **line)

    def table(self):
        heads = [*(f"{count} connections" for count in CONNECTIONS), "peak memory; ready"]
        print("\n| | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads))
        for name in dict.fromkeys(key[:3] for key in self.results):
            cells = [self.cell((*name, connections)) for connections in CONNECTIONS]
            print(f"| {', '.join(name)} | " + " | ".join([*cells, self.resources(name)]) + " |")

    def cell(self, key):
        lines = self.results.get(key)
        if not lines:
            return "–"
        rates = [line["rate"] for line in lines]
        text = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
        text += f"; {statistics.median(line['p50'] for line in lines):.2f} ms"
        if "share" in lines[0]:
            other = "bench" if key[0] == "share" else "/encode"
            text += f"; {statistics.median(line['share'] for line in lines):.1%} of {other}"
        return text


    def resources(self, name):
        lines = self.results.get((*name, CONNECTIONS[-1]))
        if not lines or "ready" not in lines[0]:
            return "–"
        megabytes = statistics.median(line["megabytes"] for line in lines)
        return f"{megabytes:.0f} MB; {statistics.median(line['ready'] for line in lines):.2f} s"


NGINX = """
worker_processes 2;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen 127.0.0.1:PORT; location / { return 200 "ok"; } }
}
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=pathlib.Path, required=True, help="made by convert.py")
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--hummingbird", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", default="http,share,protocols,embed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, folder)
        for _ in range(arguments.rounds):
            for part in arguments.parts.split(","):
                for precision in [folder] if part == "http" else PRECISIONS:
                    getattr(bench, part)(precision)
        bench.table()


if __name__ == "__main__":
    main()
