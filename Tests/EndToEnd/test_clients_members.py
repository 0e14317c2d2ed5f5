"""What clients of other servers send to /v1/embeddings, byte by byte, and what the answers say."""

import json
import shutil

import numpy as np
import pytest

from server import HIDDEN_SIZE, MODEL, Server, bits
from texts import SEED, TEXTS

LONG = TEXTS["words_19"]
NAME = MODEL.name


def ask(server, body, path="/v1/embeddings", status=200, **options):
    response = server.post(body, path=path, **options)
    assert response.status_code == status, response.text
    return response


def vectors(response):
    return np.float32([each["embedding"] for each in response.json()["data"]])


def sentences(server, texts, **options):
    """The vectors that /encode has."""
    answer = server.encode(texts, output_key="sentence_embedding", **options)
    return np.float32(answer["outputs"]["sentence_embedding"])


def passed_over(server):
    [line] = [each for each in server.get("/metrics").text.splitlines() if each.startswith("bert_ignored_members_total ")]
    return int(line.split()[1])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"input":["a fish"],"model":"%s","encoding_format":"float","drop_params":true}', id="RAGFlow"),
        pytest.param(b'{"model":"%s","input":["a fish"],"truncate_prompt_tokens":511}', id="WeKnora"),
        pytest.param(
            b'{"input": ["a fish"], "model": "%s", "encoding_format": "float", "input_type": "passage", '
            b'"truncate": "NONE", "modality": ["text"]}',
            id="NVIDIA",
        ),
        pytest.param(b'{"input": "a fish", "model": "%s", "dimensions": 0, "modality": "text"}', id="Infinity"),
        pytest.param(b'{"input":"a fish","model":"%s","user":null,"metadata":{"trace":"1"}}', id="LiteLLM"),
        pytest.param(b'{"input":["a fish"],"model":"%s","extra_body":{"truncate_prompt_tokens":50}}', id="litellm-vLLM"),
    ],
)
def test_known_members(server, body):
    """They are honoured, or change nothing: no word of them."""
    before = passed_over(server)
    answer = ask(server, body % NAME.encode())
    assert np.array_equal(bits(vectors(answer)), bits(sentences(server, ["a fish"])))
    assert "x-ignored-members" not in answer.headers
    assert passed_over(server) == before


def test_unknown_members_are_passed_over_and_told(tmp_path):
    body = '{"input":"a fish","colour":1,"dim\\u00e9s\\r\\nx-evil: 1":2,"late_chunking":true}'.encode()
    with (tmp_path / "log").open("w") as log, Server(log=log) as server:
        for count in (3, 6):
            answer = ask(server, body)
            assert np.array_equal(bits(vectors(answer)), bits(sentences(server, ["a fish"])))
            assert answer.headers["x-ignored-members"] == "colour, dim%C3%A9s%0D%0Ax-evil%3A%201, late_chunking"
            assert "x-evil" not in answer.headers
            assert passed_over(server) == count
        many = ask(server, {"input": "a", **{f"m{index:02}": 1 for index in range(20)}}).headers["x-ignored-members"]
        assert many == "m00, m01, m02, m03, m04, m05, m06, m07, and 12 more"
        # A failure tells of them too.
        assert ask(server, {"input": 1, "colour": 1}, status=400).json()["error"]["param"] == "input"
        # Elsewhere a misspelt option is refused.
        assert "colour" in ask(server, {"inputs": "a", "colour": 1}, path="/encode", status=400).json()["error"]
    told = [line for line in (tmp_path / "log").read_text().splitlines() if "had no effect" in line]
    assert sum("'colour'" in line for line in told) == 1
    assert sum("'late_chunking'" in line for line in told) == 1


@pytest.mark.parametrize(("limit", "tokens"), [(10, 10), (511, 511), (8192, 512)])
def test_truncate_prompt_tokens(server, limit, tokens):
    """vLLM's name for max_tokens; more than the positions is as many as there are."""
    answer = ask(server, {"input": ["a fish", LONG], "truncate_prompt_tokens": limit})
    expected = sentences(server, ["a fish", LONG], max_tokens=tokens)
    assert np.array_equal(bits(vectors(answer)), bits(expected))


def test_the_model_s_own_limit(server):
    answer = ask(server, {"input": [LONG], "truncate_prompt_tokens": -1})
    assert np.array_equal(bits(vectors(answer)), bits(sentences(server, [LONG])))
    for wrong in (0, 1, -2, "10"):
        error = ask(server, {"input": "a", "truncate_prompt_tokens": wrong}, status=400).json()["error"]
        assert error["param"] == "truncate_prompt_tokens"


def test_truncate(server):
    for word, direction in [("END", "right"), ("START", "left"), (True, "right")]:
        answer = ask(server, {"input": [LONG], "truncate": word})
        assert np.array_equal(bits(vectors(answer)), bits(sentences(server, [LONG], truncate=direction)))
    for word in ("NONE", False):
        error = ask(server, {"input": ["a", LONG], "truncate": word}, status=422).json()["error"]
        assert "text 1" in error["message"] and "256" in error["message"]


@pytest.fixture(scope="module")
def prompted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folders") / "prompted"
    shutil.copytree(MODEL, folder)
    prompts = {"query": "query: ", "Query": "Query of another kind: ", "passage": "passage: ", "title": "title of a page: "}
    settings = {"prompts": prompts, "default_prompt_name": "title"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    with Server(model=folder) as server:
        yield server


@pytest.mark.parametrize(
    ("members", "prompt"),
    [
        ({"input_type": "query"}, "query: "),
        ({"input_type": "search_query"}, "query: "),
        ({"input_type": "passage"}, "passage: "),
        ({"input_type": "document"}, "passage: "),
        ({"input_type": "SEARCH_DOCUMENT"}, "passage: "),
        ({"prompt_name": "passage"}, "passage: "),
        ({"prompt_name": "passage", "input_type": "query"}, "passage: "),
        ({"input_type": "title"}, "title of a page: "),
        ({"input_type": "Query"}, "Query of another kind: "),
        ({"extra_body": {"input_type": "passage"}}, "passage: "),
        ({"extra_body": {"prompt_name": "passage"}, "prompt_name": "query"}, "query: "),
        ({"prompt_name": ""}, "title of a page: "),
        ({"input_type": "classification"}, "title of a page: "),
        ({}, "title of a page: "),
    ],
)
def test_prompts(prompted, server, members, prompt):
    answer = ask(prompted, {"input": ["a fish", SEED], **members})
    expected = sentences(server, [prompt + "a fish", prompt + SEED])
    assert np.array_equal(bits(vectors(answer)), bits(expected))
    is_unknown = members == {"input_type": "classification"}
    assert answer.headers.get("x-ignored-members") == ("input_type" if is_unknown else None)


def test_a_type_without_a_prompt(tmp_path, log):
    """The default prompt stands in, as in sentence-transformers, and the answer says so."""
    folder = tmp_path / "only-queries"
    shutil.copytree(MODEL, folder)
    settings = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    with Server(model=folder, log=log) as server:
        answer = ask(server, {"input": ["a"], "input_type": "passage"})
        assert answer.headers["x-ignored-members"] == "input_type"
        assert np.array_equal(bits(vectors(answer)), bits(vectors(ask(server, {"input": ["a"], "prompt_name": "query"}))))


def test_cuts_by_other_names(server):
    """Voyage's and vLLM's."""
    assert "text 0" in ask(server, {"input": LONG, "truncation": False}, status=422).json()["error"]["message"]
    ask(server, {"input": LONG, "truncate": "END", "truncation": True, "truncation_side": "right"})
    ask(server, {"input": LONG, "truncate": None, "extra_body": {"truncate": "NONE"}}, status=422)
    [left] = vectors(ask(server, {"input": LONG, "truncation_side": "left"}))
    assert np.array_equal(bits(left), bits(vectors(ask(server, {"input": LONG, "truncate": "START"}))[0]))
    assert not np.array_equal(left, vectors(ask(server, {"input": LONG}))[0])


@pytest.mark.parametrize(
    "members",
    [
        {"dimensions": 5, "output_dimension": 7},
        {"normalize": True, "normalized": False},
        {"normalize": False, "use_activation": True},
        {"truncate": "END", "truncation": False},
        {"truncation": 5},
        {"truncate": "END", "truncation_side": "left"},
        {"truncation_side": "middle"},
        {"embedding_types": ["int8"]},
        {"extra_body": 1},
    ],
)
def test_members_that_contradict(server, members):
    assert list(members)[-1] in ask(server, {"input": "a", **members}, status=400).json()["error"]["message"]


def test_the_query_is_told_too(server):
    """Of this route the body is all that counts."""
    assert ask(server, {"input": "a"}, path="/v1/embeddings?dimensions=3").headers["x-ignored-members"] == "dimensions"


def test_members_of_text_embeddings_inference(server):
    for path in ("/embed", "/", "/embed_all"):
        answer = server.post({"inputs": "a", "parameters": {"normalize": False}, "Normalize": False}, path=path)
        assert answer.status_code == 200 and answer.headers["x-ignored-members"] == "Normalize, parameters"
        answer = server.post({"inputs": "a", "truncate": True, "prompt_name": None}, path=path)
        assert "x-ignored-members" not in answer.headers
    body = {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "prompt_name": "query"}
    assert server.post(body, path="/similarity").headers["x-ignored-members"] == "prompt_name"
    body = {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": {"dimensions": 9999}}
    assert server.post(body, path="/similarity").headers["x-ignored-members"] == "dimensions"
    assert server.post({"inputs": "a", "truncate": True}, path="/tokenize").headers["x-ignored-members"] == "truncate"


def test_the_model_of_the_query_and_of_the_body(log):
    with Server("--model", f"other={MODEL}", log=log) as server:

        def embed(body, **query):
            return server.post({"inputs": "a", **body}, path="/embed", **query)

        assert embed({"model": "other"}, model="other").status_code == 200
        for body, query in (
            ({"model": NAME}, {"model": "other"}),
            ({"model": 5}, {}),
            ({"model": [NAME]}, {"model": NAME}),
        ):
            assert embed(body, **query).status_code == 422
        assert embed({"model": "nobody"}, model="other").status_code == 404


@pytest.mark.parametrize("parameter", [{"max_tokens": 3}, {"seq_length": 6}, {"truncate": "error"}])
def test_token_ids_are_not_cut(server, parameter):
    tensor = {"name": "input_ids", "shape": [1, 4], "datatype": "INT64", "data": [101, 7592, 2088, 102]}
    answer = server.post({"inputs": [tensor], "parameters": parameter}, path=f"/v2/models/{NAME}/infer")
    assert answer.status_code == 400 and "input_ids are token ids" in answer.json()["error"]
    body = {"inputs": {"input_word_ids": [[101, 102]]}}
    answer = server.post(body, path=f"/v1/models/{NAME}:predict", **parameter)
    assert answer.status_code == 400 and "input_word_ids are token ids" in answer.json()["error"]


def test_a_prompt_that_is_not_there(prompted):
    error = ask(prompted, {"input": "a", "prompt_name": "clustering"}, status=422).json()["error"]
    assert "'passage', 'query', 'title'" in error["message"]


def test_half_of_a_surrogate_pair(server):
    """A text that was cut between two halves: the whole batch is answered."""
    body = b'{"model":"%s","input":["a fish","cut here \\ud83d","\\ude00 and here","\\ud83d\\ude00"]}' % NAME.encode()
    texts = ["a fish", "cut here \ufffd", "\ufffd and here", "😀"]
    assert np.array_equal(bits(vectors(ask(server, body))), bits(sentences(server, texts)))


IDS = {"name": "input_ids", "shape": [2, 1], "datatype": "INT64"}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/encode", b'{"inputs":["a","b","\\ud83d"]}', "item 2 of 'inputs': byte 20: half of a surrogate pair"),
        ("/encode", b'["a","\\ud83d"]', "item 1: byte 6: half"),
        ("/encode", b'["a",null]', "item 1 of the body"),
        ("/encode", b'[["a","b"],["a","\\ud83d"]]', "'[1][1]': byte 17: half"),
        ("/embed", b'{"inputs":["a","b","\\ud83d"]}', "item 2 of 'inputs': byte 20: half"),
        ("/embed", b'{"inputs":["a",null]}', "item 1 of 'inputs' is null"),
        ("/embed", b'{"inputs":[[101,102],[101,null]]}', "item 1 of 'inputs' has null"),
        ("/embed", b'{"inputs":["x",["a"]]}', "item 1 of 'inputs' is a list of texts"),
        ("/embed", b'{"inputs":[[101],[99999]]}', "item 1 of 'inputs': 99999 is no token id"),
        ("/similarity", b'{"inputs":{"source_sentence":"a","sentences":["b",null]}}', "item 1 of 'sentences' is null"),
        ("/decode", b'{"ids":[[101],null]}', "item 1 of 'ids' is null"),
        ("/v1/embeddings", b'{"input":["a",null]}', "item 1 of 'input' is null, not a text"),
        ("/v1/embeddings", b'{"input":["a",["b","c"]]}', "item 1 of 'input' is a list; each item is one text"),
        ("/v1/embeddings", b'{"input":["a",[1,2]]}', "item 1 of 'input' is token ids"),
        ("/v1/embeddings", b'{"input":["2024",2024]}', "item 1 of 'input' is a number, not a text"),
        ("/v1/embeddings", b'{"input":[[1],[1,2]]}', "item 0 of 'input' is token ids"),
        ("/v1/embeddings", b'{"input":["a","b\x01"]}', "item 1 of 'input': byte 16: a control character"),
        (f"/v1/models/{NAME}:predict", b'{"instances":["a",null]}', "row 1 of input 'text' is null"),
        (f"/v1/models/{NAME}:predict", b'{"instances":["a","\\ud83d"]}', "item 1 of 'instances': byte 19: half"),
        (f"/v1/models/{NAME}:predict", b'{"instances":[{"pixels":[1]}]}', "unexpected inference input 'pixels'"),
        (
            f"/v2/models/{NAME}/infer",
            b'{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["a",null]}]}',
            "element 1 of input 'text' is null",
        ),
        (
            f"/v2/models/{NAME}/infer",
            b'{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["a","\\ud83d"]}]}',
            "'inputs[0].data[1]': byte 70: half",
        ),
        (
            f"/v2/models/{NAME}/infer",
            json.dumps({"inputs": [{**IDS, "data": [101, 99999]}]}).encode(),
            "row 1 of input_ids: 99999 is no token id",
        ),
    ],
)
def test_the_item_is_named(server, path, body, words):
    response = server.post(body, path=path)
    assert response.status_code in (400, 422)
    error = response.json()["error"]
    assert words in (error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/v1/embeddings", {"input": "a", "dimensions": 385}, "'dimensions' is 385; it is a whole number from 0 to 384"),
        ("/v1/embeddings", {"input": "a", "output_dimension": -1}, "'output_dimension' is -1; it is"),
        ("/v1/embeddings", {"input": "a", "dimensions": "9"}, "'dimensions' is a string; it is a whole number from 0"),
        ("/embed", {"inputs": "a", "dimensions": 0}, "'dimensions' is 0; it is a whole number from 1 to 384"),
        ("/", {"inputs": {"source_sentence": "a", "sentences": ["b"]}}, "send it to /similarity"),
        (f"/v1/models/{NAME}:predict", {"inputs": {"input_ids": [[1]], "token_type_ids": [[9]]}}, "token_type_ids are 0"),
        (f"/v1/models/{NAME}:predict", {"inputs": {"text": ["a"], "input_ids": [[1]]}}, "either text or input_ids"),
        (f"/v1/models/{NAME}:predict", {"inputs": {"text": ["a"], "attention_mask": [[1]]}}, "attention_mask goes with"),
        (
            f"/v1/models/{NAME}:predict",
            {"inputs": {"input_ids": [[1, 2]], "attention_mask": [[1]]}},
            "row 0: attention_mask has 1 columns and input_ids 2",
        ),
        (f"/v1/models/{NAME}:predict", {"inputs": {"input_ids": [[1, 2], [1]]}}, "with an attention_mask"),
    ],
)
def test_an_error_speaks_of_what_was_sent(server, path, body, words):
    response = server.post(body, path=path)
    assert response.status_code in (400, 422)
    error = response.json()["error"]
    assert words in (error["message"] if isinstance(error, dict) else error)


def infer(texts):
    return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", lambda texts: {"input": texts}),
        ("/embed", lambda texts: {"inputs": texts}),
        ("/embed_all", lambda texts: {"inputs": texts}),
        ("/encode?format=safetensors&output_key=sentence_embedding", lambda texts: {"inputs": texts}),
        (f"/v2/models/{NAME}/infer", infer),
        (f"/v1/models/{NAME}:predict", lambda texts: {"instances": texts}),
    ],
)
def test_cut_texts_are_counted(server, path, body):
    assert ask(server, body(["a", LONG, LONG]), path=path).headers["x-truncated-texts"] == "2"
    assert "x-truncated-texts" not in ask(server, body(["a", "b"]), path=path).headers


def test_cut_texts_are_in_the_usage(server, tokenizer):
    assert ask(server, {"input": ["a", LONG]}).json()["usage"] == {
        "prompt_tokens": 259, "total_tokens": 259, "truncated_texts": 1
    }  # fmt: skip
    ids = tokenizer.encode(LONG).ids
    assert ask(server, {"inputs": [ids, ids[:5]]}, path="/embed").headers["x-truncated-texts"] == "1"


def test_one_rule_for_lengths(tmp_path, log, server):
    """Of length 1, whether the folder has a Normalize module or not, cut or not, unless they are asked for raw."""
    folder = tmp_path / "raw"
    shutil.copytree(MODEL, folder)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    with Server(model=folder, log=log) as raw:
        own = sentences(raw, ["a fish", SEED])
        assert np.linalg.norm(own, axis=1).min() > 2
        exact = own / np.linalg.norm(own.astype(np.float64), axis=1, keepdims=True)
        for members in ({}, {"dimensions": HIDDEN_SIZE}, {"normalize": True}, {"encoding_format": "float"}):
            found = vectors(ask(raw, {"input": ["a fish", SEED], **members}))
            assert np.abs(found - exact).max() < 1e-7
        cut = vectors(ask(raw, {"input": "a fish", "dimensions": 5}))
        assert abs(np.linalg.norm(cut) - 1) < 1e-6
        found = vectors(ask(raw, {"input": ["a fish", SEED], "normalize": False}))
        assert np.array_equal(bits(found), bits(own))
        cut = vectors(ask(raw, {"input": "a fish", "normalize": False, "dimensions": 5}))
        assert np.array_equal(bits(cut), bits(own[:1, :5]))
    # The folder's own module is honoured to the last bit, and can be left out.
    found = vectors(ask(server, {"input": ["a fish", SEED], "normalize": False}))
    assert np.array_equal(bits(found), bits(own))


def test_similarity_is_a_cosine(server):
    """Never over 1, however the rounding falls, and 1 for the same text."""
    texts = [SEED, *list(TEXTS.values())[:40]]
    for source in texts[:8]:
        body = {"inputs": {"source_sentence": source, "sentences": [source, *texts]}}
        found = ask(server, body, path="/similarity").json()
        assert found[0] == 1 and max(found) <= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("modality", "image"), ("modality", ["text", "image"]), ("embed_dtype", "float16"), ("endianness", "big"),
     ("output_dtype", "int8"), ("embedding_type", "base64"), ("embed_dtype", 16)],
)  # fmt: skip
def test_members_that_would_change_what_is_read_or_its_bytes(server, name, value):
    """They are refused, where this route has one way; the value that it has is accepted."""
    error = ask(server, {"input": "a", name: value}, status=400).json()["error"]
    assert error["param"] == name and "must be" in error["message"]


def test_other_words_for_the_same(server):
    answer = ask(server, {"input": "a fish", "output_dimension": 8, "embed_dtype": "float32", "endianness": "little"})
    assert "x-ignored-members" not in answer.headers
    same = ask(server, {"input": "a fish", "dimensions": 8})
    assert np.array_equal(bits(vectors(answer)), bits(vectors(same))) and vectors(same).shape == (1, 8)
    plain = [vectors(ask(server, {"input": "a fish", name: False})) for name in ("normalize", "normalized")]
    assert np.array_equal(*plain) and np.linalg.norm(plain[0]) > 1.1


def test_many_unknown_members(server):
    """The first eight are named, and the number of the others."""
    body = b'{"input":"a",' + b",".join(b'"%d":1' % number for number in range(200_000)) + b"}"
    named = ask(server, body).headers["x-ignored-members"]
    assert named == "0, 1, 10, 100, 1000, 10000, 100000, 100001, and 199992 more"


def test_empty_members_are_absent_ones(server):
    empty = {name: "" for name in ("encoding_format", "truncate", "prompt_name", "input_type", "model")}
    assert np.array_equal(bits(vectors(ask(server, {"input": "a", **empty}))), bits(vectors(ask(server, {"input": "a"}))))


def test_models_in_the_body_of_embed(tmp_path, log):
    """Honoured as in the query; where one model is served any name is, as in text-embeddings-inference."""
    other = tmp_path / "other"
    shutil.copytree(MODEL, other)
    (other / "modules.json").unlink()
    with Server("--model", f"other={other}", model=f"{NAME}={MODEL}", log=log) as server:
        for path in ("/embed", "/embed_all"):
            query = server.post({"inputs": "a"}, path=path, model="other")
            assert ask(server, {"inputs": "a", "model": "other"}, path).content == query.content
        assert ask(server, {"inputs": "a", "model": NAME}, "/embed").content != query.content
        assert "no/such" in ask(server, {"inputs": "a", "model": "no/such"}, "/embed", status=404).text
    with Server(log=log) as server:
        answer = ask(server, {"inputs": "a", "model": "no/such"}, "/embed")
        assert answer.headers["x-ignored-members"] == "model"
