#!/usr/bin/env python3
"""Times `bert-server bench` and the peers in turns, and adds a JSON line a pair to a file.

    bench_peers.py --models FOLDER --server BINARY --results FILE [--peers NAME,…] [--pairs 5]

In a turn each engine runs once. A pair during which other processes used more than 15 % of a core is written down and does not
count. Pairs already in the file do: a run that was broken off goes on where it was.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import psutil

HERE = pathlib.Path(__file__).parent
PEERS = {
    "onnxruntime": ["float32", "int8"],
    "openvino": ["float32", "bfloat16", "int8"],
    "ctranslate2": ["float32", "int8"],
    "zentorch": ["float32", "bfloat16"],
    "llama": ["float32", "bfloat16", "int8"],
}
MOST_OTHERS = 0.15


def cores_used():
    """Core-seconds of all processes so far, and of this one's ended children."""
    times = psutil.cpu_times()
    busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy, usage.ru_utime + usage.ru_stime


def json_lines(command, threads):
    """What a command printed, and the share of a core that others used meanwhile."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    # Set on some machines for old OpenBLAS builds; it slows new ones.
    environment.pop("OPENBLAS_CORETYPE", None)
    start, (busy, own) = time.monotonic(), cores_used()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, (busy_after, own_after) = time.monotonic() - start, cores_used()
    others = max(0, busy_after - busy - (own_after - own)) / seconds
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], others


def measure_ours(arguments, precision, folder):
    return json_lines(
        [arguments.server, "bench", "--json", "--rounds", "3", "--model", folder]
        + ["--precision", precision, "--threads", str(arguments.threads)],
        arguments.threads,
    )


def measure_theirs(arguments, peer, precision, folder):
    return json_lines(
        [sys.executable, HERE / "time_engine.py", peer, precision, folder]
        + [str(arguments.threads), str(arguments.seconds)],
        arguments.threads,
    )


def clean_pairs(results, key):
    if not results.exists():
        return 0
    lines = map(json.loads, results.read_text().splitlines())
    return sum(line["others"] <= MOST_OTHERS and key.items() <= line.items() for line in lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=pathlib.Path, required=True, help="made by convert.py")
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--results", type=pathlib.Path, required=True)
    parser.add_argument("--peers", default=",".join(PEERS), help="these alone")
    parser.add_argument("--model", help="this folder of --models alone")
    parser.add_argument("--precisions", default="float32,bfloat16,int8", help="these alone")
    parser.add_argument("--pairs", type=int, default=5, help="clean pairs of each figure")
    parser.add_argument("--tries", type=int, default=15, help="pairs of each figure at most, a run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5, help="least of a peer's shape, a pair")
    arguments = parser.parse_args()
    for _ in range(arguments.tries):
        for folder in sorted(arguments.models.glob(arguments.model or "[!.]*")):
            for precision in arguments.precisions.split(","):
                measure_turn(arguments, folder, precision)


def measure_turn(arguments, folder, precision):
    """Ours, then each peer that still lacks pairs."""
    keys = [
        {"model": folder.name, "peer": peer, "precision": precision, "threads": arguments.threads}
        for peer in arguments.peers.split(",")
        if precision in PEERS[peer]
    ]
    keys = [key for key in keys if clean_pairs(arguments.results, key) < arguments.pairs]
    if not keys:
        return
    ours, others_with_ours = measure_ours(arguments, precision, folder)
    for key in keys:
        try:
            theirs, others = measure_theirs(arguments, key["peer"], precision, folder)
        except subprocess.CalledProcessError as error:
            print(*key.values(), f"failed with {error.returncode}: left out", flush=True)
            continue
        pair = {
            "theirs": {line["shape"]: line["seconds"] for line in theirs},
            "ours": {line["shape"]: line for line in ours},
            "others": max(others, others_with_ours),
        }
        with arguments.results.open("a") as file:
            file.write(json.dumps({**key, **pair}) + "\n")
        print(*key.values(), f"others {pair['others']:.2f}", flush=True)


if __name__ == "__main__":
    main()
