"""Makes exports of ALBERT with a SentencePiece model by Model Garden's code, with TensorFlow's answers.

    python tensorflow_sentencepiece.py ../CheckpointsTests/Fixtures/exports-sentencepiece.tar.xz

Needs what ../CheckpointsTests/Fixtures/requirements-tensorflow.txt says. test_tensorflow_sentencepiece.py asks
the server for the same. In the archive are folders: `encoder`, as TF Hub's albert_en_base; models that take texts,
with each of the options of the tokenizer; and some with options that are refused. `golden.json` has the texts, and by
folder their token ids and TensorFlow's numbers.
"""

import io
import json
import os
import pathlib
import sys
import tarfile
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import sentencepiece
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401
from official.nlp.configs import encoders
from official.nlp.modeling import layers
from official.nlp.tools import export_tfhub_lib

from texts import TEXTS

POSITIONS = 24
# Of the published model: https://github.com/google-research/albert
TRAINER = dict(
    vocab_size=1500, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"],
    user_defined_symbols=["(", ")", '"', "-", ".", "–", "£", "€"], character_coverage=0.98,
    hard_vocab_limit=False, num_threads=1, minloglevel=2,
)  # fmt: skip
MORE = [
    "", " ", " \t\n\u3000 ", "\u2581", "\u2581\u2581 a\u2581b \u2581", "[MASK] [CLS]x[SEP] <pad><unk>", "the [mask]",
    "A goldfish rides a BICYCLE.", "CRÈME BRÛLÉE, naïve Ångström", "cre\u0300me bru\u0302le\u0301e",
    "Ǆ ǅ ß ẞ ﬁ ﬂ İ ı ſ ς Σ", "①②③ ½ ㎏ ™ … ª", "Ｆｕｌｌ ｗｉｄｔｈ，ﾊﾟﾋﾟ ガギグ", "각하 각",
    "漢字かなカナ", "🦜 👩\u200d👩\u200d👧 🇩🇪", "a\u0301\u0323 a\u0323\u0301 \u0345\u03b1 ᾳ", "e\u0488 x\u20dd \u0903",
    "a\u00adb\u200bc\ufeffd\ufe0fe\u034ff", "a\u0000b\u0007c\u001fd\u007fe\u0085f", "\u2028x\u00a0y\u1680z\u202f",
    "(a-b) \"c\". – £5 €6", "((--..", "``a'' '''b'''", "Ꭰ ꭰ Ꮿ Ⴀ Ა", "\u0d3b\u0d4d\U0001e130 \U00010d24", "qqqq\u20b5\u20b5 \u20b5",
    "\U0001d15e\U0001d165 \u1d2c", "हिन्दी বাংলা ไทย", "שָׁלוֹם مَرْحَبًا", "  lead   inner\t\ttabs  trail  ", "1, 23, 4,567",
    "the " * 30, "supercalifragilisticexpialidocious" * 3, "x" * 200,
]  # fmt: skip
CHOSEN = MORE + [text for name, text in TEXTS.items() if isinstance(text, str) and name.startswith("sentence")][:8]


def train(path):
    texts = [text for text in TEXTS.values() if isinstance(text, str)] + MORE
    lines = [line[:2000] for text in texts for line in text.replace("\0", " ").splitlines() if line.strip()]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **TRAINER)
    path.write_bytes(model.getvalue())


def encoder(folder, model):
    """By the exporter of TF Hub's."""
    config = encoders.EncoderConfig(type="albert")
    config.albert.vocab_size = sentencepiece.SentencePieceProcessor(model_file=str(model)).vocab_size()
    config.albert.embedding_width, config.albert.hidden_size, config.albert.intermediate_size = 4, 8, 12
    config.albert.num_layers, config.albert.num_attention_heads = 2, 2
    config.albert.max_position_embeddings = POSITIONS
    network = encoders.build_encoder(config)
    random = np.random.default_rng(5)
    for weight in network.weights:
        noise = random.standard_normal(weight.shape)
        weight.assign(1 + 0.2 * noise if "gamma" in weight.name else 0.4 * noise)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = tf.train.Checkpoint(model=network, encoder=network).save(scratch + "/checkpoint")
        export_tfhub_lib.export_model(
            str(folder), encoder_config=config, model_checkpoint_path=checkpoint, with_mlm=False,
            sp_model_file=str(model),
        )  # fmt: skip


def preprocessing(folder, model, change=None, **options):
    """As export_tfhub_lib.create_preprocessing, which always strips diacritics."""
    tokenize = layers.SentencepieceTokenizer(model_file_path=str(model), **options)
    text = tf.keras.layers.Input(shape=(), dtype=tf.string, name="sentences")
    pack = layers.BertPackInputs(seq_length=POSITIONS, special_tokens_dict=tokenize.get_special_tokens_dict())
    tokens = tokenize(tf.keras.layers.Lambda(change)(text) if change else text)
    tf.keras.Model(text, pack(tokens)).save(str(folder), include_optimizer=False, save_format="tf")


def classifier(folder, preprocess, encode):
    text = tf.keras.layers.Input(shape=(), dtype=tf.string, name="text")
    inputs = hub.KerasLayer(str(preprocess), name="preprocessing")(text)
    pooled = hub.KerasLayer(str(encode), trainable=True, name="encoder")(inputs)["pooled_output"]
    output = tf.keras.layers.Dense(1, bias_initializer="normal", name="classifier")(pooled)
    tf.keras.Model(text, output).save(str(folder), include_optimizer=False)


def main(target):
    tf.random.set_seed(1)
    golden = {"tensorflow": tf.__version__, "texts": CHOSEN, "folders": {}}
    texts = tf.constant([text.encode() for text in CHOSEN])
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        exports, model = scratch / "exports", scratch / "30k-clean.model"
        exports.mkdir()
        train(model)
        encoder(exports / "encoder", model)
        export_tfhub_lib.export_preprocessing(
            str(scratch / "preprocess"), sp_model_file=str(model), do_lower_case=True, tokenize_with_offsets=False,
            default_seq_length=POSITIONS,
        )  # fmt: skip

        def tokens(folder):
            given = tf.saved_model.load(str(folder))(texts)
            counts = given["input_mask"].numpy().sum(1)
            return given, [ids[:count] for ids, count in zip(given["input_word_ids"].numpy().tolist(), counts)]

        loaded = tf.saved_model.load(str(scratch / "preprocess"))
        golden["pairs"] = list(zip(CHOSEN, CHOSEN[::-1]))
        packed = loaded.bert_pack_inputs(
            [loaded.tokenize(tf.constant([pair[part] for pair in golden["pairs"]])) for part in (0, 1)],
            seq_length=tf.constant(POSITIONS),
        )
        counts = packed["input_mask"].numpy().sum(1)
        golden["pairs ids"] = [row[:count] for row, count in zip(packed["input_word_ids"].numpy().tolist(), counts)]
        given, ids = tokens(scratch / "preprocess")
        answers = tf.saved_model.load(str(exports / "encoder"))(given)
        golden["folders"]["encoder"] = {
            "ids": ids,
            "pooled_output": answers["pooled_output"].numpy().tolist(),
            "sequence_output": answers["sequence_output"].numpy()[:4].tolist(),
        }
        for lower in (False, True):
            for strip in (False, True):
                name = f"lower={lower}+strip={strip}".lower()
                preprocess = scratch / name
                preprocessing(preprocess, model, lower_case=lower, strip_diacritics=strip)
                classifier(exports / name, preprocess, exports / "encoder")
                golden["folders"][name] = {
                    "ids": tokens(preprocess)[1],
                    "logits": tf.saved_model.load(str(exports / name))(texts, training=False).numpy().tolist(),
                }
        for name, options in {
            "sampling": {"nbest_size": 4},
            "lower": {"change": tf.strings.lower},
        }.items():
            preprocessing(scratch / name, model, lower_case=True, strip_diacritics=True, **options)
            classifier(exports / name, scratch / name, exports / "encoder")
        (exports / "golden.json").write_text(json.dumps(golden))
        with tarfile.open(target, "w:xz") as archive:
            for path in sorted(exports.rglob("*")):
                if path.is_file() and path.name not in ("keras_metadata.pb", "fingerprint.pb"):
                    entry = tarfile.TarInfo(str(path.relative_to(exports)))
                    entry.size = path.stat().st_size
                    with open(path, "rb") as file:
                        archive.addfile(entry, file)


if __name__ == "__main__":
    main(sys.argv[1])
