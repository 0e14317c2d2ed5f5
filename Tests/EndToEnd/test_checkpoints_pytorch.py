"""PyTorch's formats, BERT's relatives and every activation, against float64."""

import json
import os
import pathlib
import shutil

import pytest

import reference
from server import MODEL, ROOT, Server, run, run_measured

FIXTURES = ROOT / "Tests" / "CheckpointsTests" / "Fixtures"
# Or one of 4 blocks of 512, see make_pytorch.py.
FOLDER = pathlib.Path(os.environ.get("BERT_PYTORCH_FOLDER", FIXTURES / "pytorch"))
TORCH = json.loads((FOLDER / "pytorch.json").read_text())["errors"]
GOLDENS = json.loads((FIXTURES / "small" / "tensorflow.json").read_text())["goldens"]
# As in test_checkpoints_tensorflow.py: the models are small, and the slips larger.
ROOM = 1.5 if FOLDER.parent == FIXTURES else 1


def worst_errors(folder, exact, log, has_types=True):
    worst = {}
    with Server(model=folder, log=log) as server:
        for golden in GOLDENS:
            if not has_types and 1 in golden["types"]:
                continue
            found = server.tensors([golden["text"]], output_key="all")
            found = {
                key: rows[:, 0] if key == "encoder_outputs" else rows[0]
                for key, rows in found.items()
            }
            expected = exact.encode(golden["ids"], golden["types"])
            expected = {key: expected[key] for key in found}
            for key, error in reference.worst_errors(found, expected).items():
                worst[key] = max(worst.get(key, 0), error)
    return worst


def check(name, worst, errors, capsys):
    with capsys.disabled():
        print(f"\n{name}: largest error over {len(GOLDENS)} texts; PyTorch float32's in brackets")
        for key, error in worst.items():
            print(f"  {key:20} {error:.3g} ({errors[key]:.3g})")
    assert {key: error for key, error in worst.items() if error > ROOM * errors[key]} == {}


@pytest.mark.parametrize("name", ["weights", "bin", "legacy", "sharded", "sharded_bin"])
def test_formats(name, log, capsys):
    worst = worst_errors(FOLDER / name, reference.Reference(FOLDER / "weights"), log)
    assert ("pooled_output" in worst) == (name != "bin"), "a masked language model has no pooler"
    check(name, worst, TORCH["gelu"], capsys)


@pytest.mark.parametrize("name", ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu"])
def test_activations(name, log, capsys, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "weights", folder)
    configuration = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**configuration, "hidden_act": name}))
    check(name, worst_errors(folder, reference.Reference(folder), log), TORCH[name], capsys)


def test_distilbert(log, capsys):
    exact = reference.Reference(FOLDER / "weights")
    exact.weights["embeddings.token_type_embeddings.weight"][:] = 0
    worst = worst_errors(FOLDER / "distilbert", exact, log)
    assert set(worst) == set(TORCH["distilbert"])
    check("distilbert", worst, TORCH["distilbert"], capsys)


def test_roberta(log, capsys):
    exact = reference.Reference(FOLDER / "weights")
    exact.epsilon = 1e-5
    # It has one token type.
    worst = worst_errors(FOLDER / "roberta", exact, log, has_types=False)
    assert set(worst) == set(TORCH["roberta"])
    check("roberta", worst, TORCH["roberta"], capsys)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("small/saved_model", ["TensorFlow SavedModel: saved_model.pb", "gelu_tanh", "4 of 12"]),
        ("small/original", ["original BERT checkpoint: bert_config.json", "gelu_tanh"]),
        ("pytorch/bin", ["Hugging Face: config.json, pytorch_model.bin", "gelu_erf", "no: neither"]),
        ("pytorch/sharded", ["model-00003-of-00003.safetensors"]),
        ("pytorch/distilbert", ["distilbert", "sequence_output, encoder_outputs"]),
        ("pytorch/roberta", ["roberta", "1e-05", "128", "precisions:", "int8 (kernels "]),
    ],
)
def test_inspect_tells_what_a_folder_holds(folder, words):
    result = run("inspect", FIXTURES / folder)
    assert result.returncode == 0, result.stderr
    assert [word for word in words if word not in result.stdout] == []


def test_inspect_tells_why_a_pickle_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "legacy", folder)
    weights = (folder / "pytorch_model.bin").read_bytes()
    assert b"ctorch._utils\n_rebuild_tensor_v2\n" in weights
    hostile = weights.replace(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cposix\nsystem\n")
    (folder / "pytorch_model.bin").write_bytes(hostile)
    result = run("inspect", folder)
    assert result.returncode == 1
    assert "posix.system" in result.stderr and "nothing is run" in result.stderr


def with_claim(weights, old, new):
    """The header with another claim of the same length; the data stays."""
    assert len(old) == len(new) and weights.count(old) >= 1
    return weights.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: weights[: len(weights) // 2], "model.safetensors"),
        (lambda weights: with_claim(weights, b"[30522,384]", b"[99922,384]"), "word_embeddings"),
        (lambda weights: (1 << 62).to_bytes(8, "little") + weights[8:], "model.safetensors"),
    ],
    ids=["cut in half", "a table of more rows", "a header of exbibytes"],
)
def test_a_broken_file_costs_no_more_than_twice_its_size(change, reason, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    weights = folder / "model.safetensors"
    size = weights.stat().st_size
    weights.write_bytes(change(weights.read_bytes()))
    done, peak = run_measured("inspect", folder)
    assert done.returncode == 1 and reason in done.stderr
    assert 0 < peak < 2 * size
