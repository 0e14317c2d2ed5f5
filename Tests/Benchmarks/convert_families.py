#!/usr/bin/env python3
"""Makes folders of other families for bench_peers.py: convert_families.py DEFAULT_MODEL OUTPUT

OUTPUT/NAME is a Hugging Face folder with random weights, of the base size's widths and six blocks; below it onnx/ and
openvino/. What is there already is not made again.
"""

import pathlib
import shutil
import sys

import torch
from transformers import DebertaV2Config, DebertaV2Model, ModernBertConfig, ModernBertModel, MPNetConfig, MPNetModel

import convert

INPUTS = ["input_ids", "attention_mask"]
BLOCKS = 6


def models():
    """Name → model. Token ids of all are below BERT's vocabulary, whose files serve them."""
    yield "modernbert", ModernBertModel, ModernBertConfig(
        num_hidden_layers=BLOCKS, vocab_size=30522, pad_token_id=0, bos_token_id=101, eos_token_id=102,
        cls_token_id=101, sep_token_id=102, attn_implementation="eager", reference_compile=False,
    )  # fmt: skip
    yield "mpnet", MPNetModel, MPNetConfig(
        num_hidden_layers=BLOCKS, vocab_size=30522, max_position_embeddings=514
    )
    yield "deberta", DebertaV2Model, DebertaV2Config(
        num_hidden_layers=BLOCKS, hidden_size=768, num_attention_heads=12, intermediate_size=3072, vocab_size=30522,
        relative_attention=True, pos_att_type="p2c|c2p", position_buckets=256, norm_rel_ebd="layer_norm",
        share_att_key=True, position_biased_input=False, type_vocab_size=0,
    )  # fmt: skip


def main(default, output):
    output.mkdir(parents=True, exist_ok=True)
    for name, kind, configuration in models():
        folder, unfinished = output / name, output / f".{name}"
        if folder.exists():
            continue
        shutil.rmtree(unfinished, ignore_errors=True)
        torch.manual_seed(1)
        model = kind(configuration).eval()
        model.save_pretrained(unfinished)
        for file in convert.FILES:
            shutil.copy(default / file, unfinished)
        convert.to_onnx(unfinished, model, inputs=INPUTS, fuses=False)
        convert.to_openvino(unfinished, quantizes=False)
        unfinished.rename(folder)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
