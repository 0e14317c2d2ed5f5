"""Writes small/ and micro/tensorflow*: BERTs in TensorFlow's formats, and TensorFlow's own error.

    pip install -r requirements-tensorflow.txt
    pip install --no-deps tf-models-official==2.15.0
    python make_tensorflow.py

`python make_tensorflow.py micro` makes micro alone. `python make_tensorflow.py FOLDER` writes, in place of these, small/'s like of the size of TF Hub's
small_bert/bert_en_uncased_L-4_H-512_A-8: for BERT_TENSORFLOW_FOLDER=FOLDER pytest
../../EndToEnd/test_checkpoints_tensorflow.py.

small: a BERT of random weights that makes slips visible (GELU's form changes the second digit).
  weights/      Hugging Face's layout, for reference.py and as a model of its own
  original/     the original repository's checkpoint, with a head and an optimizer's slots
  saved_model/  what the Model Garden's converter and TF Hub exporter make of original/
  tensorflow.json  texts, TensorFlow Text's ids, and how far TensorFlow's float32 is from float64
micro: the same two formats as small as they can be, for tests that mutate files.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow as tf
import tensorflow_text
from official.legacy.bert import configs
from official.nlp.tools import export_tfhub_lib
from official.nlp.tools import tf2_bert_encoder_checkpoint_converter as converter
from safetensors.numpy import save_file
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "EndToEnd"))
import reference  # noqa: E402

POSITIONS = 128
# Heads of 12: not a power of two.
SMALL = {"vocab": 0, "hidden": 48, "heads": 4, "inner": 96, "layers": 2, "positions": 160}
HUB = {"vocab": 0, "hidden": 512, "heads": 8, "inner": 2048, "layers": 4, "positions": 512}
MICRO = {"vocab": 8, "hidden": 4, "heads": 2, "inner": 6, "layers": 1, "positions": 5}

WORDS = (
    "the of and in to was he is as for on with that it his by at from her she you had an were but "
    "be this are not my they one which or have him me first all also their has up who out been when "
    "after there into new two its time would no what about said we over then other so more can if "
    "like back them only some could where just during before do made school through than now years "
    "improve physical fitness your gold fish getting bicycle train leaves platform question answer "
    "water river night light house world small large paper glass stone engine window garden number"
).split()
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[]_"
SPECIAL = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
ENDINGS = "s ed ing er ly es est tion al".split()


def vocabulary():
    parts = SPECIAL + list(PUNCTUATION) + list(CHARACTERS) + WORDS
    return list(dict.fromkeys(parts + ["##" + part for part in list(CHARACTERS) + ENDINGS]))


def texts():
    random = np.random.default_rng(1)
    lines = [
        "Improve the physical fitness of your goldfish by getting him a bicycle",
        "",
        "a",
        "!",
        "THE TRAIN LEAVES FROM PLATFORM 3, NOT 4.",
        "what? (who & where): 'there'; said-the-fish, \"now\"!",
        ["a question", "and its answer"],
        ["", "only the second"],
        [" ".join(WORDS[:40]), " ".join(WORDS[40:70])],
        " ".join(WORDS),
    ]
    while len(lines) < 48:
        words = random.choice(WORDS + ENDINGS, size=random.integers(1, 60)).tolist()
        if random.random() < 0.3:
            words.insert(int(random.integers(len(words))), "zeitgeist3")
        lines.append(" ".join(words) + random.choice(list(".!?,")))
    return lines


def weights(size, seed, spread):
    """By the original repository's names; `spread` is the standard deviation of the matrices."""
    random = np.random.default_rng(seed)
    hidden, inner = size["hidden"], size["inner"]

    def matrix(*shape):
        return (random.standard_normal(shape) * spread).astype(np.float32)

    def bias(count):
        return (random.standard_normal(count) * 0.1).astype(np.float32)

    def scale(count):
        return (1 + random.standard_normal(count) * 0.2).astype(np.float32)

    found = {
        "bert/embeddings/word_embeddings": matrix(size["vocab"], hidden),
        "bert/embeddings/token_type_embeddings": matrix(2, hidden),
        "bert/embeddings/position_embeddings": matrix(size["positions"], hidden),
    }

    def linear(name, inputs, outputs):
        found[name + "/kernel"] = matrix(inputs, outputs)
        found[name + "/bias"] = bias(outputs)

    def norm(name):
        found[name + "/LayerNorm/gamma"] = scale(hidden)
        found[name + "/LayerNorm/beta"] = bias(hidden)

    norm("bert/embeddings")
    for layer in range(size["layers"]):
        name = f"bert/encoder/layer_{layer}/"
        for part in ("query", "key", "value"):
            linear(f"{name}attention/self/{part}", hidden, hidden)
        linear(name + "attention/output/dense", hidden, hidden)
        norm(name + "attention/output")
        linear(name + "intermediate/dense", hidden, inner)
        linear(name + "output/dense", inner, hidden)
        norm(name + "output")
    linear("bert/pooler/dense", hidden, hidden)
    return found


def extras(found):
    """What pre-training and fine-tuning leave in a checkpoint beside the encoder."""
    hidden = found["bert/pooler/dense/bias"].shape[0]
    return {
        "cls/seq_relationship/output_weights": np.ones((2, hidden), np.float32),
        "cls/seq_relationship/output_bias": np.ones(2, np.float32),
        "bert/pooler/dense/bias/adam_m": np.ones(hidden, np.float32),
        "bert/pooler/dense/bias/adam_v": np.ones(hidden, np.float32),
        "global_step": np.int64(7),
    }


def save(tensors, prefix):
    """A checkpoint by the names given, in two shards, written by TensorFlow."""
    parts = [f"{prefix}.part{index}" for index in range(2)]
    for index, part in enumerate(parts):
        names = sorted(tensors)[index::2]
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.constant(tensors[name]) for name in names],
        )
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(prefix))


def hugging_face_names(found):
    result = {}
    for name, tensor in found.items():
        parts = name.removeprefix("bert/").replace("layer_", "layer.").split("/")
        if parts[-1] == "kernel":
            tensor = np.ascontiguousarray(tensor.T)
        parts[-1] = {"kernel": "weight", "gamma": "weight", "beta": "bias"}.get(parts[-1], parts[-1])
        if parts[-1].endswith("_embeddings"):
            parts.append("weight")
        result[".".join(parts)] = tensor
    return result


def configuration(size):
    return {
        "hidden_act": "gelu",
        "hidden_size": size["hidden"],
        "intermediate_size": size["inner"],
        "max_position_embeddings": size["positions"],
        "num_attention_heads": size["heads"],
        "num_hidden_layers": size["layers"],
        "type_vocab_size": 2,
        "vocab_size": size["vocab"],
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
    }


def clean(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def make(root, size, spread):
    tokens = vocabulary()
    size = {**size, "vocab": len(tokens)}
    found = weights(size, seed=20201, spread=spread)
    clean(root)

    folder = clean(root / "weights")
    save_file(hugging_face_names(found), folder / "model.safetensors")
    write_json(folder / "config.json", {**configuration(size), "hidden_act": "gelu_new"})
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")

    original = clean(root / "original")
    write_json(original / "bert_config.json", configuration(size))
    shutil.copy(folder / "vocab.txt", original)
    save({**found, **extras(found)}, original / "bert_model.ckpt")

    with tempfile.TemporaryDirectory() as scratch:
        bert = configs.BertConfig.from_json_file(original / "bert_config.json")
        prefix = scratch + "/encoder.ckpt"
        converter.convert_checkpoint(
            bert, prefix, str(original / "bert_model.ckpt"), "encoder", "encoder"
        )
        export_tfhub_lib.export_model(
            str(root / "saved_model"),
            bert_config=bert,
            model_checkpoint_path=tf.train.latest_checkpoint(scratch),
            with_mlm=False,
            vocab_file=str(folder / "vocab.txt"),
            do_lower_case=True,
        )
    (root / "saved_model" / "keras_metadata.pb").unlink(missing_ok=True)
    (root / "saved_model" / "fingerprint.pb").unlink(missing_ok=True)
    measure(root)


def measure(root):
    """TensorFlow's answers to all texts at POSITIONS positions against float64."""
    vocab = str(root / "weights" / "vocab.txt")
    tokenizer = tensorflow_text.BertTokenizer(vocab, lower_case=True)
    tokens = pathlib.Path(vocab).read_text().splitlines()
    start, end = tokens.index("[CLS]"), tokens.index("[SEP]")
    model = tf.saved_model.load(str(root / "saved_model"))
    exact = reference.Reference(root / "weights")
    errors, goldens = {}, []
    for text in texts():
        segments = [text] if isinstance(text, str) else text
        ids, types = [start], [0]
        for index, segment in enumerate(segments):
            words = tokenizer.tokenize([segment]).merge_dims(1, 2).to_list()[0]
            ids += words + [end]
            types += [index] * (len(words) + 1)
        count = len(ids)
        assert count <= POSITIONS, (text, count)
        goldens.append({"text": text, "ids": ids, "types": types})
        pad = [0] * (POSITIONS - count)
        answer = model(
            {
                "input_word_ids": tf.constant([ids + pad]),
                "input_mask": tf.constant([[1] * count + pad]),
                "input_type_ids": tf.constant([types + pad]),
            }
        )
        result = {
            "encoder_outputs": np.stack([block.numpy()[0] for block in answer["encoder_outputs"]]),
            **{
                key: answer[key].numpy()[0]
                for key in ("sequence_output", "pooled_output", "default")
            },
        }
        expected = exact.encode(ids + pad, types + pad, attended=count)
        del expected["sentence_embedding"]
        for key, error in reference.worst_errors(result, expected).items():
            errors[key] = max(errors.get(key, 0), error)
    assert max(errors.values()) < 1e-5, errors
    report = {
        "meaning": f"largest |TensorFlow float32 - float64| over the texts at {POSITIONS} positions",
        "tensorflow": tf.__version__,
        "tensorflow_text": tensorflow_text.__version__,
        "errors": errors,
        "goldens": goldens,
    }
    (root / "tensorflow.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(errors, indent=1))


GARDEN = [
    ("embeddings/LayerNorm", "embeddings/layer_norm"),
    ("encoder/layer_0/attention/self/", "transformer/layer_0/self_attention/"),
    ("encoder/layer_0/attention/output/dense", "transformer/layer_0/self_attention/attention_output"),
    ("encoder/layer_0/attention/output/LayerNorm", "transformer/layer_0/self_attention_layer_norm"),
    ("encoder/layer_0/intermediate/dense", "transformer/layer_0/intermediate"),
    ("encoder/layer_0/output/dense", "transformer/layer_0/output"),
    ("encoder/layer_0/output/LayerNorm", "transformer/layer_0/output_layer_norm"),
    ("pooler/dense", "pooler_transform"),
    ("embeddings/word_embeddings", "word_embeddings/embeddings"),
    ("embeddings/position_embeddings", "position_embedding/embeddings"),
    ("embeddings/token_type_embeddings", "type_embeddings/embeddings"),
]


def make_micro():
    found = weights(MICRO, seed=3, spread=0.5)
    vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n"
    original = clean(HERE / "micro" / "original")
    write_json(original / "bert_config.json", configuration(MICRO))
    (original / "vocab.txt").write_text(vocab)
    save({**found, **extras(found)}, original / "bert_model.ckpt")

    folder = clean(HERE / "micro" / "saved_model")
    (folder / "assets").mkdir()
    (folder / "assets" / "vocab.txt").write_text(vocab)
    signature, library, captured = micro_functions()
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = model.meta_graphs.add()
    graph.asset_file_def.add(filename="vocab.txt").tensor_info.name = "asset:0"
    graph.graph_def.library.function.extend(library)
    nodes = graph.object_graph_def.nodes
    objects = trackable_object_graph_pb2.TrackableObjectGraph()
    root, call, asset = (nodes.add() for _ in range(3))
    root.user_object.identifier = "_generic_user_object"
    call.function.concrete_functions.append(library[0].signature.name)
    asset.asset.asset_file_def_index = 0
    root.children.add(node_id=1, local_name="__call__")
    root.children.add(node_id=2, local_name="vocab_file")
    root.children.add(node_id=3, local_name="do_lower_case")
    for _ in nodes:
        objects.nodes.add()
    tensors = {}

    def add(key, name, tensor):
        tensors[key] = tensor
        objects.nodes.add().attributes.add(
            name="VARIABLE_VALUE", full_name=name, checkpoint_key=key
        )
        variable = nodes.add().variable
        variable.name = name
        variable.dtype = types_pb2.DT_FLOAT if tensor.dtype == np.float32 else types_pb2.DT_BOOL
        return len(nodes) - 1

    add("do_lower_case/.ATTRIBUTES/VARIABLE_VALUE", "Variable", np.bool_(True))
    numbers = {}
    for index, (name, tensor) in enumerate(found.items()):
        name = name.removeprefix("bert/")
        for old, new in GARDEN:
            name = name.replace(old, new)
        heads = (MICRO["heads"], MICRO["hidden"] // MICRO["heads"])
        if "attention_output/kernel" in name:
            tensor = tensor.reshape(*heads, -1)
        elif "self_attention/" in name and "attention_output" not in name:
            tensor = tensor.reshape(*tensor.shape[:-1], *heads)
        numbers[name] = add(f"variables/{index}/.ATTRIBUTES/VARIABLE_VALUE", name, tensor)
    concrete = graph.object_graph_def.concrete_functions[library[0].signature.name]
    concrete.canonicalized_input_signature.CopyFrom(signature.canonicalized_input_signature)
    concrete.output_signature.CopyFrom(signature.output_signature)
    concrete.bound_inputs.extend(numbers[name] for name in captured)
    tensors["_CHECKPOINTABLE_OBJECT_GRAPH"] = np.array(objects.SerializeToString(), object)
    (folder / "variables").mkdir()
    save(tensors, folder / "variables" / "variables")
    (folder / "saved_model.pb").write_bytes(model.SerializeToString(deterministic=True))


def micro_functions():
    """What an export of this size can be called with, and nothing else of it: the signature, the
    function and those that it calls, and the names of the variables that it uses."""
    encoder = export_tfhub_lib.get_bert_encoder(configs.BertConfig(**configuration(MICRO)))
    inputs = {each.name: each for each in encoder.inputs}
    outputs = encoder(inputs)
    outputs["default"] = outputs["pooled_output"]
    model = saved_model_pb2.SavedModel()
    with tempfile.TemporaryDirectory() as scratch:
        tf.keras.Model(inputs=inputs, outputs=outputs).save(scratch, save_format="tf")
        model.ParseFromString((pathlib.Path(scratch) / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0]
    objects = graph.object_graph_def
    call = next(each for each in objects.nodes[0].children if each.local_name == "__call__")
    names = objects.nodes[call.node_id].function.concrete_functions
    functions = {each.signature.name: each for each in graph.graph_def.library.function}
    # The one that is not for training draws no dropout.
    name = min(names, key=lambda name: b"RandomUniform" in reachable(functions, name))
    library = [functions[each] for each in dict.fromkeys(walk(functions, name))]
    for function in library:
        function.attr.clear()
        function.arg_attr.clear()
        function.control_ret.clear()
        function.resource_arg_unique_id.clear()
        for node in function.node_def:
            node.ClearField("experimental_debug_info")
            node.device = ""
            for key in list(node.attr):
                if key.startswith("_") or key in ("config", "config_proto", "executor_type"):
                    del node.attr[key]
    signature = objects.concrete_functions[name]
    captured = [objects.nodes[each].variable.name for each in signature.bound_inputs]
    return signature, library, captured


def walk(functions, name):
    """The function's name and those of all that it calls."""
    yield name
    for node in functions[name].node_def:
        if node.attr["f"].func.name:
            yield from walk(functions, node.attr["f"].func.name)


def reachable(functions, name):
    return b"".join(functions[each].SerializeToString() for each in walk(functions, name))


if __name__ == "__main__":
    if sys.argv[1:] == ["micro"]:
        make_micro()
    elif len(sys.argv) > 1:
        make(pathlib.Path(sys.argv[1]), HUB, spread=0.02)
    else:
        make(HERE / "small", SMALL, spread=0.1)
        make_micro()
