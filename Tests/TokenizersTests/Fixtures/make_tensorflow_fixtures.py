"""Writes tensorflow.json: what TensorFlow Text makes of texts, pairs and every scalar value.

    pip install -r requirements-tensorflow.txt
    python make_tensorflow_fixtures.py ../../../models/all-MiniLM-L6-v2
"""

import json
import pathlib
import sys

import tensorflow as tf
import tensorflow_text as tf_text

import scalars
from texts import LONG_WORD, PLAIN, TELLING, random_texts

assert (tf.__version__, tf_text.__version__) == ("2.15.1", "2.15.0")
VOCABULARY = str(pathlib.Path(sys.argv[1]) / "vocab.txt")
CLS, SEP = 101, 102


def tokenizer(lower_case):
    engine = tf_text.BertTokenizer(VOCABULARY, lower_case=lower_case, token_out_type=tf.int32)
    return lambda texts: engine.tokenize(tf.constant([t.encode() for t in texts])).merge_dims(-2, -1)


def pair(tokens, texts, limit):
    """As `bert_pack_inputs` trims and combines."""
    segments = [tokens([text]) for text in texts]
    trimmed = tf_text.RoundRobinTrimmer(limit - 1 - len(texts)).trim(segments)
    ids, types = tf_text.combine_segments(
        trimmed, start_of_sequence_id=CLS, end_of_segment_id=SEP)
    return {
        "texts": texts, "limit": limit, "ids": ids.to_list()[0], "types": types.to_list()[0]}


def main():
    result = []
    few = ["one two three", "a b", "", LONG_WORD * 2, PLAIN[0]]
    for lower_case in (True, False):
        tokens = tokenizer(lower_case)
        texts = PLAIN + TELLING + random_texts(100, 20260103)
        ids = tokens(texts).to_list()
        result.append(
            {
                "lowercase": lower_case,
                "cases": [{"text": t, "ids": i} for t, i in zip(texts, ids)],
                "pairs": [
                    pair(tokens, [one, other], limit)
                    for one in few for other in few for limit in (3, 4, 5, 8, 9, 12, 13, 40)
                ] if lower_case else [],
                "hashes": scalars.hashes(tokens(list(scalars.texts())).to_list()),
            }
        )
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in result)
    (pathlib.Path(__file__).parent / "tensorflow.json").write_text(f"[\n{lines}\n]\n")


main()
