"""TensorFlow Serving's REST API by plain requests: what a client of a TF Hub BERT sends."""

import base64
import json
import subprocess

import numpy as np
import pytest

import tokens
from server import BLOCKS, HIDDEN_SIZE, MODEL, bits
from texts import SEED, TEXTS

NAME = MODEL.name
PATH = f"/v1/models/{NAME}"
MANY = [SEED, "", "中文 and é 😀"] + list(TEXTS.values())[:12]
KEYS = ["default", "pooled_output", "sequence_output", "encoder_outputs", "sentence_embedding"]


@pytest.fixture(scope="module")
def expected(server):
    """The map of all the texts, padded to the longest."""
    return server.tensors(MANY, output_key="all", seq_length="longest")


def predict(server, body, path=PATH, status=200, **options):
    response = server.post(body, path=f"{path}:predict", **options)
    assert response.status_code == status, response.text
    answer = response.json()
    if status != 200:
        assert set(answer) == {"error"}
    return answer


def equal(found, exact):
    return np.array_equal(bits(found), bits(exact))


# What there is


@pytest.mark.parametrize("path", [PATH, f"{PATH}/versions/1", f"{PATH}/labels/stable"])
def test_status(server, path):
    answer = server.get(path).json()
    assert answer["model_version_status"] == [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/versions/1", f"{PATH}/labels/stable"])
def test_metadata(server, path):
    answer = server.get(f"{path}/metadata").json()
    assert answer["model_spec"] == {"name": NAME, "signature_name": "", "version": "1"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "all", *KEYS}
    text = signatures["serving_default"]["inputs"]["text"]
    assert text["dtype"] == "DT_STRING"
    assert [each["size"] for each in text["tensor_shape"]["dim"]] == ["-1"]
    assert list(signatures["serving_default"]["outputs"]) == ["default"]
    assert list(signatures["sequence_output"]["outputs"]) == ["sequence_output"]
    sizes = signatures["encoder_outputs"]["outputs"]["encoder_outputs"]["tensor_shape"]["dim"]
    assert [each["size"] for each in sizes] == [str(BLOCKS), "-1", "-1", str(HIDDEN_SIZE)]
    assert {each["method_name"] for each in signatures.values()} == {"tensorflow/serving/predict"}


# Row form


@pytest.mark.parametrize("path", [PATH, f"{PATH}/versions/1", f"{PATH}/labels/stable"])
def test_rows(server, expected, path):
    answer = predict(server, {"instances": MANY}, path)
    assert set(answer) == {"predictions"}
    assert equal(answer["predictions"], expected["default"])


@pytest.mark.parametrize("key", KEYS)
def test_a_signature_for_each_key(server, expected, key):
    answer = predict(server, {"signature_name": key, "instances": MANY})
    exact = expected[key].swapaxes(0, 1) if key == "encoder_outputs" else expected[key]
    assert equal(answer["predictions"], exact)
    answer = predict(server, {"signature_name": key, "inputs": MANY})
    assert equal(answer["outputs"], expected[key])


def test_several_outputs(server, expected):
    rows = predict(server, {"signature_name": "all", "instances": [{"text": text} for text in MANY]})
    assert all(set(row) == {*KEYS, "attention_mask"} for row in rows["predictions"])
    columns = predict(server, {"signature_name": "all", "inputs": {"text": MANY}})["outputs"]
    for key in KEYS:
        exact = expected[key].swapaxes(0, 1) if key == "encoder_outputs" else expected[key]
        assert equal([row[key] for row in rows["predictions"]], exact)
        assert equal(columns[key], expected[key])
    assert columns["attention_mask"] == [row["attention_mask"] for row in rows["predictions"]]
    assert np.shape(columns["attention_mask"]) == expected["sequence_output"].shape[:2]
    assert sum(columns["attention_mask"][1]) == 2


def test_bytes(server, expected):
    rows = [{"b64": base64.b64encode(text.encode()).decode()} for text in MANY]
    assert equal(predict(server, {"instances": rows})["predictions"], expected["default"])
    rows = [{"text": row} for row in rows]
    assert equal(predict(server, {"instances": rows})["predictions"], expected["default"])


def test_columns_of_one(server, expected):
    rows = [[text] for text in MANY]
    assert equal(predict(server, {"instances": rows})["predictions"], expected["default"])


def test_one_text(server, expected):
    assert equal(predict(server, {"inputs": SEED})["outputs"], expected["default"][:1])
    b64 = {"b64": base64.b64encode(SEED.encode()).decode()}
    assert equal(predict(server, {"inputs": b64})["outputs"], expected["default"][:1])


def test_pairs(server):
    rows = [{"text": "How old is it?", "text_pair": "It was built in 1874."}]
    whole = server.tensors([list(rows[0].values())])["default"]
    assert equal(predict(server, {"instances": rows})["predictions"], whole)


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_token_ids(server, tokenizer, form):
    """What TF Hub's encoders take: padded ids, mask and types."""
    pair = ("How old is it?", "It was built in 1874.")
    encoding, width = tokens.encode(tokenizer, pair), 20
    padding = [0] * (width - len(encoding))
    row = {
        "input_word_ids": encoding.ids + padding,
        "input_mask": [1] * len(encoding) + padding,
        "input_type_ids": encoding.type_ids + padding,
    }
    body = [row, row] if form == "instances" else {name: [ids, ids] for name, ids in row.items()}
    whole = server.tensors([list(pair)] * 2, output_key="sequence_output", seq_length=width)
    answer = predict(server, {"signature_name": "sequence_output", form: body})
    assert equal(answer["predictions" if form == "instances" else "outputs"], whole["sequence_output"])


@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize("types", ["token_type_ids", "segment_ids", None])
def test_hugging_face_s_names(server, tokenizer, form, types):
    """What a tokenizer of transformers gives, as it is."""
    encoding = tokens.encode(tokenizer, SEED)
    row = {"input_ids": encoding.ids, "attention_mask": [1] * len(encoding)}
    if types:
        row[types] = encoding.type_ids
    body = [row] if form == "instances" else {name: [ids] for name, ids in row.items()}
    answer = predict(server, {form: body})
    assert equal(answer["predictions" if form == "instances" else "outputs"], server.tensors([SEED])["default"])


def test_query(server):
    answer = predict(server, {"signature_name": "sequence_output", "instances": MANY}, seq_length=128)
    whole = server.tensors(MANY, output_key="sequence_output", seq_length=128)["sequence_output"]
    assert equal(answer["predictions"], whole)


def test_curl(server, expected):
    """As the documentation of TensorFlow Serving has it, without a content type."""
    body = json.dumps({"instances": [SEED]})
    command = ["curl", "--silent", "-d", body, "-X", "POST", f"{server.url}{PATH}:predict"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    assert equal(json.loads(shown)["predictions"], expected["default"][:1])


# Errors


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", ""),
        (b"[]", "object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        ({"instances": ["a"], "inputs": ["a"]}, "both"),
        ({"instances": []}, "empty"),
        ({"instances": "a"}, "list"),
        ({"instances": [{"text": "a"}, "b"]}, "first"),
        ({"instances": ["b", {"text": "a"}]}, "some of each"),
        ({"instances": [{"text": "a"}, {"text": "a", "text_pair": "b"}]}, "first"),
        ({"instances": [{"colour": "a"}]}, "colour"),
        ({"instances": [{"pixel_values": [[1.5]]}]}, "unexpected inference input 'pixel_values'"),
        ({"inputs": {"input_ids": [[1]], "input_word_ids": [[1]]}}, "two names of one input"),
        ({"inputs": {"input_ids": [[1]], "attention_mask": [[0]]}}, "row 0: attention_mask"),
        ({"instances": [3]}, "number"),
        ({"instances": [None]}, "null"),
        ({"instances": [{}]}, "missing"),
        ({"instances": [{"b64": "a"}]}, "Base64"),
        ({"instances": [{"b64": "/w=="}]}, "UTF-8"),
        ({"instances": [{"input_word_ids": [1, 2]}, {"input_word_ids": [1]}]}, "length"),
        ({"instances": [{"input_word_ids": [99999]}]}, "99999"),
        ({"instances": [{"input_word_ids": []}]}, "empty"),
        ({"instances": [{"input_word_ids": [[1]]}]}, "whole numbers"),
        ({"inputs": []}, "no texts"),
        ({"inputs": {}}, "missing"),
        ({"inputs": {"input_word_ids": [[1]], "input_mask": [[1], [1]]}}, "rows"),
        ({"signature_name": "x", "instances": ["a"]}, 'Serving signature name: "x" not found in signature def'),
        ({"signature_name": 3, "instances": ["a"]}, "'signature_name' key must be a string value"),
    ],
)
def test_errors(server, body, words):
    assert words in predict(server, body, status=400)["error"]


def test_no_such_servable(server):
    for path, words in [
        ("/v1/models/none", "Servable not found for request: Latest(none)"),
        (f"{PATH}/versions/7", f"Servable not found for request: Specific({NAME}, 7)"),
    ]:
        assert words in predict(server, {"instances": ["a"]}, path, status=404)["error"]
        assert words in server.get(f"{path}/metadata").json()["error"]
    answer = predict(server, {"instances": ["a"]}, f"{PATH}/labels/canary", status=400)
    assert "Unrecognized servable version label: canary" in answer["error"]
