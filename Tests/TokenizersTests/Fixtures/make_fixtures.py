"""Writes the *.json beside it: what Hugging Face's `tokenizers` makes of many texts.

    pip install -r requirements.txt && python make_fixtures.py ../../../models/all-MiniLM-L6-v2

Offsets are UTF-8 bytes, as [start, stop, start, stop, …] of the tokens that come from the text.
Options are four letters: lower-case, strip accents (n: not said), CJK, clean text.
"""

import itertools
import json
import pathlib
import sys

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import scalars
from texts import LONG_WORD, PLAIN, SPECIAL, TELLING, random_texts

PINNED = "0.23.3"
HERE = pathlib.Path(__file__).parent
def tokenizer(options):
    lowercase, strip, cjk, clean = options
    result = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    result.add_special_tokens(SPECIAL)
    result.normalizer = normalizers.BertNormalizer(
        lowercase=lowercase == "1",
        strip_accents={"n": None, "0": False, "1": True}[strip],
        handle_chinese_chars=cjk == "1",
        clean_text=clean == "1",
    )
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    result.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, VOCABULARY[name]) for name in ("[CLS]", "[SEP]")],
    )
    result.decoder = decoders.WordPiece()
    return result


def byte_offsets(text, encoding):
    places = [0, *itertools.accumulate(len(c.encode()) for c in text)]
    return [
        places[offset]
        for offsets, special in zip(encoding.offsets, encoding.special_tokens_mask)
        if not special
        for offset in offsets
    ]


def texts():
    everything = PLAIN + TELLING + random_texts(150, 20260101)
    few = TELLING + random_texts(10, 20260102)
    result = []
    for options in map("".join, itertools.product("01", "n01", "01", "01")):
        engine = tokenizer(options)
        cases = []
        for text in everything if options in ("1n11", "0n11") else few:
            encoding = engine.encode(text)
            cases.append(
                {"text": text, "ids": encoding.ids, "bytes": byte_offsets(text, encoding)}
            )
        result.append({"options": options, "cases": cases})
    return result


def truncations():
    engine = tokenizer("1n11")
    inputs = [
        [PLAIN[0]],
        [LONG_WORD * 2],
        [""],
        ["say [MASK] twice [SEP]"],
        ["", ""],
        ["a b", ""],
        ["", "a b c d e f g h"],
        ["one two three", PLAIN[0]],
        [PLAIN[0], "one two three"],
        ["one two three four", "five six seven eight"],
        ["one two three four five", "five six seven eight"],
        [LONG_WORD, LONG_WORD + " " + LONG_WORD],
    ]
    result = []
    for texts, limit, direction in itertools.product(
        inputs, [*range(2, 12), 17, 32], ["left", "right"]
    ):
        if limit < 1 + len(texts):
            continue
        engine.enable_truncation(limit, strategy="longest_first", direction=direction)
        padded = limit == 9
        if padded:
            engine.enable_padding(length=12, pad_id=0, pad_token="[PAD]")
        else:
            engine.no_padding()
        encoding = engine.encode(*texts)
        result.append(
            {
                "texts": texts,
                "limit": limit,
                "left": direction == "left",
                "padTo": 12 if padded else None,
                "ids": encoding.ids,
                "types": encoding.type_ids,
                "attended": sum(encoding.attention_mask),
            }
        )
    engine.no_truncation()
    engine.no_padding()
    for case in result:
        case["count"] = len(engine.encode(*case["texts"]).ids)
    return result


def words():
    lists = [
        [],
        [""],
        ["Hello", "World"],
        ["don't", "stop", LONG_WORD],
        ["two words", " padded ", "\u4e2d\u6587", "caf\u00e9", "Cafe\u0301s"],
        ["[MASK]", "x[SEP]y", "##ing", "a" * 101, "\u0301", "\u200b", "\ufffd"],
        ["a\u0301\u1b44", "\u0334\u1b44b", "\u0334"],
    ]
    result = []
    for options in ("1n11", "0n11"):
        engine = tokenizer(options)
        for words in lists:
            encoding = engine.encode(words, is_pretokenized=True)
            parts = [i for i in encoding.word_ids if i is not None]
            places = [[0, *itertools.accumulate(len(c.encode()) for c in word)] for word in words]
            offsets = [
                pair
                for pair, special in zip(encoding.offsets, encoding.special_tokens_mask)
                if not special
            ]
            result.append(
                {
                    "options": options,
                    "words": words,
                    "ids": encoding.ids,
                    "parts": parts,
                    "bytes": [places[part][o] for part, pair in zip(parts, offsets) for o in pair],
                }
            )
    return result


def decodings():
    engine = tokenizer("1n11")
    lists = [engine.encode(text).ids for text in PLAIN[:5] + TELLING]
    lists += [[], [102], [2075, 2075], [999999, 2075, 1012], [1005, 1055, 2123, 1005, 1056, 1010]]
    return [
        {
            "ids": ids,
            "skipped": engine.decode(ids),
            "whole": engine.decode(ids, skip_special_tokens=False),
        }
        for ids in lists
    ]


def every_scalar():
    rows = []
    for options in ("1n11", "0n11", "1001"):
        engine = tokenizer(options)
        ids = (engine.encode(text, add_special_tokens=False).ids for text in scalars.texts())
        rows.append({"options": options, "hashes": scalars.hashes(ids)})
    return rows


def write(name, value):
    lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in value)
    (HERE / name).write_text(f"[\n{lines}\n]\n")


assert tokenizers.__version__ == PINNED, f"the fixtures are of tokenizers {PINNED}"
LINES = (pathlib.Path(sys.argv[1]) / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
VOCABULARY = {token: index for index, token in enumerate(LINES)}
write("scalars.json", every_scalar())
write("texts.json", texts())
write("truncations.json", truncations())
write("words.json", words())
write("decodings.json", decodings())
