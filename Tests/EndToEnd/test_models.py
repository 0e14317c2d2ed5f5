"""Several models in one process: one queue, one set of threads."""

import concurrent.futures
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import reference
import tokens
from server import MODEL, Server, run
from texts import TEXTS

SMALL = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
    "hidden_size": 64, "intermediate_size": 128, "layer_norm_eps": 1e-12,
    "max_position_embeddings": 128, "num_attention_heads": 4, "num_hidden_layers": 3,
    "type_vocab_size": 2, "vocab_size": 30522,
}  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder of random weights with the default model's words, and no sentence modules."""
    folder = tmp_path_factory.mktemp("models") / "small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SMALL))
    shutil.copy(MODEL / "vocab.txt", folder)
    random = np.random.default_rng(7)
    width, wide = SMALL["hidden_size"], SMALL["intermediate_size"]

    def layer(name, outputs, inputs):
        return {
            f"{name}.weight": random.normal(0, 0.3, (outputs, inputs)),
            f"{name}.bias": random.normal(0, 0.1, outputs),
        }

    def norm(name):
        return {
            f"{name}.weight": random.normal(1, 0.1, width),
            f"{name}.bias": random.normal(0, 0.1, width),
        }

    weights = norm("embeddings.LayerNorm") | layer("pooler.dense", width, width)
    for table, rows in (("word", "vocab_size"), ("position", "max_position_embeddings"),
                        ("token_type", "type_vocab_size")):  # fmt: skip
        weights[f"embeddings.{table}_embeddings.weight"] = random.normal(0, 1, (SMALL[rows], width))
    for block in range(SMALL["num_hidden_layers"]):
        place = f"encoder.layer.{block}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            weights |= layer(f"{place}.attention.{part}", width, width)
        weights |= norm(f"{place}.attention.output.LayerNorm") | norm(f"{place}.output.LayerNorm")
        weights |= layer(f"{place}.intermediate.dense", wide, width)
        weights |= layer(f"{place}.output.dense", width, wide)
    arrays = {name: array.astype(np.float32) for name, array in weights.items()}
    save_file(arrays, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def both(small, log):
    with Server("--model", f"little={small}", log=log) as server:
        yield server


def test_each_answers_under_its_name(both, small):
    exact = reference.Reference(small)
    tokenizer = tokens.tokenizer(MODEL, exact.positions)
    for text in list(TEXTS.values())[:12]:
        encoding = tokens.encode(tokenizer, text)
        expected = exact.encode(encoding.ids, encoding.type_ids)
        answer = both.tensors({"inputs": text}, model="little", output_key="all")
        assert sorted(answer) == sorted(
            ["default", "pooled_output", "sequence_output", *(k for k in answer if "encoder" in k)]
        )
        for key in ("default", "pooled_output", "sequence_output"):
            np.testing.assert_allclose(answer[key][0], expected[key], atol=2e-5)
    assert both.encode("a")["model"] == MODEL.name
    assert both.encode("a", model=MODEL.name) == both.encode("a")
    assert both.encode({"inputs": "a", "model": "little"})["model"] == "little"


def test_both_at_once(both):
    """Answers under load, from one queue, are those that each gives alone."""
    jobs = [(text, model) for text in list(TEXTS.values())[:40] for model in (MODEL.name, "little")]
    alone = [both.encode([text], model=model)["outputs"] for text, model in jobs]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda job: both.encode([job[0]], model=job[1])["outputs"], jobs * 3))
    assert together == alone * 3


def test_what_is_told_of_them(both):
    assert both.get("/info").json()["models"] == [MODEL.name, "little"]
    little = both.get("/info?model=little").json()
    assert (little["model"], little["shape"]["hidden_size"]) == ("little", 64)
    assert little["shape"]["sentence_size"] is None
    assert both.get("/info?model=none").status_code == 404
    assert both.get("/info?modle=little").status_code == 400
    metrics = both.get("/metrics").text
    assert f'bert_model_info{{model="{MODEL.name}"' in metrics
    assert 'bert_model_info{model="little"' in metrics
    refused = both.post("a", content_type="text/plain", model="medium")
    assert refused.status_code == 404
    assert "little" in refused.json()["error"] and MODEL.name in refused.json()["error"]


def test_a_folder_that_cannot_be_served_is_named(tmp_path):
    ended = run("serve", "--port", 0, "--model", MODEL, "--model", f"broken={tmp_path}")
    assert ended.returncode == 1
    assert str(tmp_path) in ended.stderr
    ended = run("serve", "--port", 0, "--model", MODEL, "--model", MODEL)
    assert ended.returncode == 2


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, small):
    """The small model with a word whose embedding is no number."""
    folder = tmp_path_factory.mktemp("models") / "faulty"
    shutil.copytree(small, folder)
    words = (folder / "vocab.txt").read_text().split("\n")
    arrays = load_file(folder / "model.safetensors")
    arrays["embeddings.word_embeddings.weight"][words.index("fish"), 7] = np.nan
    save_file(arrays, folder / "model.safetensors")
    return folder


def test_a_fault_of_the_model(faulty, log):
    """A 500 that says so; in a stream, a line of that text alone."""
    with Server(model=faulty, log=log) as server:
        response = server.post(["a fish"])
        assert response.status_code == 500 and "NaN" in response.json()["error"]
        assert server.encode(["a cat"])["lengths"] == [4]
        lines = [json.dumps("a cat")] * 1500 + [json.dumps("a fish")] + [json.dumps("a cat")] * 10
        answer = server.post("\n".join(lines).encode(), content_type="application/x-ndjson")
        answers = [json.loads(line) for line in answer.text.splitlines()]
        assert len(answers) == len(lines)
        assert [index for index, each in enumerate(answers) if "error" in each] == [1500]
        assert "NaN" in answers[1500]["error"] and answers[1500]["error_type"] == "Backend"
        assert server.encode(["a cat"])["lengths"] == [4]


def test_a_fault_of_the_model_leaves_out_its_texts_alone(faulty, tmp_path):
    """Texts of one pass with one that cannot be encoded."""
    (tmp_path / "texts.txt").write_text("a cat\na fish\na cat\n")
    options = ["--model", faulty, "-o", tmp_path / "out", tmp_path / "texts.txt"]
    stopped = run("encode", *options)
    assert stopped.returncode == 1 and "texts.txt:2: the model made a NaN" in stopped.stderr
    done = run("encode", *options, "--on-error", "skip", "--max-skipped", 1)
    assert done.returncode == 0 and "texts.txt:2: left out: the model made a NaN" in done.stderr
    rows = np.load(tmp_path / "out" / "part-00000.npy")
    assert len(rows) == 2 and np.isfinite(rows).all() and np.array_equal(rows[0], rows[1])
