#!/usr/bin/env python3
"""What a length never seen before costs, and what more texts cost; a JSON line each and a plot.

    bench_curves.py --models FOLDER --server BINARY --plot FILE.svg [--rounds 5]

First: lengths 10 to 73, each for the first time in the process, against a repeat; the peers beside
us, in turns. Then texts of 16 and of 128 tokens, 16 to 65,536 tokens in all: tokens a second.
"""

import argparse
import json
import pathlib
import statistics
import sys

from bench_peers import HERE, PEERS, json_lines

MODEL = "all-MiniLM-L6-v2"
NEW_LENGTHS = ",".join(f"1x{length}" for length in range(10, 74))
PRECISIONS = ["float32", "bfloat16", "int8"]
MOST_TOKENS = 65_536


def first_to_repeat(lines):
    """The median over the lengths: first time, repeat, both in ms, and their ratio."""
    first = [line["first_seconds"] * 1e3 for line in lines]
    repeat = [line["seconds"] * 1e3 for line in lines]
    ratio = sum(first) / sum(repeat)
    return statistics.mean(first), statistics.mean(repeat), ratio


def new_lengths(arguments):
    for precision in PRECISIONS:
        found = {}
        for _ in range(arguments.rounds):
            for engine in ["bert-server", *(name for name in PEERS if precision in PEERS[name])]:
                if engine in ("zentorch", "llama"):
                    continue  # compiles for minutes; is far slower
                if engine == "bert-server":
                    lines, _ = ours(arguments, precision, NEW_LENGTHS)
                else:
                    command = [sys.executable, HERE / "time_engine.py", engine, precision]
                    command += [arguments.models / MODEL, "2", "0.02", NEW_LENGTHS]
                    lines, _ = json_lines(command, 2)
                found.setdefault(engine, []).append(first_to_repeat(lines))
        for engine, runs in found.items():
            first, repeat, ratio = (statistics.median(values) for values in zip(*runs))
            figures = {"first_ms": first, "repeat_ms": repeat, "ratio": ratio, "runs": len(runs)}
            print(json.dumps({"precision": precision, "engine": engine, **figures}), flush=True)


def ours(arguments, precision, names, rounds="1"):
    command = [arguments.server, "bench", "--json", "--rounds", rounds, "--threads", "2"]
    command += ["--model", arguments.models / MODEL, "--precision", precision, "--shapes", names]
    return json_lines(command, 2)


def more_texts(arguments):
    """(precision, length) → tokens in all, tokens a second."""
    curves = {}
    for precision in PRECISIONS:
        for length in (16, 128):
            counts = [2**power for power in range(17) if 2**power * length <= MOST_TOKENS]
            lines, _ = ours(arguments, precision, ",".join(f"{n}x{length}" for n in counts))
            curve = [(line["tokens"], line["tokens_per_second"]) for line in lines]
            curves[precision, length] = curve
            rates = {tokens: round(rate) for tokens, rate in curve}
            print(json.dumps({"precision": precision, "length": length, "tokens_per_second": rates}))
    return curves


def draw(curves, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bert-server"
    import matplotlib.pyplot as pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for (precision, length), curve in curves.items():
        label = f"{precision}, texts of {length} tokens"
        style = "-" if length == 16 else "--"
        axis.plot(*zip(*((tokens, tokens / rate) for tokens, rate in curve)), style, label=label)
    axis.set(xscale="log", yscale="log", xlabel="tokens in all", ylabel="seconds")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=pathlib.Path, required=True, help="made by convert.py")
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--plot", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    new_lengths(arguments)
    draw(more_texts(arguments), arguments.plot)


if __name__ == "__main__":
    main()
