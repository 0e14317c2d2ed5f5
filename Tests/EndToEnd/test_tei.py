"""text-embeddings-inference's API by Hugging Face's client and by plain requests."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

import tokens
from server import HIDDEN_SIZE, MODEL, PATIENCE, ROOT, Server, bits
from texts import SEED, SEED_TOKENS, TEXTS

MANY = [SEED, "", "中文 and 日本語", "two\nlines é 😀"] + list(TEXTS.values())[:20]
LONG = TEXTS["words_19"]


@pytest.fixture(scope="module", params=["", "/embed"])
def client(server, request):
    """A bare address is asked at "/"."""
    return InferenceClient(model=server.url + request.param)


@pytest.fixture(scope="module")
def expected(server):
    return np.float32(server.encode(MANY, output_key="sentence_embedding")["outputs"]["sentence_embedding"])


def mean(server, text, **options):
    """The sentence's vector before it is normalised."""
    return server.tensors([text], output_key="sequence_output", **options)["sequence_output"][0].mean(axis=0)


def post(server, path, body, status=200):
    response = server.post(body, path=path)
    assert response.status_code == status, response.text
    return response.json()


def test_feature_extraction(client, expected):
    assert np.array_equal(bits(client.feature_extraction(SEED)), bits(expected[:1]))
    assert np.array_equal(bits(client.feature_extraction(MANY)), bits(expected))


def test_without_normalising(client, server):
    found = client.feature_extraction(SEED, normalize=False)
    assert np.abs(found[0] - mean(server, SEED)).max() < 1e-6
    assert not 0.999 < np.linalg.norm(found[0]) < 1.001


@pytest.mark.parametrize("count", [1, 100, HIDDEN_SIZE])
@pytest.mark.parametrize("normalize", [True, False])
def test_dimensions(client, server, count, normalize):
    found = client.feature_extraction(SEED, dimensions=count, normalize=normalize)
    cut = mean(server, SEED).astype(np.float64)[:count]
    if normalize:
        cut /= np.linalg.norm(cut)
    assert found.shape == (1, count)
    assert np.abs(found[0] - cut).max() < 1e-6


@pytest.mark.parametrize("direction", ["left", "right"])
def test_truncation(client, server, direction):
    found = client.feature_extraction(LONG, truncate=True, truncation_direction=direction)
    whole = server.encode([LONG], output_key="sentence_embedding", truncate=direction)
    assert np.array_equal(bits(found), bits(whole["outputs"]["sentence_embedding"]))
    with pytest.raises(HfHubHTTPError) as caught:
        client.feature_extraction(LONG, truncate=False)
    assert caught.value.response.status_code == 422
    assert "256" in str(caught.value)


def test_a_sentence_of_similarity_is_named(server):
    """By its index in the request's list, to which the source does not belong."""
    for index, part in ((0, "'source_sentence'"), (1, "item 0 of 'sentences'"), (3, "item 2 of 'sentences'")):
        texts = ["a"] * 4
        texts[index] = "word " * 600
        body = {"inputs": {"source_sentence": texts[0], "sentences": texts[1:]}, "parameters": {"truncate": False}}
        assert f"{part}: " in post(server, "/similarity", body, 422)["error"]


def test_limits_of_similarity(log):
    """Its limit of texts is of the list, and its answer has one number a sentence."""
    with Server("--max-texts", 8, "--max-output-bytes", 1024, log=log) as server:

        def ask(count, status=200):
            body = {"inputs": {"source_sentence": "a", "sentences": ["b"] * count}}
            return post(server, "/similarity", body, status)

        assert len(ask(8)) == 8
        assert "there are 9 texts" in ask(9, 422)["error"]
        # Of 384 numbers a text one is over the limit, of 8 numbers eight are not.
        assert "send fewer or shorter texts" in (refused := post(server, "/embed", {"inputs": ["a"]}, 413)["error"])
        assert "x-ndjson" not in refused
        assert len(post(server, "/embed", {"inputs": ["a"] * 4, "dimensions": 2})) == 4


def test_sentence_similarity(server, expected):
    found = InferenceClient(model=f"{server.url}/similarity").sentence_similarity(SEED, other_sentences=MANY)
    assert np.abs(np.float32(found) - expected @ expected[0]).max() < 1e-6


def test_langchain(server, expected):
    """In an environment of its own: it wants an older client than the rest."""
    python = ROOT / ".venv" / "langchain" / "bin" / "python"
    command = [python, ROOT / "Tests" / "EndToEnd" / "langchain_client.py", server.url]
    shown = subprocess.run(command, input=json.dumps(MANY), capture_output=True, text=True, timeout=PATIENCE)
    assert shown.returncode == 0, shown.stderr
    many, one, many_async, one_async = (np.float32(vectors) for vectors in json.loads(shown.stdout))
    assert np.array_equal(bits(many), bits(expected)) and np.array_equal(bits(many_async), bits(expected))
    assert np.array_equal(bits(one), bits(expected[0])) and np.array_equal(bits(one_async), bits(expected[0]))


def test_endpoint(server):
    client = InferenceClient(model=server.url, provider="hf-inference")
    assert client.health_check()
    information = client.get_endpoint_info()
    assert information["model_id"] == MODEL.name
    assert information["model_type"] == {"embedding": {"pooling": "mean"}}
    assert information["max_input_length"] == 256
    assert information["auto_truncate"] is True
    assert {"model_dtype", "max_concurrent_requests", "max_batch_tokens", "max_client_batch_size"} <= set(information)


def test_embed_all(server):
    found = post(server, "/embed_all", {"inputs": MANY})
    expected = server.encode(MANY, output_key="sequence_output")["outputs"]["sequence_output"]
    assert len(found) == len(MANY)
    for rows, exact in zip(found, expected, strict=True):
        assert np.array_equal(bits(rows), bits(exact))


def test_token_ids(server, tokenizer, expected):
    ids = [tokens.encode(tokenizer, text).ids for text in MANY[:3]]
    assert np.array_equal(bits(post(server, "/embed", {"inputs": ids})), bits(expected[:3]))
    assert np.array_equal(bits(post(server, "/embed", {"inputs": ids[0]})), bits(expected[:1]))
    long = tokenizer.encode(LONG).ids
    cut = server.encode([LONG], output_key="sentence_embedding")["outputs"]["sentence_embedding"]
    assert not np.array_equal(post(server, "/embed", {"inputs": long}), cut)  # no [SEP] at its end
    for wrong in [[[]], [[30522]], [[-1]], [["a", 1]], [[1.5]]]:
        post(server, "/embed", {"inputs": wrong}, status=422)
    post(server, "/embed", {"inputs": long, "truncate": False}, status=422)


def test_tokenize(server, tokenizer):
    for text in MANY:
        [found] = post(server, "/tokenize", {"inputs": text})
        encoding = tokenizer.encode(text)
        assert [each["id"] for each in found] == encoding.ids
        assert [each["special"] for each in found] == [mask == 1 for mask in encoding.special_tokens_mask]
        for token in found:
            if token["special"]:
                assert (token["start"], token["stop"]) == (None, None)
            else:
                assert text.encode()[token["start"] : token["stop"]].decode() == token["text"]
        [bare] = post(server, "/tokenize", {"inputs": [text], "add_special_tokens": False})
        assert bare == [each for each in found if not each["special"]]
    assert len(post(server, "/tokenize", {"inputs": MANY})) == len(MANY)
    assert len(post(server, "/tokenize", {"inputs": "word " * 5000})[0]) == 5002


def test_decode(server, tokenizer):
    ids = tokenizer.encode("Goldfish, don't ride bicycles!").ids
    for skip in (True, False):
        expected = tokenizer.decode(ids, skip_special_tokens=skip)
        assert post(server, "/decode", {"ids": ids, "skip_special_tokens": skip}) == [expected]
        assert post(server, "/decode", {"ids": [ids, ids], "skip_special_tokens": skip}) == [expected] * 2


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/embed", {"inputs": []}, 400, "Empty"),
        ("/embed", b"{", 400, "Validation"),
        ("/embed", {"inputs": 3}, 422, "Validation"),
        ("/embed", {"inputs": {"a": 1}}, 422, "Validation"),
        ("/embed", {}, 422, "Validation"),
        ("/embed", [], 422, "Validation"),
        ("/embed", {"inputs": SEED, "dimensions": 385}, 422, "Validation"),
        ("/embed", {"inputs": SEED, "truncation_direction": "up"}, 422, "Validation"),
        ("/embed", {"inputs": SEED, "prompt_name": "query"}, 422, "Validation"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 400, "Empty"),
        ("/similarity", {"inputs": "a"}, 422, "Validation"),
        ("/tokenize", {"inputs": []}, 400, "Empty"),
        ("/tokenize", {"inputs": [1, 2]}, 422, "Validation"),
        ("/decode", {"ids": [30522]}, 422, "Validation"),
        ("/decode", {"ids": []}, 422, "Validation"),
    ],
)
def test_errors(server, path, body, status, kind):
    answer = post(server, path, body, status)
    assert set(answer) == {"error", "error_type"}
    assert answer["error_type"] == kind


def test_members_that_are_not_known_are_passed_over(server, expected):
    found = post(server, "/embed", {"inputs": SEED, "colour": "red", "truncate": None})
    assert np.array_equal(bits(found), bits(expected[:1]))


def test_fields(server):
    fields = server.post({"inputs": SEED}, path="/embed").headers
    assert fields["x-compute-type"] == "cpu"
    assert int(fields["x-compute-tokens"]) == SEED_TOKENS
    for name in ["x-total-time", "x-tokenization-time", "x-queue-time", "x-inference-time"]:
        assert float(fields[name]) >= 0


def test_prompts(tmp_path, log):
    folder = tmp_path / "prompted"
    shutil.copytree(MODEL, folder)
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    with Server("--model", f"prompted={folder}", log=log) as server:
        client = InferenceClient(model=f"{server.url}/?model=prompted")
        found = client.feature_extraction(SEED, prompt_name="query")
        whole = server.encode(["query: " + SEED], output_key="sentence_embedding", model="prompted")
        assert np.array_equal(bits(found), bits(whole["outputs"]["sentence_embedding"]))
        assert server.get("/info?model=prompted").json()["prompts"] == ["passage", "query"]
        with pytest.raises(HfHubHTTPError, match="passage, query"):
            client.feature_extraction(SEED, prompt_name="clustering")
