"""A vector a token for late interaction: what sentence-transformers, PyLate and ColBERT's own code save."""

import json
import re
import shutil

import numpy as np
import pytest
import safetensors.numpy
from server import ROOT, Server, run

FOLDER = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "colbert"
ROWS = json.loads((FOLDER / "colbert.json").read_text())
# As in test_checkpoints_pytorch.py.
ROOM = 1.5
# Few texts, and numbers that nothing brings to length 1.
ROOM_OF_WEIGHTS = 2


@pytest.fixture(scope="module")
def colbert(log):
    more = [flag for name in ROWS if name != "native" for flag in ("--model", f"{name}={FOLDER / name}")]
    with Server(*more, model=f"native={FOLDER / 'native'}", log=log) as server:
        yield server


def vectors(server, model, texts, **options):
    found = server.encode(texts, model=model, output_key="colbert", **options)["outputs"]["colbert"]
    return [np.array(rows) for rows in found]


def scored(rows):
    """Without the tokens that are not scored, which have zeros."""
    return rows[rows.any(axis=1)]


@pytest.mark.parametrize("name", ROWS)
def test_vectors(colbert, name, capsys):
    worst = [0, 0]
    for row in ROWS[name]:
        [found] = vectors(colbert, name, [row["text"]], input_type=row["type"])
        found, expected = scored(found), np.array(row["vectors"])
        assert found.shape == expected.shape, row["text"]
        worst = np.maximum(worst, [np.abs(found - expected).max(), row["error"]])
    with capsys.disabled():
        print(f"\n{name}: largest error {worst[0]:.3g}, PyTorch's {worst[1]:.3g}")
    assert worst[0] <= ROOM * worst[1]


def test_weights_of_m3(colbert):
    room = ROOM_OF_WEIGHTS * max(row["weights_error"] for row in ROWS["m3"])
    for row in ROWS["m3"]:
        [found] = colbert.post({"inputs": row["text"]}, path="/embed_sparse", model="m3").json()
        found = {str(each["index"]): each["value"] for each in found}
        assert found.keys() == row["weights"].keys()
        assert all(found[key] == pytest.approx(row["weights"][key], abs=room) for key in found)
    # The folder's own vectors are still what it is asked for.
    text = ROWS["m3"][0]["text"]
    [dense] = colbert.post({"inputs": text}, path="/", model="m3").json()
    several = colbert.encode([text], model="m3", output_key="sentence_embedding,sparse_embedding,colbert")["outputs"]
    assert several["sentence_embedding"] == [dense]
    assert np.count_nonzero(several["sparse_embedding"]) and len(several["colbert"][0][0]) == 24


def test_a_document_unless_told(colbert):
    for name in ROWS:
        one, other = (vectors(colbert, name, ["a goldfish, a bicycle"], **each)[0] for each in [{}, {"input_type": "document"}])
        assert np.array_equal(one, other)
    assert "query, document" in colbert.post({"inputs": "a"}, output_key="colbert", model="native", input_type="x").text


def test_batches_padding_and_limits(colbert):
    texts = [row["text"] for row in ROWS["native"] if row["type"] == "query"]
    for name in ROWS:
        for kind in ["query", "document"]:
            ask = dict(input_type=kind)
            alone = [vectors(colbert, name, [text], **ask)[0] for text in texts]
            together = vectors(colbert, name, texts, **ask)
            assert all(map(np.array_equal, alone, together))
            padded = vectors(colbert, name, texts, seq_length="longest", **ask)
            longest = max(map(len, alone))
            for rows, whole in zip(alone, padded):
                assert len(whole) == longest
                assert np.array_equal(whole[: len(rows)], rows) and not whole[len(rows) :].any()
    assert len(vectors(colbert, "pylate", ["bicycle " * 90])[0]) == 40
    assert len(vectors(colbert, "pylate", ["bicycle " * 90], max_tokens=60)[0]) == 60
    assert len(vectors(colbert, "pylate", ["bicycle"], input_type="query", max_tokens=4)[0]) == 16


def test_layers_in_another_order(tmp_path, log):
    """A norm before the first product, which is narrower than the encoder."""
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "native", folder)
    modules = json.loads((folder / "modules.json").read_text())
    order = [modules[0], modules[4], modules[1], modules[2], modules[3], modules[4]]
    (folder / "modules.json").write_text(json.dumps([each | {"idx": index, "name": str(index)} for index, each in enumerate(order)]))
    weights = [safetensors.numpy.load_file(FOLDER / "native" / f"{name}_Dense" / "model.safetensors") for name in [1, 2]]
    with Server(model=folder, log=log) as server:
        for text in ["a fish", "goldfish by bicycle"]:
            found = server.encode([text], output_key="colbert,sequence_output")["outputs"]
            rows = np.array(found["sequence_output"][0])
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            residual = rows @ weights[0]["residual.weight"].T
            rows = np.tanh(rows @ weights[0]["linear.weight"].T + weights[0]["linear.bias"]) + residual
            rows += rows @ weights[1]["linear.weight"].T
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            vectors = np.array(found["colbert"][0])
            counted = vectors.any(axis=1)
            assert counted.sum() >= 3 and np.abs(vectors - rows)[counted].max() < 1e-6


def test_every_protocol_has_the_limits(colbert):
    """A query of PyLate's has 16 tokens, a document 40, whoever asks."""
    for kind, count in [("query", 16), ("document", 40)]:
        [expected] = vectors(colbert, "pylate", ["bicycle " * 90], input_type=kind)
        body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["bicycle " * 90]}], "outputs": [{"name": "colbert"}]}
        answer = colbert.post(body | {"parameters": {"input_type": kind}}, path="/v2/models/pylate/infer").json()
        assert answer["outputs"][0]["shape"] == [1, count, 16] == [1, *expected.shape]
        assert np.array_equal(np.float32(answer["outputs"][0]["data"]), np.float32(expected).ravel())
        body = {"instances": ["bicycle " * 90], "signature_name": "colbert"}
        answer = colbert.post(body, path=f"/v1/models/pylate:predict?input_type={kind}").json()
        assert np.array_equal(answer["predictions"][0], expected)
    ignored = colbert.post(body | {"input_type": "query"}, path="/v1/models/pylate:predict")
    assert ignored.headers["x-ignored-members"] == "input_type"


def test_a_length_below_the_expansion(colbert):
    for length in [3, 8]:
        for name in ["native", "pylate", "stanford"]:
            assert [len(rows) for rows in vectors(colbert, name, ["a fish", "a"], input_type="query", seq_length=length)] == [length] * 2


def test_formats_and_tokens(colbert):
    ask = dict(model="stanford", output_key="colbert", input_type="query")
    [expected] = vectors(colbert, "stanford", ["a goldfish"], input_type="query")
    raw = colbert.post({"inputs": "a goldfish"}, format="safetensors", **ask).content
    assert np.array_equal(safetensors.numpy.load(raw)["colbert"], np.float32([expected]))
    whole = colbert.post({"inputs": "a goldfish"}, tokens="true", **ask).json()
    assert whole["shapes"]["colbert"] == [1, 14, 16]
    [tokens] = whole["tokens"]
    assert [each["text"] for each in tokens[:3]] == ["[CLS]", "[unused0]", "a"]
    # What fills a query up is none of the text's.
    assert tokens[-1]["text"] == "[SEP]" and whole["lengths"] == [len(tokens)]
    lines = colbert.post(b'"a goldfish"\n"a"\n', content_type="application/x-ndjson", **ask).text.splitlines()
    assert np.array_equal(json.loads(lines[0])["outputs"]["colbert"][0], expected) and len(lines) == 2


def test_what_it_is_asked_for(colbert):
    info = colbert.get("/info?model=pylate").json()
    assert "colbert" in info["output_keys"] and info["widths"]["colbert"] == 16
    assert info["model_type"] == {"embedding": {"pooling": "colbert"}} and info["prompts"] == ["document", "query"]
    refused = colbert.post({"inputs": "a"}, path="/embed", model="pylate")
    assert refused.status_code == 400 and "output_key=colbert" in refused.text
    shown = inspected("pylate")
    assert shown["sentence embedding"] == "vectors of tokens, dense 24 to 16, normalised"
    assert shown["colbert query"] == 'at most 16 tokens, expanded to 16 with token 6, not attended to, prompt "[Q] "'
    assert shown["colbert document"] == 'at most 40 tokens, prompt "[D] ", 5 skipped tokens'
    shown = inspected("m3")
    assert "; weights of tokens; vectors of tokens, dense 24 to 24, normalised" in shown["sentence embedding"]
    assert shown["colbert query"] == shown["colbert document"] == "at most 128 tokens"


def inspected(name):
    """The lines of `inspect` by their names."""
    return dict(re.findall("^(.+?): +(.+)$", run("inspect", FOLDER / name).stdout, re.MULTILINE))


def test_a_folder_with_its_vocabulary_alone(colbert, tmp_path, log):
    """As ColBERT's own code has saved it: without a tokenizer.json."""
    folder = tmp_path / "stanford"
    shutil.copytree(FOLDER / "stanford", folder, ignore=shutil.ignore_patterns("tokenizer.json"))
    with Server(model=folder, log=log) as server:
        for row in ROWS["stanford"]:
            ask = dict(output_key="colbert", input_type=row["type"], format="base64")
            expected, found = (each.encode([row["text"]], **ask, **more)["outputs"] for each, more in [(colbert, {"model": "stanford"}), (server, {})])
            assert found == expected, row["text"]


def test_prompts_of_other_keys(tmp_path, log):
    """`input_type` also chooses the prompt of a `sentence_embedding`."""
    folder = tmp_path / "m3"
    shutil.copytree(FOLDER / "m3", folder)
    prompts = {"query": "what: ", "document": "a fish "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    with Server(model=folder, log=log) as server:
        for kind, prompt in [*prompts.items(), (None, "")]:
            [expected] = server.encode([prompt + "bicycle"], output_key="sentence_embedding")["outputs"]["sentence_embedding"]
            given = {"input_type": kind} if kind else {}
            [found] = server.encode(["bicycle"], output_key="sentence_embedding", **given)["outputs"]["sentence_embedding"]
            assert found == expected
            body = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["bicycle"]}]}
            body |= {"outputs": [{"name": "sentence_embedding"}], "parameters": given}
            assert server.post(body, path="/v2/models/m3/infer").json()["outputs"][0]["data"] == expected


@pytest.mark.parametrize(
    "file, key, value, named",
    [
        ("3_MultiVectorMask/config.json", "other", 1, ['"other"']),
        ("3_MultiVectorMask/config.json", "skiplist_words", "the", ['"skiplist_words"']),
        ("config_sentence_transformers.json", "document_length", 7, ['"document_length"', "PyLate"]),
        ("sentence_bert_config.json", "query_length", 7, ['"query_length"', "12"]),
        ("config.json", "architectures", ["HF_ColBERT"], ["architectures", "HF_ColBERT"]),
        ("3_MultiVectorMask/config.json", "keep_only_token_ids", ["x"], ['"keep_only_token_ids"']),
        ("sentence_bert_config.json", "query_expansion", {"strategy": "max", "length": 4}, ['"query_expansion"', "strategy"]),
        ("sentence_bert_config.json", "query_expansion", {"strategy": "fixed"}, ['"length"']),
        ("sentence_bert_config.json", "query_expansion", {"strategy": "min", "length": 400}, ['"query_length"', "400"]),
        ("sentence_bert_config.json", "query_expansion", {"strategy": "min", "length": 9, "token": "no such"}, ["query_expansion", "no such"]),
        ("2_Dense/config.json", "in_features", 24, ["linear.weight [16, 24]"]),
        ("2_Dense/config.json", "module_input_name", "sentence_embedding", ['"module_input_name"']),
        ("modules.json", 2, {"path": "", "type": "sentence_transformers.multi_vector_encoder.modules.HierarchicalPooling"}, ["HierarchicalPooling"]),
    ],
)  # fmt: skip
def test_refused_by_name(tmp_path, file, key, value, named):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / "native", folder)
    content = json.loads((folder / file).read_text())
    content[key] = value
    (folder / file).write_text(json.dumps(content))
    done = run("inspect", folder)
    assert done.returncode == 1
    # Of modules that do not fit it is their weights; of one that is not known, the settings that make it one of these.
    place = {"2_Dense/config.json": "2_Dense/", "modules.json": "config_sentence_transformers.json"}.get(file, file)
    assert [words for words in [place, *named] if words not in done.stderr] == [], done.stderr


@pytest.mark.parametrize(
    "name, file, changes, kind, text, count",
    [
        ("stanford", "artifact.metadata", {"mask_punctuation": None}, "document", "a, a", 6),
        ("stanford", "artifact.metadata", {"mask_punctuation": True}, "document", "a, a", 5),
        ("stanford", "artifact.metadata", {"doc_token_id": ""}, "document", "a", 4),
        ("pylate", "sentence_bert_config.json", {"document_length": 11}, "document", "bicycle " * 90, 11),
        ("pylate", "sentence_bert_config.json", {"query_expansion": {"strategy": "fixed", "length": 8, "token": "[UNK]"}}, "query", "a", 8),
        ("pylate", "sentence_bert_config.json", {"query_expansion": None}, "query", "a", 4),
        # A token that is added to the model's, as [MASK] is in ModernBERT and DeBERTa.
        ("pylate", "sentence_bert_config.json", {"query_expansion": {"strategy": "fixed", "length": 9, "token": "[D] "}}, "query", "a", 9),
    ],
)  # fmt: skip
def test_keys_that_are_honoured(tmp_path, log, name, file, changes, kind, text, count):
    """As sentence-transformers 6.2 reads them."""
    folder = tmp_path / "model"
    shutil.copytree(FOLDER / name, folder)
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | changes))
    with Server(model=folder, log=log) as server:
        assert len(scored(np.array(server.encode([text], output_key="colbert", input_type=kind)["outputs"]["colbert"][0]))) == count


def test_encode_writes_them(tmp_path, log):
    records = tmp_path / "texts.txt"
    records.write_text("a goldfish, a bicycle\nfish\n")
    for kind in [[], ["--input-type", "query"]]:
        folder = tmp_path / f"out{len(kind)}"
        ask = ["encode", records, "--output", folder, "--output-key", "colbert", "--format", "safetensors", *kind]
        done = run(*ask, "--model", FOLDER / "stanford")
        assert done.returncode == 0, done.stderr
        with Server(model=FOLDER / "stanford", log=log) as server:
            rows = server.encode(["a goldfish, a bicycle", "fish"], output_key="colbert", input_type=kind[-1] if kind else "document")
            remote = tmp_path / f"remote{len(kind)}"
            ask[3] = remote
            done = run(*ask, "--server", server.url)
            assert done.returncode == 0, done.stderr
        for place in [folder, remote]:
            [part] = place.glob("*.safetensors")
            assert np.array_equal(safetensors.numpy.load_file(part)["colbert"], np.float32(sum(rows["outputs"]["colbert"], [])))
    refused = run("encode", records, "--output", tmp_path / "no", "--input-type", "query", "--model", FOLDER / "m3")
    assert refused.returncode == 64 and "--input-type is for colbert" in refused.stderr
