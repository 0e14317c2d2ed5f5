"""Model files that change under a running server."""

import os
import re
import shutil
import time

import numpy as np
import pytest

from server import PATIENCE, ROOT, Server, bits

MODEL = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "small" / "weights"
TEXTS = ["the train leaves from platform 3", "water"]


def changed(server):
    text = server.get("/metrics").text
    return float(re.search(r"^bert_model_files_changed (\S+)$", text, re.MULTILINE)[1])


def overwrite(path):
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 10)
        file.write(bytes(path.stat().st_size // 2))


def cut(path):
    os.truncate(path, 4096)


def replace(path):
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.rename(path)


@pytest.mark.parametrize("change", [overwrite, cut, replace])
def test_answers_stay(change, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    log = tmp_path / "log"
    with open(log, "w") as file, Server(model=folder, log=file) as server:
        before = server.tensors(TEXTS, output_key="all", seq_length="longest")
        assert changed(server) == 0
        change(folder / "model.safetensors")
        deadline = time.monotonic() + PATIENCE
        while changed(server) != 1:
            assert time.monotonic() < deadline, "the change is not noticed"
            time.sleep(0.1)
        after = server.tensors(TEXTS, output_key="all", seq_length="longest")
        assert set(before) == set(after)
        for key, rows in before.items():
            assert np.array_equal(bits(rows), bits(after[key])), key
        assert server.get("/health/ready").status_code == 200
    told = [line for line in log.read_text().splitlines() if "model files changed" in line]
    assert len(told) == 1 and "model.safetensors" in told[0] and "warning" in told[0], told
