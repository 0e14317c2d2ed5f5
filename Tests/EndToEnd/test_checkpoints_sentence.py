"""sentence-transformers folders: every pooling, Dense and Normalize, against float64."""

import json
import shutil

import numpy as np
import pytest
import scipy.special
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


def write_dense(folder, size, output, function, seed, **more):
    random = np.random.default_rng(seed)
    tensors = {
        "linear.weight": random.standard_normal((output, size)).astype(np.float32),
        "linear.bias": random.standard_normal(output).astype(np.float32),
        "residual.weight": random.standard_normal((output, size)).astype(np.float32),
    }
    configuration = {"in_features": size, "out_features": output, "activation_function": function, **more}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(configuration))
    save_file(tensors, folder / "model.safetensors")
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


def test_modules_one_after_the_other(tmp_path, log):
    """Two poolings, a Dense with a projected residual, LayerNorm, a Dense that adds its input, truncation."""
    modules = [("Dense", "2_Dense"), ("LayerNorm", "3_LayerNorm"), ("Dense", "4_Dense"), ("Normalize", "5_N")]
    folder = make_folder(tmp_path / "model", "cls_token", modules)
    flags = {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    first = write_dense(folder / "2_Dense", 48, 13, "torch.nn.modules.activation.GELU", 1, use_residual=True)
    second = write_dense(folder / "4_Dense", 13, 13, "torch.nn.Sigmoid", 2, use_residual=True)
    (folder / "3_LayerNorm").mkdir()
    (folder / "3_LayerNorm" / "config.json").write_text('{"dimension": 13}')
    norm = {"norm.weight": np.linspace(-1, 2, 13), "norm.bias": np.linspace(1, 0, 13)}
    save_file(
        {name: values.astype(np.float32) for name, values in norm.items()},
        folder / "3_LayerNorm" / "model.safetensors",
    )
    (folder / "config_sentence_transformers.json").write_text('{"truncate_dim": 7}')

    def expected(rows):
        x = np.concatenate([rows[0], rows.max(axis=0)])
        y = first["linear.weight"] @ x + first["linear.bias"]
        x = y * scipy.special.ndtr(y) + first["residual.weight"] @ x
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        x = x * norm["norm.weight"].astype(np.float32) + norm["norm.bias"].astype(np.float32)
        x = scipy.special.expit(second["linear.weight"] @ x + second["linear.bias"]) + x
        return (x / np.linalg.norm(x))[:7]

    assert worst_error(folder, expected, log) < 1e-5
    shown = run("inspect", folder).stdout
    assert "cls + max, dense 48 to 13, layer norm, dense 13 to 13, normalised, cut to 7" in shown


def test_default_prompt(tmp_path, log):
    """It is before every text whose sentence_embedding is asked for, unless another is named."""
    folder = make_folder(tmp_path / "model", "mean_tokens")
    prompts = {"prompts": {"query": "a fish: ", "none": ""}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    plain = make_folder(tmp_path / "plain", "mean_tokens")
    with Server("--model", f"plain={plain}", model=f"prompted={folder}", log=log) as server:

        def encode(model, text, key="sentence_embedding"):
            return server.encode([text], model=model, output_key=key)["outputs"][key][0]

        prompted = encode("plain", "a fish: of gold")
        assert encode("prompted", "of gold") == prompted
        assert encode("prompted", "of gold", "pooled_output") == encode("plain", "of gold", "pooled_output")
        body = {"input": "of gold", "model": "prompted", "normalize": False}
        answer = server.post(body, path="/v1/embeddings").json()
        assert answer["data"][0]["embedding"] == prompted
        for name, text in ((None, "a fish: of gold"), ("query", "a fish: of gold"), ("none", "of gold")):
            body = {"inputs": "of gold", "normalize": False, **({"prompt_name": name} if name else {})}
            answer = server.post(body, path="/embed", model="prompted").json()
            assert answer[0] == encode("plain", text)
        pair = server.post([["a", "b"]], model="prompted", output_key="sentence_embedding")
        assert pair.status_code == 422 and "the folder's prompt is put before single texts" in pair.text
        answer = server.encode(["of gold"], model="prompted", output_key="sentence_embedding", tokens="true")
        places = [(token["start"], token["stop"]) for token in answer["tokens"][0]]
        assert places[-2][1] == len("of gold") and places[1] == (None, None)


@pytest.mark.parametrize(
    "modules, files, reason",
    [
        (["CNN"], {}, "models.CNN"),
        (["Dense"], {"2_Dense/config.json": {"in_features": 23, "out_features": 3}}, "linear.weight"),
        (["WordWeights"], {}, "models.WordWeights"),
        ([], {"1_Pooling/config.json": {"pooling_mode": "median"}}, "median"),
        ([], {"config_sentence_transformers.json": {"default_prompt_name": "x"}}, "default_prompt_name"),
        ([], {"sentence_bert_config.json": {"query_expansion": {"length": 9}}}, "query_expansion"),
        ([], {"tokenizer_config.json": {"tokenizer_class": "BertJapaneseTokenizer"}}, "BertJapaneseTokenizer"),
        ([], {"adapter_config.json": {}}, "merge_and_unload"),
    ],
)
def test_refusals(modules, files, reason, tmp_path):
    """A folder that would be another model is refused at the start, with what to do."""
    listed = [(name, f"{index}_{name}") for index, name in enumerate(modules, 2)]
    folder = make_folder(tmp_path / "model", "mean_tokens", listed)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    if "2_Dense/config.json" in files:
        save_file({"linear.weight": np.ones((3, 24), np.float32)}, folder / "2_Dense/model.safetensors")
    for command in (("inspect", folder), ("serve", "--port", 0, "--model", folder)):
        result = run(*command)
        assert result.returncode == 1 and reason in result.stderr + result.stdout, result


def test_length_limit_of_another_name(tmp_path, log):
    folder = make_folder(tmp_path / "model", "mean_tokens")
    (folder / "sentence_roberta_config.json").write_text('{"max_seq_length": 8}')
    with Server(model=folder, log=log) as server:
        answer = server.encode(["a b c d e f g h i j k"], output_key="sentence_embedding")
        assert answer["lengths"] == [8] and answer["truncated"] == [True]
