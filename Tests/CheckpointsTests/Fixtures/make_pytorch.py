"""Writes pytorch/ and micro/pytorch*: one BERT in each of PyTorch's formats, and its relatives.

    pip install -r requirements-pytorch.txt && python make_pytorch.py

All of pytorch/ holds the same random weights, which float16 and bfloat16 hold exactly:
  weights       safetensors, float32, an encoder with its pooler; also what reference.py reads
  bin           torch.save's zip, BertForMaskedLM: a prefix, a head, no pooler
  legacy        torch.save's format before 1.6, BertForSequenceClassification, gamma and beta
  sharded       float16 safetensors in shards with an index
  sharded_bin   bfloat16 in two zips with an index, a matrix stored by columns
  distilbert, roberta   the relatives, with their models' own names
  pytorch.json  how far PyTorch's float32 is from float64, a text at a time, for each
Texts and ids are those of small/tensorflow.json: make_tensorflow.py comes first.

`python make_pytorch.py FOLDER` writes pytorch/'s like of 4 blocks of 512 there instead: for
BERT_PYTORCH_FOLDER=FOLDER pytest ../../EndToEnd/test_checkpoints_pytorch.py.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "EndToEnd"))
import reference  # noqa: E402

ROOT = HERE / "pytorch"
GOLDENS = json.loads((HERE / "small" / "tensorflow.json").read_text())["goldens"]
VOCABULARY = HERE / "small" / "weights" / "vocab.txt"
SMALL = {
    "vocab_size": len(VOCABULARY.read_text().splitlines()),
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 128,
}
HUB = {
    **SMALL,
    "hidden_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "intermediate_size": 2048,
    "max_position_embeddings": 512,
}
MICRO = {
    "vocab_size": 8,
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 6,
    "max_position_embeddings": 5,
}
ACTIVATIONS = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu"]


def representable(tensor):
    """The nearest value that bfloat16 and float16 both hold."""
    tensor = tensor.to(torch.bfloat16).to(torch.float32)
    return torch.where(tensor.abs() < 2.0**-14, torch.zeros(()), tensor)


def base(size, seed):
    """A BertModel whose weights are spread wide enough to show slips."""
    torch.manual_seed(seed)
    model = transformers.BertModel(transformers.BertConfig(**size)).eval()
    wide = min(0.1, 0.6 / size["hidden_size"] ** 0.5)
    for name, parameter in model.named_parameters():
        spread = wide if parameter.dim() == 2 or name.endswith("bias") else 0.2
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        parameter.data = representable(centre + spread * torch.randn(parameter.shape))
    return model


def clean(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def make_folder(folder, configuration):
    clean(folder)
    (folder / "config.json").write_text(json.dumps(configuration, indent=1) + "\n")
    if "micro" not in str(folder):
        shutil.copy(VOCABULARY, folder)
    return folder


def prefixed(model, head):
    """A model with a head, its encoder's weights taken from `model`."""
    head.base_model.load_state_dict(model.state_dict(), strict=False)
    return head.eval()


def relatives(model, size):
    """The same weights as a DistilBERT (no token types, no pooler) and as a RoBERTa."""
    distil = transformers.DistilBertModel(
        transformers.DistilBertConfig(
            vocab_size=size["vocab_size"],
            dim=size["hidden_size"],
            n_layers=size["num_hidden_layers"],
            n_heads=size["num_attention_heads"],
            hidden_dim=size["intermediate_size"],
            max_position_embeddings=size["max_position_embeddings"],
        )
    )
    names = [
        ("encoder.layer", "transformer.layer"),
        ("attention.self.query", "attention.q_lin"),
        ("attention.self.key", "attention.k_lin"),
        ("attention.self.value", "attention.v_lin"),
        ("attention.output.dense", "attention.out_lin"),
        ("attention.output.LayerNorm", "sa_layer_norm"),
        ("intermediate.dense", "ffn.lin1"),
        ("output.dense", "ffn.lin2"),
    ]
    weights = {}
    for name, tensor in model.state_dict().items():
        for old, new in names:
            name = name.replace(old, new)
        if name.startswith("transformer") and "output.LayerNorm" in name:
            name = name.replace("output.LayerNorm", "output_layer_norm")
        weights[name] = tensor
    wanted = distil.state_dict()
    distil.load_state_dict({name: weights[name] for name in wanted})

    roberta = transformers.RobertaModel(
        transformers.RobertaConfig(
            **{**size, "max_position_embeddings": size["max_position_embeddings"] + 2},
            type_vocab_size=1,
            layer_norm_eps=1e-5,
            pad_token_id=1,
        )
    )
    weights = dict(model.state_dict())
    positions = "embeddings.position_embeddings.weight"
    types = "embeddings.token_type_embeddings.weight"
    weights[positions] = torch.cat([torch.full((2, size["hidden_size"]), 9.0), weights[positions]])
    weights[types] = weights[types][:1]
    roberta.load_state_dict(weights, strict=False)
    return distil.eval(), roberta.eval()


def legacy_names(weights):
    return {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"):
        tensor
        for name, tensor in weights.items()
    }


def contiguous(weights):
    return {name: tensor.clone().contiguous() for name, tensor in weights.items()}


def write_all(root, size, seed):
    model = base(size, seed)
    configuration = {**size, "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    weights = model.state_dict()

    folder = make_folder(root / "weights", configuration)
    save_file(contiguous(weights), folder / "model.safetensors")

    masked = prefixed(model, transformers.BertForMaskedLM(model.config))
    folder = make_folder(root / "bin", configuration)
    torch.save(masked.state_dict(), folder / "pytorch_model.bin")

    classifier = prefixed(model, transformers.BertForSequenceClassification(model.config))
    folder = make_folder(root / "legacy", configuration)
    torch.save(
        legacy_names(classifier.state_dict()),
        folder / "pytorch_model.bin",
        _use_new_zipfile_serialization=False,
    )

    folder = make_folder(root / "sharded", configuration)
    names = list(weights)
    write_shards(folder, names, "model-0000{}-of-00003.safetensors", "model.safetensors", 3,
                 lambda part, path: save_file({n: weights[n].half().contiguous() for n in part}, path))

    folder = make_folder(root / "sharded_bin", configuration)

    def save_bin(part, path):
        # One storage by columns: what saving a transposed parameter leaves.
        tensors = {name: weights[name].bfloat16() for name in part}
        for name in part:
            if name.endswith("query.weight"):
                tensors[name] = tensors[name].t().contiguous().t()
        torch.save(tensors, path)

    write_shards(folder, names, "pytorch_model-0000{}-of-00002.bin", "pytorch_model.bin", 2, save_bin)

    distil, roberta = relatives(model, size)
    for name, relative in (("distilbert", distil), ("roberta", roberta)):
        folder = make_folder(root / name, json.loads(relative.config.to_json_string(use_diff=False)))
        prefix = relative.base_model_prefix + "."
        save_file(
            {prefix + name: tensor for name, tensor in contiguous(relative.state_dict()).items()
             if "pooler" not in name},
            folder / "model.safetensors",
        )
    return model, distil, roberta


def write_roberta_tokenizer(folder):
    """BERT's pieces between RoBERTa's special tokens, all of one type, as RoBERTa has one."""
    tokenizer = tokenizers.BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)._tokenizer
    special = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B:0 [SEP]:0", special_tokens=special
    )
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    # RobertaTokenizer would make byte-level BPE of it.
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}\n')


def write_shards(folder, names, pattern, index_name, count, save):
    files = {}
    for number in range(count):
        part = names[number::count]
        file = pattern.format(number + 1)
        save(part, folder / file)
        files |= {name: file for name in part}
    index = {"metadata": {"total_size": 0}, "weight_map": files}
    (folder / f"{index_name}.index.json").write_text(json.dumps(index, indent=1) + "\n")


def answer(model, golden, takes_types):
    ids = torch.tensor([golden["ids"]])
    types = {"token_type_ids": torch.tensor([golden["types"]])} if takes_types else {}
    with torch.inference_mode():
        result = model(
            ids, attention_mask=torch.ones_like(ids), output_hidden_states=True, **types
        )
    found = {
        "encoder_outputs": torch.cat(result.hidden_states[1:]).numpy(),
        "sequence_output": result.last_hidden_state[0].numpy(),
    }
    if getattr(result, "pooler_output", None) is not None:
        found["pooled_output"] = found["default"] = result.pooler_output[0].numpy()
    return found


def measure(model, exact, has_types, has_pooler):
    """PyTorch's largest error on all texts; its float64 must be reference.py's."""
    worst = {"float32": {}, "float64": {}}
    for golden in GOLDENS:
        if not has_types and 1 in golden["types"]:
            continue
        expected = exact.encode(golden["ids"], golden["types"])
        for precision, dtype in (("float32", torch.float32), ("float64", torch.float64)):
            found = answer(model.to(dtype), golden, has_types)
            if not has_pooler:
                found = {key: found[key] for key in ("encoder_outputs", "sequence_output")}
            wanted = {key: expected[key] for key in found}
            for key, error in reference.worst_errors(found, wanted).items():
                worst[precision][key] = max(worst[precision].get(key, 0), error)
    # gelu_fast has √(2/π) with ten digits.
    assert max(worst["float64"].values()) < 1e-11, worst["float64"]
    return worst["float32"]


def make(root, size):
    clean(root)
    model, distil, roberta = write_all(root, size, seed=4)
    errors = {}
    for name in ACTIVATIONS:
        exact = reference.Reference(root / "weights")
        exact.activation = reference.ACTIVATIONS[name]
        model.config.hidden_act = name
        changed = transformers.BertModel(model.config).eval()
        changed.load_state_dict(model.state_dict())
        errors[name] = measure(changed, exact, has_types=True, has_pooler=True)
    exact = reference.Reference(root / "weights")
    types = exact.weights["embeddings.token_type_embeddings.weight"]
    types[:] = 0
    errors["distilbert"] = measure(distil, exact, has_types=False, has_pooler=False)
    exact = reference.Reference(root / "weights")
    exact.epsilon = 1e-5
    errors["roberta"] = measure(roberta, exact, has_types=False, has_pooler=False)
    write_roberta_tokenizer(root / "roberta")
    report = {
        "meaning": "largest |PyTorch float32 - float64| over the texts of small/tensorflow.json",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "errors": errors,
    }
    (root / "pytorch.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(errors, indent=1))


def main():
    if len(sys.argv) > 1:
        make(pathlib.Path(sys.argv[1]), HUB)
        return
    make(ROOT, SMALL)
    micro = HERE / "micro" / "pytorch"
    clean(micro)
    write_all(micro, MICRO, seed=5)


if __name__ == "__main__":
    main()
