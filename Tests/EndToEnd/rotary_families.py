"""The families whose blocks have rotary positions and gates, for families.py: configurations, names, and their
forward pass in float64.

Angles are float32, as PyTorch computes them at every precision: they are part of what a model is.
"""

import numpy as np

import reference

FULL, SLIDING = "full_attention", "sliding_attention"
MODERNBERT = {
    "model_type": "modernbert", "architectures": ["ModernBertModel"], "vocab_size": 668, "hidden_size": 192,
    "num_attention_heads": 6, "num_hidden_layers": 7, "intermediate_size": 288, "hidden_activation": "gelu",
    "max_position_embeddings": 512, "norm_eps": 1e-5, "norm_bias": False, "pad_token_id": 1, "bos_token_id": 0,
    "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2, "attention_bias": False, "mlp_bias": False,
    "local_attention": 128, "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
    "local_rope_theta": 10000.0, "classifier_pooling": "mean", "position_embedding_type": "absolute",
    "sparse_prediction": False, "tie_word_embeddings": True,
}  # fmt: skip
NOMIC = {
    "model_type": "nomic_bert", "architectures": ["NomicBertModel"], "vocab_size": 30528, "hidden_size": 192,
    "num_attention_heads": 6, "num_hidden_layers": 4, "intermediate_size": 512, "hidden_act": "silu",
    "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "type_vocab_size": 2, "pad_token_id": 0,
}  # fmt: skip
GTE = {
    "model_type": "gte", "architectures": ["GteModel"], "vocab_size": 30528, "hidden_size": 192,
    "num_attention_heads": 6, "num_hidden_layers": 4, "intermediate_size": 768, "hidden_act": "gelu",
    "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "type_vocab_size": 1, "pad_token_id": 0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 160000.0},
}  # fmt: skip
EUROBERT = {
    "model_type": "eurobert", "architectures": ["EuroBertModel"], "vocab_size": 668, "hidden_size": 192,
    "num_attention_heads": 6, "num_key_value_heads": 2, "num_hidden_layers": 4, "intermediate_size": 512,
    "hidden_act": "silu", "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "pad_token_id": 1,
    "bos_token_id": 0, "eos_token_id": 2, "mask_token_id": 4, "rope_theta": 250000.0,
}  # fmt: skip
SMALL = {"hidden_size": 120, "num_hidden_layers": 4, "num_attention_heads": 5, "intermediate_size": 310}
CONFIGURATIONS = {
    "modernbert": {
        **MODERNBERT, "architectures": ["ModernBertForSequenceClassification"],
        "id2label": {"0": "cat", "1": "dog", "2": "fish"},
    },
    "modernbert-biased": {
        **MODERNBERT, **SMALL, "vocab_size": 30522, "architectures": ["ModernBertForMaskedLM"],
        "hidden_activation": "gelu_pytorch_tanh", "local_attention": 9, "attention_bias": True, "mlp_bias": True,
        "norm_bias": True, "pad_token_id": 0, "bos_token_id": 101, "cls_token_id": 101, "eos_token_id": 102,
        "sep_token_id": 102, "layer_types": [SLIDING, FULL, SLIDING, SLIDING],
        "rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 500.0},
                            SLIDING: {"rope_type": "default", "rope_theta": 10000.0}},
    },
    "nomic": NOMIC,
    "nomic-own": {
        **NOMIC, **SMALL, "architectures": ["NomicBertForMaskedLM"], "hidden_act": "gelu", "layer_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "auto_map": {"AutoModel": "own.Model"},
    },
    "gte": GTE,
    "gte-own": {
        **GTE, **SMALL, "architectures": ["GteForMaskedLM"], "hidden_act": "relu", "type_vocab_size": 0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
    },
    "eurobert": EUROBERT,
    "eurobert-biased": {
        **EUROBERT, **SMALL, "num_key_value_heads": 5, "vocab_size": 30522, "hidden_act": "gelu",
        "attention_bias": True, "mlp_bias": True, "rope_theta": 10000.0, "pad_token_id": 0, "bos_token_id": 101,
        "eos_token_id": 102, "mask_token_id": 103,
    },
}  # fmt: skip
PREFIXES = {
    "modernbert": "model.", "modernbert-biased": "model.", "nomic": "nomic_bert.", "gte-own": "new.", "eurobert": "model."
}  # fmt: skip
# Families whose tokenizer is byte-level BPE; the other folder of each has BERT's.
BYTES = {"modernbert": "bytes, composed", "eurobert": "bytes, Llama's words"}
# Where the files of a class for masked language models have its dense layer, its norm and the decoder's bias.
MASKED = {
    "modernbert-biased": ("head.dense", "head.norm", "decoder.bias"),
    "nomic-own": ("cls.predictions.transform.dense", "cls.predictions.transform.layer_norm", "cls.predictions.bias"),
    "gte-own": ("lm_head.dense", "lm_head.norm", "lm_head.decoder.bias"),
}  # fmt: skip
WITH_POOLER = ["nomic", "gte"]
# Parts of names. A tensor of several layers has theirs one after the other.
NATIVE = {
    "encoder.layer": "layers", "attention.self.query": "self_attn.q_proj", "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj", "attention.output.dense": "self_attn.o_proj",
    "attention.output.LayerNorm": "post_attention_layernorm", "intermediate.gate": "mlp.gate_proj",
    "intermediate.dense": "mlp.up_proj", "output.dense": "mlp.down_proj", "output.LayerNorm": "post_mlp_layernorm",
}  # fmt: skip
QKV = ["attention.self.query", "attention.self.key", "attention.self.value"]
NAMES = {
    "modernbert": {
        "encoder.layer": "layers", "embeddings.word_embeddings": "embeddings.tok_embeddings",
        "embeddings.LayerNorm": "embeddings.norm", "encoder.LayerNorm": "final_norm",
        "attention.LayerNorm": "attn_norm", "intermediate.LayerNorm": "mlp_norm",
        "attention.output.dense": "attn.Wo", "output.dense": "mlp.Wo",
    },
    "nomic": NATIVE, "gte": NATIVE,
    "nomic-own": {
        "encoder.layer": "encoder.layers", "embeddings.LayerNorm": "emb_ln", "attention.output.dense": "attn.out_proj",
        "attention.output.LayerNorm": "norm1", "intermediate.gate": "mlp.fc12", "intermediate.dense": "mlp.fc11",
        "output.dense": "mlp.fc2", "output.LayerNorm": "norm2",
    },
    "gte-own": {
        "attention.output.dense": "attention.o_proj", "attention.output.LayerNorm": "attn_ln",
        "output.dense": "mlp.down_proj", "output.LayerNorm": "mlp_ln",
    },
    "eurobert": {
        **NATIVE, "embeddings.word_embeddings": "embed_tokens", "encoder.LayerNorm": "norm",
        "attention.LayerNorm": "input_layernorm", "intermediate.LayerNorm": "post_attention_layernorm",
    },
}  # fmt: skip
FUSED = {
    "modernbert": {"attn.Wqkv": QKV, "mlp.Wi": ["intermediate.gate", "intermediate.dense"]},
    "nomic-own": {"attn.Wqkv": QKV},
    "gte-own": {"attention.qkv_proj": QKV, "mlp.up_gate_proj": ["intermediate.dense", "intermediate.gate"]},
}  # fmt: skip


def kind(name):
    """The name of its tables of names: those of the family unless it has its own."""
    return name if name in NAMES else name.split("-")[0]


def shapes(name):
    """Every tensor by BERT's names, and names of their kind for what BERT does not have."""
    configuration = CONFIGURATIONS[name]
    family = configuration["model_type"]
    hidden, wide = configuration["hidden_size"], configuration["intermediate_size"]
    attention_bias = {"gte": True, "nomic_bert": False}.get(family, configuration.get("attention_bias", False))
    in_bias = configuration.get("mlp_bias", False)
    out_bias = in_bias or family == "gte"
    norm_bias = family in ("gte", "nomic_bert") or configuration.get("norm_bias", False)
    is_pre = family in ("modernbert", "eurobert")
    result = {"embeddings.word_embeddings.weight": (configuration["vocab_size"], hidden)}

    def linear(layer, outputs, inputs, bias):
        result[f"{layer}.weight"] = (outputs, inputs)
        if bias:
            result[f"{layer}.bias"] = (outputs,)

    def norm(layer):
        result[f"{layer}.LayerNorm.weight"] = (hidden,)
        if norm_bias:
            result[f"{layer}.LayerNorm.bias"] = (hidden,)

    if configuration.get("type_vocab_size", 0):
        result["embeddings.token_type_embeddings.weight"] = (configuration["type_vocab_size"], hidden)
    if family != "eurobert":
        norm("embeddings")
    keys = configuration.get("num_key_value_heads", configuration["num_attention_heads"])
    keys = keys * hidden // configuration["num_attention_heads"]
    for index in range(configuration["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        for part, outputs in zip(QKV, (hidden, keys, keys), strict=True):
            linear(f"{block}.{part}", outputs, hidden, attention_bias)
        linear(f"{block}.attention.output.dense", hidden, hidden, attention_bias)
        linear(f"{block}.intermediate.gate", wide, hidden, in_bias)
        linear(f"{block}.intermediate.dense", wide, hidden, in_bias)
        linear(f"{block}.output.dense", hidden, wide, out_bias)
        if not is_pre:
            norm(f"{block}.attention.output")
            norm(f"{block}.output")
            continue
        if family == "eurobert" or index > 0:
            norm(f"{block}.attention")
        norm(f"{block}.intermediate")
    if is_pre:
        norm("encoder")
    if name in WITH_POOLER:
        linear("pooler.dense", hidden, hidden, True)
    return result


def head(name):
    """The tensors of a masked-language-model head, by the files' names; ModernBERT's dense layer has no bias."""
    dense, norm, bias = MASKED[name]
    hidden, count = CONFIGURATIONS[name]["hidden_size"], CONFIGURATIONS[name]["vocab_size"]
    shapes = {f"{dense}.weight": (hidden, hidden), f"{norm}.weight": (hidden,), f"{norm}.bias": (hidden,)}
    shapes |= {bias: (count,)} | ({} if dense == "head.dense" else {f"{dense}.bias": (hidden,)})
    random = np.random.default_rng(5)
    return {tensor: (random.random(shape, np.float32) - 0.5) for tensor, shape in shapes.items()}


def classifier(hidden):
    """The head of "modernbert" for the classification of texts."""
    random = np.random.default_rng(6)
    shapes = {"head.dense.weight": (hidden, hidden), "head.norm.weight": (hidden,), "classifier.weight": (3, hidden)}
    shapes["classifier.bias"] = (3,)
    return {tensor: random.random(shape, np.float32) - 0.5 for tensor, shape in shapes.items()}


def logits(exact, name, found):
    """What the head for the classification of texts makes of a text's answer, in float64."""
    hidden = found["sequence_output"]
    head = {tensor: values.astype(np.float64) for tensor, values in classifier(hidden.shape[1]).items()}
    row = reference.gelu(head["head.dense.weight"] @ hidden.mean(axis=0))
    row = (row - row.mean()) / np.sqrt(row.var() + exact.epsilon) * head["head.norm.weight"]
    return head["classifier.weight"] @ row + head["classifier.bias"]


def stored(name, tensors):
    """The tensors as the family's files have them."""
    result, names = {}, NAMES[kind(name)]
    rest = dict(tensors)
    for own, layers in FUSED.get(kind(name), {}).items():
        for index in range(CONFIGURATIONS[name]["num_hidden_layers"]):
            for last in ("weight", "bias"):
                parts = [f"encoder.layer.{index}.{layer}.{last}" for layer in layers]
                if parts[0] in rest:
                    result[f"encoder.layer.{index}.{own}.{last}"] = np.concatenate([rest.pop(part) for part in parts])
    result |= rest
    prefix = PREFIXES.get(name, "")

    def own_name(tensor):
        tensor = f".{tensor}"
        for layer in sorted(names, key=len, reverse=True):
            tensor = tensor.replace(f".{layer}.", f".{names[layer]}.")
        return prefix + tensor[1:]

    own = head(name) if name in MASKED else {}
    if name == "modernbert":
        own = classifier(CONFIGURATIONS[name]["hidden_size"])
    return {own_name(tensor): values for tensor, values in result.items()} | own


class RotaryReference(reference.Reference):
    """Weights by the names of `shapes`."""

    def __init__(self, name, tensors):
        self.configuration = configuration = CONFIGURATIONS[name]
        family = configuration["model_type"]
        activation = configuration.get("hidden_act") or configuration["hidden_activation"]
        self.activation = reference.ACTIVATIONS[activation]
        self.head_activation = self.activation if family == "nomic_bert" else reference.gelu
        self.block_count = configuration["num_hidden_layers"]
        self.head_count = configuration["num_attention_heads"]
        epsilon = [configuration[key] for key in ("layer_norm_eps", "norm_eps", "rms_norm_eps") if key in configuration]
        self.epsilon = epsilon[0]
        self.positions = configuration["max_position_embeddings"]
        self.is_pre, self.is_root = family in ("modernbert", "eurobert"), family == "eurobert"
        self.weights = {tensor: values.astype(np.float64) for tensor, values in tensors.items()}
        self.has_pooler = "pooler.dense.weight" in self.weights
        self.set_count = self.block_count

    def encode(self, ids, type_ids, attended=None):
        attended = len(ids) if attended is None else attended
        hidden = self.weights["embeddings.word_embeddings.weight"][np.asarray(ids)]
        types = self.weights.get("embeddings.token_type_embeddings.weight")
        if types is not None:
            hidden = hidden + types[np.asarray(type_ids)]
        if not self.is_root:
            hidden = self.layer_norm(hidden, "embeddings.LayerNorm")
        blocks = []
        for block in range(self.block_count):
            hidden = self.run_block(hidden, block, attended)
            blocks.append(hidden)
        if self.is_pre:
            blocks[-1] = hidden = self.layer_norm(hidden, "encoder.LayerNorm")
        mean = hidden[:attended].mean(axis=0)
        found = {
            "encoder_outputs": np.stack(blocks), "sequence_output": hidden,
            "sentence_embedding": mean / np.linalg.norm(mean),
        }  # fmt: skip
        if self.has_pooler:
            found["pooled_output"] = found["default"] = np.tanh(self.linear(hidden[0], "pooler.dense"))
        return found

    def run_block(self, hidden, block, attended):
        name = f"encoder.layer.{block}"
        if not self.is_pre:
            attention = self.linear(self.attend(hidden, block, attended), f"{name}.attention.output.dense")
            middle = self.layer_norm(hidden + attention, f"{name}.attention.output.LayerNorm")
            return self.layer_norm(middle + self.feed_forward(middle, name), f"{name}.output.LayerNorm")
        first = f"{name}.attention.LayerNorm"
        inner = self.layer_norm(hidden, first) if f"{first}.weight" in self.weights else hidden
        hidden = hidden + self.linear(self.attend(inner, block, attended), f"{name}.attention.output.dense")
        return hidden + self.feed_forward(self.layer_norm(hidden, f"{name}.intermediate.LayerNorm"), name)

    def feed_forward(self, rows, name):
        gates = self.activation(self.linear(rows, f"{name}.intermediate.gate"))
        return self.linear(gates * self.linear(rows, f"{name}.intermediate.dense"), f"{name}.output.dense")

    def attend(self, hidden, block, attended):
        count, size = hidden.shape
        head = size // self.head_count
        theta, window = self.places(block)

        def heads(part):  # [heads, S, D]
            rows = self.linear(hidden, f"encoder.layer.{block}.attention.self.{part}")
            return rows.reshape(count, -1, head).swapaxes(0, 1)

        def shared(rows):
            return np.repeat(rows, self.head_count // len(rows), axis=0)[:, :attended]

        power = np.float32(theta) ** (np.arange(0, head, 2, dtype=np.float32) / np.float32(head))
        angles = np.arange(count, dtype=np.float32)[:, None] * (np.float32(1) / power)
        angles = np.concatenate([angles, angles], axis=1).astype(np.float64)
        cosines, sines = (function(angles).astype(np.float32).astype(np.float64) for function in (np.cos, np.sin))

        def turned(rows):
            halves = np.concatenate([-rows[..., head // 2 :], rows[..., : head // 2]], axis=-1)
            return rows * cosines + halves * sines

        queries, keys, values = turned(heads("query")), shared(turned(heads("key"))), shared(heads("value"))
        scores = queries @ keys.swapaxes(1, 2) / np.sqrt(head)
        near = np.abs(np.arange(count)[:, None] - np.arange(attended)[None, :]) <= window
        scores = np.where(near, scores, -np.inf)
        largest = scores.max(axis=-1, keepdims=True)
        weights = np.where(near, np.exp(scores - np.where(np.isfinite(largest), largest, 0)), 0)
        # Padding too far from every token attends to nothing.
        sums = weights.sum(axis=-1, keepdims=True)
        weights = weights / np.where(sums > 0, sums, 1)
        return (weights @ values).swapaxes(0, 1).reshape(count, size)

    def places(self, block):
        """The base of a block's angles, and how far its tokens see."""
        configuration = self.configuration
        rope = configuration.get("rope_parameters", {})
        everywhere = self.positions
        if configuration["model_type"] != "modernbert":
            default = {"nomic_bert": 1000.0}.get(configuration["model_type"])
            return rope.get("rope_theta", configuration.get("rope_theta", default)), everywhere
        kinds = configuration.get("layer_types") or [FULL if index % 3 == 0 else SLIDING for index in range(99)]
        old = {FULL: configuration["global_rope_theta"], SLIDING: configuration["local_rope_theta"]}
        theta = rope[kinds[block]]["rope_theta"] if rope else old[kinds[block]]
        return theta, everywhere if kinds[block] == FULL else configuration["local_attention"] // 2

    def linear(self, rows, name):
        return rows @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0)

    def layer_norm(self, rows, name):
        centred = rows if self.is_root else rows - rows.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights.get(f"{name}.bias", 0)
