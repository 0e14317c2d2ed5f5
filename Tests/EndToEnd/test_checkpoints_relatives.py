"""RoBERTa with byte-level BPE and XLM-RoBERTa with Unigram: tokens and numbers are PyTorch's."""

import json

import numpy as np
import pytest

from server import ROOT, Server

FOLDER = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "relatives"
GOLDENS = json.loads((FOLDER / "goldens.json").read_text())
KEYS = ["sequence_output", "pooled_output"]
# As in test_checkpoints_pytorch.py.
ROOM = 1.5


@pytest.mark.parametrize("name", GOLDENS)
def test_tokens_and_numbers(name, log, capsys):
    errors = {key: [0, 0] for key in KEYS}
    with Server(model=FOLDER / name, log=log) as server:
        for golden in GOLDENS[name]:
            [tokens] = server.post({"inputs": golden["text"]}, path="/tokenize").json()
            assert [token["id"] for token in tokens] == golden["ids"]
            length = len(golden["sequence_output"])
            found = server.tensors([golden["text"]], output_key=",".join(KEYS), seq_length=length)
            for key in KEYS:
                assert found[key][0].shape == np.shape(golden[key])  # rows of padding too
                error = np.abs(found[key][0] - golden[key]).max()
                errors[key] = np.maximum(errors[key], [error, golden[f"{key}_error"]])
    with capsys.disabled():
        print(f"\n{name}: largest error over {len(GOLDENS[name])} texts; PyTorch's in brackets")
        for key, (ours, theirs) in errors.items():
            print(f"  {key:20} {ours:.3g} ({theirs:.3g})")
    assert [key for key, (ours, theirs) in errors.items() if ours > ROOM * theirs] == []
