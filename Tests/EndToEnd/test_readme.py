"""The README's examples, typed as they stand, and the table of settings."""

import gzip
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest
from server import BINARY, PATIENCE, ROOT, Server, run

README = (ROOT / "README.md").read_text()
PAGES = [
    path for place in (".", "config", "Tests/Benchmarks/results") for path in sorted((ROOT / place).glob("*.md"))
]
# What make hands down to a make of its own, which is not what a user's has.
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
EXAMPLES = re.findall(r"```sh\n(curl .*)\n```\n```json\n(.*)\n```", README)
COMMANDS = re.findall(r"^(bert-server .*?)(?: +#.*)?$", README, re.M)


# A documented number: its first digits, cut off. The other digits differ between kernel sets.
NUMBER = re.compile(r"(-?\d+\.\d+)…")
# More than float32's error in any block, for a number next to a multiple of its last digit.
ERROR = 1e-5


def assert_documented(answer, shown):
    """Holds an answer to the documented one, in which … stands for anything and NUMBER for a number."""
    texts = [".*".join(re.escape(part) for part in text.split("…")) for text in NUMBER.split(answer)[::2]]
    match = re.fullmatch(r"(-?\d[\d.e-]*)".join(texts), shown)
    assert match, shown[:300]
    for documented, number in zip(NUMBER.findall(answer), match.groups(), strict=True):
        unit = 10.0 ** -len(documented.partition(".")[2])
        difference = abs(float(number)) - abs(float(documented))
        assert number.startswith("-") == documented.startswith("-"), (documented, number)
        assert -ERROR < difference < unit + ERROR, (documented, number)


@pytest.mark.parametrize("number", ["0.0564", "-0.0563", "0.0562", "0.5630", "5.63e-3"])
def test_a_wrong_number_is_found(number):
    with pytest.raises(AssertionError):
        assert_documented('{"a":[0.0563…,…]}', f'{{"a":[{number}2,1.0]}}')


def test_every_key_has_an_example():
    for key in ["default", "pooled_output", "sequence_output", "encoder_outputs", "sentence_embedding", "mlm_logits", "colbert"]:
        assert any(f'"outputs":{{"{key}":' in answer for _, answer in EXAMPLES), key


@pytest.fixture(scope="module")
def reranker(log):
    """In place of the model that the example names, which is not fetched."""
    folder = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads" / "reranker"
    with Server(model=f"ms-marco-MiniLM-L6-v2={folder}", log=log) as running:
        yield running


@pytest.fixture(scope="module")
def masked(log):
    folder = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads" / "masked-bert"
    with Server(model=folder, log=log) as running:
        yield running


@pytest.fixture(scope="module")
def colbert(log):
    with Server(model=ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "colbert" / "stanford", log=log) as running:
        yield running


@pytest.mark.parametrize(("command", "answer"), EXAMPLES)
def test_example(server, reranker, masked, colbert, command, answer):
    others = {"/v1/rerank": reranker, "[MASK]": masked, "output_key=colbert": colbert}
    asked = next((other for part, other in others.items() if part in command), server)
    words = shlex.split(command.replace("localhost:8080", f"{asked.host}:{asked.port}"))
    shown = subprocess.run([*words, "--silent"], capture_output=True, text=True, check=True).stdout
    assert_documented(answer, shown)


def test_links():
    """Between the pages, to files and headings that are there."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)]*)\)", page.read_text()):
            path, _, heading = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), (page, target)
            if heading:
                headings = re.findall(r"(?m)^#+ (.*)", file.read_text())
                assert heading in {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}


def test_table_of_settings():
    assert run("settings", "--markdown").stdout in (ROOT / "config" / "SETTINGS.md").read_text()


def test_an_index_of_texts(server, tmp_path):
    """The lines of Python as they stand: from a file of texts to the nearest one."""
    [command] = [command for command in COMMANDS if " -o index " in command]
    [program] = re.findall(r"```python\n(.*?)```", README, re.S)
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "texts.txt").write_text("stock prices fell\na goldfish on a bike\na cat on the sofa\n")
    subprocess.run([BINARY, *shlex.split(command)[1:]], cwd=tmp_path, check=True)
    program = program.replace("localhost:8080", f"{server.host}:{server.port}")
    shown = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout == "a goldfish on a bike\n"
    page = (ROOT / "config" / "ENCODE.md").read_text()
    [parquet] = re.findall(r"`(pyarrow\.parquet\.write_table\(.*?\))`", page)
    program += f"import pyarrow, pyarrow.parquet\n{parquet}\n"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
    written = pyarrow.parquet.read_table(tmp_path / "index.parquet")["vector"].to_pylist()
    [part] = (tmp_path / "index").glob("part-*.npy")
    assert np.array_equal(np.array(written, np.float32), np.load(part))


def test_which_key(server):
    """The cosines that the README shows."""
    vectors = server.tensors(["a cat on the sofa", "stock prices fell"], output_key="sentence_embedding,default")
    for key in ("sentence_embedding", "default"):
        [shown] = re.findall(rf"`{key}`[^|]*\| (0\.\d\d) \|", README)
        first, second = (vector / np.linalg.norm(vector) for vector in vectors[key])
        assert f"{first @ second:.2f}" == shown


def test_there_are_commands():
    names = {command.split()[1] for command in COMMANDS}
    assert names >= {"encode", "inspect", "tokenize", "healthcheck", "bench", "settings"}


@pytest.mark.parametrize("command", COMMANDS)
def test_command(server, command, tmp_path):
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "texts.txt").write_text("a fish\nanother\n")
    (tmp_path / "pages.jsonl").write_text(json.dumps({"body": "a fish"}) + "\n")
    (tmp_path / "pages.jsonl.gz").write_bytes(gzip.compress((tmp_path / "pages.jsonl").read_bytes()))
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "pages.jsonl").write_text(json.dumps({"id": "1", "body": "a fish"}) + "\n")
    words = shlex.split(command)
    done = subprocess.run(
        [BINARY, *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "BERT_SERVER_PORT": str(server.port)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if words[1] == "encode" and "--dry-run" not in words:
        assert list((tmp_path / words[words.index("-o") + 1]).glob("part-00000.*"))


# `make test` is what runs this; the others take long or want other machines, so that they are there is
# all that is seen here.
@pytest.mark.parametrize(
    "target", sorted({target for page in PAGES for target in re.findall(r"(?m)(?:^|`)make ([a-z0-9-]+)", page.read_text())})
)
def test_target(target):
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, env=PLAIN)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(BINARY != ROOT / ".build/release/bert-server", reason="would build another binary")
def test_make_run():
    """From a shell, as a user does, to the goldfish's answer and Ctrl-C."""
    with subprocess.Popen(
        ["make", "--silent", "run", "ARGS=--port 0"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=PLAIN,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            line = next(line for line in process.stdout if line.startswith("listening on "))
            port = line.rsplit(":", 1)[1].strip()
            while run("healthcheck", "--port", port).returncode != 0:
                assert process.poll() is None
            command, answer = EXAMPLES[0]
            words = [*shlex.split(command.replace("8080", port)), "--silent"]
            shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            assert_documented(answer, shown)
        finally:
            os.killpg(process.pid, signal.SIGINT)
        # The server ends by itself; make by the signal, unless it was started with that ignored.
        assert process.wait(PATIENCE) in (0, -signal.SIGINT)
