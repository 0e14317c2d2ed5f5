"""`bert-server encode --chunk-overlap`: no part of a long text is left out.

The chunks are those of Hugging Face's `tokenizers` with `stride`; the numbers are the service's for the
same tokens.
"""

import json
import shutil

import numpy as np
import pytest

from server import MODEL, ROOT, bits, run
from test_encode_command import encode
from tokenizers import Tokenizer

ROBERTA = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "relatives" / "roberta"
WORDS = "the goldfish rides étrange bicycles 自転車 unbelievably through pneumonoultramicroscopic nights".split()
LONG = " ".join(WORDS[(7 * n) % len(WORDS)] for n in range(700))
TEXTS = ["a fish", LONG, "", " ".join(WORDS * 3), "x" * 3000, "[SEP] named [SEP] " * 60]


def theirs(text, max_tokens, overlap, folder=MODEL):
    """The ids and the UTF-8 bytes of each chunk."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens, stride=overlap)
    first = tokenizer.encode(text)
    for chunk in [first, *first.overflowing]:
        places = [place for place, special in zip(chunk.offsets, chunk.special_tokens_mask) if not special]
        start, end = (places[0][0], places[-1][1]) if places else (0, len(text))
        yield chunk.ids, [len(text[:start].encode()), len(text[:end].encode())]


def encoded(server, ids):
    tensor = {"name": "input_word_ids", "shape": [1, len(ids)], "datatype": "INT32", "data": ids}
    body = {"inputs": [tensor], "outputs": [{"name": "sentence_embedding"}]}
    answer = server.post(body, f"/v2/models/{MODEL.name}/infer").json()
    return np.array(answer["outputs"][0]["data"], np.float32)


@pytest.mark.parametrize("max_tokens, overlap", [(64, 16), (64, 0), (16, 7)])
def test_every_chunk_is_that_of_tokenizers(max_tokens, overlap, server, tmp_path):
    path = tmp_path / "texts.jsonl"
    rows = [{"id": f"r{number}", "text": text} for number, text in enumerate(TEXTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = encode(
        tmp_path / "out", path, "--id-field", "id", "--output-key", "sentence_embedding",
        "--max-tokens", max_tokens, "--chunk-overlap", overlap,
    )  # fmt: skip
    expected = [(row["id"], *chunk) for row in rows for chunk in theirs(row["text"], max_tokens, overlap)]
    assert f"{len(expected)} chunks" in said and "cut to the limit" not in said
    summary = json.loads((tmp_path / "out" / "part-00000.records.json").read_text())
    assert summary["records"] == [name for name, _, _ in expected]
    assert summary["bytes"] == [place for _, _, place in expected]
    vectors = np.load(tmp_path / "out" / "part-00000.npy")
    for number in list(range(0, len(expected), 9)) + [len(expected) - 1]:
        ids = expected[number][1]
        assert np.array_equal(bits(vectors[number]), bits(encoded(server, ids))), expected[number]


def test_chunks_of_a_tokenizer_with_a_prefix_space(tmp_path):
    """Its first token may have no bytes; it belongs to the text all the same."""
    folder = tmp_path / "model"
    shutil.copytree(ROBERTA, folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"]["add_prefix_space"] = True
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    configuration = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**configuration, "add_prefix_space": True}))
    texts = ["\tleading and trailing and more in the middle of it", "  two", "", "one  two\n\nthree " * 9]
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(texts))
    done = run("encode", path, "--model", folder, "-o", tmp_path / "out", "--output-key", "pooled_output",
               "--max-tokens", 12, "--chunk-overlap", 3)  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = [number for number, text in enumerate(texts) for _ in theirs(text, 12, 3, folder)]
    assert json.loads((tmp_path / "out" / "part-00000.records.json").read_text())["records"] == expected


def prompted(folder, prompt):
    shutil.copytree(MODEL, folder)
    prompts = {"prompts": {"q": prompt}, "default_prompt_name": "q"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


def test_a_prompt_is_before_every_chunk(server, tmp_path):
    folder = prompted(tmp_path / "model", "the bicycle: ")
    path = tmp_path / "texts.json"
    path.write_text(json.dumps([LONG, ""]))
    done = run("encode", path, "--model", folder, "-o", tmp_path / "out", "--output-key", "sentence_embedding",
               "--max-tokens", 67, "--chunk-overlap", 16)  # fmt: skip
    assert done.returncode == 0, done.stderr
    [(prompt, _)] = theirs("the bicycle:", 64, 0)
    expected = [(prompt[:-1] + ids[1:], place) for text in (LONG, "") for ids, place in theirs(text, 64, 16)]
    summary = json.loads((tmp_path / "out" / "part-00000.records.json").read_text())
    assert summary["bytes"] == [place for _, place in expected]
    vectors = np.load(tmp_path / "out" / "part-00000.npy")
    for vector, (ids, _) in list(zip(vectors, expected))[::7] + [(vectors[-1], expected[-1])]:
        assert np.array_equal(bits(vector), bits(encoded(server, ids)))


@pytest.mark.parametrize("room", [0, -1])
def test_a_prompt_that_leaves_no_room(room, tmp_path):
    folder = prompted(tmp_path / "model", "the the the the ")
    path = tmp_path / "texts.txt"
    path.write_text("a fish\n")
    done = run("encode", path, "--model", folder, "-o", tmp_path / "out", "--output-key", "sentence_embedding",
               "--max-tokens", 6 + room, "--chunk-overlap", 0)  # fmt: skip
    assert done.returncode == 1 and "no room for text" in done.stderr, done.stderr


def test_lines_say_which_part_of_the_text_they_are_of(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text(LONG + "\na fish\n")
    encode(tmp_path / "out", path, "--format", "jsonl", "--max-tokens", 128, "--chunk-overlap", 20)
    lines = [json.loads(line) for line in (tmp_path / "out" / "part-00000.jsonl").read_text().splitlines()]
    assert [line["record"] for line in lines] == [0] * (len(lines) - 1) + [1] and len(lines) > 5
    assert lines[-1]["bytes"] == [0, 6] and lines[-2]["bytes"][1] == len(LONG.encode())
    assert all(after["bytes"][0] < before["bytes"][1] for before, after in zip(lines, lines[1:-1]))


def test_resuming_with_another_overlap_is_refused(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text(LONG + "\na fish\n")
    encode(tmp_path / "out", path, "--chunk-overlap", 20)
    assert "chunk_overlap" in encode(tmp_path / "out", path, "--chunk-overlap", 21, status=1)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--chunk-overlap=-1"], "at least 0"),
        (["--chunk-overlap", 0, "--seq-length", 64], "--seq-length"),
        (["--chunk-overlap", 0, "--truncate", "left"], "--truncate"),
        (["--chunk-overlap", 0, "--output-key", "sequence_output", "--format", "safetensors"], "sequence_output"),
        (["--chunk-overlap", 0, "--server", "http://127.0.0.1:1"], "--server"),
    ],
)
def test_what_goes_with_no_chunks(arguments, says, tmp_path):
    result = run("encode", "--model", MODEL, "--output", tmp_path / "out", *arguments, standard_input="a fish\n")
    assert result.returncode != 0 and says in result.stderr, result.stderr


@pytest.mark.parametrize(
    "record, arguments, says",
    [
        ("a fish", ["--max-tokens", 16, "--chunk-overlap", 8], "half"),
        (["a", "pair"], ["--chunk-overlap", 8], "pair"),
        ("a b " * 40_000, ["--max-tokens", 3, "--chunk-overlap", 0], "65536 chunks"),
    ],
)
def test_a_record_without_chunks_is_named(record, arguments, says, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps(record) + "\n")
    said = encode(tmp_path / "out", path, *arguments, status=1)
    assert "texts.jsonl:1" in said and says in said, said
