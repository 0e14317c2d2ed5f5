"""Measures PyTorch's own float32 on the folders of families.py; writes families.json.

Needs, besides requirements.txt: torch and transformers (`.venv/folders` has them). Run by hand:

    python family_errors.py [FOLDER ...]

It first checks the float64 of families.py against the same PyTorch model in float64, and the tokenizer's files
against those that transformers writes.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers

import deberta_families
import families
import reference
import remote_code_families
import remote_code_torch
import rotary_families

REMOTE = remote_code_families.CONFIGURATIONS
# Their angles are float32 in PyTorch.
ROTARY = [*rotary_families.CONFIGURATIONS, *filter(remote_code_families.is_neo, REMOTE)]
# Folders with the tokenizer of another family: transformers would not write it for theirs.
BORROWED_TOKENIZERS = [*rotary_families.CONFIGURATIONS, *REMOTE, *deberta_families.MASKED]
HERE = pathlib.Path(__file__).parent
transformers.logging.set_verbosity_error()


def answers(model, ids, types, attended):
    """Every key of one text."""
    without = ("mpnet", "modernbert", "eurobert", "gte")
    inputs = {"token_type_ids": torch.tensor([types])} if model.config.model_type not in without else {}
    mask = [[1] * attended + [0] * (len(ids) - attended)]
    with torch.inference_mode():
        found = model(
            torch.tensor([ids]), attention_mask=torch.tensor(mask), output_hidden_states=True, **inputs
        )
        mean = found.last_hidden_state[:, :attended].mean(1)
        sentence = torch.nn.functional.normalize(mean, p=2, dim=1)
    pooled = found.get("pooler_output")
    return {
        "encoder_outputs": torch.cat(found.hidden_states[1:]).numpy(),
        "sequence_output": found.last_hidden_state[0].numpy(),
        **({} if pooled is None else {key: pooled[0].numpy() for key in ("pooled_output", "default")}),
        "sentence_embedding": sentence[0].numpy(),
    }


def transformers_model(folder, name, exact):
    model_type = families.CONFIGURATIONS[name]["model_type"]
    kind = transformers.MODEL_MAPPING[transformers.AutoConfig.from_pretrained(folder).__class__]
    is_plain = model_type in ("electra", "modernbert", "eurobert", "deberta-v2")
    options = {} if is_plain else {"add_pooling_layer": exact.has_pooler}
    return kind.from_pretrained(folder, dtype=torch.float32, **options).eval()


def measure(folder, name):
    exact = families.make(folder, name)
    if name in REMOTE:
        # AutoTokenizer would ask about the code that the folder names.
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        tokenizer = getattr(transformers, settings["tokenizer_class"]).from_pretrained(folder)
    else:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if (folder / "tokenizer.json").exists() and name not in BORROWED_TOKENIZERS:
        tokenizer.save_pretrained(folder / "written")
        ours, theirs = (json.loads((path / "tokenizer.json").read_text()) for path in (folder, folder / "written"))
        assert ours == theirs, f"{name}: transformers writes another tokenizer.json"
    model = remote_code_torch.load(name, families.weights(name)) if name in REMOTE else None
    model = model or transformers_model(folder, name, exact)
    padding = tokenizer.pad_token_id
    ids, single, double = {}, {}, 0
    for text, parts in families.CHOSEN.items():
        parts = [parts] if isinstance(parts, str) else parts
        made = tokenizer(*parts, truncation=True, max_length=exact.positions)
        ids[text] = made["input_ids"]
        types = made.get("token_type_ids", [0] * len(ids[text]))
        lengths = [len(ids[text])] + ([exact.positions] if text in families.PADDED else [])
        for length in lengths:
            more = length - len(ids[text])
            inputs = ids[text] + [padding] * more, types + [0] * more, len(ids[text])
            expected = exact.encode(*inputs)
            for key, error in reference.worst_errors(answers(model, *inputs), expected).items():
                single[key] = max(single.get(key, 0), error)
            exactly = answers(model.double(), *inputs)
            double = max(double, *reference.worst_errors(exactly, expected).values())
            model.float()
    # PyTorch's cosines of float32 angles are off by one place here and there.
    limit = 1e-5 if name in ROTARY else 1e-11
    assert double < limit, f"{name}: families.py is not PyTorch's float64: {double}"
    print(name, f"float64: {double:.2g}", {key: float(f"{error:.3g}") for key, error in single.items()})
    return {"ids": ids, "errors": single}


def main():
    rows = {}
    if len(sys.argv) > 1:
        rows = json.loads((HERE / "families.json").read_text())["families"]
    with tempfile.TemporaryDirectory() as root:
        for name in sys.argv[1:] or families.CONFIGURATIONS:
            rows[name] = measure(pathlib.Path(root) / name, name)
    report = {
        "meaning": "token ids, and the largest |PyTorch float32 - float64| per key, a text at a time",
        "torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
        "families": rows,
    }  # fmt: skip
    (HERE / "families.json").write_text(json.dumps(report, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
