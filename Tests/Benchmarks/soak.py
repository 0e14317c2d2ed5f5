#!/usr/bin/env python3
"""Churn, idle crowds and a million requests against one server; JSON lines, and a plot of its resources.

    soak.py --server BINARY --model FOLDER --plot FILE.svg [--requests 1000000]

churn: connections opened and reset with half a request on them. idle: keep-alive connections that say
nothing while others work. slow: clients that send a byte a second, the same. soak: requests of every kind that matters, with memory, descriptors and
threads read from /proc as they go.
"""

import argparse
import json
import pathlib
import re
import socket
import statistics
import struct
import tempfile
import threading
import time

from bench_servers import Served, body_file, free_port, make_texts, wrk

# Path, whether it has a body, seconds in turn.
MIX = [
    ("/embed", True, 10),
    ("/encode?output_key=all", True, 4),
    ("/tokenize", True, 2),
    ("/metrics", False, 1),
]

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: close() sends RST


def resources(process):
    folder = pathlib.Path(f"/proc/{process.pid}")
    status = (folder / "status").read_text()
    return {
        "megabytes": int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024,
        "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
        "descriptors": len(list((folder / "fd").iterdir())),
    }


def churn(server, count=100_000):
    address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    began = time.monotonic()
    for _ in range(count):
        with socket.create_connection(address) as connection:
            connection.sendall(b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return {"connections": count, "seconds": time.monotonic() - began}


def idle(server, bodies, count=10_000):
    """p99 of others beside idle connections, and without them."""
    address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    without = wrk(f"{server.url}/embed", 8, bodies, 5)
    before = resources(server.process)["megabytes"]
    request = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    connections = []
    for _ in range(count):
        connection = socket.create_connection(address)
        connection.sendall(request)
        connection.recv(1024)
        connections.append(connection)
    after = resources(server.process)["megabytes"]
    beside = wrk(f"{server.url}/embed", 8, bodies, 5)
    for connection in connections:
        connection.close()
    figures = {"kilobytes_a_connection": (after - before) * 1024 / count}
    return {**figures, "p99_ms": beside["p99"], "p99_ms_without": without["p99"], "connections": count}


def slow(server, bodies, count=2_000):
    """p99 of others beside clients that send a byte a second, and without them."""
    address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    without = wrk(f"{server.url}/embed", 8, bodies, 8)
    connections = [socket.create_connection(address) for _ in range(count)]
    done = threading.Event()

    def trickle():
        request = b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
        for index in range(len(request)):
            for connection in connections:
                connection.sendall(request[index : index + 1])
            if done.wait(1):
                return

    trickling = threading.Thread(target=trickle)
    trickling.start()
    # Less than the deadline of a header, which ends them.
    beside = wrk(f"{server.url}/embed", 8, bodies, 8)
    done.set()
    trickling.join()
    for connection in connections:
        connection.close()
    return {"p99_ms": beside["p99"], "p99_ms_without": without["p99"], "connections": count}


def soak(server, bodies, requests):
    lines, done = [], threading.Event()

    def watch():
        while not done.wait(1):
            lines.append({"second": time.monotonic() - began, **resources(server.process)})

    began = time.monotonic()
    watcher = threading.Thread(target=watch)
    watcher.start()
    answered = 0
    while answered < requests:
        for path, body, seconds in MIX:
            line = wrk(server.url + path, 32, bodies if body else None, seconds)
            answered += round(line["rate"] * seconds)
    done.set()
    watcher.join()
    return answered, lines


def draw(lines, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bert-server"
    import matplotlib.pyplot as pyplot

    figure, axes = pyplot.subplots(3, sharex=True, figsize=(8, 5), layout="constrained")
    for axis, name in zip(axes, ("megabytes", "descriptors", "threads")):
        axis.plot([line["second"] for line in lines], [line[name] for line in lines])
        axis.set(ylabel=name, ylim=(0, None))
    axes[-1].set(xlabel="seconds")
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--plot", type=pathlib.Path, required=True)
    parser.add_argument("--requests", type=int, default=1_000_000)
    arguments = parser.parse_args()
    port = free_port()
    command = [arguments.server, "serve", "--model", arguments.model, "--port", port, "--host", "127.0.0.1"]
    command += ["--precision", "int8", "--max-connections", "20000"]
    with tempfile.TemporaryDirectory() as folder, Served(command, port) as server:
        bodies = body_file(folder, "short.jsonl", make_texts([16] * 64), lambda text: {"inputs": text})
        wrk(f"{server.url}/embed", 8, bodies, 2)
        print(json.dumps({"part": "begin", **resources(server.process)}), flush=True)
        print(json.dumps({"part": "churn", **churn(server), **resources(server.process)}), flush=True)
        print(json.dumps({"part": "idle", **idle(server, bodies), **resources(server.process)}), flush=True)
        print(json.dumps({"part": "slow", **slow(server, bodies), **resources(server.process)}), flush=True)
        answered, lines = soak(server, bodies, arguments.requests)
        size = len(lines) // 8
        eighths = [
            statistics.median(line["megabytes"] for line in lines[part * size : (part + 1) * size])
            for part in range(8)
        ]
        figures = {"requests": answered, "megabytes_of_eighths": eighths, **lines[-1]}
        print(json.dumps({"part": "soak", **figures}))
        draw(lines, arguments.plot)


if __name__ == "__main__":
    main()
