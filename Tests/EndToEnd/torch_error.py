"""Measures how far PyTorch's own float32 is from float64 on texts.py; writes torch_error.json.

Needs, besides requirements.txt: torch and transformers. Run by hand:

    python torch_error.py [MODEL_FOLDER]

It first checks reference.py against the same PyTorch model in float64.
"""

import json
import pathlib
import platform
import sys

import numpy as np
import torch
import transformers

import reference
import tokens
from texts import TEXTS

HERE = pathlib.Path(__file__).parent


def output_map(model, ids, type_ids):
    with torch.inference_mode():
        answer = model(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            token_type_ids=torch.tensor([type_ids]),
            output_hidden_states=True,
        )
        # As sentence_transformers.models.Pooling (mean) and Normalize write it.
        mask = torch.ones(1, len(ids), 1, dtype=answer.last_hidden_state.dtype)
        mean = (answer.last_hidden_state * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        sentence = torch.nn.functional.normalize(mean, p=2, dim=1)
    return {
        "encoder_outputs": torch.cat(answer.hidden_states[1:]).numpy(),
        "sequence_output": answer.last_hidden_state[0].numpy(),
        "pooled_output": answer.pooler_output[0].numpy(),
        "default": answer.pooler_output[0].numpy(),
        "sentence_embedding": sentence[0].numpy(),
    }


def worst_of_all(model, exact, token_lists):
    worst = {}
    for name, (ids, type_ids) in token_lists.items():
        for key, error in reference.worst_errors(
            output_map(model, ids, type_ids), exact[name]
        ).items():
            worst[key] = max(worst.get(key, 0), error)
    return worst


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main(folder):
    exact_model = reference.Reference(folder)
    tokenizer = tokens.tokenizer(folder, exact_model.positions)
    encodings = {name: tokens.encode(tokenizer, text) for name, text in TEXTS.items()}
    token_lists = {name: (each.ids, each.type_ids) for name, each in encodings.items()}
    exact = {name: exact_model.encode(*lists) for name, lists in token_lists.items()}

    model = transformers.BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    errors = worst_of_all(model, exact, token_lists)
    double = worst_of_all(model.double(), exact, token_lists)
    assert max(double.values()) < 1e-12, f"reference.py is not PyTorch's float64: {double}"

    report = {
        "meaning": "largest |PyTorch float32 - float64| over texts.py, per key, a text at a time",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "attention": model.config._attn_implementation,
        "numpy": np.__version__,
        "cpu": cpu(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "texts": len(token_lists),
        "tokens": sum(len(ids) for ids, _ in token_lists.values()),
        "reference_against_torch_float64": max(double.values()),
        "errors": errors,
    }
    (HERE / "torch_error.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "models" / "all-MiniLM-L6-v2")
