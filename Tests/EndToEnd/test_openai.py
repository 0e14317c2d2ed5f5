"""OpenAI's embeddings API by its own clients."""

import asyncio

import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings

from server import HIDDEN_SIZE, MODEL, Server, bits, from_base64
from texts import SEED, SEED_TOKENS, TEXTS

MANY = [SEED, "", "中文 and 日本語", "two\nlines \"quoted\" \\ é 😀"] + list(TEXTS.values())[:20]


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def expected(server):
    return np.float32(server.encode(MANY, output_key="sentence_embedding")["outputs"]["sentence_embedding"])


def vectors(answer):
    assert [each.index for each in answer.data] == list(range(len(answer.data)))
    assert {each.object for each in answer.data} == {"embedding"}
    return np.float32([each.embedding for each in answer.data])


def test_one_text(client, expected):
    answer = client.embeddings.create(model=MODEL.name, input=SEED)
    assert (answer.object, answer.model) == ("list", MODEL.name)
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (SEED_TOKENS, SEED_TOKENS)
    assert np.array_equal(bits(vectors(answer)), bits(expected[:1]))


@pytest.mark.parametrize("encoding", [None, "float"])
def test_many_texts(client, expected, encoding):
    """Without a format the client asks for base64 and decodes it."""
    options = {"encoding_format": encoding} if encoding else {}
    answer = client.embeddings.create(model=MODEL.name, input=MANY, user="somebody", **options)
    assert np.array_equal(bits(vectors(answer)), bits(expected))


def test_base64(client, expected):
    answer = client.embeddings.create(model=MODEL.name, input=[SEED], encoding_format="base64")
    assert np.array_equal(bits(from_base64(answer.data[0].embedding, HIDDEN_SIZE)), bits(expected[0]))


@pytest.mark.parametrize("count", [1, 7, 256, HIDDEN_SIZE])
def test_dimensions(client, expected, count):
    found = vectors(client.embeddings.create(model=MODEL.name, input=MANY, dimensions=count))
    cut = expected[:, :count].astype(np.float64)
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    assert found.shape == cut.shape
    assert np.abs(found - cut).max() < 1e-7


def test_many_at_once(server, expected):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            return await asyncio.gather(
                *(client.embeddings.create(model=MODEL.name, input=text) for text in MANY)
            )

    found = [vectors(answer)[0] for answer in asyncio.run(ask())]
    assert np.array_equal(bits(found), bits(expected))


def test_large_answer(client, server):
    """Long enough to be sent piece by piece."""
    found = vectors(client.embeddings.create(model=MODEL.name, input=MANY * 3, encoding_format="float"))
    assert np.array_equal(bits(found[-len(MANY) :]), bits(found[: len(MANY)]))


def test_models(client, server):
    assert [model.id for model in client.models.list()] == [MODEL.name]
    model = client.models.retrieve(MODEL.name)
    assert (model.id, model.object, model.owned_by) == (MODEL.name, "model", "bert-server")
    assert model.created > 1_600_000_000
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("none")
    assert caught.value.code == "model_not_found"
    merged = server.get("/v1/models").json()
    assert merged["models"] == [MODEL.name]
    assert merged["data"][0]["model_version_status"][0]["state"] == "AVAILABLE"


def test_path_without_version(server, expected):
    with openai.OpenAI(base_url=server.url, api_key="none") as client:
        answer = client.embeddings.create(model=MODEL.name, input=SEED)
    assert np.array_equal(bits(vectors(answer)), bits(expected[:1]))


@pytest.mark.parametrize(
    ("options", "failure", "status", "parameter"),
    [
        ({"input": [1, 2, 3]}, openai.BadRequestError, 400, "input"),
        ({"input": [[1, 2, 3]]}, openai.BadRequestError, 400, "input"),
        ({"input": 3}, openai.BadRequestError, 400, "input"),
        ({"input": SEED, "dimensions": -1}, openai.BadRequestError, 400, "dimensions"),
        ({"input": SEED, "dimensions": 385}, openai.BadRequestError, 400, "dimensions"),
        ({"input": SEED, "encoding_format": "hex"}, openai.BadRequestError, 400, "encoding_format"),
        ({"input": SEED, "extra_body": {"truncate": "MIDDLE"}}, openai.BadRequestError, 400, "truncate"),
        ({"input": []}, openai.UnprocessableEntityError, 422, None),
        ({"input": SEED, "model": "none"}, openai.NotFoundError, 404, None),
    ],
)
def test_errors(client, options, failure, status, parameter):
    with pytest.raises(failure) as caught:
        client.embeddings.create(**{"model": MODEL.name, **options})
    error = caught.value
    assert error.status_code == status
    assert (error.type, error.param) == ("invalid_request_error", parameter)
    assert error.body["message"]
    assert error.request_id


def test_token_ids_are_refused_with_advice(client):
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model=MODEL.name, input=[[9906, 1917]])


def test_no_such_route(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=MODEL.name, messages=[{"role": "user", "content": "a"}])
    assert caught.value.type == "invalid_request_error"


def test_full_queue_is_tried_again(log):
    """429 is an error of its own to the client, and one that it tries again after."""
    texts = [TEXTS["words_19"]] * 4
    with Server("--threads", 1, "--max-queue-tokens", 1100, log=log) as server:

        async def ask(retries):
            async with openai.AsyncOpenAI(
                base_url=f"{server.url}/v1", api_key="none", max_retries=retries
            ) as client:
                asked = (client.embeddings.create(model=MODEL.name, input=texts) for _ in range(5))
                return await asyncio.gather(*asked, return_exceptions=True)

        failures = [each for each in asyncio.run(ask(0)) if isinstance(each, Exception)]
        assert failures and {type(each) for each in failures} == {openai.RateLimitError}
        assert {each.code for each in failures} == {"rate_limit_exceeded"}
        assert not [each for each in asyncio.run(ask(20)) if isinstance(each, Exception)]


def test_keys(tmp_path, log):
    keys = tmp_path / "keys"
    keys.write_text("the-one-key\n")
    with Server("--api-key-file", keys, log=log) as server:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="another-key") as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                client.embeddings.create(model=MODEL.name, input=SEED)
            assert caught.value.code == "invalid_api_key"
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="the-one-key") as client:
            assert len(client.embeddings.create(model=MODEL.name, input=SEED).data) == 1


def test_langchain(server, expected):
    embeddings = OpenAIEmbeddings(
        model=MODEL.name, base_url=f"{server.url}/v1", api_key="none",
        check_embedding_ctx_length=False,
    )  # fmt: skip
    assert np.array_equal(bits(embeddings.embed_documents(MANY)), bits(expected))
    assert np.array_equal(bits(embeddings.embed_query(SEED)), bits(expected[0]))
    assert np.array_equal(bits(asyncio.run(embeddings.aembed_query(SEED))), bits(expected[0]))
