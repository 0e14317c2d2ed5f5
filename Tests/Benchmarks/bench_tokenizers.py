#!/usr/bin/env python3
"""Our tokenizer beside tokie and Hugging Face's tokenizers, one text at a time on one thread, in turns.

    bench_tokenizers.py --server BINARY --model FOLDER --texts FOLDER [--rounds 5]

Prints a JSON line and a line of Markdown a kind of text: megabytes of UTF-8 a second, medians (least to
most). English is Debian's fortunes; mixed scripts are the test texts of some forty languages.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

import tokenizers
import tokie
from bench_peers import json_lines

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "EndToEnd"))
import texts  # noqa: E402


def english(folder):
    lines = []
    for file in sorted(folder.iterdir()):
        if not file.suffix and file.is_file():
            lines += file.read_text(errors="ignore").splitlines()
    return [line.strip() for line in lines if len(line.split()) > 3 and line.isascii()][:1000]


def ours(arguments, path):
    command = [arguments.server, "bench", "--json", "--rounds", "1", "--threads", "1", "--shapes", "1x16"]
    lines, _ = json_lines([*map(str, command), "--model", arguments.model, "--texts", path], 1)
    [line] = [line for line in lines if (line.get("part"), line.get("unit")) == ("tokenizer", "bytes of text")]
    return line["per_second"] / 1e6


def theirs(encode, lines):
    start = time.perf_counter()
    for line in lines:
        encode(line)
    return sum(len(line.encode()) for line in lines) / 1e6 / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    file = str(arguments.model / "tokenizer.json")
    hugging_face, other = tokenizers.Tokenizer.from_file(file), tokie.Tokenizer.from_json(file)
    hugging_face.no_truncation()
    hugging_face.no_padding()
    other.no_truncation()
    other.no_padding()
    for kind, lines in {"English": english(arguments.texts), "mixed scripts": texts.LANGUAGES * 20}.items():
        different = sum(other.encode(line).ids != hugging_face.encode(line).ids for line in set(lines))
        rates = {"bert-server": [], "tokie": [], "tokenizers": []}
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as path:
            path.write("".join(line.replace("\n", " ") + "\n" for line in lines))
            path.flush()
            for _ in range(arguments.rounds):
                rates["bert-server"].append(ours(arguments, path.name))
                rates["tokie"].append(theirs(other.encode, lines))
                rates["tokenizers"].append(theirs(hugging_face.encode, lines))
        print(json.dumps({"texts": kind, "megabytes_a_second": rates, "tokie_differs": different}))
        cells = [f"{statistics.median(each):.1f} ({min(each):.1f} to {max(each):.1f})" for each in rates.values()]
        print(f"| {kind}, {len(lines):,} texts | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
