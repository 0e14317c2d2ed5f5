"""Writes Sources/Tokenizers/TensorFlowTables.swift.

Asks TensorFlow Text about every scalar value. What its normal forms and Hugging Face's have in
common is in HuggingFaceTables.swift: only the rest is written.

    pip install -r requirements-tensorflow.txt && python make_tensorflow_tables.py
"""

import pathlib
import re
import unicodedata

import tensorflow as tf
import tensorflow_text as tf_text
import tokenizers
from tensorflow_text.python.ops.bert_tokenizer import BasicTokenizer
from tokenizers.normalizers import NFKD, BertNormalizer

from tables import SCALARS, array, ranges, runs, mappings, classed_ranges

PINNED = {tf.__version__: "2.15.1", tf_text.__version__: "2.15.0", tokenizers.__version__: "0.23.3"}
SOURCES = pathlib.Path(__file__).parents[3] / "Sources/Tokenizers"
OUTPUT = SOURCES / "TensorFlowTables.swift"


def batches(texts, ask):
    result = []
    for start in range(0, len(texts), 1 << 16):
        result += ask(tf.constant([text.encode() for text in texts[start : start + (1 << 16)]]))
    return result


def decompose(texts):
    """What is left of texts before marks are stripped."""
    folded = batches(
        texts,
        lambda t: tf_text.normalize_utf8(tf_text.case_fold_utf8(t), "NFD").numpy().tolist(),
    )
    return [text.decode() for text in folded]


def words(texts, lower_case):
    basic = BasicTokenizer(lower_case=lower_case)
    return [
        [word.decode() for word in text]
        for text in batches(texts, lambda t: basic.tokenize(t).to_list())
    ]


def kinds(lower_case):
    """What each scalar does to the word that it stands in, by what becomes of `a?b`."""
    spaces, isolated = [], []
    for scalar, parts in zip(SCALARS, words([f"a{chr(s)}b" for s in SCALARS], lower_case)):
        if parts == ["a", "b"]:
            spaces.append(scalar)
        elif parts == ["a", chr(scalar), "b"]:
            isolated.append(scalar)
    return spaces, isolated


def outputs(isolated):
    """The scalars that each becomes, spaces where it splits and they do not."""
    result = {}
    for scalar, parts in zip(SCALARS, words([f"a{chr(s)}b" for s in SCALARS], True)):
        text = parts[0]
        for word in parts[1:]:
            text += word if text[-1] in isolated or word[0] in isolated else f" {word}"
        assert text[0] == "a" and text[-1] == "b"
        result[scalar] = text[1:-1]
    return result


def combining_classes():
    """Python's classes of the scalars that TensorFlow reorders, proved by asking for each order."""
    marks = [s for s in SCALARS if unicodedata.combining(chr(s))]
    # U+0345, of class 240, is folded to a letter.
    lowest, highest = chr(0x334), chr(0x301)

    def swapped(pairs):
        found = decompose([f"x{a}{b}" for a, b in pairs])
        return [text == f"x{b}{a}" for text, (a, b) in zip(found, pairs)]

    above = swapped([(chr(s), lowest) for s in marks])
    below = swapped([(highest, chr(s)) for s in marks])
    return {
        s: unicodedata.combining(chr(s))
        for s, one, other in zip(marks, above, below)
        if one or other or chr(s) in (lowest, highest)
    }


def hugging_face():
    """What CharacterTable has of lower case and decomposition before these tables."""
    normalise = BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=True
    ).normalize_str
    return {scalar: normalise(chr(scalar)) for scalar in SCALARS}


def later_classes(classes):
    """Combining classes that Hugging Face's normal forms do not know yet."""
    source = (SOURCES / "DecompositionTables.swift").read_text()
    rows = re.search(r"combiningClasses: \[UInt32\] = \[(.*?)\]", source, re.DOTALL)[1]
    numbers = [int(number, 16) for number in re.findall("0x[0-9A-F]+", rows)]
    known = {
        scalar: number
        for first, last, number in zip(*[iter(numbers)] * 3)
        for scalar in range(first, last + 1)
    }
    # U+0345 is folded before `combining_classes` sees it.
    assert all(classes.get(scalar) == known[scalar] for scalar in known if scalar != 0x345)
    return {scalar: number for scalar, number in classes.items() if scalar not in known}


def nonspacing_marks():
    """Scalars that RE2 deletes as \\p{Mn}."""
    found = batches([chr(s) for s in SCALARS], lambda t: tf.strings.regex_replace(t, r"\p{Mn}", "").numpy().tolist())
    return {scalar for scalar, left in zip(SCALARS, found) if not left}


def foldings(parts, removed):
    """What case folding makes of a scalar, decomposed, where that is not its NFKD."""
    decompose = NFKD().normalize_str
    found = {s: parts[s] for s in SCALARS if s >= 0x80 and s not in removed and parts[s] != decompose(chr(s))}
    return {s: t for s, t in found.items() if len(t) == 1}, {s: t for s, t in found.items() if len(t) > 1}


def main():
    assert all(version == pinned for version, pinned in PINNED.items()), PINNED
    cased_spaces, cased_isolated = kinds(False)
    isolated = {chr(s) for s in cased_isolated}
    target = outputs(isolated)
    parts = dict(zip(SCALARS, decompose([chr(s) for s in SCALARS])))
    classes = combining_classes()
    base = hugging_face()

    removed, stripped, vanishing, kept, composites = [], [], [], {}, []
    single, several = {}, {}
    for scalar in SCALARS:
        part, text = parts[scalar], target[scalar]
        marks = [ord(c) in classes for c in part]
        left = [ord(c) in classes for c in text]
        if not part:
            removed.append(scalar)
        elif not text:
            (stripped if all(marks) else vanishing).append(scalar)
        elif left[0]:
            assert part == text == chr(scalar), hex(scalar)
            kept[scalar] = classes[scalar]
        elif any(left):
            # Its marks take part in the order of those that follow.
            assert part == unicodedata.normalize("NFD", chr(scalar)), hex(scalar)
            composites.append(scalar)
            assert text == part == base[scalar]
        elif text == " ":
            if scalar not in cased_spaces:
                single[scalar] = text
        elif text != base[scalar]:
            (single if len(text) == 1 else several)[scalar] = text
    # The halfwidth marks of Katakana are marks only when they are folded.
    assert {*stripped, *vanishing} - nonspacing_marks() == {0xFF9E, 0xFF9F}
    single_folds, several_folds = foldings(parts, set(removed))
    body = "\n".join(
        [
            array("spaces", "Split words, whatever the case: [first, last].", ranges(cased_spaces)),
            array(
                "isolated",
                "Words of their own, whatever the case: [first, last].",
                ranges(cased_isolated),
            ),
            array("removed", "Gone before all else: [first, last].", ranges(removed)),
            array(
                "strippedMarks",
                "Stripped, and of a combining class over 0 till then: [first, last].",
                ranges(stripped),
            ),
            array("vanishing", "Stripped, of class 0: [first, last].", ranges(vanishing)),
            array(
                "keptMarks",
                "Of a combining class over 0 and kept: [first, last, class].",
                classed_ranges(kept),
            ),
            array(
                "composites",
                "Decompose into a starter and marks that are kept: [first, last].",
                ranges(composites),
            ),
            array(
                "runs",
                "One to one where Hugging Face's tables have something else: "
                "[first, last, stride, distance modulo 2^32].",
                runs(single),
            ),
            array(
                "mappings",
                "One to several where Hugging Face's tables have something else: "
                "[scalar + 2^24 × count, count scalars].",
                mappings(several),
            ),
            array(
                "otherMarks",
                "Non-spacing marks that are not among the two sets of stripped ones: [first, last].",
                ranges(nonspacing_marks() - {*stripped, *vanishing}),
            ),
            array(
                "combiningClasses",
                "Canonical combining classes over 0 that Hugging Face's tables have not: "
                "[first, last, class].",
                classed_ranges(later_classes(classes)),
            ),
            array(
                "foldedRuns",
                "Folded and decomposed, one to one, where it is not NFKD and not ASCII: "
                "[first, last, stride, distance modulo 2^32].",
                runs(single_folds),
            ),
            array(
                "foldedMappings",
                "Folded and decomposed, one to several, where it is not NFKD: "
                "[scalar + 2^24 × count, count scalars].",
                mappings(several_folds),
            ),
        ]
    )
    OUTPUT.write_text(
        f"""\
// Generated by Tests/TokenizersTests/Fixtures/make_tensorflow_tables.py from TensorFlow Text 2.15.0.
// Its parts know different Unicode versions: case folding, normal forms and combining classes 12
// (ICU 64), categories those of RE2 in TensorFlow 2.15.1.
// swift-format-ignore-file

/// What TensorFlow Text's `BertTokenizer`, case folding and normal forms do with each Unicode scalar, as flat
/// rows of numbers.
enum TensorFlowTables {{
{body}}}
"""
    )


if __name__ == "__main__":
    main()
