"""KServe's v2 protocol by Triton's own client, in JSON and with binary tensors."""

import json
import struct

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import tokens
from server import BLOCKS, HIDDEN_SIZE, MODEL, PATIENCE, bits
from texts import SEED, SEED_TOKENS, TEXTS

NAME = MODEL.name
TEXTS_HERE = [SEED, "", "中文 and é 😀"] + list(TEXTS.values())[:12]
VECTORS = ["default", "pooled_output", "sentence_embedding"]


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(
        f"{server.host}:{server.port}", concurrency=4, connection_timeout=PATIENCE, network_timeout=PATIENCE
    ) as client:
        yield client


@pytest.fixture(scope="module")
def expected(server):
    """The map of all the texts, padded to the longest."""
    return server.tensors(TEXTS_HERE, output_key="all", seq_length="longest")


def text_input(texts=TEXTS_HERE, binary=True, name="text", shape=None):
    array = np.array([text.encode() for text in texts], dtype=np.object_)
    tensor = triton.InferInput(name, shape or [len(texts)], "BYTES")
    tensor.set_data_from_numpy(array.reshape(shape or [len(texts)]), binary_data=binary)
    return tensor


def id_input(name, rows, datatype="INT32", binary=True):
    array = np.array(rows, dtype=np.int32 if datatype == "INT32" else np.int64)
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def output(name, binary=True):
    return triton.InferRequestedOutput(name, binary_data=binary)


def equal(found, exact):
    return found.dtype == np.float32 and np.array_equal(bits(found), bits(exact))


# What there is


def test_health(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, "1")
    assert not client.is_model_ready(NAME, "2")
    assert not client.is_model_ready("none")


def test_metadata(client):
    server = client.get_server_metadata()
    assert server["name"] == "bert-server" and server["version"]
    assert "binary_tensor_data" in server["extensions"]
    model = client.get_model_metadata(NAME, "1")
    assert model == client.get_model_metadata(NAME)
    assert (model["name"], model["versions"]) == (NAME, ["1"])
    assert {"name": "text", "datatype": "BYTES", "shape": [-1]} in model["inputs"]
    outputs = {each["name"]: (each["datatype"], each["shape"]) for each in model["outputs"]}
    assert outputs["pooled_output"] == ("FP32", [-1, HIDDEN_SIZE])
    assert outputs["sequence_output"] == ("FP32", [-1, -1, HIDDEN_SIZE])
    assert outputs[f"encoder_outputs.{BLOCKS - 1}"] == ("FP32", [-1, -1, HIDDEN_SIZE])
    assert outputs["attention_mask"] == ("INT64", [-1, -1])
    config = client.get_model_config(NAME)
    assert config["max_batch_size"] == 0
    assert [each["name"] for each in config["output"]] == list(outputs)
    assert {"name": "text", "data_type": "TYPE_STRING", "dims": [-1], "optional": True} in config["input"]
    assert client.get_model_repository_index() == [
        {"name": NAME, "version": "1", "state": "READY", "reason": ""}
    ]


def test_statistics(client):
    def counted():
        [model] = client.get_inference_statistics(NAME)["model_stats"]
        assert model["name"] == NAME
        return model

    before = counted()
    client.infer(NAME, [text_input()])
    after = counted()
    assert after["inference_count"] - before["inference_count"] == len(TEXTS_HERE)
    for part in ["success", "queue", "compute_input", "compute_infer", "compute_output"]:
        assert after["inference_stats"][part]["count"] - before["inference_stats"][part]["count"] == 1
        assert after["inference_stats"][part]["ns"] >= before["inference_stats"][part]["ns"]
    assert after["last_inference"] >= before["last_inference"]
    assert client.get_inference_statistics()["model_stats"][0]["name"] == NAME


# Numbers


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_outputs_by_name(client, expected, binary_in, binary_out):
    names = [*VECTORS, "sequence_output", "encoder_outputs"]
    answer = client.infer(
        NAME, [text_input(binary=binary_in)], outputs=[output(name, binary_out) for name in names]
    )
    assert [each["name"] for each in answer.get_response()["outputs"]] == names
    for name in names:
        assert equal(answer.as_numpy(name), expected[name]), name


def test_mixed_outputs(client, expected):
    answer = client.infer(
        NAME,
        [text_input()],
        outputs=[
            output("default", False), output("encoder_outputs.0"), output("lengths"),
            output("encoder_outputs.-1", False), output("attention_mask", False),
        ],
    )  # fmt: skip
    assert equal(answer.as_numpy("default"), expected["default"])
    assert equal(answer.as_numpy("encoder_outputs.0"), expected["encoder_outputs"][0])
    assert equal(answer.as_numpy("encoder_outputs.-1"), expected["sequence_output"])
    lengths, mask = answer.as_numpy("lengths"), answer.as_numpy("attention_mask")
    assert lengths.dtype == mask.dtype == np.int64
    assert lengths[0] == SEED_TOKENS
    assert mask.shape == expected["sequence_output"].shape[:2]
    assert np.array_equal(mask.sum(axis=1), lengths)


def test_without_outputs(client, expected):
    answer = client.infer(NAME, [text_input()], model_version="1", request_id="r 1")
    assert answer.get_response()["id"] == "r 1"
    assert [each["name"] for each in answer.get_response()["outputs"]] == VECTORS
    for name in VECTORS:
        assert equal(answer.as_numpy(name), expected[name])
    assert answer.as_numpy("sequence_output") is None


def test_only_lengths(client):
    answer = client.infer(NAME, [text_input()], outputs=[output("lengths", False)])
    assert answer.as_numpy("lengths")[:2].tolist() == [SEED_TOKENS, 2]


def test_a_column_of_texts(client, expected):
    answer = client.infer(NAME, [text_input(shape=[len(TEXTS_HERE), 1])])
    assert equal(answer.as_numpy("default"), expected["default"])


def test_pairs(client, server):
    first, second = ["How old is it?", "a"], ["It was built in 1874.", "b"]
    answer = client.infer(NAME, [text_input(first), text_input(second, name="text_pair")])
    whole = server.tensors([list(pair) for pair in zip(first, second)], output_key="default")
    assert equal(answer.as_numpy("default"), whole["default"])


@pytest.mark.parametrize(
    ("datatype", "own"),
    [("INT32", None), ("INT64", None)]
    + [("INT64", ["input_ids", "attention_mask", types]) for types in ("token_type_ids", "segment_ids")],
)
@pytest.mark.parametrize("binary", [True, False])
def test_token_ids(client, server, tokenizer, datatype, own, binary):
    """The seed's encoder: padded rows of ids, mask and types, also by Hugging Face's names."""
    pairs = [("How old is it?", "It was built in 1874."), ("a", "b")]
    rows = [tokens.encode(tokenizer, pair) for pair in pairs]
    width = 24
    padded = {
        "input_word_ids": [each.ids + [0] * (width - len(each)) for each in rows],
        "input_mask": [[1] * len(each) + [0] * (width - len(each)) for each in rows],
        "input_type_ids": [each.type_ids + [0] * (width - len(each)) for each in rows],
    }
    names = ["pooled_output", "sequence_output", "attention_mask"]
    answer = client.infer(
        NAME, [id_input(name, data, datatype, binary) for name, data in zip(own or padded, padded.values())],
        outputs=[output(name) for name in names],
    )  # fmt: skip
    whole = server.tensors(
        [list(pair) for pair in pairs], output_key="pooled_output,sequence_output", seq_length=width
    )
    for name in names[:2]:
        assert equal(answer.as_numpy(name), whole[name])
    assert answer.as_numpy("attention_mask").tolist() == padded["input_mask"]


def test_ids_alone(client, server, tokenizer):
    ids = tokens.encode(tokenizer, SEED).ids
    answer = client.infer(NAME, [id_input("input_word_ids", [ids, ids])])
    whole = server.tensors([SEED, SEED])["default"]
    assert equal(answer.as_numpy("default"), whole)


def test_parameters(client, server):
    long = [TEXTS["words_19"], SEED]
    given = {"max_tokens": 9, "truncate": "left", "seq_length": "longest", "tag": "mine"}
    answer = client.infer(
        NAME, [text_input(long)], outputs=[output("sequence_output")], parameters=given,
        priority=2, timeout=60_000_000,
    )  # fmt: skip
    whole = server.tensors(
        long, output_key="sequence_output", max_tokens=9, truncate="left", seq_length="longest"
    )
    assert equal(answer.as_numpy("sequence_output"), whole["sequence_output"])
    assert answer.get_response()["parameters"] == given
    answer = client.infer(
        NAME, [text_input()], outputs=[output("encoder_outputs")], parameters={"layers": "0,-1"}
    )
    assert answer.as_numpy("encoder_outputs").shape[0] == 2


def test_async_pool(client, expected):
    asked = [client.async_infer(NAME, [text_input([text])], request_id=str(index))
             for index, text in enumerate(TEXTS_HERE * 3)]  # fmt: skip
    for index, request in enumerate(asked):
        answer = request.get_result()
        assert answer.get_response()["id"] == str(index)
        exact = expected["default"][index % len(TEXTS_HERE)]
        assert equal(answer.as_numpy("default")[0], exact)


@pytest.mark.parametrize("answered", [None, "gzip", "deflate"])
@pytest.mark.parametrize("asked", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compression(client, expected, asked, answered, binary):
    names = ["default", "sequence_output"]
    answer = client.infer(
        NAME, [text_input(binary=binary)], outputs=[output(name, binary) for name in names],
        request_compression_algorithm=asked, response_compression_algorithm=answered,
    )  # fmt: skip
    for name in names:
        assert equal(answer.as_numpy(name), expected[name])


# Plain requests


def test_nested_json(server, expected):
    body = {"inputs": [{"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [[SEED], [""]]}]}
    answer = server.post(body, path=f"/v2/models/{NAME}/infer").json()
    assert (answer["model_name"], answer["model_version"]) == (NAME, "1")
    first = answer["outputs"][0]
    assert (first["name"], first["datatype"], first["shape"]) == ("default", "FP32", [2, HIDDEN_SIZE])
    assert equal(np.float32(first["data"]).reshape(first["shape"]), expected["default"][:2])


def test_raw_text(server, expected):
    """An empty header: the body is the text."""
    response = server.post(
        SEED, path=f"/v2/models/{NAME}/infer", content_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": "0"},
    )  # fmt: skip
    length = int(response.headers["Inference-Header-Content-Length"])
    header = json.loads(response.content[:length])
    assert header["outputs"][0]["parameters"]["binary_data_size"] == 4 * HIDDEN_SIZE
    found = np.frombuffer(response.content[length:], "<f4").reshape(len(VECTORS), HIDDEN_SIZE)
    assert equal(found[0].copy(), expected["default"][0])


# Errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model_name": "none"}, "none"),
        ({"model_version": "7"}, "version 7"),
        ({"outputs": [output("colour")]}, "unexpected inference output 'colour'"),
        ({"outputs": [output("encoder_outputs.6")]}, "encoder_outputs.6"),
        ({"outputs": [output("default"), output("default")]}, "twice"),
        ({"inputs": [text_input(name="colour")]}, "unexpected inference input 'colour'"),
        ({"inputs": []}, "missing"),
        ({"inputs": [text_input([])]}, "no texts"),
        ({"inputs": [text_input(), id_input("input_word_ids", [[1]])]}, "either"),
        ({"inputs": [id_input("input_mask", [[1]])]}, "missing"),
        ({"inputs": [id_input("input_word_ids", [[30522]])]}, "30522"),
        ({"inputs": [id_input("input_word_ids", [[1] * 513])]}, "512"),
        ({"inputs": [id_input("input_word_ids", [[1, 2]]), id_input("input_mask", [[0, 1]])]}, "mask"),
        ({"inputs": [id_input("input_word_ids", [[1, 2]]), id_input("input_mask", [[1]])]}, "columns"),
        ({"inputs": [id_input("input_word_ids", [[1]]), id_input("input_type_ids", [[2]])]}, "type"),
        ({"inputs": [id_input("text", [[1]])]}, "BYTES"),
        ({"parameters": {"max_tokens": 1}}, "max_tokens"),
        ({"timeout": 1, "inputs": [text_input([TEXTS["words_19"]] * 100)]}, "deadline"),
    ],
)
def test_errors(client, options, words):
    with pytest.raises(InferenceServerException, match=words):
        client.infer(**{"model_name": NAME, "inputs": [text_input()], **options})


def text_header(**changed):
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}
    return json.dumps({"inputs": [{**tensor, **changed}]}).encode()


BLOB = struct.pack("<I", 1) + b"a"


@pytest.mark.parametrize(
    ("header", "blob", "length"),
    [
        (text_header(), BLOB, 10**6),
        (text_header(), BLOB, -1),
        (text_header(), BLOB, "many"),
        (text_header(), BLOB + b"x", None),
        (text_header(), BLOB[:-1], None),
        (text_header(), struct.pack("<I", 2**32 - 1) + b"a", None),
        (text_header(), struct.pack("<I", 1) + b"\xff", None),
        (text_header(shape=[2]), BLOB, None),
        (text_header(shape=[2**32, 2**32]), BLOB, None),
        (text_header(shape=[-1]), BLOB, None),
        (text_header(shape=["a"]), BLOB, None),
        (text_header(datatype="FP32"), BLOB, None),
        (text_header(parameters={"binary_data_size": 2**40}), BLOB, None),
        (text_header(parameters=3), BLOB, None),
        (text_header(name=3), BLOB, None),
        (b"{}", b"", None),
        (b"[]", b"", None),
        (b'{"inputs": 3}', b"", None),
        (b'{"inputs": [3]}', b"", None),
        (b'{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES"}]}', b"", None),
        (b'{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [3]}]}', b"", None),
    ],
)
def test_hostile_bodies(server, header, blob, length):
    response = server.post(
        header + blob, path=f"/v2/models/{NAME}/infer", content_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(header) if length is None else length)},
    )  # fmt: skip
    assert response.status_code == 400, response.text
    assert set(response.json()) == {"error"}
