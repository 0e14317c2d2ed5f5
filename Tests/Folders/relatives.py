"""BERT's folder as one of its relatives that have no folder of their own in the fixtures."""

import json

import numpy as np
from safetensors.numpy import load_file, save_file


def become(folder, architecture):
    """BERT's folder as one of MPNet or ELECTRA: names, a bias table, narrower embeddings, two more positions."""
    if architecture not in ("mpnet", "electra"):
        return
    configuration = json.loads((folder / "config.json").read_text())
    numbers = np.random.default_rng(5)
    tensors = load_file(folder / "model.safetensors")
    embeddings = "embeddings.{}_embeddings.weight".format
    members = {"model_type": architecture, "architectures": None}
    if architecture == "electra":
        members["embedding_size"] = 12
        for name in [embeddings(kind) for kind in ("word", "position", "token_type")]:
            tensors[name] = tensors[name][:, :12]
        for name in ("embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"):
            tensors[name] = tensors[name][:12]
        tensors["embeddings_project.weight"] = numbers.standard_normal((24, 12)).astype(np.float16)
        tensors["embeddings_project.bias"] = numbers.standard_normal(24).astype(np.float16)
        tensors = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    else:
        vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *(folder / "vocab.txt").read_text().splitlines(), "<mask>"]
        (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
        members |= {"vocab_size": len(vocabulary), "max_position_embeddings": 130, "pad_token_id": 1}
        words, rows = tensors[embeddings("word")], tensors[embeddings("position")]
        tensors[embeddings("word")] = np.concatenate([words[-4:], words, words[:1]])
        tensors[embeddings("position")] = np.concatenate([rows[-2:], rows])
        del tensors[embeddings("token_type")]
        bias = numbers.standard_normal((32, configuration["num_attention_heads"]))
        tensors["encoder.relative_attention_bias.weight"] = bias.astype(np.float16)
        own = {"attention.self.query": "attention.attn.q", "attention.self.key": "attention.attn.k",
               "attention.self.value": "attention.attn.v", "attention.output.dense": "attention.attn.o",
               "attention.output.LayerNorm": "attention.LayerNorm"}  # fmt: skip
        for old, new in own.items():
            tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    (folder / "config.json").write_text(json.dumps({**configuration, **members}))
    save_file({name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()},
              folder / "model.safetensors")
