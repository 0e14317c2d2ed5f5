"""Masked-language-model heads: mlm_logits, masks filled in, and the sparse vectors that SPLADE makes of them."""

import base64
import json
import shutil

import numpy as np
import pytest
import requests
import safetensors.numpy
from huggingface_hub import InferenceClient

from server import ROOT, Server, run

FOLDER = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads"
LOGITS, MASKS, SPARSE = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ["masked", "masks", "sparse"])
STEP = 17  # of make_heads.py
# As in test_checkpoints_pytorch.py.
ROOM = 1.5
TEXTS = ["a [MASK] bicycle", "", "Improve the [MASK] [MASK] of your goldfish by getting him a bicycle", "[MASK]"]


@pytest.fixture(scope="module")
def masked(log):
    """All folders in one server, BERT's first."""
    names = [name for name in [*LOGITS, *SPARSE] if name != "masked-bert"]
    more = [flag for name in names for flag in ("--model", f"{name}={FOLDER / name}")]
    with Server(*more, model=f"masked-bert={FOLDER / 'masked-bert'}", log=log) as server:
        yield server


def logits(server, texts, model="masked-bert", **options):
    return [np.array(rows) for rows in server.encode(texts, model=model, output_key="mlm_logits", **options)["outputs"]["mlm_logits"]]


@pytest.mark.parametrize("name", LOGITS)
def test_logits(masked, name, capsys):
    worst = [0, 0]
    for row in LOGITS[name]:
        [found] = logits(masked, [row["text"]], name)
        assert len(found) == len(row["logits"])
        worst = np.maximum(worst, [np.abs(found[:, ::STEP] - row["logits"]).max(), row["error"]])
    with capsys.disabled():
        print(f"\n{name}: largest error {worst[0]:.3g}, PyTorch's {worst[1]:.3g}")
    assert worst[0] <= ROOM * worst[1]


def test_formats_and_shape(masked):
    width = masked.get("/info").json()["widths"]["mlm_logits"]
    [expected] = logits(masked, ["a bicycle"])
    ask = dict(model="masked-bert", output_key="mlm_logits")
    raw = masked.post({"inputs": "a bicycle"}, format="safetensors", **ask).content
    found = safetensors.numpy.load(raw)["mlm_logits"]
    assert found.shape == (1, 4, width) and np.array_equal(found[0], np.float32(expected))
    padded = masked.encode(["a", "a bicycle"], seq_length="longest", **ask)
    assert padded["shapes"]["mlm_logits"] == [2, 4, width]
    # `all` is every other key: the numbers of a token are the vocabulary's.
    assert "mlm_logits" not in masked.encode(["a"], model="masked-bert", output_key="all")["outputs"]
    assert "mlm_logits" in masked.get("/info").json()["output_keys"]


@pytest.mark.parametrize("count", [1, 5, 224, 1000])
def test_top_k(masked, count):
    """The largest of all numbers, of equal ones the first, in every format."""
    everything = logits(masked, TEXTS)
    count_there = min(count, everything[0].shape[1])
    answer = masked.encode(TEXTS, model="masked-bert", output_key="mlm_logits", top_k=count)
    vocabulary = (FOLDER / "masked-bert" / "vocab.txt").read_text().splitlines()
    assert answer["shapes"]["mlm_logits"] == [len(TEXTS), None, count_there]
    for rows, found, tokens in zip(everything, answer["outputs"]["mlm_logits"], answer["mlm_tokens"]):
        order = np.argsort(-rows, axis=1, kind="stable")[:, :count]
        assert [[token["id"] for token in row] for row in tokens] == order.tolist()
        assert all(token["token"] == vocabulary[token["id"]] for row in tokens for token in row)
        assert np.array_equal(found, np.take_along_axis(rows, order, 1))
    ask = dict(model="masked-bert", output_key="mlm_logits", top_k=count, seq_length="longest")
    raw = masked.post({"inputs": TEXTS}, format="safetensors", **ask)
    tensors = safetensors.numpy.load(raw.content)
    assert tensors["mlm_ids"].dtype == np.int32 and tensors["mlm_ids"].shape == tensors["mlm_logits"].shape
    padded = masked.encode(TEXTS, **ask)
    assert np.array_equal(tensors["mlm_logits"], np.float32(padded["outputs"]["mlm_logits"]))
    assert tensors["mlm_ids"].tolist() == [[[token["id"] for token in row] for row in rows] for rows in padded["mlm_tokens"]]
    text = masked.encode(TEXTS, format="base64", **ask)
    assert np.array_equal(np.frombuffer(base64.b64decode(text["outputs"]["mlm_logits"][0]), np.float32), tensors["mlm_logits"][0].ravel())
    assert text["mlm_tokens"] == padded["mlm_tokens"]
    lines = masked.post(
        "\n".join(json.dumps(each) for each in TEXTS), content_type="application/x-ndjson",
        model="masked-bert", output_key="mlm_logits", top_k=count,
    ).text.splitlines()  # fmt: skip
    assert [json.loads(line)["mlm_tokens"][0] for line in lines] == answer["mlm_tokens"]


def test_top_k_beside_others(masked):
    answer = masked.encode(["a b"], model="masked-bert", output_key="mlm_logits,sequence_output", top_k=2, tokens="true")
    assert answer["shapes"] == {"mlm_logits": [1, 4, 2], "sequence_output": [1, 4, 24]}
    assert len(answer["tokens"][0]) == len(answer["mlm_tokens"][0]) == 4


@pytest.mark.parametrize(
    "options, word",
    [
        ({"top_k": 0}, "1 to 1000"), ({"top_k": 1001}, "1 to 1000"), ({"top_k": "x"}, "1 to 1000"),
        ({"top_k": 99999999999999999999}, "1 to 1000"),
        ({"top_k": 2, "output_key": "sequence_output"}, "output_key=mlm_logits"),
        ({"top_k": 2, "format": "npy"}, "safetensors"),
        ({"output_key": "sparse_embedding"}, "pooling=splade"),
        ({"output_key": "logits"}, "BertForMaskedLM"),
    ],
)  # fmt: skip
def test_refusals(masked, options, word):
    answer = masked.post({"inputs": "a"}, **({"model": "masked-bert", "output_key": "mlm_logits"} | options))
    assert answer.status_code == 400 and word in answer.json()["error"], answer.text


def test_size_is_counted_before(log):
    with Server("--max-output-bytes", 100_000, model=FOLDER / "masked-bert", log=log) as server:
        text = "goldfish " * 100
        assert server.post({"inputs": text}, output_key="mlm_logits").status_code == 413
        assert server.post({"inputs": text}, output_key="mlm_logits", top_k=3).status_code == 200
        assert server.post({"inputs": text}, output_key="mlm_logits", top_k=1000).status_code == 413
        # So is a line of a stream, which as a whole has no limit.
        lines = dict(output_key="mlm_logits", content_type="application/x-ndjson")
        refused = server.post(f'"a"\n"{text}"\n', **lines)
        assert refused.status_code == 413 and "max_output_bytes" in refused.text
        assert server.post('"a"\n' * 100, **lines).status_code == 200
        # Each prediction has the whole text.
        body = {"inputs": "[MASK] " * 100, "parameters": {"top_k": 100}}
        assert server.post(body, path="/").status_code == 413
        assert server.post({"inputs": "[MASK] " * 5}, path="/").status_code == 200
        # Tokens that are no mask have none.
        body = {"inputs": "[MASK] " + "goldfish " * 30, "parameters": {"top_k": 100}}
        assert server.post(body, path="/").status_code == 200


def test_batches_and_threads_change_no_bit(masked, log):
    for name, key in [("masked-bert", "mlm_logits"), ("masked-xlm-roberta", "mlm_logits"), ("splade", "sparse_embedding"), ("splade-sum", "sparse_embedding")]:
        together = masked.encode(TEXTS, model=name, output_key=key)["outputs"][key]
        for text, expected in zip(TEXTS, together):
            assert masked.encode([text], model=name, output_key=key)["outputs"][key] == [expected]
            assert masked.encode([text], model=name, output_key=f"{key},encoder_outputs")["outputs"][key] == [expected]
        for threads in (1, 3):
            with Server("--threads", threads, model=FOLDER / name, log=log) as server:
                assert server.encode(TEXTS, output_key=key)["outputs"][key] == together
                if key == "mlm_logits":
                    body = {"inputs": TEXTS[2].replace("[MASK]", "<mask>" if "xlm" in name else "[MASK]")}
                    assert server.post(body, path="/").json() == masked.post(body, path="/", model=name).json()


@pytest.mark.parametrize("precision, room", [("bfloat16", 0.05), ("int8", 0.1)])
def test_precisions(masked, log, precision, room):
    for name in ["masked-bert", "masked-electra", "splade"]:
        key = "sparse_embedding" if name == "splade" else "mlm_logits"
        with Server("--precision", precision, model=FOLDER / name, log=log) as server:
            for text in TEXTS:
                expected = np.array(masked.encode([text], model=name, output_key=key)["outputs"][key][0])
                found = np.array(server.encode([text], output_key=key)["outputs"][key][0])
                assert np.abs(found - expected).max() <= room * np.abs(expected).max()


# Masks.


@pytest.mark.parametrize("name", MASKS)
def test_the_pipelines_masks(masked, name):
    for row in MASKS[name]:
        body = {"inputs": row["text"], "parameters": row["options"]}
        answer = masked.post(body, path="/", model=name)

        def close(each):
            return [close(one) for one in each] if isinstance(each, list) else {**each, "score": pytest.approx(each["score"], abs=2e-6)}

        assert answer.json() == close(row["found"]), row
        # A list of one is that one, as in the pipeline; of several a list.
        assert masked.post({**body, "inputs": [row["text"]]}, path="/", model=name).json() == answer.json()
        assert masked.post({**body, "inputs": [row["text"]] * 2}, path="/", model=name).json() == [answer.json()] * 2


def test_fill_mask_client(log):
    with Server(model=FOLDER / "masked-bert", log=log) as server:
        client = InferenceClient(provider="hf-inference", token="-")
        for row in MASKS["masked-bert"]:
            if isinstance(row["found"][0], list) or isinstance(row["options"].get("targets"), str):
                continue  # not what the client takes
            found = client.fill_mask(row["text"], model=server.url, **row["options"])
            assert [(each.token, each.token_str, each.sequence) for each in found] == [
                (each["token"], each["token_str"], each["sequence"]) for each in row["found"]
            ]
            assert [each.score for each in found] == pytest.approx([each["score"] for each in row["found"]], abs=2e-6)


@pytest.mark.parametrize(
    "body, word",
    [
        ({"inputs": "no mask"}, "[MASK]"), ({"inputs": ["[MASK]", "x"]}, "text 1"), ({"inputs": 1}, "'inputs'"),
        ({"inputs": [1]}, "item 0"), ({"inputs": "[MASK]", "parameters": {"top_k": 0}}, "top_k"),
        ({"inputs": "[MASK]", "parameters": {"top_k": 1001}}, "top_k"), ({"inputs": "[MASK]", "parameters": {"targets": [1]}}, "targets"),
        ({"inputs": "[MASK]", "parameters": {"targets": []}}, "targets"), ({"inputs": "[MASK]", "parameters": {"targets": [""]}}, "targets"),
        ({"inputs": "[MASK]", "parameters": {"targets": {}}}, "targets"), ({"inputs": "[MASK]", "parameters": 1}, "parameters"),
        ({"inputs": "goldfish " * 600 + "[MASK]"}, "[MASK]"), ({}, "inputs"),
    ],
)  # fmt: skip
def test_fill_mask_refuses(masked, body, word):
    answer = masked.post(body, path="/", model="masked-bert")
    assert answer.status_code in (400, 413, 422) and word in answer.text, answer.text


def test_root_is_the_embedding_with_a_pooling(log):
    with Server("--pooling", "mean", model=FOLDER / "masked-bert", log=log) as server:
        assert len(server.post({"inputs": "a"}, path="/").json()[0]) == 24


# Heads that are not whole.


def test_a_head_that_is_not_there(tmp_path, log):
    """The encoder is served, and the start says what is left out."""
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "masked-bert", folder)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    bias = tensors.pop("cls.predictions.bias")
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    shown = run("inspect", folder).stdout
    assert "mlm_logits" not in shown and "cls.predictions.decoder.bias [224]" in shown
    with Server(model=folder, log=log) as server:
        assert "cls.predictions.decoder.bias" in server.get("/info").json()["head"]
        assert server.post({"inputs": "a"}, output_key="mlm_logits").status_code == 400
        assert server.post({"inputs": "a"}, path="/").status_code == 400  # no pooler either
    done = run("serve", "--model", folder, "--pooling", "splade", "--port", "0")
    assert done.returncode != 0 and "masked-LM" in done.stderr, done.stderr
    # The old names, and the decoder's own bias.
    tensors["cls.predictions.decoder.bias"] = bias
    for part in ["weight", "bias"]:
        name = f"cls.predictions.transform.LayerNorm.{part}"
        tensors[name.replace("weight", "gamma").replace("bias", "beta")] = tensors.pop(name)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    row = LOGITS["masked-bert"][0]
    with Server(model=folder, log=log) as server:
        [found] = logits(server, [row["text"]], None)
        assert np.abs(found[:, ::STEP] - row["logits"]).max() <= row["error"] * 2
    # A decoder that differs from the word embeddings is not tied; one that is not tied must be there.
    tensors["cls.predictions.decoder.weight"] = np.zeros_like(tensors["bert.embeddings.word_embeddings.weight"])
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with Server(model=folder, log=log) as server:
        [found] = logits(server, ["a"], None)
        assert np.array_equal(np.float32(found), np.tile(bias, (3, 1)))
    tensors["cls.predictions.decoder.weight"] = np.zeros((3, 24), np.float32)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    assert "decoder.weight [224, 24], but F32 [3, 24]" in run("inspect", folder).stdout


def test_broken_weights(tmp_path, log):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "masked-bert", folder)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    tensors["cls.predictions.bias"] = tensors["cls.predictions.bias"].copy()
    tensors["cls.predictions.bias"][100] = np.nan
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with Server(model=folder, log=log) as server:
        for options in [{}, {"top_k": 2}]:
            answer = server.post({"inputs": "a"}, output_key="mlm_logits", **options)
            assert answer.status_code == 500 and "NaN" in answer.text
        assert server.post({"inputs": "a [MASK]"}, path="/").status_code == 424


def test_inspect(masked):
    shown = run("inspect", FOLDER / "masked-bert").stdout
    assert "mlm_logits" in shown and "224 tokens, with the word embeddings' weights" in shown
    assert "weights of its own" in run("inspect", FOLDER / "masked-untied").stdout
    assert "splade max, relu" in run("inspect", FOLDER / "splade").stdout


# Other protocols.


def test_other_protocols(masked):
    answer = masked.post(
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a b"]}], "outputs": [{"name": "sparse_embedding"}]},
        path="/v2/models/splade/infer",
    ).json()  # fmt: skip
    [expected] = masked.encode(["a b"], model="splade", output_key="sparse_embedding")["outputs"]["sparse_embedding"]
    assert answer["outputs"][0]["shape"] == [1, 224] and answer["outputs"][0]["data"] == pytest.approx(expected)
    answer = masked.post({"instances": ["a b"], "signature_name": "mlm_logits"}, path="/v1/models/masked-bert:predict").json()
    assert np.array(answer["predictions"]).shape == (1, 4, 224)
    meta = requests.get(masked.url + "/v2/models/masked-bert").json()["outputs"]
    assert {"name": "mlm_logits", "datatype": "FP32", "shape": [-1, -1, 224]} in meta


# A vocabulary that threads share in parts, and more rows than are multiplied at once.


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    shutil.copytree(FOLDER / "masked-bert", folder, dirs_exist_ok=True)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    random = np.random.default_rng(5)
    words = (folder / "vocab.txt").read_text().splitlines()
    words += [f"word{index}" for index in range(40_003 - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    name = "bert.embeddings.word_embeddings.weight"
    tensors[name] = np.concatenate([tensors[name], 0.3 * random.standard_normal((len(words) - 224, 24), np.float32)])
    tensors["cls.predictions.bias"] = 0.2 * random.standard_normal(len(words), np.float32)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    configuration = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(configuration | {"vocab_size": len(words)}))
    return folder, {name: values.astype(float) for name, values in tensors.items()}


def head(tensors, hidden):
    """As BertLMPredictionHead, in float64."""
    erf = np.vectorize(__import__("math").erf)
    part = "cls.predictions.transform."
    rows = hidden @ tensors[part + "dense.weight"].T + tensors[part + "dense.bias"]
    rows = rows / 2 * (1 + erf(rows / np.sqrt(2)))
    rows = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 1e-12)
    rows = rows * tensors[part + "LayerNorm.weight"] + tensors[part + "LayerNorm.bias"]
    return rows @ tensors["bert.embeddings.word_embeddings.weight"].T + tensors["cls.predictions.bias"]


def test_a_large_vocabulary(large, log):
    folder, tensors = large
    texts = ["goldfish [MASK] bicycle " * 20, "a [MASK]", "fitness of your bicycle " * 25]
    answers = []
    for threads in (1, 3):
        with Server("--threads", threads, "--pooling", "splade", model=folder, log=log) as server:
            ask = dict(output_key="mlm_logits,sequence_output,sparse_embedding", seq_length="longest")
            found = server.tensors({"inputs": texts}, **ask)
            best = server.tensors({"inputs": texts}, top_k=7, **ask)
            sparse = server.post({"inputs": texts}, path="/embed_sparse").json()
            lengths = server.encode(texts, output_key="sparse_embedding")["lengths"]
        with Server("--threads", threads, model=folder, log=log) as server:
            masks = server.post({"inputs": texts[:2], "parameters": {"top_k": 9}}, path="/").json()
            targets = server.post({"inputs": texts[1], "parameters": {"targets": ["word39000", "word2", "goldfish"]}}, path="/").json()
        answers.append((found["mlm_logits"].tobytes(), best["mlm_logits"].tobytes(), best["mlm_ids"].tobytes(), sparse, masks, targets))
    assert answers[0] == answers[1]
    assert sum(lengths) > 200
    rows = found["mlm_logits"]
    assert np.abs(rows - head(tensors, found["sequence_output"].astype(float))).max() < 2e-5
    order = np.argsort(-rows, axis=-1, kind="stable")[..., :7]
    assert np.array_equal(best["mlm_ids"], order)
    assert np.array_equal(best["mlm_logits"], np.take_along_axis(rows, order, -1))
    for index, length in enumerate(lengths):
        expected = np.log1p(np.maximum(rows[index, :length].astype(float), 0).max(0))
        assert np.abs(found["sparse_embedding"][index] - expected).max() < 1e-6
        assert {each["index"]: np.float32(each["value"]) for each in sparse[index]} == {
            place: value for place, value in enumerate(found["sparse_embedding"][index]) if value
        }
    exact = rows[1, 2].astype(float)
    shares = np.exp(exact - exact.max()) / np.exp(exact - exact.max()).sum()
    assert [each["token"] for each in masks[1]] == np.argsort(-exact, kind="stable")[:9].tolist()
    assert [each["score"] for each in masks[1]] == pytest.approx([shares[each["token"]] for each in masks[1]], rel=1e-5)
    assert len(masks[0]) == 18  # the text is cut to the positions
    assert [each["score"] for each in targets] == pytest.approx(sorted((shares[each["token"]] for each in targets), reverse=True), rel=1e-5)
    assert len(targets) == 3
