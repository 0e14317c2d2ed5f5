"""Writes tokenizers.json: small `tokenizer.json` files of every kind, and what Hugging Face's
`tokenizers` makes of texts with them.

    pip install -r requirements.txt && python make_tokenizer_files.py

Offsets are UTF-8 bytes, as [start, stop, start, stop, …] of the tokens that come from the text.
The map of characters of the Unigram models is one that SentencePiece made of five rules.
"""

import itertools
import json
import pathlib
import random

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers import decoders

from texts import LONG_WORD, PLAIN, TELLING, random_texts

assert tokenizers.__version__ == "0.23.3", "the fixtures are of tokenizers 0.23.3"
HERE = pathlib.Path(__file__).parent
NAMED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# e + U+0301, U+2122, U+00AD, U+3000 and U+FB01 become U+00E9, TM, nothing, a space and fi.
CHARACTER_MAP = (HERE / "charsmap.txt").read_text().strip()
SPACES = ["a  b", "  lead", "trail  ", "\ta\n\n b ", "a   b    c", "don't  we'll", "x 12 34.5"]
NAMES = [
    "<s> a</s>", "x <mask>  y", "covid COVID Covid-19", "foozq foozqs xfoozq foozq", "Caf\u00e9 au lait",
    "[MASK] [SEP]x", "  <mask>", "<mask><mask>  <mask>",
]
# What NFC and NFKC make one scalar, or keep apart; contractions, digits and line ends.
COMPOSED = [
    "e\u0301a\u0323\u0302 A\u030a \u212b \u1112\u1161\u11ab\uac00\u11a8 \u0344x\u0301\u0323 \ufb01\u2122",
    "\u0915\u093c \u0958 \u09c7\u09be \u0cc6\u0cc2\u0cd5 \u30ab\u3099 \u1b06\u1b35 \u03b9\u0308\u0301 \u0301e \u2adc",
    "I'LL we'\u017f don'T 1234567 x12345!!a (b)\r\n\n  c\t\td \n e   ?!\n\nf\u3000\u3000g",
]
TEXTS = [*PLAIN[:5], "a" * 101, LONG_WORD, *TELLING, *SPACES, *NAMES, *COMPOSED, *random_texts(20, 20260104)]


def word_pieces():
    """Every letter of the texts begins and continues words, and some pairs of letters do."""
    letters = sorted({c for text in PLAIN + SPACES for c in text.lower() + text if not c.isspace()})
    letters += ["\u00e9", "e\u0301", "\u4e2d", "\u2581", "\u1112", "\u0301", "-"]
    r = random.Random(7)
    pairs = ["".join(r.choices("etaoinshrdluE\u2581", k=r.randrange(2, 4))) for _ in range(300)]
    tokens = NAMED + letters + [f"##{c}" for c in letters]
    tokens += pairs + [f"##{pair}" for pair in pairs]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


def framed(engine, cls, sep):
    ids = [(name, engine.token_to_id(name)) for name in (cls, sep)]
    engine.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=f"{cls} $A {sep} $B:1 {sep}:1", special_tokens=ids
    )


def word_piece(normalizer, pre_tokenizer, added=(), **options):
    engine = Tokenizer(models.WordPiece(word_pieces(), unk_token="[UNK]", **options))
    engine.add_special_tokens(NAMED)
    engine.add_tokens(list(added))
    engine.normalizer, engine.pre_tokenizer = normalizer, pre_tokenizer
    engine.decoder = decoders.WordPiece()
    framed(engine, "[CLS]", "[SEP]")
    return engine


def unigram(pre_tokenizer, normalizer):
    r = random.Random(8)
    pieces = {piece: -r.uniform(1, 12) for piece in word_pieces() if not piece.startswith("##")}
    pieces |= {f"\u2581{piece}": -r.uniform(1, 12) for piece in list(pieces)[5:200]}
    scores = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces.items()]
    engine = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    engine.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    engine.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    engine.normalizer, engine.pre_tokenizer = normalizer, pre_tokenizer
    engine.decoder = decoders.Metaspace()
    framed(engine, "<s>", "</s>")
    return engine


# Llama 3's.
LLAMA_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_pair(prefix, **options):
    r = random.Random(9)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *alphabet])}
    merges = []
    while len(merges) < 400:
        common = [*"etaoinshrdlucfm'12", "\u0120", "\u0120", "\u00c3", "\u00a9"]
        parts = [r.choice(common) if r.random() < 0.7 else r.choice(list(vocabulary)[4:])
                 for _ in range(2)]
        if (merged := "".join(parts)) not in vocabulary and len(merged) < 9:
            vocabulary[merged] = len(vocabulary)
            merges.append(tuple(parts))
    ignores = options.pop("ignore_merges", False)
    if ignores:
        # Tokens that no merges make.
        for token in ("\u0120two", "words", "\u0120" * 9, "zqz"):
            vocabulary.setdefault(token, len(vocabulary))
    engine = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignores))
    engine.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    engine.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    engine.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=prefix, **options
    )
    engine.decoder = decoders.ByteLevel()
    return engine


def engines():
    n, p = normalizers, pre_tokenizers
    bert, split = n.BertNormalizer(), p.BertPreTokenizer()
    added = [
        AddedToken("<mask>", lstrip=True, normalized=False, special=True),
        AddedToken("<s>", rstrip=True, normalized=False, special=True),
        AddedToken("foozq", single_word=True, normalized=False),
    ]
    normalized = [
        AddedToken("covid"), AddedToken("Caf\u00e9", single_word=True),
        AddedToken("<mask>", lstrip=True), AddedToken("covid-19"),
    ]
    charsmap = json.dumps({"type": "Precompiled", "precompiled_charsmap": CHARACTER_MAP})
    yield "bert", word_piece(bert, split)
    yield "cased", word_piece(n.BertNormalizer(lowercase=False), split)
    yield "no normalizer", word_piece(None, split, max_input_chars_per_word=7)
    yield "added", word_piece(bert, split, added)
    yield "added, normalized", word_piece(bert, split, normalized)
    yield "steps", word_piece(n.Sequence([n.NFD(), n.Lowercase(), n.StripAccents()]), p.Whitespace())
    yield "bert's steps", word_piece(n.Sequence([bert, n.Strip()]), split)
    yield "replacing", word_piece(
        n.Sequence([n.Replace("ab", "X y"), n.Replace(tokenizers.Regex(" {2,}"), " "),
                    n.Replace(tokenizers.Regex(r"\s+"), "--"), n.Prepend("the")]),
        p.Sequence([p.WhitespaceSplit(), p.Punctuation("contiguous"), p.Digits(True)]))
    yield "merging", word_piece(
        n.Lowercase(),
        p.Sequence([p.Punctuation("merged_with_previous"), p.Split("in", "merged_with_next"),
                    p.WhitespaceSplit(), p.Digits(False)]))
    yield "removing", word_piece(
        n.Strip(), p.Sequence([p.Punctuation("removed"), p.Split("e ", "isolated")]))
    for scheme in ("always", "never", "first"):
        space = p.Metaspace(prepend_scheme=scheme)
        yield f"metaspace {scheme}", word_piece(None, p.Sequence([space]), added[:1])
    map_only = n.Sequence([])
    for name, pre in (
        ("unigram", p.Metaspace()),
        ("unigram of words", p.Sequence([p.WhitespaceSplit(), p.Metaspace()])),
    ):
        engine = unigram(pre, map_only)
        file = json.loads(engine.to_str())
        file["normalizer"] = json.loads(charsmap)
        yield name, Tokenizer.from_str(json.dumps(file))
    # As DebertaV2Tokenizer's; lower-cased, and with punctuation apart (split_by_punct).
    joined = n.Replace(tokenizers.Regex(r"\s{2,}|[\n\r\t]"), " ")
    ends = [joined, n.NFC(), n.Strip(left=False, right=True)]
    yield "DeBERTa's", unigram(p.Sequence([p.Metaspace()]), n.Sequence(ends))
    yield "DeBERTa's, split", unigram(
        p.Sequence([p.Punctuation("isolated"), p.Metaspace()]), n.Sequence([n.Lowercase(), *ends]))
    yield "bytes", byte_pair(False)
    yield "bytes, prefixed", byte_pair(True)
    yield "bytes, untrimmed", byte_pair(True, trim_offsets=False)
    yield "composed", word_piece(n.NFC(), p.Whitespace())
    yield "composed further", word_piece(n.NFKC(), p.WhitespaceSplit())
    # As ModernBERT's.
    modern = byte_pair(False)
    modern.normalizer = n.NFC()
    modern.add_tokens([AddedToken(" " * count, normalized=True) for count in (3, 2)])
    framed(modern, "<s>", "</s>")
    yield "bytes, composed", modern
    # As EuroBERT's.
    llama = byte_pair(False, ignore_merges=True)
    llama.pre_tokenizer = p.Sequence([
        p.Split(tokenizers.Regex(LLAMA_WORDS), "isolated"),
        p.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    framed(llama, "<s>", "</s>")
    llama.post_processor = processors.Sequence([processors.ByteLevel(), llama.post_processor])
    yield "bytes, Llama's words", llama


def byte_offsets(text, encoding):
    places = [0, *itertools.accumulate(len(c.encode()) for c in text)]
    return [
        places[offset]
        for offsets, special in zip(encoding.offsets, encoding.special_tokens_mask)
        if not special
        for offset in offsets
    ]


def case(engine, text):
    encoding = engine.encode(text)
    return {
        "text": text, "ids": encoding.ids, "bytes": byte_offsets(text, encoding),
        "decoded": engine.decode(encoding.ids),
        "whole": engine.decode(encoding.ids, skip_special_tokens=False),
    }


def main():
    rows = []
    for name, engine in engines():
        pair = engine.encode(PLAIN[0], "two  words")
        rows.append({
            "name": name, "file": engine.to_str(), "cases": [case(engine, t) for t in TEXTS],
            "pair": pair.ids, "pairTypes": pair.type_ids,
        })
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (HERE / "tokenizers.json").write_text(f"[\n{lines}\n]\n")


main()
