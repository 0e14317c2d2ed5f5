"""Makes exports of encoders over a product of options, with TensorFlow's answers to each.

    python tensorflow_exports.py FOLDER          # every export at most two options from the usual one
    python tensorflow_exports.py --sample FOLDER # one of each kind: Fixtures/exports

Needs what ../CheckpointsTests/Fixtures/requirements-tensorflow.txt says; also runs with what
made the encoders of 2020 and 2021 (Python 3.8, tensorflow 2.4.4, tensorflow-text 2.4.3,
tf-models-official 2.5.0), with the options that there were. test_tensorflow_exports.py asks the
server for the same.

An export is FOLDER/NAME.tar.xz: the SavedModel, and golden.json with token ids, the answers of
TensorFlow, those of float64 where the computation is BERT's, and whether it is to be served.
"""

import argparse
import dataclasses
import inspect
import itertools
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
import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401
from official.nlp.modeling import layers, models, networks
from official.nlp.tools import export_tfhub_lib

from tensorflow_float64 import float64

try:
    from official.legacy.bert import configs
except ImportError:
    from official.nlp.bert import configs

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] a b ##c the cat sat on mat dog ##s ! ? d e f".split()
VINTAGE = "tf" + ".".join(tf.__version__.split(".")[:2])
HIDDEN, HEADS, INNER, LAYERS, POSITIONS = 8, 2, 12, 2, 16


def erf_gelu(x):
    return 0.5 * x * (1.0 + tf.math.erf(x / np.sqrt(2.0).astype(np.float32)))


def tanh_gelu(x):
    return tf.keras.activations.gelu(x, approximate=True)


ACTIVATIONS = {"gelu": tanh_gelu, "gelu_erf": erf_gelu, "relu": tf.nn.relu, "swish": tf.nn.swish}


@dataclasses.dataclass(frozen=True)
class Options:
    """The first value of each is the usual one."""

    network: str = "v1"
    norm_first: bool = False
    activation: str = "gelu"
    with_mlm: bool = False
    pooling: str = "tanh"
    output_range: int = 0
    embedding_width: int = HIDDEN
    attention_scores: bool = False
    keys: str = "all"
    vocabulary: str = "vocab.txt"
    wrapper: str = "none"

    VALUES = {
        "network": ["v1", "v2", "albert", "talking heads", "gated talking heads"],
        "norm_first": [False, True],
        "activation": list(ACTIVATIONS),
        "with_mlm": [False, True],
        "pooling": ["tanh", "normalized", "first", "mean", "linear"],
        "output_range": [0, 1],
        "embedding_width": [HIDDEN, 4],
        "attention_scores": [False, True],
        "keys": ["all", "no encoder_outputs", "no default", "sequence_output"],
        "vocabulary": ["vocab.txt", "cased_vocab.txt"],
        "wrapper": [
            "none", "dual encoder", "classifier", "compiled classifier", "deep classifier", "normalized classifier",
            "two classifiers",
        ],
    }

    @property
    def name(self):
        usual = Options()
        parts = [VINTAGE] + [
            f"{field.name}={value}".replace(" ", "-").replace("=True", "")
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != getattr(usual, field.name)
        ]
        return "+".join(parts)

    @property
    def head_refusal(self):
        """What the message of why the head is left out has in it; nothing if it is to be served."""
        return {
            "normalized classifier": "layer_normalization",
            "two classifiers": "does not give one output for a text",
        }.get(self.wrapper, "")

    @property
    def refusal(self):
        """What the message of the refusal has in it; nothing if the export is to be served."""
        if self.output_range:
            return "output_range"
        if self.norm_first:
            return "norm_first"
        if self.wrapper == "none" and self.keys != "sequence_output":
            return {
                "first": "the first token's vector",
                "mean": "the mean of the tokens' vectors",
                "linear": "without the tanh",
            }.get(self.pooling, "")
        return ""


def sampled():
    """The usual export, and one for each other value of an option."""
    usual = Options()
    for field, values in Options.VALUES.items():
        yield from (dataclasses.replace(usual, **{field: value}) for value in values)


def all_near(distance=2):
    """Every export of which at most so many options are not the usual ones."""
    usual = Options()
    for fields in itertools.combinations(Options.VALUES, distance):
        for values in itertools.product(*(Options.VALUES[field] for field in fields)):
            yield dataclasses.replace(usual, **dict(zip(fields, values)))


def talking_heads(options):
    gated = dict(
        feedforward_cls=layers.GatedFeedforward,
        feedforward_cfg=dict(
            inner_dim=INNER,
            inner_activation=ACTIVATIONS[options.activation],
            dropout=0.1,
            dropout_position="after_residual",
        ),
    )
    return networks.EncoderScaffold(
        num_hidden_instances=LAYERS,
        pooled_output_dim=HIDDEN,
        embedding_cfg=dict(
            vocab_size=len(VOCABULARY),
            type_vocab_size=2,
            hidden_size=HIDDEN,
            seq_length=None,
            max_seq_length=POSITIONS,
            initializer=tf.keras.initializers.TruncatedNormal(stddev=0.02),
            dropout_rate=0.1,
        ),
        hidden_cls=layers.TransformerScaffold,
        hidden_cfg=dict(
            num_attention_heads=HEADS,
            intermediate_size=INNER,
            inner_activation=ACTIVATIONS[options.activation],
            attention_cls=layers.TalkingHeadsAttention,
            attention_cfg=dict(num_heads=HEADS, key_dim=HIDDEN // HEADS),
            dropout_rate=0.1,
            attention_dropout_rate=0.1,
            **(gated if options.network == "gated talking heads" else {}),
        ),
        dict_outputs=True,
        return_all_layer_outputs=True,
    )


def encoder(options):
    if "talking heads" in options.network:
        if options.norm_first or options.output_range or options.embedding_width != HIDDEN or options.attention_scores:
            raise ValueError("a scaffold has no such option")
        return talking_heads(options)
    kind = {
        "v1": networks.BertEncoder,
        "v2": getattr(networks, "BertEncoderV2", None),
        "albert": networks.AlbertEncoder,
    }
    if kind[options.network] is None:
        raise ValueError("there is no such encoder yet")
    arguments = dict(
        vocab_size=len(VOCABULARY),
        hidden_size=HIDDEN,
        num_layers=LAYERS,
        num_attention_heads=HEADS,
        inner_dim=INNER,
        inner_activation=ACTIVATIONS[options.activation],
        max_sequence_length=POSITIONS,
        type_vocab_size=2,
        dict_outputs=True,
    )
    if options.network == "albert":
        arguments["embedding_width"] = HIDDEN
    if VINTAGE == "tf2.4" or options.network == "albert":
        arguments["intermediate_size"] = arguments.pop("inner_dim")
        arguments["activation"] = arguments.pop("inner_activation")
    if options.norm_first:
        if "norm_first" not in inspect.signature(kind[options.network].__init__).parameters:
            raise ValueError("norm_first is passed over")
        arguments["norm_first"] = True
    if options.output_range:
        arguments["output_range"] = options.output_range
    if options.attention_scores:
        arguments["return_attention_scores"] = True
    if options.embedding_width != HIDDEN:
        arguments["embedding_width"] = options.embedding_width
    return kind[options.network](**arguments)


def randomize(model):
    random = np.random.default_rng(5)
    for weight in model.weights:
        noise = random.standard_normal(weight.shape)
        weight.assign(1 + 0.2 * noise if "gamma" in weight.name else 0.4 * noise)


def pooled(options, outputs):
    sequence, tanh = outputs["sequence_output"], outputs["pooled_output"]
    if options.pooling == "normalized":
        return tf.keras.layers.Lambda(lambda x: tf.nn.l2_normalize(x, axis=1))(tanh)
    if options.pooling == "first":
        return sequence[:, 0, :]
    if options.pooling == "mean":
        return tf.keras.layers.Lambda(lambda x: tf.reduce_mean(x, axis=1))(sequence)
    return tanh


def core_model(options):
    """As export_tfhub_lib makes it, with the options that it has and some that it has not."""
    network = encoder(options)
    if options.pooling == "linear":
        network.pooler_layer.activation = tf.keras.activations.linear
    if options.wrapper == "dual encoder":
        model = models.DualEncoder(
            network=network, max_seq_length=None, normalize=True, output="predictions"
        )
        randomize(network)
        return model, network
    inputs = network.inputs
    if not isinstance(inputs, dict):
        inputs = {each.name: each for each in inputs}
    outputs = dict(network(inputs))
    outputs["pooled_output"] = pooled(options, outputs)
    outputs["default"] = outputs["pooled_output"]
    for key in {
        "no encoder_outputs": ["encoder_outputs"],
        "no default": ["default"],
        "sequence_output": ["default", "pooled_output", "encoder_outputs"],
    }.get(options.keys, []):
        del outputs[key]
    model = tf.keras.Model(inputs=inputs, outputs=outputs)
    if options.with_mlm:
        pretrainer = models.BertPretrainerV2(
            encoder_network=network, mlm_activation=ACTIVATIONS[options.activation]
        )
        head_inputs = pretrainer.inputs
        if not isinstance(head_inputs, dict):
            head_inputs = {each.name: each for each in head_inputs}
        model._auto_track_sub_layers = False
        model.mlm = tf.keras.Model(inputs=head_inputs, outputs=pretrainer(head_inputs))
        randomize(pretrainer)
    randomize(model)
    return model, network


def save(options, folder, scratch):
    """Writes the SavedModel and returns its encoder."""
    vocabulary = scratch / options.vocabulary
    vocabulary.write_text("\n".join(VOCABULARY) + "\n")
    model, network = core_model(options)
    model.vocab_file = tf.saved_model.Asset(str(vocabulary))
    model.do_lower_case = tf.Variable("cased" not in options.vocabulary, trainable=False)
    if "classifier" not in options.wrapper:
        model.save(str(folder), include_optimizer=False, save_format="tf")
        return network
    # The tutorial's: https://www.tensorflow.org/text/tutorials/classify_text_with_bert
    model.save(str(scratch / "encoder"), include_optimizer=False, save_format="tf")
    export_tfhub_lib.export_preprocessing(
        str(scratch / "preprocess"),
        vocab_file=str(vocabulary),
        do_lower_case="cased" not in options.vocabulary,
        tokenize_with_offsets=False,
        default_seq_length=TEXT_LENGTHS.get(options.wrapper, POSITIONS),
    )
    text = tf.keras.layers.Input(shape=(), dtype=tf.string, name="text")
    preprocessing = hub.KerasLayer(str(scratch / "preprocess"), name="preprocessing")
    layer = hub.KerasLayer(str(scratch / "encoder"), trainable=True, name="BERT_encoder")
    net = layer(preprocessing(text))["pooled_output"]
    net = tf.keras.layers.Dropout(0.1)(net)
    if options.wrapper == "deep classifier":
        net = tf.keras.layers.Dense(6, activation="gelu", bias_initializer="normal")(net)
        net = tf.keras.layers.Dropout(0.1)(net)
        net = tf.keras.layers.Dense(3, activation="softmax", bias_initializer="normal", name="classifier")(net)
    else:
        if options.wrapper == "normalized classifier":
            net = tf.keras.layers.LayerNormalization()(net)
        outputs = [
            tf.keras.layers.Dense(1, activation=None, name=name, bias_initializer="normal")(net)
            for name in (["first", "second"] if options.wrapper == "two classifiers" else ["classifier"])
        ]
        net = outputs if len(outputs) > 1 else outputs[0]
    classifier = tf.keras.Model(text, net)
    if options.wrapper == "compiled classifier":
        classifier.compile(optimizer="adam", loss="mse", metrics=["mae"])
        classifier.fit(tf.constant(["the cat"]), tf.constant([1.0]), verbose=0)
        for weight, kept in zip(layer.weights, network.weights):
            weight.assign(kept)
    classifier.save(str(folder), include_optimizer=options.wrapper == "compiled classifier")
    return network


# Of a preprocessing model that has not as many tokens as the encoder has positions.
TEXT_LENGTHS = {"deep classifier": 7}
IDS = [[2, 8, 9, 10, 11, 8, 12, 3], [2, 5, 3], [2, 6, 7, 15, 3, 13, 14, 16, 3], [2, 3]]


def inputs(ids):
    """One text at all positions."""
    pad = [0] * (POSITIONS - len(ids))
    first = ids.index(3) + 1
    return {
        "input_word_ids": [ids + pad],
        "input_mask": [[1] * len(ids) + pad],
        "input_type_ids": [[0] * first + [1] * (len(ids) - first) + pad],
    }


def flat(outputs):
    found = {}
    for key in ("default", "pooled_output", "sequence_output", "encoder_outputs"):
        if key in outputs:
            values = outputs[key]
            found[key] = np.stack([np.asarray(each)[0] for each in values]) if isinstance(
                values, (list, tuple)
            ) else np.asarray(values)[0]
    return found


def head(whole, ids):
    """What the model gives for the text of these ids, none if they are two texts."""
    words = [VOCABULARY[id] for id in ids[1:-1]]
    if "[SEP]" in words:
        return None
    text = " ".join(words).replace(" ##", "")
    return np.asarray(whole(tf.constant([text]), training=False))[0].tolist()


def make(options, target):
    tf.keras.backend.clear_session()
    tf.random.set_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = scratch / options.name
        network = save(options, folder, scratch)
        for name in ("keras_metadata.pb", "fingerprint.pb"):
            if (folder / name).exists():
                (folder / name).unlink()
        is_classifier = "classifier" in options.wrapper
        whole = tf.saved_model.load(str(folder))
        loaded = tf.saved_model.load(str(scratch / "encoder" if is_classifier else folder))
        texts = []
        for ids in IDS if not options.refusal else []:
            given = {key: tf.constant(value) for key, value in inputs(ids).items()}
            if options.wrapper == "dual encoder":
                given = [given[key] for key in ("input_word_ids", "input_mask", "input_type_ids")]
            answers = flat(loaded(given))
            exact = float64(options, network, inputs(ids), LAYERS, HEADS)
            texts.append(
                {
                    "ids": ids,
                    "answers": {key: value.tolist() for key, value in answers.items()},
                    "exact": {key: exact[key].tolist() for key in answers},
                }
            )
            if is_classifier and not options.head_refusal:
                texts[-1]["head"] = head(whole, ids)
            for key, value in answers.items():
                error = float(np.abs(value - exact[key]).max())
                assert error < 1e-4, (options.name, key, error)
        golden = {
            "tensorflow": tf.__version__,
            "options": dataclasses.asdict(options),
            "refusal": options.refusal,
            "head refusal": options.head_refusal,
            "text length": TEXT_LENGTHS.get(options.wrapper, POSITIONS) if is_classifier else POSITIONS,
            "texts": texts,
        }
        (folder / "golden.json").write_text(json.dumps(golden))
        with tarfile.open(target / (options.name + ".tar.xz"), "w:xz") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    entry = tarfile.TarInfo(str(path.relative_to(folder)))
                    entry.size = path.stat().st_size
                    with open(path, "rb") as file:
                        archive.addfile(entry, file)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sample", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    made = skipped = 0
    for options in dict.fromkeys(sampled() if arguments.sample else all_near()):
        if (arguments.folder / (options.name + ".tar.xz")).exists():
            continue
        try:
            make(options, arguments.folder)
            made += 1
            print(options.name, flush=True)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # Options that this release has not, or not together.
            skipped += 1
            print(f"{options.name}: not exported: {str(error)[:200]}", file=sys.stderr, flush=True)
    print(f"{made} made, {skipped} not possible")


if __name__ == "__main__":
    main()
