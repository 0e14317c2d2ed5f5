"""The package as a library: the example, built from outside, and its documentation."""

import json
import os
import shutil
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


def tagged_repository(folder):
    """What another package gets: a commit with a version."""
    folder.mkdir()
    shutil.copy(ROOT / "Package.swift", folder)
    shutil.copytree(ROOT / "Sources", folder / "Sources")
    shutil.copytree(ROOT / "Tests" / "TestSupport", folder / "Tests" / "TestSupport")
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "1"], ["tag", "1.0.0"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder.as_uri()


def test_the_example_is_another_package(server, tmp_path):
    """Built against a URL and a version, it gives what the service answers, bit for bit."""
    text = "Improve the physical fitness of your goldfish"
    url = tagged_repository(tmp_path / "bert-server")
    example = shutil.copytree(ROOT / "Tests" / "LibraryExample", tmp_path / "example")
    manifest = (example / "Package.swift").read_text()
    by_path = '.package(name: "bert-server", path: "../..")'
    assert by_path in manifest
    (example / "Package.swift").write_text(manifest.replace(by_path, f'.package(url: "{url}", from: "1.0.0")'))
    printed = swift(
        "run", "--package-path", example, "--scratch-path", tmp_path / "build", "--disable-dependency-cache",
        "example", MODEL, text,
    )  # fmt: skip
    found = json.loads(printed.splitlines()[-1])
    assert np.array_equal(bits(found), bits(server.tensors([text])["default"][0]))


def test_the_example_in_the_documentation():
    """Its lines are those of the example that is built."""
    example = (ROOT / "Tests/LibraryExample/Sources/example/main.swift").read_text()
    page = (ROOT / "Sources/Models/Models.docc/Models.md").read_text()
    shown = page.split("```swift\n")[1].split("```")[0].splitlines()
    assert shown == example.splitlines()


def test_documentation_is_made():
    subprocess.run(["make", "docs"], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=900)
    for module in ("Models", "BERT", "Tokenizers"):
        assert (ROOT / ".build/docs" / module / "index.html").exists()
