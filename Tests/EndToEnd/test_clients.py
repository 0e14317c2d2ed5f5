"""Clients of PyPI, unchanged, and the README's table of them, which is made of what they did here."""

import json
import os
import re
import subprocess

import numpy as np
import pytest

from clients import CLIENTS
from server import PATIENCE, ROOT, bits
from texts import SEED, TEXTS

# Some clients take white space off at the ends, or line ends out: of these texts there is none.
MANY = [SEED, "中文 and 日本語", "é 😀 \"quoted\" \\", TEXTS["words_19"], "a", "a goldfish on a bike"]
README = ROOT / "README.md"
TABLE = re.compile(r"(?<=<!-- clients -->\n).*?(?=\n<!-- /clients -->)", re.S)


@pytest.fixture(scope="module")
def found(server):
    """In an environment of their own, all in one process: their libraries take seconds to load."""
    python = ROOT / ".venv" / "clients" / "bin" / "python"
    command = [python, ROOT / "Tests" / "EndToEnd" / "clients.py", server.url]
    shown = subprocess.run(command, input=json.dumps(MANY), capture_output=True, text=True, timeout=3 * PATIENCE)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


@pytest.fixture(scope="module")
def expected(server):
    return np.float32(server.encode(MANY, output_key="sentence_embedding")["outputs"]["sentence_embedding"])


def works(result, expected):
    vectors = np.float32(result.get("vectors", []))
    return vectors.shape == expected.shape and np.array_equal(bits(vectors), bits(expected))


@pytest.mark.parametrize("name", CLIENTS)
def test_client(found, expected, name):
    result = found[name]
    assert "failure" not in result, result["failure"]
    assert works(result, expected)


def test_table(found, expected):
    """BERT_WRITE_README=1 writes it."""
    rows = ["| client | package | works |", "|---|---|---|"]
    for name, result in found.items():
        verdict = "yes, bit for bit" if works(result, expected) else "no"
        rows.append(f"| {name} | {result['package']} {result['version']} | {verdict} |")
    table = "\n".join(rows)
    if os.environ.get("BERT_WRITE_README"):
        README.write_text(TABLE.sub(lambda _: table, README.read_text()))
    assert TABLE.search(README.read_text())[0] == table
