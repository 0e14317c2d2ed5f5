"""Writes HuggingFaceTables.swift, DecompositionTables.swift and HuggingFaceClasses.swift of Sources/Tokenizers.

The tables are not read from Unicode's files: they are what Hugging Face's `tokenizers` does,
found by asking it about every scalar value, because its parts follow different Unicode versions.

    pip install -r requirements.txt && python make_tables.py
"""

import pathlib
import unicodedata

import tokenizers
from tokenizers.normalizers import NFC, NFD, NFKD, BertNormalizer, StripAccents
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Digits, Whitespace

from tables import SCALARS, array, classed_ranges, mappings, ranges, runs

PINNED = "0.23.3"
OUTPUT = pathlib.Path(__file__).parents[3] / "Sources/Tokenizers"
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic, Unicode chapter 3.12


def only(**step):
    steps = dict(
        clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False
    )
    return BertNormalizer(**(steps | step)).normalize_str


clean, spaced = only(clean_text=True), only(handle_chinese_chars=True)
strip, lower = only(strip_accents=True), only(lowercase=True)
decompose = NFD().normalize_str
decompose_further = NFKD().normalize_str
compose = NFC().normalize_str
split = BertPreTokenizer().pre_tokenize_str


def probe():
    control, white_space, punctuation, ideographs, marks = [], [], [], [], []
    lowercase, decompositions = {}, {}
    for scalar in SCALARS:
        character = chr(scalar)
        cleaned = clean(character)
        assert cleaned in ("", " ", character)
        if not cleaned:
            control.append(scalar)
        parts = [part for part, _ in split(f"a{character}b")]
        if parts == ["a", "b"]:
            white_space.append(scalar)
        elif parts == ["a", character, "b"]:
            punctuation.append(scalar)
        else:
            assert parts == [f"a{character}b"]
        # The two notions of white space are one, but for the control characters.
        assert (cleaned == " ") == (scalar in white_space[-1:] and bool(cleaned))
        if (apart := spaced(character)) != character:
            assert apart == f" {character} "
            ideographs.append(scalar)
        if (lowered := lower(character)) != character:
            lowercase[scalar] = lowered
        if (decomposed := decompose(character)) != character:
            decompositions[scalar] = decomposed
        elif not strip(character):
            marks.append(scalar)
    return control, white_space, punctuation, ideographs, marks, lowercase, decompositions


def combining_classes(decompositions):
    """Python's classes of the marks that the library reorders, proved by asking for each order."""

    def swaps(first, second):
        return decompose(f"x{chr(first)}{chr(second)}") == f"x{chr(second)}{chr(first)}"

    lowest, highest = 0x334, 0x345  # classes 1 and 240
    marks = [
        scalar
        for scalar in SCALARS
        if scalar not in decompositions and (swaps(scalar, lowest) or swaps(highest, scalar))
    ]
    classes = {mark: unicodedata.combining(chr(mark)) for mark in marks}
    examples = {number: mark for mark, number in classes.items()}
    for mark, number in classes.items():
        for other, example in examples.items():
            if mark == example:
                continue
            assert swaps(mark, example) == (number > other), (hex(mark), other)
            assert swaps(example, mark) == (number < other), (hex(mark), other)
    return classes


def check_assumptions(punctuation, white_space, marks, decompositions, classes):
    """What the code that reads the tables takes for granted."""
    special = set(punctuation) | set(white_space)
    for scalar, text in decompositions.items():
        kept = [ord(c) for c in text if ord(c) not in marks]
        assert not special & set(kept) or len(kept) == 1, hex(scalar)
        # Marks that are kept follow one starter; what begins with a mark is marks only, stripped.
        starters = [ord(c) not in classes for c in text]
        if any(ord(c) in classes and ord(c) not in marks for c in text) or not starters[0]:
            assert not any(starters[1:]) and (starters[0] or not kept), hex(scalar)
    for index in range(len(HANGUL)):
        lead, vowel, tail = index // 588, index % 588 // 28, index % 28
        jamo = chr(0x1100 + lead) + chr(0x1161 + vowel) + (chr(0x11A7 + tail) if tail else "")
        assert decompositions[HANGUL[index]] == jamo


def compatibilities(decompositions):
    """What NFKD makes of scalars of which NFD makes something else; both order marks alike."""
    for mark in (0x334, 0x345, 0x5B0):
        assert decompose_further(f"x\u0345{chr(mark)}") == decompose(f"x\u0345{chr(mark)}")
    return {
        scalar: text
        for scalar in SCALARS
        if (text := decompose_further(chr(scalar))) != decompositions.get(scalar, chr(scalar))
    }


def composition_exclusions(decompositions):
    """Scalars that NFC leaves decomposed, although they have two parts or more.

    Of all others the last part is what NFC joins to the scalar that the parts before it are: the code that reads
    the table takes that for granted.
    """
    kept = [s for s in decompositions if s not in HANGUL and compose(chr(s)) == chr(s)]
    wholes = {decompositions[s]: chr(s) for s in kept}
    assert len(wholes) == len(kept)
    for scalar in kept:
        text = decompositions[scalar]
        assert compose(wholes.get(text[:-1], text[:-1]) + text[-1]) == chr(scalar), hex(scalar)
        assert len(text) == 2 or text[:-1] in wholes, hex(scalar)
    return [s for s, text in sorted(decompositions.items()) if len(text) > 1 and s not in HANGUL and s not in kept]


def single_words():
    """What makes a neighbour of a token with `single_word` a part of its word."""
    engine = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    engine.add_tokens([tokenizers.AddedToken("ab", single_word=True, normalized=False)])
    return [s for s in SCALARS if 1 not in engine.encode(f"ab{chr(s)}").ids]


def split_classes(white_space):
    """Sets of scalars that the general pre-tokenizers split by, as found by asking."""
    words, digits = Whitespace().pre_tokenize_str, Digits().pre_tokenize_str
    byte_level = ByteLevel(add_prefix_space=False).pre_tokenize_str
    strip_all = StripAccents().normalize_str
    joined = {
        name: [s for s in SCALARS if len(byte_level(first + chr(s))) == 1]
        for name, first in (("letter", "a"), ("number", "1"), ("other", "?"))
    }
    # The four classes of its regular expression are one another's complement.
    assert sorted(sum(joined.values(), white_space)) == SCALARS
    word = [s for s in SCALARS if len(words(f"a{chr(s)}")) == 1 and s not in white_space]
    assert word == single_words()
    assert white_space == [s for s in SCALARS if not words(chr(s))]
    return [
        array("word", "`\\w`: [first, last].", ranges(word)),
        array("marks", "Mn, Mc and Me: [first, last].", ranges(
            [s for s in SCALARS if not strip_all(chr(s))])),
        array("numeric", "Numbers to `Digits`: [first, last].", ranges(
            [s for s in SCALARS if len(digits(f"a{chr(s)}")) == 2])),
        array("letter", "`\\p{L}` to `ByteLevel`: [first, last].", ranges(joined["letter"])),
        array("number", "`\\p{N}` to `ByteLevel`: [first, last].", ranges(joined["number"])),
    ]


def main():
    assert tokenizers.__version__ == PINNED, f"the tables are of tokenizers {PINNED}"
    control, white_space, punctuation, ideographs, marks, lowercase, decompositions = probe()
    classes = combining_classes(decompositions)
    check_assumptions(punctuation, white_space, set(marks), decompositions, classes)
    further = compatibilities(decompositions)
    assert not set(further) & set(HANGUL) and min(further) >= 0x80
    decompositions = {s: t for s, t in decompositions.items() if s not in HANGUL}
    long_lowercase = {s: t for s, t in lowercase.items() if len(t) > 1}
    body = "\n".join(
        [
            array("control", "Removed by text cleaning: [first, last].", ranges(control)),
            array("whiteSpace", "Splits words: [first, last].", ranges(white_space)),
            array("punctuation", "Words of their own: [first, last].", ranges(punctuation)),
            array("ideographs", "Set apart by spaces: [first, last].", ranges(ideographs)),
            array("nonspacingMarks", "Stripped after NFD (Mn): [first, last].", ranges(marks)),
            array(
                "lowercaseRuns",
                "One to one: [first, last, stride, distance modulo 2^32].",
                runs(lowercase),
            ),
            array(
                "lowercaseMappings",
                "One to several: [scalar + 2^24 × count, count scalars].",
                mappings(long_lowercase),
            ),
        ]
    )
    decomposition = "\n".join(
        [
            array(
                "combiningClasses",
                "Canonical combining classes over 0: [first, last, class].",
                classed_ranges(classes),
            ),
            array(
                "decompositions",
                "NFD but for Hangul syllables: [scalar + 2^24 × count, count scalars].",
                mappings(decompositions),
            ),
            array(
                "compatibilities",
                "NFKD where it is not NFD: [scalar + 2^24 × count, count scalars].",
                mappings(further),
            ),
            array(
                "compositionExclusions",
                "Left decomposed by NFC, although they have two parts or more: [first, last].",
                ranges(composition_exclusions(decompositions)),
            ),
        ]
    )
    (OUTPUT / "HuggingFaceClasses.swift").write_text(
        f"""\
// Generated by Tests/TokenizersTests/Fixtures/make_tables.py from Hugging Face tokenizers {PINNED}.
// The sets are of Unicode 16, but for numbers (17, of Rust's own) and marks (8).
// swift-format-ignore-file

/// Sets of scalars that the general steps of Hugging Face's `tokenizers` split and strip by.
enum HuggingFaceClasses {{
{chr(10).join(split_classes(white_space))}}}
"""
    )
    (OUTPUT / "DecompositionTables.swift").write_text(
        f"""\
// Generated by Tests/TokenizersTests/Fixtures/make_tables.py from Hugging Face tokenizers {PINNED}.
// They are of Unicode 9 (unicode-normalization-alignments 0.1.12).
// swift-format-ignore-file

/// What makes NFD, NFKD and NFC in Hugging Face's `tokenizers`, as flat rows of numbers.
enum DecompositionTables {{
{decomposition}}}
"""
    )
    (OUTPUT / "HuggingFaceTables.swift").write_text(
        f"""\
// Generated by Tests/TokenizersTests/Fixtures/make_tables.py from Hugging Face tokenizers {PINNED}.
// Its parts know different Unicode versions: lower case and white space 17 (Rust's own), categories 8
// (unicode_categories 0.1.1), ideographs the fixed blocks of BERT's own code.
// swift-format-ignore-file

/// What Hugging Face's `tokenizers` does with each Unicode scalar, as flat rows of numbers.
enum HuggingFaceTables {{
{body}}}
"""
    )


main()
