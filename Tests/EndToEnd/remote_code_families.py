"""The families whose code transformers does not have, for families.py: configurations, names, and their forward
pass in float64. `remote_code_torch.py` is the same in PyTorch.

Slopes of ALiBi and angles are float32, as PyTorch computes them at every precision: they are part of what a model
is.
"""

import numpy as np

import reference
import rotary_families

JINA = {
    "model_type": "bert", "architectures": ["JinaBertForMaskedLM"], "vocab_size": 30528, "hidden_size": 192,
    "num_attention_heads": 6, "num_hidden_layers": 4, "intermediate_size": 512, "hidden_act": "gelu",
    "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "type_vocab_size": 2, "pad_token_id": 0,
    "position_embedding_type": "alibi", "feed_forward_type": "geglu", "emb_pooler": "mean",
    "attn_implementation": "torch", "auto_map": {
        "AutoConfig": "jinaai/jina-bert-implementation--configuration_bert.JinaBertConfig",
        "AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel",
    },
}  # fmt: skip
NEO = {
    "model_type": "neobert", "architectures": ["NeoBERTLMHead"], "vocab_size": 30522, "hidden_size": 192,
    "num_attention_heads": 6, "num_hidden_layers": 5, "intermediate_size": 768, "max_length": 512,
    "norm_eps": 1e-5, "dim_head": 32, "pad_token_id": 0, "embedding_init_range": 0.02, "decoder_init_range": 0.02,
    "classifier_init_range": 0.02, "kwargs": {}, "auto_map": {
        "AutoConfig": "model.NeoBERTConfig", "AutoModel": "model.NeoBERT", "AutoModelForMaskedLM": "model.NeoBERTLMHead",
    },
}  # fmt: skip
SMALL = {"hidden_size": 120, "num_hidden_layers": 4, "num_attention_heads": 5, "intermediate_size": 310}
ODD = {"hidden_size": 144, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 340}
CONFIGURATIONS = {
    "jina": JINA,
    "jina-reranker": {
        **JINA, **ODD, "architectures": ["JinaBertForSequenceClassification"], "feed_forward_type": "reglu",
        "layer_norm_eps": 1e-7, "id2label": {"0": "relevance"},
    },
    "jina-code": {
        **JINA, "architectures": ["JinaBertModel"], "vocab_size": 668, "num_attention_heads": 8, "pad_token_id": 1,
        "attn_implementation": None, "auto_map": {
            "AutoModel": "jinaai/jina-bert-v2-qk-post-norm--modeling_bert.JinaBertModel",
        },
    },
    "jina-plain": {**JINA, **SMALL, "feed_forward_type": "original", "hidden_act": "gelu_new", "emb_pooler": None},
    "neobert": NEO,
    "neobert-small": {
        **NEO, **ODD, "architectures": ["NeoBERTForSequenceClassification"], "norm_eps": 1e-6, "max_length": 130,
        "dim_head": 24, "hidden_act": "SwiGLU", "rope": True, "ngpt": False, "base_scale": 0.03,
        "id2label": {"0": "cat", "1": "dog", "2": "fish"},
    },
}  # fmt: skip
BYTES = {"jina-code": "bytes, composed"}
PREFIXES = {"jina": "bert.", "jina-reranker": "bert.", "neobert": "model.", "neobert-small": "model."}
WITH_POOLER = ["jina", "jina-reranker"]
# Where the files of a class for masked language models have its dense layer, its norm and the decoder's bias, or a
# decoder of its own.
MASKED = {"jina": reference.BERTS_HEAD, "jina-plain": reference.BERTS_HEAD, "neobert": ("decoder",)}
QKV = rotary_families.QKV
# Parts of names, of which the longest that fits counts.
BERTS = {part: part for part in ("attention.output.dense", "attention.output.LayerNorm")}
JINA_NAMES = {**BERTS, "output.dense": "mlp.wo", "output.LayerNorm": "mlp.layernorm"}
NEO_NAMES = {
    "embeddings.word_embeddings": "encoder", "attention.LayerNorm": "attention_norm",
    "intermediate.LayerNorm": "ffn_norm", "encoder.LayerNorm": "layer_norm", "attention.output.dense": "wo",
    "output.dense": "ffn.w3",
}  # fmt: skip
NAMES = {
    "jina": JINA_NAMES, "jina-reranker": JINA_NAMES, "jina-plain": {}, "neobert": NEO_NAMES, "neobert-small": NEO_NAMES,
    "jina-code": {
        **BERTS, "attention.self.query.LayerNorm": "attention.self.layer_norm_q",
        "attention.self.key.LayerNorm": "attention.self.layer_norm_k", "attention.sum.LayerNorm": "layer_norm_1",
        "output.LayerNorm": "layer_norm_2", "output.dense": "mlp.down_layer",
    },
}  # fmt: skip
GATE_FIRST = ["intermediate.gate", "intermediate.dense"]
FUSED = {
    "jina": {"mlp.gated_layers": GATE_FIRST}, "jina-reranker": {"mlp.gated_layers": GATE_FIRST},
    "jina-code": {"mlp.up_gated_layer": GATE_FIRST[::-1]}, "jina-plain": {},
    "neobert": {"ffn.w12": GATE_FIRST}, "neobert-small": {"ffn.w12": GATE_FIRST},
}  # fmt: skip


def is_neo(name):
    return CONFIGURATIONS[name]["model_type"] == "neobert"


def longest(name):
    configuration = CONFIGURATIONS[name]
    return configuration["max_length" if is_neo(name) else "max_position_embeddings"]


def wide(name):
    """The width of the feed-forward layer."""
    given = CONFIGURATIONS[name]["intermediate_size"]
    return 8 * -(-int(2 * given / 3) // 8) if is_neo(name) else given


def shapes(name):
    """Every tensor by BERT's names, and names of their kind for what BERT does not have."""
    configuration = CONFIGURATIONS[name]
    hidden, is_jina = configuration["hidden_size"], not is_neo(name)
    result = {"embeddings.word_embeddings.weight": (configuration["vocab_size"], hidden)}

    def linear(layer, outputs, inputs, bias):
        result[f"{layer}.weight"] = (outputs, inputs)
        if bias:
            result[f"{layer}.bias"] = (outputs,)

    def norm(layer):
        result[f"{layer}.LayerNorm.weight"] = (hidden,)
        if is_jina:
            result[f"{layer}.LayerNorm.bias"] = (hidden,)

    if is_jina:
        result["embeddings.token_type_embeddings.weight"] = (2, hidden)
        norm("embeddings")
    for index in range(configuration["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        for part in QKV:
            linear(f"{block}.{part}", hidden, hidden, is_jina)
        if name == "jina-code":
            for part in QKV[:2] + ["attention.sum"]:
                norm(f"{block}.{part}")
        linear(f"{block}.attention.output.dense", hidden, hidden, is_jina)
        if name != "jina-plain":
            linear(f"{block}.intermediate.gate", wide(name), hidden, False)
        linear(f"{block}.intermediate.dense", wide(name), hidden, name == "jina-plain")
        linear(f"{block}.output.dense", hidden, wide(name), is_jina)
        for part in ["attention.output", "output"] if is_jina else ["attention", "intermediate"]:
            norm(f"{block}.{part}")
    if not is_jina:
        norm("encoder")
    if name in WITH_POOLER:
        linear("pooler.dense", hidden, hidden, True)
    return result


def head(name):
    """The tensors of the class's head, by the files' names."""
    configuration, random = CONFIGURATIONS[name], np.random.default_rng(9)
    hidden, count = configuration["hidden_size"], configuration["vocab_size"]
    shapes = {}
    if name == "neobert":
        shapes = {"decoder.weight": (count, hidden), "decoder.bias": (count,)}
    elif name in MASKED:
        dense, norm, bias = MASKED[name]
        shapes = {f"{dense}.weight": (hidden, hidden), bias: (count,)}
        shapes |= {part: (hidden,) for part in (f"{dense}.bias", f"{norm}.weight", f"{norm}.bias")}
    elif "id2label" in configuration:
        labels = len(configuration["id2label"])
        shapes = {"classifier.weight": (labels, hidden), "classifier.bias": (labels,)}
        shapes |= {"dense.weight": (hidden, hidden), "dense.bias": (hidden,)} if is_neo(name) else {}
    return {tensor: random.random(shape, np.float32) - 0.5 for tensor, shape in shapes.items()}


def logits(exact, name, found):
    """What the head for the classification of texts makes of a text's answer, in float64."""
    layers = {tensor: values.astype(np.float64) for tensor, values in head(name).items()}
    row = found.get("pooled_output")
    if is_neo(name):
        row = np.tanh(layers["dense.weight"] @ found["sequence_output"][0] + layers["dense.bias"])
    return layers["classifier.weight"] @ row + layers["classifier.bias"]


def stored(name, tensors):
    """The tensors as the family's files have them."""
    result, rest, names = {}, dict(tensors), NAMES[name]
    configuration = CONFIGURATIONS[name]
    for index in range(configuration["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        if is_neo(name):
            # Those of a head side by side.
            parts = [rest.pop(f"{block}.{part}.weight") for part in QKV]
            heads = configuration["num_attention_heads"]
            parts = [part.reshape(heads, -1, configuration["hidden_size"]) for part in parts]
            result[f"{block}.qkv.weight"] = np.concatenate(parts, axis=1).reshape(-1, configuration["hidden_size"])
        for own, layers in FUSED[name].items():
            result[f"{block}.{own}.weight"] = np.concatenate([rest.pop(f"{block}.{layer}.weight") for layer in layers])

    def own_name(tensor):
        for layer in sorted(names, key=len, reverse=True):
            if f".{layer}." in f".{tensor}":
                tensor = f".{tensor}".replace(f".{layer}.", f".{names[layer]}.")[1:]
                break
        start = "transformer_encoder" if is_neo(name) else "encoder.layer"
        return PREFIXES.get(name, "") + tensor.replace("encoder.layer.", f"{start}.")

    own = {own_name(tensor): np.ascontiguousarray(values) for tensor, values in (result | rest).items()}
    return own | head(name)


class RemoteCodeReference(rotary_families.RotaryReference):
    """Weights by the names of `shapes`."""

    def __init__(self, name, tensors):
        self.configuration = configuration = CONFIGURATIONS[name]
        kind = configuration.get("feed_forward_type", "swiglu")
        activation = {"geglu": "gelu", "reglu": "relu", "swiglu": "silu"}.get(kind, configuration.get("hidden_act"))
        self.activation = reference.ACTIVATIONS[activation]
        self.head_activation = reference.ACTIVATIONS.get(configuration.get("hidden_act"))
        self.block_count = self.set_count = configuration["num_hidden_layers"]
        self.head_count = configuration["num_attention_heads"]
        self.epsilon = configuration.get("layer_norm_eps", configuration.get("norm_eps"))
        self.positions = longest(name)
        self.is_pre = self.is_root = self.is_neo = is_neo(name)
        self.weights = {tensor: values.astype(np.float64) for tensor, values in tensors.items()}
        self.has_pooler = "pooler.dense.weight" in self.weights

    def run_block(self, hidden, block, attended):
        name = f"encoder.layer.{block}"
        if f"{name}.attention.sum.LayerNorm.weight" not in self.weights:
            return super().run_block(hidden, block, attended)
        attention = self.linear(self.attend(hidden, block, attended), f"{name}.attention.output.dense")
        middle = self.layer_norm(hidden + attention, f"{name}.attention.output.LayerNorm")
        middle = self.layer_norm(hidden + middle, f"{name}.attention.sum.LayerNorm")
        return self.layer_norm(middle + self.feed_forward(middle, name), f"{name}.output.LayerNorm")

    def feed_forward(self, rows, name):
        if f"{name}.intermediate.gate.weight" in self.weights:
            return super().feed_forward(rows, name)
        return self.linear(self.activation(self.linear(rows, f"{name}.intermediate.dense")), f"{name}.output.dense")

    def attend(self, hidden, block, attended):
        count, size = hidden.shape
        head = size // self.head_count

        def heads(part):  # [heads, S, D]
            layer = f"encoder.layer.{block}.attention.self.{part}"
            rows = self.linear(hidden, layer)
            if f"{layer}.LayerNorm.weight" in self.weights:
                rows = self.layer_norm(rows, f"{layer}.LayerNorm")
            rows = rows.reshape(count, -1, head).swapaxes(0, 1)
            return self.turned(rows) if self.is_neo and part != "value" else rows

        queries, keys, values = heads("query"), heads("key")[:, :attended], heads("value")[:, :attended]
        scores = queries @ keys.swapaxes(1, 2) / np.sqrt(head)
        if not self.is_neo:
            distance = np.abs(np.arange(count)[:, None] - np.arange(attended)[None, :]).astype(np.float32)
            scores = scores - slopes(self.head_count)[:, None, None] * distance
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ values).swapaxes(0, 1).reshape(count, size)

    def turned(self, rows):
        """Neighbouring columns as complex numbers, times those of the angles."""
        count, head = rows.shape[1:]
        power = np.float32(10000) ** (np.arange(0, head, 2, dtype=np.float32) / np.float32(head))
        angles = (np.arange(count, dtype=np.float32)[:, None] * (np.float32(1) / power)).astype(np.float64)
        turn = np.cos(angles).astype(np.float32) + 1j * np.sin(angles).astype(np.float32).astype(np.float64)
        pairs = (rows[..., ::2] + 1j * rows[..., 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], axis=-1).reshape(rows.shape)


def slopes(heads):
    """ALiBi's, in float32."""
    power = 2 ** int(np.log2(heads))

    def of(count):
        return [2 ** (-8 / count) * (2 ** (-8 / count)) ** index for index in range(count)]

    return np.array(of(power) + of(2 * power)[::2][: heads - power], np.float32)
