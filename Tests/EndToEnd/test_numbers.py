"""Every key of every text of texts.py, against float64 and Hugging Face's own tokens."""

import json
import pathlib

import numpy as np
import pytest

import reference
import tokens
from server import Server, bits, run
from texts import TEXTS

TORCH = json.loads((pathlib.Path(__file__).parent / "torch_error.json").read_text())


def without_batch(tensors):
    """The entries of a single text: [L, 1, S, H] → [L, S, H], [1, …] → […]."""
    return {
        key: rows[:, 0] if key == "encoder_outputs" else rows[0] for key, rows in tensors.items()
    }


def test_token_ids(server, tokenizer):
    names = list(TEXTS)
    answer = server.encode([TEXTS[name] for name in names], max_tokens=512, tokens="true")
    wrong = [
        name
        for name, found in zip(names, answer["tokens"], strict=True)
        if [each["id"] for each in found] != tokens.encode(tokenizer, TEXTS[name]).ids
    ]
    assert wrong == []


@pytest.fixture(scope="module")
def expected(tokenizer, exact):
    """The float64 answer of every text."""
    encodings = {name: tokens.encode(tokenizer, text) for name, text in TEXTS.items()}
    return {name: exact.encode(each.ids, each.type_ids) for name, each in encodings.items()}


# A CPU's own set is the fastest that it can run; the others are there for other CPUs.
@pytest.mark.parametrize("kernels", ["avx512", "avx2", "scalar"])
def test_no_further_from_float64_than_pytorch(kernels, expected, log, capsys):
    """Each key's largest error over all texts against PyTorch float32's own on the same texts."""
    refusal = run("serve", "--kernels", "none").stderr
    assert "scalar" in refusal
    if kernels not in refusal:
        pytest.skip(f"this CPU has no {kernels}")
    worst = {}
    with Server("--kernels", kernels, log=log) as server:
        assert server.get("/info").json()["kernels"] == kernels
        for name, text in TEXTS.items():
            found = without_batch(server.tensors([text], output_key="all", max_tokens=512))
            assert set(found) == set(expected[name])
            for key, error in reference.worst_errors(found, expected[name]).items():
                worst[key] = max(worst.get(key, (0, "")), (error, name))
            assert np.array_equal(bits(found["default"]), bits(found["pooled_output"])), name
            assert np.array_equal(
                bits(found["encoder_outputs"][-1]), bits(found["sequence_output"])
            ), name
    with capsys.disabled():
        print(f"\n{kernels}: largest error over {len(TEXTS)} texts; PyTorch float32's own in brackets")
        for key, (error, name) in worst.items():
            print(f"  {key:20} {error:.3g} ({TORCH['errors'][key]:.3g}), text {name}")
    assert TORCH["texts"] == len(TEXTS), "texts.py has changed: run torch_error.py again"
    assert {key: error for key, (error, _) in worst.items() if error > TORCH["errors"][key]} == {}


@pytest.mark.parametrize("name", ["sentence_0", "empty", "language_0", "pair_0", "words_9"])
def test_json_is_the_binary_answer(server, name):
    text = [TEXTS[name]]
    binary = server.tensors(text, output_key="all")
    written = server.encode(text, output_key="all")["outputs"]
    assert set(written) == set(binary)
    for key, numbers in binary.items():
        assert np.array_equal(bits(written[key]), bits(numbers)), key
