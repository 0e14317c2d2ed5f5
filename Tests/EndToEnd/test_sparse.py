"""Sparse vectors: what SPLADE makes of a masked-language-model head's logits, and files of them."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
from server import Server, run
from test_masked import FOLDER, ROOM, SPARSE, TEXTS, logits, masked  # noqa: F401


def weights(rows):
    return [{str(each["index"]): each["value"] for each in row} for row in rows]


@pytest.mark.parametrize("name", SPARSE)
def test_sparse(masked, name, capsys):
    worst = [0, 0]
    for row in SPARSE[name]:
        body = {"inputs": row["text"], "prompt_name": row["prompt"]}
        [found] = weights(masked.post(body, path="/embed_sparse", model=name).json())
        assert list(found) == sorted(found, key=int)
        # A weight may be 0 in one arithmetic and not in another.
        error = max(abs(found.get(key, 0) - row["weights"].get(key, 0)) for key in found.keys() | row["weights"].keys())
        worst = np.maximum(worst, [error, row["error"]])
        if row["prompt"] is None:
            dense = masked.encode([row["text"]], model=name, output_key="sparse_embedding")
            assert dense["shapes"]["sparse_embedding"] == [1, 224]
            assert {str(index): value for index, value in enumerate(dense["outputs"]["sparse_embedding"][0]) if value} == found
    with capsys.disabled():
        print(f"\n{name}: largest error {worst[0]:.3g}, PyTorch's {worst[1]:.3g}")
    assert worst[0] <= ROOM * worst[1]


def test_sparse_is_made_of_the_logits(masked):
    for text in TEXTS:
        [rows] = logits(masked, [text])
        found = masked.encode([text], model="splade", output_key="sparse_embedding,mlm_logits")["outputs"]
        assert np.array_equal(np.array(found["mlm_logits"][0]), rows)
        assert found["sparse_embedding"][0] == pytest.approx(np.log1p(np.maximum(rows, 0).max(0)), rel=1e-6)


def test_padding_has_no_weight(masked):
    [alone] = masked.encode(["a"], model="splade", output_key="sparse_embedding")["outputs"]["sparse_embedding"]
    padded = masked.encode(["a"], model="splade", output_key="sparse_embedding", seq_length=32)
    assert padded["outputs"]["sparse_embedding"] == [alone]


def test_embed_sparse_batches_and_members(masked):
    texts = ["a goldfish", "a bicycle", "x " * 300]
    ask = dict(path="/embed_sparse", model="splade")
    together = masked.post({"inputs": texts}, **ask).json()
    assert [masked.post({"inputs": each}, **ask).json()[0] for each in texts] == together
    assert masked.post({"inputs": texts[2], "truncate": False}, **ask).status_code == 422
    assert masked.post({"inputs": [[5, 6, 7]]}, **ask).status_code == 200
    assert masked.post({"inputs": []}, **ask).status_code == 400
    assert masked.post({"inputs": "a", "normalize": True}, **ask).headers["x-ignored-members"] == "normalize"
    assert masked.post({"inputs": "a"}, path="/", model="splade").json() == masked.post({"inputs": "a"}, **ask).json()
    other = masked.post({"inputs": "a"}, path="/embed_sparse", model="masked-bert")
    assert other.status_code == 400 and "pooling=splade" in other.text
    dense = masked.post({"inputs": "a"}, path="/embed", model="splade")
    assert dense.status_code == 400 and "/embed_sparse" in dense.text


def test_pooling_splade(masked, log):
    with Server("--pooling", "splade", model=FOLDER / "masked-bert", log=log) as server:
        text = SPARSE["splade"][0]["text"]
        assert server.post({"inputs": text}, path="/embed_sparse").json() == masked.post({"inputs": text}, path="/embed_sparse", model="splade").json()
        assert server.get("/info").json()["model_type"] == {"embedding": {"pooling": "splade"}}


def test_folders_of_older_releases(tmp_path, masked, log):
    """MLMTransformer, with a file that says less."""
    folder = tmp_path / "old"
    shutil.copytree(FOLDER / "splade", folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "sentence_transformers.sparse_encoder.models.MLMTransformer.MLMTransformer"
    modules[1]["type"] = "sentence_transformers.sparse_encoder.models.SpladePooling.SpladePooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8, "do_lower_case": False}))
    (folder / "1_SpladePooling" / "config.json").write_text(json.dumps({"pooling_strategy": "max", "word_embedding_dimension": None}))
    with Server(model=folder, log=log) as server:
        assert server.post({"inputs": "a fish"}, path="/embed_sparse").json() == masked.post({"inputs": "a fish"}, path="/embed_sparse", model="splade").json()
        assert server.get("/info").json()["limits"]["max_tokens"] == 8
    for name, change, word in [
        ("1_SpladePooling/config.json", {"pooling_strategy": "mean"}, "pooling_strategy"),
        ("1_SpladePooling/config.json", {"activation_function": "tanh"}, "activation_function"),
        ("1_SpladePooling/config.json", {"other": 1}, "other"),
        ("config_sentence_transformers.json", {"max_active_dims": 5, "model_type": "SparseEncoder"}, "max_active_dims"),
        ("sentence_bert_config.json", {"transformer_task": "feature-extraction"}, "fill-mask"),
        ("config.json", json.loads((folder / "config.json").read_text()) | {"architectures": ["BertModel"]}, "masked-LM"),
    ]:
        before = (folder / name).read_text()
        (folder / name).write_text(json.dumps(change))
        shown = run("inspect", folder)
        assert shown.returncode == 1 and word in shown.stderr, (name, shown.stderr)
        (folder / name).write_text(before)


# Files.


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_encode_command(masked, log, tmp_path, dtype):
    """Compressed sparse rows, from a model here and from a service."""
    texts = ["a goldfish", "a bicycle", "Improve"]
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(texts) + "\n")
    expected = np.array(masked.encode(texts, model="splade", output_key="sparse_embedding")["outputs"]["sparse_embedding"])
    with Server(model=FOLDER / "splade", log=log) as server:
        for name, place in [("here", ["--model", FOLDER / "splade"]), ("there", ["--server", server.url]), ("pooled", ["--model", FOLDER / "masked-bert", "--pooling", "splade"])]:
            out = tmp_path / name
            done = run("encode", source, *place, "-o", out, "--output-key", "sparse_embedding", "--format", "safetensors", "--dtype", dtype, "--part-size", 2)
            assert done.returncode == 0, done.stderr
            rows = []
            for part in sorted(out.glob("part*.safetensors")):
                tensors = safetensors.numpy.load_file(part)
                with safetensors.safe_open(part, "numpy") as file:
                    count, width = map(int, file.metadata()["sparse_embedding.shape"].split(","))
                starts, indices, values = (tensors[f"sparse_embedding.{each}"] for each in ["indptr", "indices", "values"])
                assert len(starts) == count + 1 and starts[-1] == len(values) == len(indices)
                for start, end in zip(starts, starts[1:]):
                    row = np.zeros(width, np.float32)
                    row[indices[start:end]] = values[start:end]
                    rows.append(row)
            assert np.array_equal(np.array(rows), expected.astype(np.float32).astype(dtype).astype(np.float32))
    done = run("encode", source, "--model", FOLDER / "splade", "-o", tmp_path / "lines", "--output-key", "sparse_embedding", "--format", "jsonl")
    lines = [json.loads(line) for line in next((tmp_path / "lines").glob("part*.jsonl")).read_text().splitlines()]
    for line, row in zip(lines, expected, strict=True):
        assert np.array_equal(np.float32(line["sparse_embedding"]["values"]), np.float32(row[row != 0]))
        assert line["sparse_embedding"]["indices"] == np.flatnonzero(row).tolist()


@pytest.mark.parametrize("flags, word", [
    (["--output-key", "sparse_embedding"], "npy"), (["--output-key", "mlm_logits", "--format", "jsonl"], "top_k"),
    (["--output-key", "sparse_embedding", "--pooling", "mean", "--format", "jsonl"], "SpladePooling"),
    (["--top-k", "3"], "--top-k"),
])  # fmt: skip
def test_what_is_not_written(tmp_path, flags, word):
    source = tmp_path / "texts.txt"
    source.write_text("a\n")
    done = run("encode", source, "--model", FOLDER / "splade", "-o", tmp_path / "out", *flags)
    assert done.returncode != 0 and word in done.stderr, done.stderr
