"""Writes relatives/: RoBERTa with byte-level BPE, XLM-RoBERTa with Unigram, small and random.

    pip install -r requirements-pytorch.txt && python make_relatives.py

The tokenizers are those of ../../TokenizersTests/Fixtures/tokenizers.json. goldens.json has
PyTorch's float64 answers, padding rows included, and how far its float32 is from them.
"""

import json
import pathlib
import shutil

import numpy as np
import tokenizers
import torch
import transformers

HERE = pathlib.Path(__file__).parent
ROOT = HERE / "relatives"
FILES = HERE.parents[1] / "TokenizersTests" / "Fixtures" / "tokenizers.json"
LENGTH = 64
KINDS = {
    "roberta": ("bytes", transformers.RobertaConfig, transformers.RobertaModel),
    "xlm-roberta": ("unigram", transformers.XLMRobertaConfig, transformers.XLMRobertaModel),
}
TEXTS = [
    "Improve the physical fitness of your goldfish by getting him a bicycle",
    "don't  we'll x 12 34.5",
    "Café naïve ™ 中文",
    "x <mask>  y",
    "a <pad> in the middle",
    "",
]


def write(name, file, configuration, kind):
    folder = ROOT / name
    engine = tokenizers.Tokenizer.from_str(file)
    pad = engine.token_to_id("<pad>")
    torch.manual_seed(5)
    model = kind(
        configuration(
            vocab_size=engine.get_vocab_size(),
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=40,
            max_position_embeddings=80 + pad + 1,
            type_vocab_size=1,
            pad_token_id=pad,
            initializer_range=0.3,
        )
    ).eval()
    model.save_pretrained(folder)
    # Its own place and versions are nobody's business.
    kept = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(kept, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(file + "\n")
    # transformers' class for XLM-R would make other steps than this file's.
    of_class = {} if name == "roberta" else {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>", **of_class}) + "\n")
    rows = []
    for text in TEXTS:
        found = engine.encode(text).ids
        ids = torch.tensor([found + [pad] * (LENGTH - len(found))])
        mask = torch.tensor([[1] * len(found) + [0] * (LENGTH - len(found))])
        with torch.no_grad():
            single = model.float()(ids, attention_mask=mask)
            double = model.double()(ids, attention_mask=mask)
        row = {"text": text, "ids": found}
        for key, output in [
            ("sequence_output", "last_hidden_state"), ("pooled_output", "pooler_output")
        ]:
            exact = double[output].numpy()[0]
            row[key] = np.round(exact, 9).tolist()
            row[f"{key}_error"] = float(np.abs(single[output].numpy()[0] - exact).max())
        rows.append(row)
    return rows


def main():
    files = {row["name"]: row["file"] for row in json.loads(FILES.read_text())}
    shutil.rmtree(ROOT, ignore_errors=True)
    goldens = {
        name: write(name, files[tokenizer], *kinds) for name, (tokenizer, *kinds) in KINDS.items()
    }
    (ROOT / "goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


main()
