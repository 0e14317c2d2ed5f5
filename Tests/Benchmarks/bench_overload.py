#!/usr/bin/env python3
"""Goodput at ten times the connections that fill the service, with a queue that is soon full.

    bench_overload.py --server BINARY --model FOLDER [--rounds 5]

A client that is refused asks again at once; the client runs on the same cores. What those wait who are
accepted is the service's own histogram, from a request's first byte to its answer.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import urllib.request

from bench_servers import HERE, Served, body_file, free_port, make_texts

SECONDS = 8


def answered(server):
    """Requests that were answered with vectors, by the upper end of their bucket of seconds."""
    text = urllib.request.urlopen(f"{server.url}/metrics").read().decode()
    lines = re.findall(r'^te_request_duration_bucket\{le="(.*?)"\} (\d+)$', text, re.M)
    return {float(end): int(count) for end, count in lines}


def load(server, connections, bodies):
    """Answers a second that are no refusals, refusals a second, and in how many ms 99 % of the former
    were there, rounded up to an end of a bucket."""
    url = f"{server.url}/encode?output_key=pooled_output"
    before = answered(server)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", HERE / "wrk.lua", url],
        env={**os.environ, "BODIES": str(bodies)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = json.loads(done.stdout.splitlines()[-1])
    refused = line["errors"] / SECONDS
    counts = {end: count - before[end] for end, count in answered(server).items()}
    p99 = min(end for end, count in counts.items() if count >= 0.99 * max(counts.values()))
    return {"good": line["rate"] - refused, "refused": refused, "p99_at_most_ms": 1e3 * p99}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    port = free_port()
    command = [arguments.server, "serve", "--model", arguments.model, "--port", port]
    command += ["--max-queue-tokens", "2048"]
    ratios = []
    with tempfile.TemporaryDirectory() as folder, Served(command, port) as server:
        texts = make_texts([16] * 64)
        bodies = body_file(folder, "short.jsonl", texts, lambda text: {"inputs": text})
        load(server, 64, bodies)
        for _ in range(arguments.rounds):
            full, over = load(server, 64, bodies), load(server, 640, bodies)
            ratios.append(over["good"] / full["good"])
            print(json.dumps({"full": full, "ten_times": over, "goodput": ratios[-1]}), flush=True)
    print(f"goodput at 640 connections: {statistics.median(ratios):.2f} of that at 64")


if __name__ == "__main__":
    main()
