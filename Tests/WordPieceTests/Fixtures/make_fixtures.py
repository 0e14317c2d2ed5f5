"""Writes the *.json beside it: what Hugging Face's `tokenizers` makes of many texts.

    pip install -r requirements.txt && python make_fixtures.py ../../../models/all-MiniLM-L6-v2

Offsets are UTF-8 bytes, as [start, stop, start, stop, …] of the tokens that come from the text.
Options are four letters: lower-case, strip accents (n: not said), CJK, clean text.
"""

import itertools
import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

PINNED = "0.23.3"
HERE = pathlib.Path(__file__).parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LONG_WORD = "internationalisation"

PLAIN = [
    "Improve the physical fitness of your goldfish by getting him a bicycle",
    "THE QUICK BROWN FOX, jumping over 13 lazy dogs; isn't it (almost) unbelievable?!",
    "wait... what -- yes/no @home #tag $5 50% a&b x*y [ok] {no} <tag> 'q' \"d\" `t` ~ ^ _ | \\",
    "https://www.example.com/a/b?c=d&e=f#g me@example.co.uk 3.14159 1,000,000 0x1F4A9 1e-9",
    "antidisestablishmentarianism xylophonically qqqqzzzzx unaffable",
    " ".join(["goldfish", "bicycles", "tokenisation", "embeddings"] * 12),
    "a" * 100,
    "a" * 101,
    "b" * 99 + ". " + "x" * 300 + "yz",
]
TELLING = [
    "",
    " \t\n\r \u00a0\u2003\u3000 ",
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m Z\u00fcrich \u0141\u00f3d\u017a \u0110or\u0111e",
    "Cafe\u0301 nai\u0308ve A\u030angstro\u0308m \u0301lone \u0344a x\u20dd",
    "\u0130stanbul ISPARTA \u0131\u015f\u0131k \u1e9e Stra\u00dfe \u01c4 \u01c5 \ufb01 \u212a \u212b",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03c3\u03af\u03b3\u03bc\u03b1 \u03c2 \u1fb3 \u1fbc",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0416 \u0419\u043e\u0434",
    "abc\u4e2d\u6587def\u6f22\u5b57123 \uf900\ufa0e\U0002f800\U00020000\U0002b820\U0002b740\u9fff",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3001\u30ab\u30bf\u30ab\u30ca \uff76\uff9e\u30ac",
    "\uc548\ub155\ud558\uc138\uc694 \uac00\uac01 \u1112\u1161\u11ab",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u093f\u0924\u093e\u092c \u0958 \u0e2a\u0e27\u0e31\u0e2a",
    "\u0627\u0644\u0633\u0651\u064e\u0644\u0627\u0645\u064f \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "Ti\u1ebfng Vi\u1ec7t Nguy\u1ec5n \u0110\u00ecnh",
    "\u201ccurly\u201d \u2018x\u2019 \u2014 \u2026 \u00ab\u00bb \u00bf\u00a1 \u3001\u3002 \u20ac \u00b1 \u2122 \u2260 \u226e \u037e \u1fef \u2329",
    "bell\x07ring null\x00byte esc\x1b[31mred del\x7fete vt\x0btab ff\x0cfeed nel\u0085x \x01\x02 \x03a",
    "zero\u200bwidth join\u200der soft\u00adhyphen bom\ufeffhere tag\U000e0067 vs\ufe0f bidi\u202eend",
    "one\u2028two\u2029three\u1680four\u180efive pua\ue000x \ufffd un\u0378as \U000f0000",
    "\U0001f600 love \U0001f41f! \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 1\ufe0f\u20e3",
    "[CLS] [SEP] say[MASK]now [PAD][UNK] [cls] x[SEP] [SE[SEP]] [ MASK ] [MASK",
    "##ing play##ing # ##",
    # Marks that survive stripping, among marks that do not: NFD reorders them.
    "a\u0301\u1b44b x\u0345\u1bab\u1baa\u0334 k\u302f\u302e\u0316\U0001e000\u0338z",
    "\U0001d15e\U0001d16d\u0334\U0001d165 \U0001d160\u0301\U0001d166a \u00e9\ua953\u0f73\ua953",
    # Where such a word ends tells which mark took which place.
    "\U0001d15e\u0334 \U0001d160\U0001d16d\u0345",
    "\u0e01\u0301\u200d\u1b44\u00ad\u0334[MASK]\u1b44\u0334\u4e2d\u0334\u1b44",
    "\u00e9" * 100,
    "\u00e9" * 101 + " \u0436" * 2,
    "\u0436" * 100 + " " + "e\u0301" * 100,
    "\u2160 \U00016ea0 \ua7dc \u1c89 \U00010400 \U0001e900 \u13a0 \u10a0 \u1c90",
]


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


def random_texts(count, seed):
    r = random.Random(seed)
    blocks = [
        (0x20, 0x7F), (0x61, 0x7B), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x700),
        (0x900, 0xE00), (0x1B00, 0x2100), (0x2000, 0x2300), (0x3000, 0x3400), (0x4E00, 0x9FFF),
        (0xAC00, 0xD7A4), (0xF900, 0x10000), (0x1D100, 0x1D200), (0x1E000, 0x1E030), (0, 0x21),
    ]  # fmt: skip
    pieces = SPECIAL + [" ", "the", "un", "believ", "able", "##", "\u1b44", "\u0334", "\u0301"]
    texts = []
    for _ in range(count):
        text = ""
        chosen = r.sample(blocks, 4)
        for _ in range(r.randrange(3, 16)):
            text += r.choice(pieces) if r.random() < 0.25 else chr(r.randrange(*r.choice(chosen)))
        texts.append(text)
    return texts


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


def write(name, value):
    lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in value)
    (HERE / name).write_text(f"[\n{lines}\n]\n")


assert tokenizers.__version__ == PINNED, f"the fixtures are of tokenizers {PINNED}"
LINES = (pathlib.Path(sys.argv[1]) / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
VOCABULARY = {token: index for index, token in enumerate(LINES)}
write("texts.json", texts())
write("truncations.json", truncations())
write("words.json", words())
write("decodings.json", decodings())
