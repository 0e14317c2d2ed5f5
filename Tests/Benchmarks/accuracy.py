#!/usr/bin/env python3
"""What reduced precision costs: accuracy.py CORPUS_FOLDER

Texts are those of Debian's `fortunes`. Prints Markdown: the cosine of each precision's answers with
float32's over 1,200 paragraphs, and how many of the ten nearest of 4,000 texts are the same.
"""

import pathlib
import re
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "EndToEnd"))
from server import Server  # noqa: E402

KEYS = ["pooled_output", "sentence_embedding"]
PRECISIONS = ["bfloat16", "int8"]
COSINES, CORPUS, QUERIES, NEAREST = 1200, 4000, 500, 10


def texts(folder):
    """Distinct texts of 4 words or more, the same ones each time."""
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix == "" and path.is_file() and "art" not in path.name  # pictures
    )
    pieces = (
        " ".join(piece.split())
        for path in files
        for piece in re.split(r"\n%\n", path.read_text(errors="replace"))
    )
    found = list(dict.fromkeys(piece for piece in pieces if len(piece.split()) >= 4))
    np.random.default_rng(20).shuffle(found)
    if len(found) < CORPUS:
        raise SystemExit(f"accuracy.py: {folder} has {len(found)} texts, not {CORPUS}")
    return found[:CORPUS]


def encoded(server, corpus):
    parts = [
        server.tensors(corpus[start : start + 200], output_key=",".join(KEYS))
        for start in range(0, len(corpus), 200)
    ]
    return {key: np.concatenate([part[key] for part in parts]).astype(np.float64) for key in KEYS}


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def nearest(vectors):
    """For each query the nearest others of the corpus, itself left out."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors[:QUERIES] @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST]


def overlap(a, b):
    shared = [len(set(one) & set(other)) for one, other in zip(nearest(a), nearest(b))]
    return np.mean(shared) / NEAREST


def main(folder):
    corpus = texts(folder)
    maps = {}
    for precision in ["float32", *PRECISIONS]:
        with Server("--precision", precision) as server:
            maps[precision] = encoded(server, corpus)
    exact = maps["float32"]
    print("| | " + " | ".join(PRECISIONS) + " |\n|---|" + "---|" * len(PRECISIONS))
    for key in KEYS:
        cells = []
        for precision in PRECISIONS:
            found = cosines(exact[key][:COSINES], maps[precision][key][:COSINES])
            cells.append(f"{found.mean():.6f}; {found.min():.6f}")
        print(f"| `{key}`, mean; worst | " + " | ".join(cells) + " |")
    shares = [overlap(exact[KEYS[1]], maps[each][KEYS[1]]) for each in PRECISIONS]
    print("| ten nearest | " + " | ".join(f"{share:.1%}" for share in shares) + " |")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
