"""An encoder of tensorflow_exports.py in float64."""

import numpy as np


def float64(options, network, tokens, layers, heads):
    """Every key of one text, by BERT's formulas and the encoder's weights."""
    weights = {each.name.split(":")[0]: each.numpy().astype(np.float64) for each in network.weights}

    def weight(suffix):
        found = [value for name, value in weights.items() if name.endswith(suffix)]
        assert len(found) == 1, (suffix, list(weights))
        return found[0]

    def linear(name, x):
        kernel, bias = weight(name + "/kernel"), weight(name + "/bias")
        return x @ kernel.reshape(x.shape[-1], -1) + bias.reshape(-1)

    def norm(name, x):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * weight(name + "/gamma") + weight(name + "/beta")

    def activate(x):
        if options.activation == "relu":
            return np.maximum(x, 0)
        if options.activation == "swish":
            return x / (1 + np.exp(-x))
        if options.activation == "gelu_erf":
            return x / 2 * (1 + np.vectorize(__import__("math").erf)(x / np.sqrt(2)))
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    talks = "talking heads" in options.network
    given = {key: np.array(value[0]) for key, value in tokens.items()}
    positions = len(given["input_mask"])
    x = norm(
        "embeddings/layer_norm",
        weight("word_embeddings/embeddings")[given["input_word_ids"]]
        + weight("position_embedding/embeddings")[:positions]
        + weight("type_embeddings/embeddings")[given["input_type_ids"]],
    )
    if any("embedding_projection" in name for name in weights):
        x = linear("embedding_projection", x)
    blocks = []
    for index in range(layers):
        name = "transformer/" if options.network == "albert" else f"transformer/layer_{index}/"
        attention = name + "self_attention/"
        if talks:
            name = f"transformer_scaffold_{index}/".replace("_0/", "/")
            attention = name + "talking_heads_attention/"
        parts = [
            linear(attention + part, x).reshape(positions, heads, -1)
            for part in ("query", "key", "value")
        ]
        scores = np.einsum("iad,jad->aij", parts[0], parts[1]) / np.sqrt(x.shape[-1] // heads)
        if talks:
            scores = np.einsum("aij,ab->bij", scores, weight(attention + "pre_softmax_weight"))
        scores[:, :, given["input_mask"] == 0] = -np.inf
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        shares = powers / powers.sum(-1, keepdims=True)
        if talks:
            shares = np.einsum("aij,ab->bij", shares, weight(attention + "post_softmax_weight"))
        context = np.einsum("aij,jad->iad", shares, parts[2])
        context = linear(attention + "attention_output", context.reshape(positions, -1))
        x = norm(name + "self_attention_layer_norm", x + context)
        if options.network == "gated talking heads":
            name += "gated_feedforward/"
            inner = activate(linear(name + "intermediate_0", x)) * linear(name + "gate_0", x)
            x = norm(name + "output_layer_norm_0", x + linear(name + "output_0", inner))
        else:
            inner = activate(linear(name + "intermediate", x))
            x = norm(name + "output_layer_norm", x + linear(name + "output", inner))
        blocks.append(x)
    pooled = np.tanh(linear("cls_transform" if talks else "pooler_transform", x[0]))
    if options.pooling == "normalized" or options.wrapper == "dual encoder":
        pooled /= np.linalg.norm(pooled)
    return {
        "default": pooled,
        "pooled_output": pooled,
        "sequence_output": x,
        "encoder_outputs": np.stack(blocks),
    }
