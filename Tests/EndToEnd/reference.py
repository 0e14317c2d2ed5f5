"""BERT's forward pass in float64, written from the formulas: what every answer is measured against.

Shapes: S positions, H hidden size, A attention heads, L blocks, D sentence size (= H here).
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf


# The dense layer, the norm and the decoder's bias of a masked-language-model head, as BERT's files have them.
BERTS_HEAD = ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS = {
    "gelu": gelu,
    "gelu_new": gelu_tanh,
    "gelu_fast": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
}


class Reference:
    """A Hugging Face folder's model; weights are widened to float64 once."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        configuration = json.loads((folder / "config.json").read_text())
        self.activation = ACTIVATIONS[configuration["hidden_act"]]
        self.block_count = configuration["num_hidden_layers"]
        self.head_count = configuration["num_attention_heads"]
        self.epsilon = configuration.get("layer_norm_eps", 1e-12)
        self.positions = configuration["max_position_embeddings"]
        self.weights = {
            name: tensor.astype(np.float64)
            for name, tensor in load_file(folder / "model.safetensors").items()
            if tensor.dtype.kind == "f"
        }

    def encode(self, ids, type_ids, attended=None):
        """The whole output map of one text.

        ids, type_ids: S each. attended: positions that are no padding, all when None.
        Returns encoder_outputs [L, S, H], sequence_output [S, H], pooled_output, default [H] and
        sentence_embedding [D].
        """
        attended = len(ids) if attended is None else attended
        hidden = self.embed(np.asarray(ids), np.asarray(type_ids))
        blocks = []
        for block in range(self.block_count):
            hidden = self.block(hidden, f"encoder.layer.{block}", attended)
            blocks.append(hidden)
        pooled = np.tanh(self.linear(hidden[0], "pooler.dense"))
        mean = hidden[:attended].mean(axis=0)
        return {
            "encoder_outputs": np.stack(blocks),
            "sequence_output": hidden,
            "pooled_output": pooled,
            "default": pooled,
            "sentence_embedding": mean / np.linalg.norm(mean),
        }

    def embed(self, ids, type_ids):
        embeddings = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
            + self.weights["embeddings.token_type_embeddings.weight"][type_ids]
        )
        return self.layer_norm(embeddings, "embeddings.LayerNorm")

    def score_bias(self, count):
        """What attention's scores get: [A, S, S], or a number for all."""
        return 0

    def block(self, hidden, name, attended):
        attention = self.linear(self.attend(hidden, name, attended), f"{name}.attention.output.dense")
        hidden = self.layer_norm(hidden + attention, f"{name}.attention.output.LayerNorm")
        inner = self.linear(hidden, f"{name}.intermediate.dense")
        outer = self.linear(self.activation(inner), f"{name}.output.dense")
        return self.layer_norm(hidden + outer, f"{name}.output.LayerNorm")

    def attend(self, hidden, name, attended):
        """[S, H]: every head's mix of the values of the attended positions."""
        count, size = hidden.shape

        def heads(part):  # [A, S, H / A]
            rows = self.linear(hidden, f"{name}.attention.self.{part}")
            return rows.reshape(count, self.head_count, -1).swapaxes(0, 1)

        keys, values = heads("key")[:, :attended], heads("value")[:, :attended]
        scores = heads("query") @ keys.swapaxes(1, 2) / np.sqrt(size // self.head_count)
        scores = scores + (self.score_bias(count) + np.zeros((1, count, count)))[..., :attended]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ values).swapaxes(0, 1).reshape(count, size)

    def linear(self, rows, name):
        return rows @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def layer_norm(self, rows, name):
        centred = rows - rows.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        scaled = centred / deviation * self.weights[f"{name}.weight"]
        return scaled + self.weights[f"{name}.bias"]


def mlm_logits(exact, hidden, head, layers):
    """What a masked-language-model head makes of a text's last hidden states.

    head: its tensors; layers: names of its dense layer, its norm and the decoder's bias, or of a decoder alone.
    """
    head = {name: tensor.astype(np.float64) for name, tensor in head.items()}
    if len(layers) == 1:
        return hidden @ head[f"{layers[0]}.weight"].T + head[f"{layers[0]}.bias"]
    dense, norm, bias = layers
    rows = exact.head_activation(hidden @ head[f"{dense}.weight"].T + head.get(f"{dense}.bias", 0))
    centred = rows - rows.mean(axis=-1, keepdims=True)
    rows = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + exact.epsilon)
    rows = rows * head[f"{norm}.weight"] + head[f"{norm}.bias"]
    return rows @ exact.weights["embeddings.word_embeddings.weight"].T + head[bias]


def worst_errors(results, reference):
    """Largest |difference| per key; each block of encoder_outputs is a key of its own."""
    errors = {}
    for key, exact in reference.items():
        if key == "encoder_outputs":
            for block, rows in enumerate(exact):
                errors[f"encoder_outputs[{block}]"] = difference(results[key][block], rows)
        else:
            errors[key] = difference(results[key], exact)
    return errors


def difference(result, exact):
    result = np.asarray(result)
    assert result.shape == exact.shape, f"shape {result.shape}, expected {exact.shape}"
    assert np.isfinite(result).all(), "not a finite number"
    return float(np.abs(result.astype(np.float64) - exact).max())
