"""Tokens and offsets of strings that nobody would write are those of Hugging Face's `tokenizers`.

`make compare-tokens` asks for a million strings and every Unicode scalar value; a test run, a sample.
"""

import json
import os
import random
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from server import MODEL, ROOT, Server, run

RELATIVES = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "relatives"
STRINGS = int(os.environ.get("BERT_TEST_STRINGS", 2000))
# Every so manyth scalar: all of them from a million strings on.
STEP = max(1, 100_000 // STRINGS)
SEED = int(os.environ.get("BERT_TEST_SEED", 1))
AT_ONCE = 500

SCALARS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
# Blocks that differ in case, marks, composition, width, joining or the way they are split.
BLOCKS = [
    (0x00, 0x20), (0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x700),
    (0x900, 0xE00), (0x1100, 0x1200), (0x1B00, 0x2000), (0x2000, 0x2300), (0x3000, 0x3400),
    (0x4E00, 0xA000), (0xAC00, 0xD7A4), (0xF900, 0x10000), (0x11000, 0x11D00), (0x1D100, 0x1D200),
    (0x1E000, 0x1F000), (0x1F1E6, 0x1F650), (0x20000, 0x20100),
]  # fmt: skip
# Special tokens and pieces of them, spaces, joiners, marks out of order, words at the length limit.
PIECES = [
    "[SEP]", "[MASK]", "[CLS]", "[UNK]", "[PAD]", "[", "##", "[PAD", "<s>", "</s>", "<mask>", "<pad>",
    "<unk>", "▁", "▁▁", " ", "  ", "   ", "\t", "\r\n", "\n ", "　", "\u200d", "\u00ad", "\u200b",
    "\u2028", "\x85", "\ufeff", "\ufffd", "\ue000", "\u0f73", "\u0344", "\u0345", "\U0001d15e", "é",
    "the", "un", "believ", "able", "ing", "Hello", "WORLD", "123", "don't", "we'll", "I'M", "Café",
    "a" * 100, "a" * 101, "é" * 100, "é" * 101, "中" * 3,
]  # fmt: skip


def mixed_strings(count):
    """Strings of one to five kinds of characters, in turns."""
    source = random.Random(SEED)
    kinds = [lambda block=block: chr(source.randrange(*block)) for block in BLOCKS]
    kinds += [lambda: source.choice("abcdefghijklmnopqrstuvwxyz")] * 3
    kinds += [lambda: source.choice(PIECES)] * 6
    kinds += [lambda: source.choice(SCALARS)] * 2
    kinds += [lambda: source.choice("aeiouAEIOU") + chr(source.randrange(0x300, 0x345))]
    for _ in range(count):
        chosen = source.sample(kinds, source.randrange(1, 6))
        yield "".join(source.choice(chosen)() for _ in range(source.randrange(1, 30)))


def strings():
    for scalar in SCALARS[SEED % STEP :: STEP]:
        yield scalar
        yield f"a{scalar}b"
    yield from mixed_strings(STRINGS)


def byte_places(text, encoding):
    """Offsets in UTF-8, as answers have them; none of a token that is not of the text."""
    places = [0]
    for character in text:
        places.append(places[-1] + len(character.encode()))
    return [
        None if special and start == stop else (places[start], places[stop])
        for (start, stop), special in zip(encoding.offsets, encoding.special_tokens_mask)
    ]


def found_place(token):
    return None if token["start"] is None else (token["start"], token["stop"])


def folder_of(kind, tmp_path):
    if kind in ("roberta", "xlm-roberta"):
        return RELATIVES / kind
    if kind == "uncased":
        return MODEL
    folder = tmp_path / kind
    folder.mkdir()
    for file in MODEL.iterdir():
        if file.name not in ("tokenizer.json", "tokenizer_config.json"):
            (folder / file.name).symlink_to(file)
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
    tokenizer["normalizer"].update(lowercase=False)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    return folder


@pytest.mark.parametrize("kind", ["uncased", "cased", "roberta", "xlm-roberta"])
def test_same_tokens(kind, tmp_path, log, capsys):
    folder = folder_of(kind, tmp_path)
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    count, other_tokens, other_places = 0, [], []

    def compare(texts):
        answers = server.post({"inputs": texts}, path="/tokenize").json()
        for text, answer, encoding in zip(texts, answers, theirs.encode_batch(texts), strict=True):
            if [token["id"] for token in answer] != encoding.ids:
                other_tokens.append(text)
            elif [*map(found_place, answer)] != byte_places(text, encoding):
                other_places.append(text)

    with Server(model=folder, log=log) as server:
        texts = []
        for text in strings():
            texts.append(text)
            if len(texts) == AT_ONCE:
                compare(texts)
                count += len(texts)
                texts = []
        if texts:
            compare(texts)
            count += len(texts)
    with capsys.disabled():
        print(f"\n{kind}: {count} strings; {len(other_tokens)} with other tokens, "
              f"{len(other_places)} with the same in other places")  # fmt: skip
    assert (other_tokens[:5], other_places[:5]) == ([], [])


# Pieces that added tokens are made of, and texts of them: they overlap in every way.
ADDED = ["a", "b", "</s>", "<m>", " ", "  ", "\t", "\u00a0", "two", "Two", "\u00e9", "e\u0301", "-", "\u4e2d"]
SETS = max(8, STRINGS // 5000)
AT_A_TIME = 8
FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


def added_tokens(source):
    tokens, contents = [], set()
    for _ in range(source.randrange(2, 7)):
        content = "".join(source.choice(ADDED) for _ in range(source.randrange(1, 4)))
        if content in contents:
            continue
        contents.add(content)
        tokens.append({"content": content, **{name: source.random() < 0.4 for name in FLAGS}})
    return tokens


def added_folder(folder, source):
    """The small RoBERTa or XLM-R, or the default model's WordPiece, with random added tokens."""
    base = source.choice([RELATIVES / "roberta", RELATIVES / "xlm-roberta", MODEL])
    folder.mkdir()
    for file in base.iterdir():
        if file.name not in ("tokenizer.json", "vocab.txt", "modules.json") and file.is_file():
            (folder / file.name).symlink_to(file)
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    known = set(vocabulary) if isinstance(vocabulary, dict) else {token for token, _ in vocabulary}
    taken = {token["content"] for token in tokenizer["added_tokens"]}
    first = len(known) + sum(token not in known for token in taken)
    new = [token for token in added_tokens(source) if token["content"] not in known | taken]
    for index, token in enumerate(new):
        token["id"] = first + index
    tokenizer["added_tokens"] += new
    # The embeddings' rows are as many as the ids that are given in the end.
    configuration = json.loads((folder / "config.json").read_text())
    rows = max(configuration["vocab_size"], first + len(new))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    if rows > configuration["vocab_size"]:
        (folder / "config.json").unlink()
        (folder / "config.json").write_text(json.dumps({**configuration, "vocab_size": rows}))
        weights = folder / "model.safetensors"
        tensors = load_file(weights)
        key = next(key for key in tensors if key.endswith("embeddings.word_embeddings.weight"))
        tensors[key] = np.resize(tensors[key], (rows, tensors[key].shape[1]))
        weights.unlink()
        save_file(tensors, weights, metadata={"format": "pt"})
    return folder


def their_encodings(tokenizer, texts):
    """None where `tokenizers` panics, as it does when one token takes along what another is made of."""
    try:
        return tokenizer.encode_batch(texts)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
    if len(texts) == 1:
        return [None]
    half = len(texts) // 2
    return their_encodings(tokenizer, texts[:half]) + their_encodings(tokenizer, texts[half:])


def test_added_tokens(tmp_path, log, capfd):
    """Tokens with every flag, beside and over one another."""
    source = random.Random(SEED)
    count, refused, panics, other = 0, [], 0, []
    for round_ in range(0, SETS, AT_A_TIME):
        folders = {}
        for index in range(AT_A_TIME):
            folder = added_folder(tmp_path / f"m{round_ + index}", source)
            inspected = run("inspect", folder)
            if inspected.returncode == 0:
                folders[folder.name] = folder
            else:
                refused.append(inspected.stderr.split(": ", 2)[-1].strip())
                shutil.rmtree(folder)
        if not folders:
            continue
        names = list(folders)
        more = [flag for name in names[1:] for flag in ("--model", f"{name}={folders[name]}")]
        with Server(*more, model=f"{names[0]}={folders[names[0]]}", log=log) as server:
            for name, folder in folders.items():
                theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
                theirs.no_truncation()
                theirs.no_padding()
                for _ in range(max(1, STRINGS // SETS // 250)):
                    texts = [
                        "".join(source.choice(ADDED + ["x", "One"]) for _ in range(source.randrange(1, 16)))
                        for _ in range(250)
                    ]
                    answers = server.post(
                        {"inputs": texts}, path="/tokenize", **({"model": name} if len(names) > 1 else {})
                    ).json()
                    assert isinstance(answers, list), answers
                    for text, answer, encoding in zip(
                        texts, answers, their_encodings(theirs, texts), strict=True
                    ):
                        if encoding is None:
                            panics += 1
                            continue
                        count += 1
                        if [token["id"] for token in answer] != encoding.ids:
                            other.append((name, text))
        for folder in folders.values():
            shutil.rmtree(folder)
    with capfd.disabled():
        print(f"\nadded tokens: {count} strings over {SETS} sets, {len(refused)} of them refused "
              f"({sorted(set(refused))}); {len(other)} differ, tokenizers panics at {panics} more")  # fmt: skip
    assert other[:5] == []
