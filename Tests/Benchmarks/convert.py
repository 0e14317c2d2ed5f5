#!/usr/bin/env python3
"""Makes the folders that the peers read: convert.py DEFAULT_MODEL OUTPUT [LLAMA_CPP]

OUTPUT/NAME is a Hugging Face folder that bert-server serves too; below it onnx/, openvino/,
ctranslate2/ and, given llama.cpp's converter, llama/. BERT-base and L-4 H-512 have random weights: speed does not depend on them. What is
there already is not made again.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import torch
from transformers import BertConfig, BertModel

import shapes

RANDOM_MODELS = {"L-4_H-512": (4, 512, 8), "bert-base": (12, 768, 12)}
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
FILES = ["vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]


def make_model(folder, default, blocks, hidden, heads):
    torch.manual_seed(1)
    model = BertModel(
        BertConfig(
            num_hidden_layers=blocks,
            hidden_size=hidden,
            num_attention_heads=heads,
            intermediate_size=4 * hidden,
        )
    )
    model.eval().save_pretrained(folder)
    for name in FILES:
        shutil.copy(default / name, folder)


def to_onnx(folder, model=None, output="last_hidden_state", inputs=INPUTS, fuses=True):
    """Of a model, or the folder's encoder: the plain graph, the graph with ONNX Runtime's fused nodes, and its dynamic int8.

    inputs: names of the model's first arguments. fuses: else there is no fusion but what a session does itself.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    target = folder / "onnx"
    target.mkdir()
    model = model or BertModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="eager", dtype=torch.float32
    ).eval()
    ids = torch.randint(1000, 2000, (2, 16))
    axes = {name: {0: "batch", 1: "length"} for name in inputs}
    axes[output] = {0: "batch", 1: "length"} if output == "last_hidden_state" else {0: "batch"}
    with torch.no_grad():
        torch.onnx.export(
            model,
            (ids, torch.ones_like(ids), torch.zeros_like(ids))[: len(inputs)],
            target / "plain.onnx",
            input_names=inputs,
            output_names=[output],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    if fuses:
        options = FusionOptions("bert")
        options.enable_gelu_approximation = False
        fused = optimize_model(
            str(target / "plain.onnx"),
            model_type="bert",
            num_heads=model.config.num_attention_heads,
            hidden_size=model.config.hidden_size,
            optimization_options=options,
            opt_level=1,
        )
        print(folder.name, "fused nodes:", fused.get_fused_operator_statistics())
        fused.save_model_to_file(str(target / "fused.onnx"))
    else:
        (target / "fused.onnx").symlink_to("plain.onnx")
    # Of the plain graph: with the fused one int8 is slower.
    quantize_dynamic(
        target / "plain.onnx",
        target / "int8.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": 1},
    )


def to_openvino(folder, quantizes=True):
    """Float32, and int8 by NNCF with SmoothQuant, calibrated on the mixed lengths."""
    import openvino

    target = folder / "openvino"
    target.mkdir()
    model = openvino.convert_model(folder / "onnx" / "plain.onnx")
    openvino.save_model(model, target / "float32.xml", compress_to_fp16=False)
    if not quantizes:
        return
    import nncf

    configuration = json.loads((folder / "config.json").read_text())
    inputs = []
    for sequence in shapes.fixed(512, configuration["vocab_size"])[shapes.MIXED]:
        ids = np.array([sequence], np.int64)
        inputs.append(dict(zip(INPUTS, [ids, np.ones_like(ids), np.zeros_like(ids)])))
    quantized = nncf.quantize(
        openvino.Core().read_model(target / "float32.xml"),
        nncf.Dataset(inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(inputs),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=0.5)
        ),
    )
    openvino.save_model(quantized, target / "int8.xml", compress_to_fp16=False)


def to_ctranslate2(folder):
    converter = pathlib.Path(sys.executable).with_name("ct2-transformers-converter")
    target = folder / "ctranslate2"
    subprocess.run([converter, "--model", folder, "--output_dir", target], check=True)


def to_llama(folder, converter):
    unfinished = folder / ".llama"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for kind in ("f32", "bf16", "q8_0"):
        file = unfinished / f"{kind}.gguf"
        command = [sys.executable, converter, folder, "--outtype", kind, "--outfile", file]
        subprocess.run(command, check=True)
    unfinished.rename(folder / "llama")


def main(default, output, llama_cpp=None):
    """Each folder is filled beside its place and renamed, so that it is whole or not there."""
    output.mkdir(parents=True, exist_ok=True)
    for name in [default.name, *RANDOM_MODELS]:
        if (output / name).exists():
            continue
        folder = output / ("." + name)
        shutil.rmtree(folder, ignore_errors=True)
        if name == default.name:
            shutil.copytree(default, folder)
        else:
            make_model(folder, default, *RANDOM_MODELS[name])
        to_onnx(folder)
        to_openvino(folder)
        to_ctranslate2(folder)
        folder.rename(output / name)
    for folder in output.glob("[!.]*") if llama_cpp else []:
        if not (folder / "llama").exists():
            to_llama(folder, llama_cpp / "convert_hf_to_gguf.py")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), *map(pathlib.Path, sys.argv[2:]))
