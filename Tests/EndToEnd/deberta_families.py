"""DeBERTa's folders for families.py: configurations, names, tokenizers, and their forward pass in float64.

Buckets of distances and the scale of scores are float32's, as PyTorch computes them at every precision: they are
part of what a model is.
"""

import json

import numpy as np

import reference
from server import ROOT

CONFIGURATIONS = {
    "deberta": {
        "model_type": "deberta-v2", "architectures": ["DebertaV2ForSequenceClassification"], "vocab_size": 520,
        "hidden_size": 192, "num_attention_heads": 6, "num_hidden_layers": 4, "intermediate_size": 768,
        "hidden_act": "gelu", "max_position_embeddings": 512, "layer_norm_eps": 1e-7, "relative_attention": True,
        "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": "p2c|c2p",
        "max_relative_positions": -1, "position_biased_input": False, "type_vocab_size": 0, "pad_token_id": 0,
        "pooler_dropout": 0, "pooler_hidden_act": "gelu", "pooler_hidden_size": 192,
        "id2label": {"0": "cat", "1": "dog", "2": "fish"},
    },
    "deberta-own": {
        "model_type": "deberta-v2", "architectures": ["DebertaV2ForMaskedLM"], "vocab_size": 30522,
        "hidden_size": 120, "num_attention_heads": 5, "num_hidden_layers": 3, "intermediate_size": 310,
        "hidden_act": "gelu_new", "max_position_embeddings": 66, "relative_attention": True,
        "pos_att_type": ["c2p"], "embedding_size": 72, "max_relative_positions": 20, "type_vocab_size": 2,
        "pad_token_id": 0,
    },
    # As deberta-v2-xlarge.
    "deberta-conv": {
        "model_type": "deberta-v2", "architectures": ["DebertaV2ForMaskedLM"], "vocab_size": 30522,
        "hidden_size": 96, "num_attention_heads": 4, "num_hidden_layers": 3, "intermediate_size": 200,
        "hidden_act": "gelu", "max_position_embeddings": 130, "layer_norm_eps": 1e-7, "relative_attention": True,
        "position_buckets": 16, "norm_rel_ebd": "layer_norm", "pos_att_type": "p2c|c2p", "share_att_key": True,
        "position_biased_input": False, "type_vocab_size": 0, "conv_kernel_size": 3, "conv_act": "gelu",
        "pad_token_id": 0,
    },
    "deberta-lm": {
        "model_type": "deberta-v2", "architectures": ["DebertaV2ForMaskedLM"], "vocab_size": 30522,
        "hidden_size": 96, "num_attention_heads": 3, "num_hidden_layers": 3, "intermediate_size": 200,
        "hidden_act": "gelu", "max_position_embeddings": 130, "relative_attention": True, "position_buckets": 16,
        "norm_rel_ebd": "layer_norm", "pos_att_type": ["p2c", "c2p"], "share_att_key": False,
        "position_biased_input": False, "type_vocab_size": 0, "legacy": False, "pad_token_id": 0,
    },
}  # fmt: skip
# Where the files of a class for masked language models have its dense layer, its norm and the decoder's bias.
MASKED = {
    "deberta-own": reference.BERTS_HEAD, "deberta-conv": reference.BERTS_HEAD,
    "deberta-lm": ("lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.bias"),
}
OWN_NAMES = {
    "attention.self.query": "attention.self.query_proj", "attention.self.key": "attention.self.key_proj",
    "attention.self.value": "attention.self.value_proj", "embeddings_project": "embeddings.embed_proj",
}  # fmt: skip


def shapes(name):
    """Every tensor by BERT's names, or DeBERTa's own for what BERT does not have."""
    configuration = CONFIGURATIONS[name]
    hidden, wide = configuration["hidden_size"], configuration["intermediate_size"]
    size = configuration.get("embedding_size", hidden)
    result = {"embeddings.word_embeddings.weight": (configuration["vocab_size"], size)}

    def linear(layer, outputs, inputs):
        result[f"{layer}.weight"], result[f"{layer}.bias"] = (outputs, inputs), (outputs,)

    def norm(layer):
        result[f"{layer}.LayerNorm.weight"] = result[f"{layer}.LayerNorm.bias"] = (hidden,)

    if configuration.get("position_biased_input", True):
        result["embeddings.position_embeddings.weight"] = (configuration["max_position_embeddings"], size)
    if configuration["type_vocab_size"]:
        result["embeddings.token_type_embeddings.weight"] = (configuration["type_vocab_size"], size)
    if size != hidden:
        result["embeddings_project.weight"] = (hidden, size)
    norm("embeddings")
    result["encoder.rel_embeddings.weight"] = (2 * reach(configuration), hidden)
    if configuration.get("norm_rel_ebd") == "layer_norm":
        norm("encoder")
    if size := configuration.get("conv_kernel_size"):
        result["encoder.conv.conv.weight"], result["encoder.conv.conv.bias"] = (hidden, hidden, size), (hidden,)
        norm("encoder.conv")
    parts = ["query", "key", "value"]
    if not configuration.get("share_att_key", False):
        kinds = configuration["pos_att_type"]
        parts += ["pos_key_proj"] * ("c2p" in kinds) + ["pos_query_proj"] * ("p2c" in kinds)
    for index in range(configuration["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        for part in parts:
            linear(f"{block}.attention.self.{part}", hidden, hidden)
        linear(f"{block}.attention.output.dense", hidden, hidden)
        norm(f"{block}.attention.output")
        linear(f"{block}.intermediate.dense", wide, hidden)
        linear(f"{block}.output.dense", hidden, wide)
        norm(f"{block}.output")
    return result


def longest(configuration):
    given = configuration.get("max_relative_positions", -1)
    return given if given > 0 else configuration["max_position_embeddings"]


def reach(configuration):
    """Rows of the table on one side."""
    return configuration.get("position_buckets", longest(configuration))


def head(name):
    """The tensors of the class's head, by the files' names."""
    configuration = CONFIGURATIONS[name]
    hidden, random = configuration["hidden_size"], np.random.default_rng(9)
    if name in MASKED:
        size = configuration.get("embedding_size", hidden)
        dense, norm, bias = MASKED[name]
        shapes = {f"{dense}.weight": (size, hidden), f"{dense}.bias": (size,), f"{norm}.weight": (size,)}
        shapes |= {f"{norm}.bias": (size,), bias: (configuration["vocab_size"],)}
    else:
        shapes = {"pooler.dense.weight": (hidden, hidden), "pooler.dense.bias": (hidden,)}
        shapes |= {"classifier.weight": (3, hidden), "classifier.bias": (3,)}
    return {tensor: random.random(shape, np.float32) - 0.5 for tensor, shape in shapes.items()}


def logits(exact, name, found):
    """What the head for the classification of texts makes of a text's answer, in float64."""
    layers = {tensor: values.astype(np.float64) for tensor, values in head(name).items()}
    row = layers["pooler.dense.weight"] @ found["sequence_output"][0] + layers["pooler.dense.bias"]
    row = reference.gelu(row)
    return layers["classifier.weight"] @ row + layers["classifier.bias"]


def stored(name, tensors):
    """The tensors as the files have them."""

    def own_name(tensor):
        for layer, own in OWN_NAMES.items():
            tensor = tensor.replace(f"{layer}.", f"{own}.")
        return f"deberta.{tensor}"

    result = {own_name(tensor): values for tensor, values in tensors.items()} | head(name)
    if name == "deberta":
        # Published folders have it, and nobody reads it.
        result["deberta.embeddings.position_embeddings.weight"] = np.ones((512, 192), np.float32)
    return result


def write_tokenizer(folder, template, added, write):
    """`tokenizer.json` as DebertaV2Tokenizer writes it, with the vocabulary of a smaller Unigram."""
    files = json.loads((ROOT / "Tests" / "TokenizersTests" / "Fixtures" / "tokenizers.json").read_text())
    unigram = json.loads(next(row["file"] for row in files if row["name"] == "unigram"))
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    others = [piece for piece in unigram["model"]["vocab"] if piece[0] not in (*special, "<s>", "</s>", "<pad>", "<unk>")]
    tokens = [[token, 0.0] for token in special] + others
    ids = {token: index for index, (token, _) in enumerate(tokens)}
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    write(folder / "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added(ids, special),
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": r"\s{2,}|[\n\r\t]"}, "content": " "}, {"type": "NFC"},
            {"type": "Strip", "strip_left": False, "strip_right": True},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [metaspace]},
        "post_processor": template(ids), "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": ids["[UNK]"], "vocab": tokens, "byte_fallback": False},
    })  # fmt: skip
    write(folder / "tokenizer_config.json", {
        "tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": False, "split_by_punct": False,
        "bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]",
        "cls_token": "[CLS]", "mask_token": "[MASK]", "model_max_length": 512,
    })  # fmt: skip


class DebertaReference(reference.Reference):
    """Weights by the names of `shapes`."""

    def __init__(self, name, tensors):
        self.configuration = configuration = CONFIGURATIONS[name]
        self.activation = self.head_activation = reference.ACTIVATIONS[configuration["hidden_act"]]
        self.block_count = self.set_count = configuration["num_hidden_layers"]
        self.head_count = configuration["num_attention_heads"]
        self.epsilon = configuration.get("layer_norm_eps", 1e-7)
        self.positions = configuration["max_position_embeddings"]
        self.weights = {tensor: values.astype(np.float64) for tensor, values in tensors.items()}
        self.has_pooler = False
        kinds = configuration["pos_att_type"]
        self.kinds = kinds.split("|") if isinstance(kinds, str) else kinds

    def encode(self, ids, type_ids, attended=None):
        attended = len(ids) if attended is None else attended
        hidden = self.embed(np.asarray(ids), np.asarray(type_ids))
        hidden[attended:] = 0
        blocks = []
        for block in range(self.block_count):
            before, hidden = hidden, self.block(hidden, f"encoder.layer.{block}", attended)
            if block == 0 and "conv_kernel_size" in self.configuration:
                hidden = self.convolve(before, hidden, attended)
            blocks.append(hidden)
        mean = hidden[:attended].mean(axis=0)
        return {
            "encoder_outputs": np.stack(blocks), "sequence_output": hidden,
            "sentence_embedding": mean / np.linalg.norm(mean),
        }  # fmt: skip

    def embed(self, ids, type_ids):
        hidden = self.weights["embeddings.word_embeddings.weight"][ids]
        positions = self.weights.get("embeddings.position_embeddings.weight")
        types = self.weights.get("embeddings.token_type_embeddings.weight")
        if positions is not None:
            hidden = hidden + positions[: len(ids)]
        if types is not None:
            hidden = hidden + types[type_ids]
        if "embeddings_project.weight" in self.weights:
            hidden = hidden @ self.weights["embeddings_project.weight"].T
        return self.layer_norm(hidden, "embeddings.LayerNorm")

    def convolve(self, before, hidden, attended):
        """Adds a convolution of the first block's input."""
        weights = self.weights["encoder.conv.conv.weight"]
        size = weights.shape[-1]
        padded = np.pad(before, ((size // 2, size // 2), (0, 0)))
        windows = np.stack([padded[place : place + len(before)] for place in range(size)], axis=-1)
        sums = np.einsum("tis,ois->to", windows, weights) + self.weights["encoder.conv.conv.bias"]
        name = self.configuration.get("conv_act", "tanh")
        added = np.tanh(sums) if name == "tanh" else reference.ACTIVATIONS[name](sums)
        added[attended:] = 0
        hidden = self.layer_norm(hidden + added, "encoder.conv.LayerNorm")
        hidden[attended:] = 0
        return hidden

    def places(self, count):
        """The table's row for each query and key."""
        distance = np.arange(count)[:, None] - np.arange(count)[None, :]
        limit = reach(self.configuration)
        if "position_buckets" in self.configuration:
            middle = limit // 2
            length = np.maximum(np.abs(distance), middle).astype(np.float32)
            farthest = np.log(np.float32((longest(self.configuration) - 1) / middle))
            steps = np.ceil(np.log(length / np.float32(middle)) / farthest * np.float32(middle - 1))
            distance = np.where(length <= middle, distance, np.sign(distance) * (steps.astype(int) + middle))
        return np.clip(distance + limit, 0, 2 * limit - 1)

    def attend(self, hidden, name, attended):
        count, size = hidden.shape
        is_shared = self.configuration.get("share_att_key", False)

        def heads(rows, part):  # [A, rows, H / A]
            rows = self.linear(rows, f"{name}.attention.self.{part}")
            return rows.reshape(len(rows), self.head_count, -1).swapaxes(0, 1)

        table = self.weights["encoder.rel_embeddings.weight"]
        if "encoder.LayerNorm.weight" in self.weights:
            table = self.layer_norm(table, "encoder.LayerNorm")
        queries, keys, values = (heads(hidden, part) for part in ("query", "key", "value"))
        places = np.broadcast_to(self.places(count), (self.head_count, count, count))
        scores = queries @ keys.swapaxes(1, 2)
        if "c2p" in self.kinds:
            rows = heads(table, "key" if is_shared else "pos_key_proj")
            scores = scores + np.take_along_axis(queries @ rows.swapaxes(1, 2), places, axis=-1)
        if "p2c" in self.kinds:
            rows = heads(table, "query" if is_shared else "pos_query_proj")
            products = keys @ rows.swapaxes(1, 2)
            # From key k to query i the distance is the negative one.
            scores = scores + np.take_along_axis(products, places.swapaxes(1, 2), axis=-1).swapaxes(1, 2)
        scores = scores / np.sqrt(np.float32(size // self.head_count * (1 + len(self.kinds)))).astype(np.float64)
        scores[:, :, attended:] = -np.inf
        # All that a padding token could attend to is masked, and so weighs the same.
        scores[:, attended:] = 0
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ values).swapaxes(0, 1).reshape(count, size)
