"""The package as a library: the example, built from outside, and its documentation."""

import json
import os
import subprocess

import numpy as np

from server import MODEL, ROOT, bits

# What surrounds a run of make is not handed on to another one.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


def swift(*arguments):
    done = subprocess.run(
        ["swift", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_example_is_another_package(server):
    """Built against this folder, it gives what the service answers, bit for bit."""
    text = "Improve the physical fitness of your goldfish"
    printed = swift(
        "run", "--package-path", ROOT / "Tests" / "LibraryExample", "--scratch-path",
        ROOT / ".build" / "library-example", "example", MODEL, text,
    )  # fmt: skip
    found = json.loads(printed.splitlines()[-1])
    assert np.array_equal(bits(found), bits(server.tensors([text])["default"][0]))


def test_the_example_in_the_documentation():
    """Its lines are those of the example that is built."""
    example = (ROOT / "Tests/LibraryExample/Sources/example/main.swift").read_text()
    page = (ROOT / "Sources/BERT/BERT.docc/BERT.md").read_text()
    shown = page.split("```swift\n")[1].split("```")[0].splitlines()
    assert len(shown) == 6 and all(line in example.splitlines() for line in shown)


def test_documentation_is_made():
    subprocess.run(["make", "docs"], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=900)
    for room in ("BERT", "WordPiece"):
        assert (ROOT / ".build/docs" / room / "index.html").exists()
