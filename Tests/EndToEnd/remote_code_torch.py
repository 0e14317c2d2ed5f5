"""A port of JinaBERT and NeoBERT to PyTorch, by their formulas, for family_errors.py: transformers has neither.

Formulas: jinaai/jina-bert-implementation and jina-bert-v2-qk-post-norm, `modeling_bert.py`; chandar-lab/NeoBERT,
`model.py`, `rotary.py`. Neither that code nor its published weights are loaded here.
"""

import types

import numpy as np
import torch
from torch.nn import functional

import remote_code_families

ACTIVATIONS = {
    "gelu": functional.gelu, "gelu_new": lambda x: functional.gelu(x, approximate="tanh"), "relu": functional.relu,
    "silu": functional.silu,
}  # fmt: skip


class Model(torch.nn.Module):
    """Weights by the names of `remote_code_families.shapes`."""

    def __init__(self, name, tensors):
        super().__init__()
        self.name, self.config = name, types.SimpleNamespace(**remote_code_families.CONFIGURATIONS[name])
        self.names = {tensor: tensor.replace(".", "_") for tensor in tensors}
        for tensor, values in tensors.items():
            self.register_buffer(self.names[tensor], torch.from_numpy(values))
        self.is_neo = remote_code_families.is_neo(name)
        self.epsilon = self.config.norm_eps if self.is_neo else self.config.layer_norm_eps

    def weight(self, name):
        return getattr(self, self.names[name]) if name in self.names else None

    def linear(self, x, name):
        return functional.linear(x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def norm(self, x, name):
        scale = self.weight(f"{name}.LayerNorm.weight")
        if self.is_neo:
            return functional.rms_norm(x, scale.shape, scale, self.epsilon)
        return functional.layer_norm(x, scale.shape, scale, self.weight(f"{name}.LayerNorm.bias"), self.epsilon)

    def forward(self, ids, attention_mask, token_type_ids=None, **_):
        x = functional.embedding(ids, self.weight("embeddings.word_embeddings.weight"))
        types_table = self.weight("embeddings.token_type_embeddings.weight")
        if types_table is not None:
            x = self.norm(x + functional.embedding(token_type_ids, types_table), "embeddings")
        bias = torch.zeros(x.shape[1], dtype=x.dtype).masked_fill(attention_mask[0] == 0, torch.finfo(x.dtype).min)
        blocks = []
        for index in range(self.config.num_hidden_layers):
            block = f"encoder.layer.{index}"
            x = self.pre_norm(x, block, bias) if self.is_neo else self.post_norm(x, block, bias)
            blocks.append(x)
        if self.is_neo:
            blocks[-1] = x = self.norm(x, "encoder")
        found = {"last_hidden_state": x, "hidden_states": [None, *blocks]}
        if "pooler.dense.weight" in self.names:
            found["pooler_output"] = torch.tanh(self.linear(x[:, 0], "pooler.dense"))
        return Answer(found)

    def pre_norm(self, x, block, bias):
        x = x + self.linear(self.attend(self.norm(x, f"{block}.attention"), block, bias), f"{block}.attention.output.dense")
        return x + self.feed_forward(self.norm(x, f"{block}.intermediate"), block)

    def post_norm(self, x, block, bias):
        attention = self.linear(self.attend(x, block, bias), f"{block}.attention.output.dense")
        middle = self.norm(attention + x, f"{block}.attention.output")
        if self.name == "jina-code":
            middle = self.norm(x + middle, f"{block}.attention.sum")
        return self.norm(middle + self.feed_forward(middle, block), f"{block}.output")

    def feed_forward(self, x, block):
        kind = getattr(self.config, "feed_forward_type", "swiglu")
        names = {"geglu": "gelu", "reglu": "relu", "swiglu": "silu"}
        activation = ACTIVATIONS[names.get(kind, getattr(self.config, "hidden_act", None))]
        inner = self.linear(x, f"{block}.intermediate.dense")
        is_gated = f"{block}.intermediate.gate.weight" in self.names
        inner = activation(self.linear(x, f"{block}.intermediate.gate")) * inner if is_gated else activation(inner)
        return self.linear(inner, f"{block}.output.dense")

    def attend(self, x, block, bias):
        count, heads = x.shape[1], self.config.num_attention_heads

        def part(name):  # [1, heads, S, D]
            layer = f"{block}.attention.self.{name}"
            rows = self.linear(x, layer)
            if f"{layer}.LayerNorm.weight" in self.names:
                rows = self.norm(rows, layer)
            rows = rows.view(1, count, heads, -1).transpose(1, 2)
            return self.turned(rows) if self.is_neo and name != "value" else rows

        mask = bias
        if not self.is_neo:
            places = torch.arange(count)
            mask = bias + (-slopes(heads)[:, None, None] * (places[None, :] - places[:, None]).abs()).to(x.dtype)
        rows = functional.scaled_dot_product_attention(
            part("query"), part("key"), part("value"), mask.expand(1, heads, count, count)
        )
        return rows.transpose(1, 2).reshape(1, count, -1)

    def turned(self, rows):
        count, size = rows.shape[-2:]
        frequencies = 1 / 10000.0 ** (torch.arange(0, size, 2).float() / size)
        angles = torch.outer(torch.arange(count), frequencies).float()
        turn = torch.polar(torch.ones_like(angles), angles)
        pairs = torch.view_as_complex(rows.reshape(*rows.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * turn.to(pairs.dtype)).flatten(-2)


def slopes(heads):
    """ALiBi's by its paper: 2^(-8 i / n) for head i of n, if n is a power of two; the heads past one have every other
    slope of twice as many."""
    power = 1 << heads.bit_length() - 1
    first = 2.0 ** (-8 / power * torch.arange(1, power + 1, dtype=torch.float64))
    others = 2.0 ** (-4 / power * torch.arange(1, 2 * power, 2, dtype=torch.float64))
    return torch.cat([first, others[: heads - power]]).float()


class Answer(dict):
    """As transformers' outputs."""

    __getattr__ = dict.__getitem__


def load(name, tensors):
    return Model(name, {tensor: np.ascontiguousarray(values) for tensor, values in tensors.items()}).eval()
