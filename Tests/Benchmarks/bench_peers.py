#!/usr/bin/env python3
"""Times `bert-server bench` and the peers in turns, and adds a JSON line a pair to a file.

    bench_peers.py --models FOLDER --server BINARY --results FILE [--peers NAME,…] [--pairs 5] [--minutes 55]

In a turn each engine runs once. A pair during which other processes used more than 15 % of a core is written down and does not
count. Pairs already in the file do: a run that was broken off goes on where it was. Left out, with a word, is what this
machine cannot run, what is not installed, and what failed once.
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
# Flags of the CPU without which a peer does not run, or emulates a precision for minutes.
NEEDS = {
    ("zentorch", "float32"): "avx512f",
    ("zentorch", "bfloat16"): "avx512_bf16",
}
# What a peer reads below a model's folder.
FOLDERS = {"onnxruntime": "onnx", "openvino": "openvino", "ctranslate2": "ctranslate2", "llama": "llama"}
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


def cpu_flags():
    """Of Linux on x86; elsewhere none."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split() for line in lines if line.startswith("flags")), [])


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
    parser.add_argument("--minutes", type=float, default=55, help="no turn begins after so many")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    # (model, peer, precision)
    left_out = set()
    for _ in range(arguments.tries):
        for folder in sorted(arguments.models.glob(arguments.model or "[!.]*")):
            for precision in arguments.precisions.split(","):
                if time.monotonic() > end:
                    print(f"{arguments.minutes:g} minutes are over: run it again to go on")
                    return
                measure_turn(arguments, folder, precision, left_out)


def missing(peer, precision, folder):
    """Why this machine cannot time a peer; None if it can."""
    flag = NEEDS.get((peer, precision))
    if flag and flag not in cpu_flags():
        return f"the CPU has no {flag}"
    if peer in FOLDERS and not (folder / FOLDERS[peer]).exists():
        return f"{folder / FOLDERS[peer]} is not there"
    return None


def measure_turn(arguments, folder, precision, left_out):
    """Ours, then each peer that still lacks pairs. What cannot be timed is added to `left_out`."""
    keys = []
    for peer in arguments.peers.split(","):
        name = (folder.name, peer, precision)
        if precision not in PEERS[peer] or name in left_out:
            continue
        if reason := missing(peer, precision, folder):
            print(*name, f"left out: {reason}", flush=True)
            left_out.add(name)
            continue
        key = {"model": folder.name, "peer": peer, "precision": precision, "threads": arguments.threads}
        if clean_pairs(arguments.results, key) < arguments.pairs:
            keys.append(key)
    if not keys:
        return
    ours, others_with_ours = measure_ours(arguments, precision, folder)
    for key in keys:
        try:
            theirs, others = measure_theirs(arguments, key["peer"], precision, folder)
        except subprocess.CalledProcessError as error:
            print(*key.values(), f"left out: failed with {error.returncode}", flush=True)
            left_out.add((folder.name, key["peer"], precision))
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
