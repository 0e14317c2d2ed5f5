"""The README's examples, typed as they stand, and its table of settings."""

import re
import shlex
import subprocess

import pytest
from server import ROOT, run

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```sh\n(curl .*)\n```\n```json\n(.*)\n```", README)


def pattern(answer):
    """An answer in which … stands for anything."""
    return ".*".join(re.escape(part) for part in answer.split("…"))


def test_every_key_has_an_example():
    for key in ["default", "pooled_output", "sequence_output", "encoder_outputs", "sentence_embedding"]:
        assert any(f'"outputs":{{"{key}":' in answer for _, answer in EXAMPLES), key


@pytest.mark.parametrize(("command", "answer"), EXAMPLES)
def test_example(server, command, answer):
    words = shlex.split(command.replace("localhost:8080", f"{server.host}:{server.port}"))
    shown = subprocess.run([*words, "--silent"], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(pattern(answer), shown), shown[:300]


def test_table_of_settings():
    assert run("settings", "--markdown").stdout in README
