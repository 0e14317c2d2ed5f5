"""Heads that classify: further keys of the map, and the routes of the servers that have them."""

import json
import shutil

import numpy as np
import pytest
import requests
import safetensors.numpy
from huggingface_hub import InferenceClient

from server import ROOT, Server, run

FOLDER = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads"
GOLDENS = json.loads((FOLDER / "heads.json").read_text())
OF_TEXTS = [name for name in GOLDENS if "entities" not in name]
LABELS = {
    name: list(json.loads((FOLDER / name / "config.json").read_text())["id2label"].values())
    for name in GOLDENS
}
# As in test_checkpoints_pytorch.py.
ROOM = 1.5
QUERY = "what is a goldfish?"
DOCUMENTS = ["A bicycle.", "A goldfish is a fish.", "", "goldfish goldfish", "fitness"]


@pytest.fixture(scope="module")
def heads(log):
    """All folders in one server, the reranker first."""
    names = ["reranker", *(name for name in GOLDENS if name != "reranker")]
    more = [flag for name in names[1:] for flag in ("--model", f"{name}={FOLDER / name}")]
    with Server(*more, model=f"reranker={FOLDER / 'reranker'}", log=log) as server:
        yield server


def alone(name, log, *flags):
    return Server(*flags, model=FOLDER / name, log=log)


@pytest.mark.parametrize("name", GOLDENS)
def test_numbers(heads, name, capsys):
    key = "token_logits" if "entities" in name else "logits"
    worst = [0, 0]
    for row in GOLDENS[name]:
        found = heads.encode([row["text"]], model=name, output_key=key)["outputs"][key][0]
        error = np.abs(np.array(found) - row["logits"]).max()
        worst = np.maximum(worst, [error, row["error"]])
    with capsys.disabled():
        print(f"\n{name}: largest error {worst[0]:.3g}, PyTorch's {worst[1]:.3g}")
    assert worst[0] <= ROOM * worst[1]


@pytest.mark.parametrize("name", [name for name in OF_TEXTS if name != "regression"])
def test_probabilities(heads, name):
    """Those of transformers' text-classification pipeline, and of a CrossEncoder's Sigmoid."""
    rows = GOLDENS[name]
    answer = heads.encode([row["text"] for row in rows], model=name, output_key="probabilities,logits")
    assert answer["shapes"]["probabilities"] == [len(rows), len(LABELS[name])]
    for found, row in zip(answer["outputs"]["probabilities"], rows):
        assert found == pytest.approx(row["probabilities"], abs=1e-5)


def test_tokens_have_their_rows(heads):
    texts = [row["text"] for row in GOLDENS["entities"]]
    answer = heads.encode(texts, model="entities", output_key="token_logits", seq_length="longest")
    assert answer["shapes"]["token_logits"] == [len(texts), max(answer["lengths"]), 5]


@pytest.mark.parametrize(
    "name, key, word",
    [
        ("entities", "logits", "ask for token_logits"),
        ("emotions", "token_logits", "ask for logits"),
        ("regression", "probabilities", "ask for logits"),
        ("roberta", "pooled_output", "no pooler"),
    ],
)
def test_what_a_head_does_not_give(heads, name, key, word):
    answer = heads.post({"inputs": "a"}, model=name, output_key=key)
    assert answer.status_code == 400 and word in answer.json()["error"], answer.text


def test_names_without_prefix(tmp_path, log):
    """transformers reads the head of such a folder too."""
    folder = tmp_path / "emotions"
    shutil.copytree(FOLDER / "emotions", folder)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    bare = {name.removeprefix("bert."): values for name, values in tensors.items()}
    safetensors.numpy.save_file(bare, folder / "model.safetensors")
    with Server(model=folder, log=log) as server:
        row = GOLDENS["emotions"][0]
        assert logits(server, None, [row["text"]])[0] == pytest.approx(row["logits"], abs=1e-5)


def test_without_a_head(log):
    with Server(log=log) as server:
        answer = server.post({"inputs": "a"}, output_key="logits")
        assert answer.status_code == 400 and "BertModel" in answer.json()["error"]
        for path, body in [
            ("/predict", {"inputs": "a"}),
            ("/rerank", {"query": "a", "texts": ["b"]}),
            ("/rerank", {"query": "a", "documents": ["b"]}),
            ("/v1/rerank", {"query": "a", "documents": ["b"]}),
        ]:
            answer = server.post(body, path=path)
            assert answer.status_code == 400 and "this model does not" in answer.text, answer.text


def test_info_and_inspect(heads):
    info = heads.get("/info", params={"model": "emotions"}).json()
    assert info["labels"] == LABELS["emotions"]
    assert info["widths"] == {
        "default": 24, "pooled_output": 24, "sequence_output": 24, "encoder_outputs": 24,
        "logits": 3, "probabilities": 3,
    }  # fmt: skip
    assert info["model_type"]["classifier"]["id2label"]["1"] == "anger"
    assert "reranker" in heads.get("/info").json()["model_type"]
    shown = run("inspect", FOLDER / "entities").stdout
    assert "5 labels of a token" in shown and "O, B-PER, I-PER, B-LOC, I-LOC" in shown


# text-embeddings-inference's routes.


def logits(server, name, texts, **options):
    answer = server.encode(texts, model=name, output_key="logits", **options)
    return np.array(answer["outputs"]["logits"])


def sigmoid(numbers):
    return 1 / (1 + np.exp(-np.asarray(numbers, float)))


def test_predict(heads):
    rows = GOLDENS["emotions"]

    def expected(row):
        pairs = sorted(zip(row["probabilities"], LABELS["emotions"]), reverse=True)
        return [{"score": pytest.approx(score, abs=1e-5), "label": label} for score, label in pairs]

    ask = dict(path="/predict", model="emotions")
    batch = [row["text"] if isinstance(row["text"], list) else [row["text"]] for row in rows]
    assert heads.post({"inputs": batch}, **ask).json() == [expected(row) for row in rows]
    for row in rows:  # a text, or a pair
        assert heads.post({"inputs": row["text"]}, **ask).json() == expected(row)
    raw = heads.post({"inputs": rows[0]["text"], "raw_scores": True}, **ask).json()
    assert sorted(each["score"] for each in raw) == pytest.approx(sorted(rows[0]["logits"]), abs=1e-4)
    # A regression's numbers are no probabilities.
    [found] = heads.post({"inputs": "x"}, path="/predict", model="regression").json()
    assert found["score"] == pytest.approx(logits(heads, "regression", ["x"])[0, 0])


def test_members_of_the_wrong_kind(heads):
    ask = dict(path="/predict", model="emotions")
    for text in [{"text": "a", "text_pair": 5}, {"text": 1}, {}]:
        assert heads.post({"inputs": [text], "parameters": {}}, **ask).status_code == 422
    one = {"inputs": [{"text": "a", "text_pair": None}], "parameters": {"top_k": 1}}
    assert len(heads.post(one, **ask).json()[0]) == 1


def test_what_is_passed_over_is_named(heads):
    body = {"query": QUERY, "documents": ["a"], "return_text": True, "other": 1}
    assert heads.post(body, path="/rerank").headers["x-ignored-members"] == "other, return_text"
    answer = heads.post({"inputs": "a", "raw_scores": True}, path="/predict", model="entities")
    assert answer.headers["x-ignored-members"] == "raw_scores"


def test_the_size_of_an_answer_counts_what_is_in_it(log):
    """And not the labels and documents that are left out."""
    with Server("--max-output-bytes", 4000, "--model", FOLDER / "reranker", model=FOLDER / "emotions", log=log) as server:
        body = {"inputs": [["a"]] * 50}
        assert server.post(body, path="/predict").status_code == 413
        assert server.post({"inputs": ["a"] * 20, "parameters": {"top_k": 1}}, path="/predict").status_code == 200
        body = {"query": "a", "documents": ["b"] * 100, "model": "reranker"}
        assert server.post(body, path="/v1/rerank").status_code == 413
        assert server.post(body | {"top_n": 3}, path="/v1/rerank").status_code == 200


@pytest.mark.parametrize("inputs", [["a", "b", "c"], [["a"], ["a", "b", "c"]], [1], {"text": "a"}, [[]], None])
def test_predict_refuses(heads, inputs):
    answer = heads.post({"inputs": inputs}, path="/predict", model="emotions")
    assert answer.status_code == 422 and answer.json()["error_type"] == "Validation", answer.text


@pytest.mark.parametrize("name", ["reranker", "xlm-roberta-reranker"])
def test_rerank(heads, name):
    scores = logits(heads, name, [[QUERY, document] for document in DOCUMENTS])[:, 0]
    order = np.argsort(-scores, kind="stable")
    ask = dict(path="/rerank", model=name)
    found = heads.post({"query": QUERY, "texts": DOCUMENTS, "return_text": True}, **ask).json()
    assert [each["index"] for each in found] == order.tolist()
    assert [each["text"] for each in found] == [DOCUMENTS[index] for index in order]
    assert [each["score"] for each in found] == pytest.approx(sigmoid(scores[order]), abs=1e-7)
    raw = heads.post({"query": QUERY, "texts": DOCUMENTS, "raw_scores": True}, **ask).json()
    assert [each["score"] for each in raw] == pytest.approx(scores[order].tolist())
    assert all("text" not in each for each in raw)
    one = heads.post({"query": QUERY, "texts": ["x", "x"]}, **ask).json()
    assert [each["index"] for each in one] == [0, 1] and one[0]["score"] == one[1]["score"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_rerank_as_cohere(heads, path):
    scores = logits(heads, "reranker", [[QUERY, document] for document in DOCUMENTS])[:, 0]
    order = np.argsort(-scores, kind="stable")[:2]
    body = {
        "model": "reranker", "query": QUERY, "top_n": 2, "return_documents": True,
        "documents": [DOCUMENTS[0], *({"text": text} for text in DOCUMENTS[1:])],
    }  # fmt: skip
    answer = heads.post(body, path=path).json()
    assert answer["model"] == "reranker" and answer["usage"]["total_tokens"] > 0
    assert [each["index"] for each in answer["results"]] == order.tolist()
    assert [each["document"]["text"] for each in answer["results"]] == [DOCUMENTS[each] for each in order]
    found = [each["relevance_score"] for each in answer["results"]]
    assert found == pytest.approx(sigmoid(scores[order]), abs=1e-7)
    body |= {"top_n": 99, "return_documents": None, "max_tokens_per_doc": 100}
    answer = heads.post(body, path=path)
    assert len(answer.json()["results"]) == len(DOCUMENTS) and "document" not in answer.json()["results"][0]
    assert "max_tokens_per_doc" in str(answer.headers)


@pytest.mark.parametrize(
    "change",
    [
        {"documents": []}, {"documents": "x"}, {"documents": [1]}, {"documents": [{}]}, {"query": None},
        {"query": 1}, {"top_n": 0}, {"rank_fields": ["title"]}, {"documents": ["x"] * 10_001},
    ],
)  # fmt: skip
def test_rerank_refuses(heads, change):
    body = {"query": QUERY, "documents": ["a"], **change}
    for path in ["/rerank", "/v1/rerank"]:
        answer = heads.post(body, path=path)
        assert answer.status_code in (400, 413, 422), answer.text
    answer = heads.post({"query": QUERY, "texts": ["a"]}, path="/rerank", model="emotions")
    assert answer.status_code == 400 and "3 labels" in answer.text


def test_the_query_is_not_cut_away(heads):
    """The longer of the two texts loses tokens."""
    long = "goldfish " * 400
    kept = heads.encode([[QUERY, long]], model="reranker", output_key="logits", tokens="true")
    assert kept["truncated"] == [True]
    starts = [token["start"] for token in kept["tokens"][0] if not token["special"]]
    assert starts[1:].index(0) >= 4  # the document begins where all of the query is told
    refused = heads.post({"query": QUERY, "texts": [long], "truncate": False}, path="/rerank")
    assert refused.status_code == 422 and "document 0" in refused.text


def test_the_root_is_what_the_model_is_for(log):
    with alone("emotions", log) as server:
        assert server.post({"inputs": "a"}, path="/").json()[0]["label"] in LABELS["emotions"]
        # What huggingface_hub sends, and how it reads the answer.
        client = InferenceClient(provider="hf-inference", token="-")
        found = client.text_classification("a", model=server.url, top_k=2)
        assert len(found) == 2 and found[0].score >= found[1].score
        raw = client.text_classification("a", model=server.url, function_to_apply="none")
        assert len(raw) == 3 and {each.label for each in raw} == set(LABELS["emotions"])
        wrong = requests.post(server.url, json={"inputs": "a", "parameters": {"function_to_apply": "x"}})
        assert wrong.status_code == 422


# Other protocols, and batches.


def test_other_protocols(heads):
    expected = logits(heads, "emotions", ["a b"])[0]
    answer = heads.post(
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a b"]}],
         "outputs": [{"name": "logits"}]},
        path="/v2/models/emotions/infer",
    ).json()  # fmt: skip
    assert answer["outputs"][0]["shape"] == [1, 3]
    assert answer["outputs"][0]["data"] == pytest.approx(expected)
    meta = heads.get("/v2/models/emotions").json()["outputs"]
    assert {"name": "logits", "datatype": "FP32", "shape": [-1, 3]} in meta
    answer = heads.post(
        {"instances": ["a b"], "signature_name": "logits"}, path="/v1/models/emotions:predict"
    ).json()
    assert answer["predictions"][0] == pytest.approx(expected)


def test_encode_command(log, tmp_path):
    texts = [row["text"] for row in GOLDENS["emotions"] if isinstance(row["text"], str)]
    source = tmp_path / "texts.jsonl"
    source.write_text("".join(json.dumps(text) + "\n" for text in texts))
    with alone("emotions", log) as server:
        expected = logits(server, None, texts)
        for name, place in [("here", ["--model", FOLDER / "emotions"]), ("there", ["--server", server.url])]:
            done = run("encode", source, *place, "-o", tmp_path / name, "--output-key", "logits", "--format", "npy")
            assert done.returncode == 0, done.stderr
            found = np.load(next((tmp_path / name).glob("part*.npy")))
            assert np.array_equal(found, np.float32(expected))


def test_encode_command_of_tokens(log, tmp_path):
    """A service gives what a model here gives."""
    source = tmp_path / "texts.txt"
    source.write_text("".join(row["text"] + "\n" for row in GOLDENS["entities"] if row["text"]))
    with alone("entities", log) as server:
        for name, place in [("here", ["--model", FOLDER / "entities"]), ("there", ["--server", server.url])]:
            out = tmp_path / name
            done = run("encode", source, *place, "-o", out, "--output-key", "token_logits", "--format", "safetensors")
            assert done.returncode == 0, done.stderr
    here, there = (safetensors.numpy.load_file(next((tmp_path / name).glob("part*.safetensors"))) for name in ("here", "there"))
    assert here["token_logits"].shape[-1] == 5 and here.keys() == there.keys()
    assert all(np.array_equal(here[key], there[key]) for key in here)


@pytest.mark.parametrize("name", ["emotions", "roberta", "entities"])
def test_batches_change_no_bit(heads, name):
    key = "token_logits" if name == "entities" else "logits"
    texts = [row["text"] for row in GOLDENS[name]]
    together = heads.encode(texts, model=name, output_key=key)["outputs"][key]
    for text, row in zip(texts, together):
        assert heads.encode([text], model=name, output_key=key)["outputs"][key] == [row]
        more = heads.encode([text], model=name, output_key="all")["outputs"][key]
        assert more == [row]


def test_a_long_query(heads):
    """Read once for all documents, and cut as in a pair, whatever end."""
    for direction, truncate in [("Right", "right"), ("Left", "left")]:
        query = "a fish and a bicycle " * 60
        found = heads.post(
            {"query": query, "texts": DOCUMENTS, "raw_scores": True, "truncation_direction": direction}, path="/rerank"
        ).json()
        expected = logits(heads, "reranker", [[query, each] for each in DOCUMENTS], truncate=truncate)[:, 0]
        assert [expected[each["index"]] for each in found] == [each["score"] for each in found]


def test_large_logits_keep_their_order(tmp_path, log):
    """In float32 they have one sigmoid."""
    folder = tmp_path / "reranker"
    shutil.copytree(FOLDER / "reranker", folder)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    tensors["classifier.bias"] = tensors["classifier.bias"] + 60
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with Server(model=folder, log=log) as server:
        scores = logits(server, None, [[QUERY, each] for each in DOCUMENTS])[:, 0]
        found = server.post({"query": QUERY, "documents": DOCUMENTS}, path="/v1/rerank").json()["results"]
        assert {each["relevance_score"] for each in found} == {1}
        assert [each["index"] for each in found] == np.argsort(-scores, kind="stable").tolist()


def test_a_head_that_does_not_fit(tmp_path, log):
    """The encoder is served, and the start says what is left out."""
    folder = tmp_path / "emotions"
    shutil.copytree(FOLDER / "emotions", folder)
    path = folder / "config.json"
    configuration = json.loads(path.read_text())
    path.write_text(json.dumps(configuration | {"id2label": {"0": "a", "1": "\x1b[31mb\nlabels: fake"}}))
    shown = run("inspect", folder).stdout
    assert "no classifier.weight [2, 24], but F32 [3, 24], classifier.bias [2], but F32 [3]" in shown
    with Server(model=folder, log=log) as server:
        assert "classifier.weight" in server.get("/info").json()["head"]
        assert server.post({"inputs": "a"}, output_key="logits").status_code == 400
    path.write_text(json.dumps(configuration | {"id2label": {"0": "a", "1": "\x1b[31mb\nlabels: fake", "2": "c"}}))
    assert "a, \\u{1b}[31mb\\u{a}labels: fake, c" in run("inspect", folder).stdout


def test_the_root_follows_the_model_that_is_asked_for(log):
    with Server("--model", FOLDER / "reranker", log=log) as server:
        assert isinstance(server.post({"inputs": "a"}, path="/").json()[0], list)
        assert "score" in server.post({"inputs": "a"}, path="/", model="reranker").json()[0]
        assert "score" in server.post({"inputs": "a", "model": "reranker"}, path="/").json()[0]


# Tokens with their labels.

ENTITIES = json.loads((FOLDER / "entities.json").read_text())


@pytest.mark.parametrize("name", ENTITIES)
def test_the_pipelines_entities(heads, name):
    """200 texts, in each way of taking tokens together."""
    for row in ENTITIES[name]:
        parameters = {"aggregation_strategy": row["way"], "ignore_labels": ["I-LOC"]}
        answer = heads.post({"inputs": row["text"], "parameters": parameters}, path="/predict", model=name)
        expected = [{**each, "score": pytest.approx(each["score"], abs=2e-6)} for each in row["found"]]
        assert answer.json() == expected, row


def test_token_classification_client(log):
    with alone("entities", log) as server:
        client = InferenceClient(provider="hf-inference", token="-")
        found = client.token_classification("a 🐟 bicycle", model=server.url, aggregation_strategy="none")
        assert [each.word for each in found][-1] and found[0].entity in LABELS["entities"]
        assert found[1].start == 2 and found[1].end == 3  # characters, not bytes
        several = server.post({"inputs": ["a", "b"]}, path="/").json()
        assert len(several) == 2
        for wrong in [{"aggregation_strategy": "x"}, {"stride": 3}, {"ignore_labels": "O"}, {"ignore_labels": [1]}]:
            refused = server.post({"inputs": "a", "parameters": wrong}, path="/")
            assert refused.status_code == 422, refused.text
        assert server.post({"inputs": [["a", "b"]]}, path="/predict").status_code == 422
