"""Prints the ids that TensorFlow Text gives for the pieces and texts of TensorFlowPiecesTests.swift.

Needs ../../CheckpointsTests/Fixtures/requirements-tensorflow.txt.
"""

import base64
import pathlib
import struct

import tensorflow_text as tf_text
from official.nlp.modeling import layers

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5
PIECES = [
    ("<pad>", 0, CONTROL), ("<unk>", 0, UNKNOWN), ("[CLS]", 0, CONTROL), ("[SEP]", 0, CONTROL), ("▁", -1, NORMAL),
    ("x", -1e6, NORMAL), ("ab", -0.98, NORMAL), ("a", -0.4, NORMAL), ("b", -0.59, NORMAL), ("cd", -9, USER_DEFINED),
    ("c", -2, NORMAL), ("d", -2, NORMAL), ("fi", -3, NORMAL), ("fia", -1, UNUSED), ("▁x", -2e6, NORMAL),
    ("á", -4, NORMAL), ("e", -3, NORMAL),
]  # fmt: skip
TEXTS = [
    "ab", "xab", " ab  ba ", "xxxabababab", "cd c d ccd", "ﬁa", "[CLS]", "<unk>qq", "qq qzq", "", "  ", "▁", "a▁▁b ▁",
]  # fmt: skip
OPTIONS_TEXT = "a\u0301 á Á ＡＢ"


def field(number, value):
    """A field of a message: bytes, a float, or an integer."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value % 2**64)


def varint(value):
    rest = value >> 7
    return bytes([value & 0x7F | (0x80 if rest else 0)]) + (varint(rest) if rest else b"")


def model():
    """sentencepiece_model.proto's ModelProto of a Unigram model."""
    pieces = [field(1, text.encode()) + field(2, float(score)) + field(3, kind) for text, score, kind in PIECES]
    # model_type, unk_id, bos_id, eos_id, pad_id
    trainer = field(3, 1) + field(40, 1) + field(41, -1) + field(42, -1) + field(43, 0)
    text = (pathlib.Path(__file__).parent / "charsmap.txt").read_text()
    normalizer = field(2, base64.b64decode("".join(text.split())))
    return b"".join(field(1, piece) for piece in pieces) + field(2, trainer) + field(3, normalizer)


def main():
    tokenizer = tf_text.SentencepieceTokenizer(model=model(), nbest_size=0)
    for text in TEXTS:
        print(ascii(text), tokenizer.tokenize(text).numpy().tolist())
    for strips in (False, True):
        for folds in (False, True):
            layer = layers.SentencepieceTokenizer(
                model_serialized_proto=model(), lower_case=folds, strip_diacritics=strips
            )
            print(f"{ascii(OPTIONS_TEXT)}, {strips=}, {folds=}", layer([OPTIONS_TEXT]).to_list()[0])


if __name__ == "__main__":
    main()
