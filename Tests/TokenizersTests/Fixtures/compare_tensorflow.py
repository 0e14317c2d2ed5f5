"""Compares tokens with TensorFlow Text's: every Unicode scalar, alone and between letters, and strings.

    pip install -r requirements-tensorflow.txt pytest requests safetensors
    BERT_TEST_STRINGS=1000000 python compare_tensorflow.py

The strings are those of EndToEnd/test_tokens.py; the vocabulary is the default model's.
"""

import json
import os
import pathlib
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
import tensorflow_text

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "EndToEnd"))
import test_tokens  # noqa: E402
from server import MODEL, Server  # noqa: E402


def differences(server, theirs, texts):
    """Of these texts, those with other tokens."""
    answers = server.post({"inputs": texts}, path="/tokenize").json()
    expected = theirs.tokenize(tf.constant([text.encode() for text in texts]))
    for text, answer, ids in zip(texts, answers, expected.merge_dims(-2, -1).to_list(), strict=True):
        if [token["id"] for token in answer][1:-1] != ids:
            yield text


def compare(lower):
    theirs = tensorflow_text.BertTokenizer(str(MODEL / "vocab.txt"), lower_case=lower, token_out_type=tf.int32)
    count, different = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "model.safetensors", "vocab.txt"):
            (pathlib.Path(folder) / name).symlink_to(MODEL / name)
        (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
        with Server("--tokenizer-rules", "tensorflow", model=folder) as server:
            texts = []
            for text in [*test_tokens.strings(), None]:
                if text is not None:
                    texts.append(text)
                if len(texts) == test_tokens.AT_ONCE or text is None and texts:
                    different += differences(server, theirs, texts)
                    count += len(texts)
                    texts = []
    print(f"lower_case={lower}: {count} strings, {len(different)} with other tokens", flush=True)
    for text in different[:20]:
        print("  ", ascii(text))
    return different


if __name__ == "__main__":
    sys.exit(any([compare(True), compare(False)]))
