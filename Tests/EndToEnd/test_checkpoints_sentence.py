"""sentence-transformers folders: every pooling, Dense and Normalize, against float64."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

import reference
from server import ROOT, Server, run

FIXTURES = ROOT / "Tests" / "CheckpointsTests" / "Fixtures"
WEIGHTS = FIXTURES / "pytorch" / "weights"
GOLDENS = json.loads((FIXTURES / "small" / "tensorflow.json").read_text())["goldens"][:12]
LIBRARY = "sentence_transformers.models."

# As sentence_transformers.models.Pooling writes them; rows is [S, H].
POOLINGS = {
    "cls_token": lambda rows: rows[0],
    "max_tokens": lambda rows: rows.max(axis=0),
    "mean_tokens": lambda rows: rows.mean(axis=0),
    "mean_sqrt_len_tokens": lambda rows: rows.sum(axis=0) / np.sqrt(len(rows)),
    "weightedmean_tokens": lambda rows: np.arange(1, len(rows) + 1)
    @ rows
    / np.arange(1, len(rows) + 1).sum(),
    "lasttoken": lambda rows: rows[-1],
}


def make_folder(root, pooling, modules=(), encoder=""):
    """A folder with the encoder in `encoder`, Pooling, and `modules` after it."""
    shutil.copytree(WEIGHTS, root / encoder, dirs_exist_ok=True)
    (root / "1_Pooling").mkdir()
    (root / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    types = [("Transformer", encoder), ("Pooling", "1_Pooling"), *modules]
    (root / "modules.json").write_text(
        json.dumps(
            [
                {"idx": index, "name": str(index), "path": path, "type": LIBRARY + name}
                for index, (name, path) in enumerate(types)
            ]
        )
    )
    return root


def worst_error(folder, expected, log):
    exact = reference.Reference(WEIGHTS)
    worst = 0
    with Server(model=folder, log=log) as server:
        for golden in GOLDENS:
            rows = exact.encode(golden["ids"], golden["types"])["sequence_output"]
            found = server.tensors([golden["text"]], output_key="sentence_embedding")
            wanted = expected(rows)
            assert found["sentence_embedding"].shape == (1, len(wanted))
            worst = max(worst, np.abs(found["sentence_embedding"][0] - wanted).max())
    return worst


@pytest.mark.parametrize("pooling", POOLINGS)
def test_poolings(pooling, tmp_path, log):
    folder = make_folder(tmp_path / "model", pooling)
    assert worst_error(folder, POOLINGS[pooling], log) < 1e-5


@pytest.mark.parametrize("activation", ["activation.Tanh", "linear.Identity", "activation.ReLU"])
def test_dense_and_normalize_with_an_encoder_of_its_own_folder(activation, tmp_path, log):
    random = np.random.default_rng(2)
    weight = random.standard_normal((13, 24)).astype(np.float32)
    bias = random.standard_normal(13).astype(np.float32)
    modules = [("Dense", "2_Dense"), ("Dropout", "3_Dropout"), ("Normalize", "4_Normalize")]
    folder = make_folder(tmp_path / "model", "mean_tokens", modules, encoder="0_Transformer")
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(
        json.dumps(
            {
                "in_features": 24,
                "out_features": 13,
                "bias": True,
                "activation_function": f"torch.nn.modules.{activation}",
            }
        )
    )
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense/model.safetensors")
    function = {
        "activation.Tanh": np.tanh,
        "linear.Identity": lambda x: x,
        "activation.ReLU": lambda x: np.maximum(x, 0),
    }[activation]

    def expected(rows):
        values = function(weight.astype(np.float64) @ rows.mean(axis=0) + bias)
        return values / np.linalg.norm(values)

    assert worst_error(folder, expected, log) < 1e-6
    shown = run("inspect", folder).stdout
    assert "mean, dense 24 to 13, normalised" in shown


def test_dense_that_does_not_fit_leaves_the_rest(tmp_path):
    folder = make_folder(tmp_path / "model", "mean_tokens", [("Dense", "2_Dense")])
    (folder / "2_Dense").mkdir()
    sizes = {"in_features": 23, "out_features": 3, "bias": False}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(sizes))
    save_file({"linear.weight": np.ones((3, 23), np.float32)}, folder / "2_Dense/model.safetensors")
    result = run("inspect", folder)
    assert result.returncode == 0
    assert "refused: modules.json: Dense from 23 to 3 does not fit a hidden size of 24" in result.stdout
