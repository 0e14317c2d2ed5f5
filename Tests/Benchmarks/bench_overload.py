#!/usr/bin/env python3
"""Goodput at ten times the connections that fill the service, with a queue that is soon full.

    bench_overload.py --server BINARY --model FOLDER [--rounds 3]

A client that is refused asks again at once, so refusals are many times the answers; the client runs on
the same cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

from bench_servers import HERE, Served, body_file, free_port, make_texts

SECONDS = 8


def load(url, connections, bodies):
    """Answers a second that are no refusals, refusals a second, and wrk's p99 of all."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", HERE / "wrk.lua", url],
        env={**os.environ, "BODIES": str(bodies)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = json.loads(done.stdout.splitlines()[-1])
    refused = line["errors"] / SECONDS
    return {"good": line["rate"] - refused, "refused": refused, "p99": line["p99"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    port = free_port()
    command = [arguments.server, "serve", "--model", arguments.model, "--port", port]
    command += ["--max-queue-tokens", "2048"]
    ratios = []
    with tempfile.TemporaryDirectory() as folder, Served(command, port) as server:
        texts = make_texts([16] * 64)
        bodies = body_file(folder, "short.jsonl", texts, lambda text: {"inputs": text})
        url = f"{server.url}/encode?output_key=pooled_output"
        load(url, 64, bodies)
        for _ in range(arguments.rounds):
            full, over = load(url, 64, bodies), load(url, 640, bodies)
            ratios.append(over["good"] / full["good"])
            print(json.dumps({"full": full, "ten_times": over, "goodput": ratios[-1]}), flush=True)
    print(f"goodput at 640 connections: {statistics.median(ratios):.2f} of that at 64")


if __name__ == "__main__":
    main()
