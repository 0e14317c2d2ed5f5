"""What /encode takes and gives: bodies, parameters, formats."""

import json
import random

import numpy as np
import pytest
import safetensors

import tokens
from server import BLOCKS, HIDDEN_SIZE, MODEL, bits, from_base64, from_npy, to_bfloat16
from texts import SEED, SEED_TOKENS, TEXTS

LONG = TEXTS["words_19"]  # 600 words


def equal(a, b):
    return np.array_equal(bits(a), bits(b))


@pytest.fixture(scope="module")
def seed(server):
    """Every entry of the map for one text, [1, …]."""
    return server.tensors([SEED], output_key="all")


# Bodies


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (SEED, "text/plain"),
        (SEED, "text/plain; charset=utf-8"),
        (SEED, "application/x-www-form-urlencoded"),
        (json.dumps(SEED), "application/json"),
        (json.dumps([SEED]), "application/json"),
        (json.dumps({"inputs": SEED}), "application/json; charset=utf-8"),
        (json.dumps({"text": SEED}), "application/json"),
        (json.dumps({"texts": [SEED]}), "application/json"),
        (json.dumps({"instances": [SEED]}), "application/json"),
        (json.dumps({"inputs": [SEED]}), "application/x-www-form-urlencoded"),
        (" \n" + json.dumps([SEED]), "application/x-www-form-urlencoded"),
        (json.dumps({"inputs": [SEED.split()], "is_tokenized": True}), "application/json"),
    ],
)
def test_bodies(server, seed, body, content_type):
    answer = server.encode(body.encode(), content_type=content_type)
    assert equal(answer["outputs"]["default"], seed["default"])


def test_no_content_type(server, seed):
    request = b"POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
    status, headers, body = server.raw_response(request % (len(SEED), SEED.encode()))
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert equal(json.loads(body)["outputs"]["default"], seed["default"])


@pytest.mark.parametrize("text", ["{not JSON", "[SEP] is how it ends", '"quoted" at first', "[]x"])
def test_form_that_only_looks_like_json_is_text(server, text):
    as_form = server.encode(text, content_type="application/x-www-form-urlencoded")
    as_text = server.encode(text, content_type="text/plain")
    assert as_form["outputs"] == as_text["outputs"]
    assert as_form["lengths"] == as_text["lengths"]


def test_text_body_is_not_decoded(server):
    as_form = server.encode("a%20b+c&d=e", content_type="application/x-www-form-urlencoded")
    assert as_form["outputs"] == server.encode(["a%20b+c&d=e"])["outputs"]


def test_pairs(server, tokenizer):
    pair = ["How old is the bridge?", "It was built in 1874."]
    answer = server.encode([pair, "single"], tokens="true")
    expected = tokenizer.encode(*pair)
    assert [each["id"] for each in answer["tokens"][0]] == expected.ids
    assert answer["lengths"] == [len(expected), 3]


def test_empty_text(server):
    assert server.encode("", content_type="text/plain")["lengths"] == [2]
    assert server.encode([""])["lengths"] == [2]
    assert server.encode(b"", content_type="text/plain")["lengths"] == [2]


def test_ndjson(server):
    texts = [SEED, "", ["first", "second"], "últimò 中文"]
    body = "".join(json.dumps(text) + "\n" for text in texts)
    response = server.post(
        body.encode(), content_type="application/x-ndjson", output_key="pooled_output"
    )
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert len(lines) == len(texts)
    for line, text in zip(lines, texts, strict=True):
        assert line["outputs"] == server.encode([text], output_key="pooled_output")["outputs"]


def test_ndjson_keeps_the_order_of_many(server):
    generator = random.Random(3)
    counts = [generator.randint(1, 60) for _ in range(200)]
    body = "\n".join(json.dumps("word " * count) for count in counts)
    response = server.post(body.encode(), content_type="application/x-ndjson")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["lengths"] for line in lines] == [[count + 2] for count in counts]


# The output map


def test_answer(server):
    response = server.post([SEED, "short"], headers={"X-Request-ID": "mine-7"})
    answer = response.json()
    assert answer["model"] == "all-MiniLM-L6-v2"
    assert list(answer["outputs"]) == ["default"]
    assert np.shape(answer["outputs"]["default"]) == (2, HIDDEN_SIZE)
    assert answer["shapes"] == {"default": [2, HIDDEN_SIZE]}
    assert answer["lengths"] == [SEED_TOKENS, 3]
    assert answer["truncated"] == [False, False]
    assert response.headers["X-Request-ID"] == "mine-7"
    timing = response.headers["Server-Timing"]
    assert all(name in timing for name in ["queue", "tokenize", "encode", "serialize", "total"])


def test_a_request_id_is_made(server):
    made = {server.post(SEED).headers["X-Request-ID"] for _ in range(3)}
    assert len(made) == 3 and "" not in made


def test_shapes(server, seed):
    assert {key: rows.shape for key, rows in seed.items()} == {
        "default": (1, HIDDEN_SIZE),
        "pooled_output": (1, HIDDEN_SIZE),
        "sequence_output": (1, SEED_TOKENS, HIDDEN_SIZE),
        "encoder_outputs": (BLOCKS, 1, SEED_TOKENS, HIDDEN_SIZE),
        "sentence_embedding": (1, HIDDEN_SIZE),
    }
    answer = server.encode([SEED, "short"], output_key="all")
    assert answer["shapes"] == {
        "default": [2, HIDDEN_SIZE],
        "pooled_output": [2, HIDDEN_SIZE],
        "sequence_output": [2, None, HIDDEN_SIZE],
        "encoder_outputs": [BLOCKS, 2, None, HIDDEN_SIZE],
        "sentence_embedding": [2, HIDDEN_SIZE],
    }
    assert [len(rows) for rows in answer["outputs"]["sequence_output"]] == [SEED_TOKENS, 3]
    assert [[len(rows) for rows in block] for block in answer["outputs"]["encoder_outputs"]] == [
        [SEED_TOKENS, 3]
    ] * BLOCKS


def test_default_is_pooled_output_and_the_last_block_is_sequence_output(server):
    texts = [SEED, "", "a pair of pears"]
    outputs = server.encode(texts, output_key="all")["outputs"]
    assert equal(outputs["default"], outputs["pooled_output"])
    for last, rows in zip(outputs["encoder_outputs"][-1], outputs["sequence_output"], strict=True):
        assert equal(last, rows)
    # Asked for alone, less is computed; the numbers are the same.
    for key in ["default", "pooled_output", "sentence_embedding"]:
        assert equal(server.encode(texts, output_key=key)["outputs"][key], outputs[key])


@pytest.mark.parametrize(
    "query",
    [
        "output_key=default,sequence_output",
        "output_key=default&output_key=sequence_output",
        "output_key=default%2Csequence_output",
    ],
)
def test_several_keys(server, seed, query):
    outputs = server.encode([SEED], path=f"/encode?{query}")["outputs"]
    assert set(outputs) == {"default", "sequence_output"}
    assert all(equal(outputs[key], seed[key]) for key in outputs)


@pytest.mark.parametrize(
    ("layers", "blocks"),
    [
        ("0,3,-1", [0, 3, 5]),
        ("2..5", [2, 3, 4, 5]),
        ("-1", [5]),
        ("5,0", [5, 0]),
        ("0..1,-2..-1", [0, 1, 4, 5]),
    ],
)
def test_layers(server, seed, layers, blocks):
    found = server.tensors([SEED], output_key="encoder_outputs", layers=layers)["encoder_outputs"]
    assert equal(found, seed["encoder_outputs"][blocks])


def test_members_instead_of_parameters(server, seed):
    body = {
        "inputs": [SEED],
        "output_key": ["sequence_output", "encoder_outputs"],
        "layers": [0, -1],
        "tokens": True,
        "timeout_ms": 60000,
    }
    answer = server.encode(body)
    assert equal(answer["outputs"]["sequence_output"], seed["sequence_output"])
    assert equal(answer["outputs"]["encoder_outputs"], seed["encoder_outputs"][[0, 5]])
    assert len(answer["tokens"][0]) == SEED_TOKENS
    as_text = {"inputs": [SEED], "output_key": "encoder_outputs", "layers": "0,-1"}
    assert equal(
        server.encode(as_text)["outputs"]["encoder_outputs"], seed["encoder_outputs"][[0, 5]]
    )
    padded = server.encode({"inputs": [SEED], "seq_length": 20, "output_key": "sequence_output"})
    assert padded["shapes"]["sequence_output"] == [1, 20, HIDDEN_SIZE]


def test_model_by_name(server):
    assert server.encode([SEED], model="all-MiniLM-L6-v2")["lengths"] == [SEED_TOKENS]


# Lengths


def test_padding_rows_are_in_the_answer(server, tokenizer, exact):
    texts = [SEED, "short"]
    found = server.tensors(texts, output_key="all", seq_length=24)
    for number, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        padded = ids + [0] * (24 - len(ids))
        expected = exact.encode(padded, [0] * 24, attended=len(ids))
        for key, rows in expected.items():
            mine = found[key][:, number] if key == "encoder_outputs" else found[key][number]
            assert mine.shape == rows.shape
            # Rounding grows in padding rows: PyTorch's own float32 is 9e-5 off in these.
            error = np.abs(mine - rows)
            assert error.max() < 2e-4, key
            assert (error[..., : len(ids), :] if rows.ndim > 1 else error).max() < 1e-5, key


def test_seq_length_cuts(server):
    answer = server.encode([SEED, "short"], seq_length=8, output_key="sequence_output")
    assert answer["shapes"]["sequence_output"] == [2, 8, HIDDEN_SIZE]
    assert answer["truncated"] == [True, False]


def test_seq_length_longest(server):
    answer = server.encode([SEED, "short"], seq_length="longest", output_key="sequence_output")
    assert answer["shapes"]["sequence_output"] == [2, SEED_TOKENS, HIDDEN_SIZE]
    assert np.shape(answer["outputs"]["sequence_output"]) == (2, SEED_TOKENS, HIDDEN_SIZE)


def test_the_folders_own_limit(server):
    answer = server.encode([LONG])
    assert (answer["lengths"], answer["truncated"]) == ([256], [True])
    answer = server.encode([LONG], max_tokens=512)
    assert (answer["lengths"], answer["truncated"]) == ([512], [True])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("max_tokens", [2, 3, 10, 15, 16])
def test_truncation(server, tokenizer, side, max_tokens):
    whole = tokenizer.encode(SEED).ids
    kept = max_tokens - 2
    inner = whole[1:-1]
    inner = inner[:kept] if side == "right" else inner[max(0, len(inner) - kept) :]
    answer = server.encode([SEED], max_tokens=max_tokens, truncate=side, tokens="true")
    assert [each["id"] for each in answer["tokens"][0]] == [whole[0], *inner, whole[-1]]
    assert answer["truncated"] == [max_tokens < len(whole)]


def test_pairs_are_truncated_longest_first(server):
    pair = ["one two three four five six seven eight", "a b c"]
    limited = tokens.tokenizer(MODEL, 9)
    answer = server.encode([pair], max_tokens=9, tokens="true")
    assert [each["id"] for each in answer["tokens"][0]] == limited.encode(*pair).ids


# Tokens


@pytest.mark.parametrize("name", ["sentence_0", "language_0", "symbol_5", "special_1", "symbol_7"])
def test_tokens(server, tokenizer, name):
    text = TEXTS[name]
    (found,) = server.encode([text], tokens="true")["tokens"]
    expected = tokenizer.encode(text)
    data = text.encode()

    def in_bytes(position):  # of a code point
        return len(text[:position].encode())

    for mine, identifier, (start, stop), word in zip(
        found, expected.ids, expected.offsets, expected.word_ids, strict=True
    ):
        assert mine["id"] == identifier
        assert mine["text"] == tokenizer.id_to_token(identifier)
        if word is None and start == stop:
            assert mine["special"] is True and mine["start"] is None and mine["stop"] is None
        else:
            assert (mine["start"], mine["stop"]) == (in_bytes(start), in_bytes(stop))
            data[mine["start"] : mine["stop"]].decode()


# Formats


def test_base64(server, seed):
    texts = [SEED, "short"]
    answer = server.encode(texts, output_key="all", format="base64")
    short = server.tensors(["short"], output_key="all")
    for number, (each, length) in enumerate([(seed, SEED_TOKENS), (short, 3)]):
        for key in ["default", "pooled_output", "sentence_embedding"]:
            assert equal(from_base64(answer["outputs"][key][number], HIDDEN_SIZE), each[key][0])
        rows = from_base64(answer["outputs"]["sequence_output"][number], (length, HIDDEN_SIZE))
        assert equal(rows, each["sequence_output"][0])
        for block in range(BLOCKS):
            rows = from_base64(
                answer["outputs"]["encoder_outputs"][block][number], (length, HIDDEN_SIZE)
            )
            assert equal(rows, each["encoder_outputs"][block, 0])


@pytest.mark.parametrize("key", ["default", "sequence_output", "encoder_outputs"])
def test_npy(server, seed, key):
    response = server.post([SEED], output_key=key, format="npy")
    assert response.headers["Content-Type"] == "application/x-npy"
    assert equal(from_npy(response.content), seed[key])


def test_binary_formats_of_several_texts(server):
    texts = [SEED, "short", ""]
    found = server.tensors(texts, output_key="all", seq_length="longest")
    assert found["encoder_outputs"].shape == (BLOCKS, 3, SEED_TOKENS, HIDDEN_SIZE)
    written = server.encode(texts, output_key="all", seq_length="longest")["outputs"]
    assert all(equal(found[key], written[key]) for key in written)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/x-npy", "application/x-npy"),
        ("application/x-safetensors", "application/x-safetensors"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html, application/x-npy;q=0.9, application/json;q=0.5", "application/x-npy"),
    ],
)
def test_accept(server, accept, content_type):
    response = server.post([SEED], headers={"Accept": accept})
    assert response.headers["Content-Type"].split(";")[0] == content_type


def test_float16(server, seed):
    halves = seed["sequence_output"].astype(np.float16)
    by_npy = server.post([SEED], output_key="sequence_output", format="npy", dtype="float16")
    assert np.array_equal(from_npy(by_npy.content), halves)
    by_safetensors = server.tensors([SEED], output_key="sequence_output", dtype="float16")
    assert np.array_equal(by_safetensors["sequence_output"], halves)
    by_base64 = server.encode([SEED], output_key="default", format="base64", dtype="float16")
    found = from_base64(by_base64["outputs"]["default"][0], HIDDEN_SIZE, np.dtype("<f2"))
    assert np.array_equal(found, seed["default"][0].astype(np.float16))


def test_bfloat16(server, seed):
    expected = to_bfloat16(seed["sequence_output"])
    response = server.post(
        [SEED], output_key="sequence_output", format="safetensors", dtype="bfloat16"
    )
    ((name, tensor),) = safetensors.deserialize(response.content)
    assert (name, tensor["dtype"]) == ("sequence_output", "BF16")
    assert bytes(tensor["data"]) == expected.tobytes()
    answer = server.encode([SEED], output_key="default", format="base64", dtype="bfloat16")
    found = from_base64(answer["outputs"]["default"][0], HIDDEN_SIZE, np.dtype("<u2"))
    assert np.array_equal(found, to_bfloat16(seed["default"][0]))


# Large answers


def test_a_large_answer(server):
    texts = [LONG] * 8
    answer = server.encode(texts, output_key="encoder_outputs")
    assert np.shape(answer["outputs"]["encoder_outputs"]) == (BLOCKS, 8, 256, HIDDEN_SIZE)
    first, *others = np.swapaxes(answer["outputs"]["encoder_outputs"], 0, 1)
    assert all(equal(first, other) for other in others)


def test_http_1_0_gets_no_chunks(server):
    request = b"POST /encode?output_key=encoder_outputs HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"
    status, headers, body = server.raw_response(request % (len(SEED), SEED.encode()))
    assert status == 200
    assert "Transfer-Encoding" not in headers
    assert np.shape(json.loads(body)["outputs"]["encoder_outputs"]) == (BLOCKS, 1, SEED_TOKENS, HIDDEN_SIZE)


def test_a_deadline_within_a_stream(server):
    """Each text has its line: an answer, or that it came too late."""
    lines = "\n".join(['"%s"' % ("word " * 60)] * 150)
    for attempt in range(64):
        # What was late once may be in time now: the bounds are of one moment.
        if attempt % 16 == 0:
            shortest, longest = 0, 60_000
        timeout = (shortest + longest + 1) // 2
        response = server.post(lines, content_type="application/x-ndjson", timeout_ms=timeout, output_key="default")
        if response.status_code == 504:
            shortest = timeout
            continue
        assert response.status_code == 200
        answers = [json.loads(line) for line in response.text.splitlines()]
        kinds = ["outputs" if "outputs" in answer else answer["error_type"] for answer in answers]
        late = kinds.count("Timeout")
        assert late + kinds.count("outputs") == 150
        if 0 < late < 150:
            return
        longest = timeout
    pytest.fail("no deadline was met within the stream")
