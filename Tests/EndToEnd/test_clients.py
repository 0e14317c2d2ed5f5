"""Clients of PyPI, unchanged, and the README's table of them, which is made of what they did here."""

import json
import os
import re
import subprocess

import numpy as np
import pytest

from clients import CLIENTS, RERANKERS
from server import PATIENCE, ROOT, Server, bits
from texts import SEED, TEXTS

# Some clients take white space off at the ends, or line ends out: of these texts there is none.
MANY = [SEED, "中文 and 日本語", "é 😀 \"quoted\" \\", TEXTS["words_19"], "a", "a goldfish on a bike"]
# Shorter: litellm asks for no truncation of them.
DOCUMENTS = [text for text in MANY if text is not TEXTS["words_19"]]
README = ROOT / "README.md"
TABLE = re.compile(r"(?<=<!-- clients -->\n).*?(?=\n<!-- /clients -->)", re.S)


def ask(url, texts, *arguments):
    """In an environment of their own, all in one process: their libraries take seconds to load."""
    python = ROOT / ".venv" / "clients" / "bin" / "python"
    command = [python, ROOT / "Tests" / "EndToEnd" / "clients.py", url, *arguments]
    shown = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, timeout=3 * PATIENCE)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


@pytest.fixture(scope="module")
def found(server):
    return ask(server.url, MANY)


@pytest.fixture(scope="module")
def expected(server):
    return np.float32(server.encode(MANY, output_key="sentence_embedding")["outputs"]["sentence_embedding"])


@pytest.fixture(scope="module")
def ranked(log):
    """What the clients that rerank got, and the scores."""
    folder = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads" / "reranker"
    with Server(model=folder, log=log) as server:
        pairs = [[DOCUMENTS[0], text] for text in DOCUMENTS[1:]]
        logits = np.array(server.encode(pairs, output_key="logits")["outputs"]["logits"])[:, 0]
        return ask(server.url, DOCUMENTS, "rerank"), np.float32(1 / (1 + np.exp(-logits)))


def works(result, expected):
    numbers = np.float32(result.get("numbers", []))
    return numbers.shape == expected.shape and np.array_equal(bits(numbers), bits(expected))


@pytest.mark.parametrize("name", CLIENTS)
def test_client(found, expected, name):
    result = found[name]
    assert "failure" not in result, result["failure"]
    assert works(result, expected)


@pytest.mark.parametrize("name", RERANKERS)
def test_reranker(ranked, name):
    results, expected = ranked
    assert "failure" not in results[name], results[name]["failure"]
    assert works(results[name], expected)


def test_table(found, expected, ranked):
    """BERT_WRITE_README=1 writes it."""
    rows = ["| client | package | works |", "|---|---|---|"]
    for results, right in [(found, expected), ranked]:
        for name, result in results.items():
            verdict = "yes, bit for bit" if works(result, right) else "no"
            rows.append(f"| {name} | {result['package']} {result['version']} | {verdict} |")
    table = "\n".join(rows)
    if os.environ.get("BERT_WRITE_README"):
        README.write_text(TABLE.sub(lambda _: table, README.read_text()))
    assert TABLE.search(README.read_text())[0] == table
