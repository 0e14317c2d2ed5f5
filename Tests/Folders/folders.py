"""Makes model folders of what folders may say, a folder a number.

The first numbers have one odd member of one file each, in a plain folder; the others are drawn from
the product of architecture, weights' names and form, tokenizer files, classes of tokenizer, length
limits, poolings, modules, prompts and odd members. The same number makes the same folder.
"""

import json
import pathlib
import random
import shutil

import numpy as np
import tokenizers
from safetensors.numpy import load_file, save_file

import relatives

FIXTURES = pathlib.Path(__file__).parents[1] / "CheckpointsTests" / "Fixtures"
BASES = {
    "bert": FIXTURES / "pytorch" / "weights",
    "distilbert": FIXTURES / "pytorch" / "distilbert",
    "roberta": FIXTURES / "relatives" / "roberta",
    "xlm-roberta": FIXTURES / "relatives" / "xlm-roberta",
    # Made of BERT's, see relatives.py.
    "mpnet": FIXTURES / "pytorch" / "weights",
    "electra": FIXTURES / "pytorch" / "weights",
}
# Two cases, accents, an emoji, CJK, special tokens, nothing, two lengths; a pair.
TEXTS = [
    "a goldfish",
    "A GOLDFISH Rides",
    "Caf\u00e9 na\u00efve \u2122",
    "\U0001f600 x <mask> [MASK]  y",
    "\u4e2d\u6587 \u65e5\u672c <pad> [PAD] <x>\tz ",
    "",
    " ".join(["the fitness of a bicycle"] * 30),
    ["a goldfish", "rides a bicycle"],
]
LIMITS = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"]
POOLINGS = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
ACTIVATIONS = [
    "Identity", "Tanh", "ReLU", "ReLU6", "GELU", "SiLU", "Mish", "Sigmoid", "LogSigmoid", "Hardsigmoid",
    "Hardswish", "Hardtanh", "Tanhshrink", "Softsign", "Softplus", "Softshrink", "Hardshrink", "ELU", "CELU",
    "SELU", "LeakyReLU",
]  # fmt: skip
MODULES = [
    None, [], ["Normalize"], ["Dense"], ["Dense", "Normalize"], ["LayerNorm"], ["Normalize", "Dense"],
    ["Dense", "Dropout", "Dense"], ["LayerNorm", "Dense", "Normalize"],
]  # fmt: skip
# Where sentence-transformers has its classes, as older releases and as its newest write them.
PLACES = {
    "Transformer": "base.modules.transformer", "Dense": "base.modules.dense",
    "Normalize": "base.modules.normalize", "Pooling": "sentence_transformer.modules.pooling",
    "LayerNorm": "sentence_transformer.modules.layer_norm", "Dropout": "sentence_transformer.modules.dropout",
    "CNN": "sentence_transformer.modules.cnn", "LSTM": "sentence_transformer.modules.lstm",
    "WordWeights": "sentence_transformer.modules.word_weights",
}  # fmt: skip
CLASSES = {
    "bert": [None, None, "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "PreTrainedTokenizerFast"],
    "roberta": [None, "RobertaTokenizer", "RobertaTokenizerFast", "PreTrainedTokenizerFast"],
    "xlm-roberta": [None, "XLMRobertaTokenizer", "CamembertTokenizer", "PreTrainedTokenizerFast"],
    "mpnet": [None, "MPNetTokenizer", "MPNetTokenizerFast", "PreTrainedTokenizerFast"],
    "electra": [None, "ElectraTokenizer", "ElectraTokenizerFast", "BertTokenizer", "PreTrainedTokenizerFast"],
}
# Members of one file each that must be honoured, change nothing, or be refused by name.
ODD = [
    ("1_Pooling/config.json", {"include_prompt": False}),
    ("1_Pooling/config.json", {"pooling_weights": [1]}),
    ("1_Pooling/config.json", {"pooling_mode": ["max", "cls"]}),
    ("1_Pooling/config.json", {"pooling_mode": "median"}),
    ("2_Dense/config.json", {"scale": 2.0}),
    ("2_Dense/config.json", {"activation_function": "my_package.Tanh"}),
    ("2_Dense/config.json", {"module_input_name": "token_embeddings"}),
    ("2_Dense/config.json", {"module_output_name": "other"}),
    ("sentence_bert_config.json", {"max_seq_length": None, "do_lower_case": False}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "stride": 3}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "unpad_inputs": True}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "query_expansion": {"strategy": "fixed", "length": 16}}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "query_length": 5}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "processing_kwargs": {"text": {"max_length": 5}}}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": True}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "transformer_task": "fill-mask"}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "module_output_name": "sentence_embedding"}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "model_args": {"x": 1}}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "tokenizer_name_or_path": "other"}),
    ("tokenizer_config.json", {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}),
    ("tokenizer_config.json", {"tokenizer_class": "MPNetTokenizer"}),
    ("tokenizer_config.json", {"truncation_side": "left"}),
    ("tokenizer_config.json", {"padding_side": "left"}),
    ("tokenizer_config.json", {"do_lower_case": False}),
    ("tokenizer_config.json", {"do_lower_case": True}),
    ("tokenizer_config.json", {"strip_accents": False}),
    ("tokenizer_config.json", {"strip_accents": True}),
    ("tokenizer_config.json", {"tokenize_chinese_chars": False}),
    ("tokenizer_config.json", {"split_special_tokens": True}),
    ("tokenizer_config.json", {"model_max_length": 11}),
    ("tokenizer_config.json", {"max_len": 11}),
    ("tokenizer_config.json", {"model_max_length": None, "max_len": 11}),
    ("tokenizer_config.json", {"clean_up_tokenization_spaces": True}),
    ("tokenizer_config.json", {"add_prefix_space": True}),
    ("tokenizer_config.json", {"model_input_names": ["input_ids", "attention_mask"]}),
    ("tokenizer_config.json", {"bos_token": "<x>"}),
    ("tokenizer_config.json", {"eos_token": "y"}),
    ("tokenizer_config.json", {"query_token": "y"}),
    ("tokenizer_config.json", {"additional_special_tokens": ["x"]}),
    ("tokenizer_config.json", {"extra_special_tokens": ["<x>"]}),
    ("tokenizer_config.json", {"extra_special_tokens": {"query": "y"}}),
    ("tokenizer_config.json", {"cls_token": "[SEP]"}),
    ("tokenizer_config.json", {"mask_token": {"__type": "AddedToken", "content": "[MASK]", "rstrip": True,
                                              "lstrip": False, "normalized": False, "single_word": False}}),
    ("tokenizer_config.json", {"added_tokens_decoder": {"5": {"content": "x", "lstrip": True, "rstrip": False,
                               "normalized": True, "single_word": True, "special": False}}}),
    ("tokenizer_config.json", {"init_inputs": ["x"]}),
    ("tokenizer_config.json", {"never_split": ["x"]}),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["x.Y", None]}}),
    ("tokenizer_config.json", {"my_note": 7}),
    ("special_tokens_map.json", {"sep_token": "[SEP]", "mask_token": "x"}),
    ("special_tokens_map.json", {"additional_special_tokens": ["y"]}),
    ("tokenizer.json", {"truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}}),
    ("tokenizer.json", {"truncation": {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}}),
    ("tokenizer.json", {"padding": {"strategy": {"Fixed": 16}, "direction": "Left", "pad_to_multiple_of": None,
                                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}}),
    ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}),
    ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}),
    ("added_tokens.json", {}),
    ("added_tokens.json", {"<x>": 4}),
    ("config.json", {"tokenizer_class": "BertJapaneseTokenizer"}),
    ("config.json", {"position_embedding_type": "relative_key"}),
    ("config.json", {"position_embedding_type": "absolute"}),
    ("config.json", {"is_decoder": True}),
    ("config.json", {"add_cross_attention": True}),
    ("config.json", {"is_causal": True}),
    ("config.json", {"is_encoder_decoder": True}),
    ("config.json", {"hidden_act": "silu"}),
    ("config.json", {"hidden_act": "gelu_new"}),
    ("config.json", {"hidden_act": "gelu_fast"}),
    ("config.json", {"hidden_act": "relu"}),
    ("config.json", {"activation": "relu"}),
    ("config.json", {"chunk_size_feed_forward": 1}),
    ("config.json", {"layer_norm_eps": 1e-5}),
    ("config.json", {"num_attention_heads": 3}),
    ("config.json", {"pad_token_id": 5}),
    ("config.json", {"type_vocab_size": 2}),
    ("config.json", {"max_position_embeddings": 64}),
    ("config.json", {"num_hidden_layers": 1}),
    ("config.json", {"model_type": "deberta"}),
    ("config.json", {"architectures": ["BertForMaskedLM"], "tie_word_embeddings": False}),
    ("config.json", {"dtype": "float16"}),
    ("config.json", {"per_layer_config": {"0": {"hidden_act": "relu"}}}),
    ("config.json", {"quantization_config": {"quant_method": "bitsandbytes"}}),
    ("config.json", {"transformers_weights": "other.safetensors"}),
    ("config.json", {"auto_map": {"AutoModel": "modeling.Model"}}),
    ("config.json", {"pruned_heads": {"0": [1]}}),
    ("config.json", {"output_hidden_states": True, "use_cache": False}),
    ("config.json", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    ("config.json", {"my_note": 7}),
    ("config.json", {"relative_attention_num_buckets": 16}),
    ("config.json", {"relative_attention_num_buckets": 40}),
    ("config.json", {"embedding_size": 12}),
    ("config.json", {"summary_type": "mean", "summary_use_proj": False}),
    ("adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "base"}),
    ("config_sentence_transformers.json", {"prompts": {"q": "the "}, "default_prompt_name": "q"}),
    ("config_sentence_transformers.json", {"prompts": {"q": "the "}, "default_prompt_name": "r"}),
    ("config_sentence_transformers.json", {"truncate_dim": 7}),
    ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}),
    ("config_sentence_transformers.json", {"similarity_fn_name": "dot", "my_note": 7}),
    ("modules.json", "WordWeights"),
    ("modules.json", "CNN"),
    ("modules.json", "LSTM"),
    ("modules.json", "lost"),
]  # fmt: skip


def read(path):
    return json.loads(path.read_text()) if path.exists() else {}


def update(path, members):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**read(path), **members}))


def draw(number):
    if number < len(ODD):
        name = ODD[number][0]
        return {
            "architecture": "bert", "names": "plain", "dtype": "float32", "form": "safetensors",
            "tokenizer": "both" if name == "tokenizer.json" else "parts", "class": None, "lowercases": None,
            "lists tokens": False, "poolings": ["mean_tokens"],
            "modules": ["Dense"] if "_" in name.split("/")[0] or name == "modules.json" else None,
            "new names": False, "inner": False, "limit": None, "prompts": None, "odd": number,
        }  # fmt: skip
    r = random.Random(number)
    architecture = r.choice([
        "bert", "bert", "distilbert", "roberta", "xlm-roberta", "xlm-roberta", "mpnet", "mpnet", "electra", "electra"
    ])
    return {
        "architecture": architecture,
        "names": r.choice(["plain", "plain", "prefixed", "bare head", "no pooler", "gamma"]),
        "dtype": r.choice(["float32", "float32", "float16", "bfloat16"]),
        "form": r.choice(["safetensors", "safetensors", "bin", "shards"]),
        "tokenizer": r.choice(["parts", "both", "json alone", "other steps", "other case"]),
        "class": r.choice(CLASSES.get(architecture, CLASSES["bert"])),
        "lowercases": r.choice([None, True, False]),
        "lists tokens": r.random() < 0.3,
        "poolings": r.sample(POOLINGS, r.choice([1, 1, 1, 2, 3])),
        "modules": r.choice(MODULES),
        "new names": r.random() < 0.3,
        "inner": r.random() < 0.2,
        "limit": r.choice([None, *LIMITS]),
        "prompts": r.choice([
            None, None, {"prompts": {"query": "the bicycle: ", "document": ""}, "default_prompt_name": "query"},
            {"prompts": {"query": "q"}}, {"truncate_dim": 5},
        ]),
        "odd": r.randrange(len(ODD)) if r.random() < 0.4 else None,
    }  # fmt: skip


def make(folder, number):
    r = random.Random(number)
    choices = draw(number)
    encoder = folder / "0_Transformer" if choices["inner"] and choices["modules"] is not None else folder
    shutil.copytree(BASES[choices["architecture"]], encoder)
    relatives.become(encoder, choices["architecture"])
    _write_weights(encoder, choices)
    _write_tokenizer(encoder, choices)
    name, members = ODD[choices["odd"]] if choices["odd"] is not None else (None, None)
    kinds = choices["modules"]
    if name == "modules.json" and members != "lost" and kinds is not None:
        kinds = [members, *kinds]
    if kinds is not None:
        _write_modules(folder, encoder, r, choices, kinds)
    if name == "modules.json":
        if members == "lost" and encoder == folder:
            (folder / name).unlink(missing_ok=True)
    elif name:
        inside = name.startswith(("tokenizer", "special", "added", "adapter", "sentence")) or name == "config.json"
        update((encoder if inside else folder) / name, members)
    return choices


# Weights.


def _write_weights(folder, choices):
    """The base's weights again: prefix and head, old names, dtype, shards, PyTorch's file."""
    tensors = load_file(folder / "model.safetensors")
    prefix = "roberta." if "roberta" in choices["architecture"] else f"{choices['architecture']}."
    tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    names = choices["names"]
    if names == "prefixed":
        tensors = {prefix + name: tensor for name, tensor in tensors.items()}
    if names in ("prefixed", "bare head"):
        tensors["classifier.weight"] = np.ones((2, 24), np.float32)
        tensors["classifier.bias"] = np.zeros(2, np.float32)
    if names == "no pooler":
        tensors = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    if names == "gamma":
        old = [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")]
        for new, was in old:
            tensors = {
                name.removesuffix(new) + was if name.endswith(new) else name: tensor
                for name, tensor in tensors.items()
            }
    (folder / "model.safetensors").unlink()
    if choices["form"] == "bin":
        import torch

        dtype = getattr(torch, choices["dtype"])
        torch.save(
            {name: torch.from_numpy(tensor.copy()).to(dtype) for name, tensor in tensors.items()},
            folder / "pytorch_model.bin",
        )
    elif choices["form"] == "shards":
        order = sorted(tensors)
        halves = [order[: len(order) // 2], order[len(order) // 2 :]]
        files = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
        for file, part in zip(files, halves):
            _write_safetensors(folder / file, {name: tensors[name] for name in part}, choices["dtype"])
        index = {name: file for file, part in zip(files, halves) for name in part}
        update(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    else:
        _write_safetensors(folder / "model.safetensors", tensors, choices["dtype"])


def _write_safetensors(path, tensors, dtype):
    """By hand, for NumPy has no bfloat16."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        whole = np.ascontiguousarray(tensor, "<f4")
        if dtype == "float16":
            stored = whole.astype("<f2").tobytes()
        elif dtype == "bfloat16":
            bits = whole.view("<u4")
            stored = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()
        else:
            stored = whole.tobytes()
        header[name] = {
            "dtype": {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}[dtype],
            "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(stored)],
        }  # fmt: skip
        data += stored
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


# Tokenizers.


def _bert_tokenizer(folder, lowercases, is_mpnet):
    """`tokenizer.json` as BertTokenizer makes it, or MPNetTokenizer."""
    vocabulary = {token: index for index, token in enumerate((folder / "vocab.txt").read_text().splitlines())}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercases)
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.decoder = tokenizers.decoders.WordPiece()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )  # fmt: skip
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if is_mpnet:
        frame = [(token, vocabulary[token]) for token in ("</s>", "<s>")]
        made.post_processor = tokenizers.processors.RobertaProcessing(*frame, add_prefix_space=False)
        mask = tokenizers.AddedToken("<mask>", lstrip=True, normalized=False, special=True)
        special = ["<s>", "<pad>", "</s>", "[UNK]", mask]
    made.add_special_tokens(special)
    made.save(str(folder / "tokenizer.json"))


def _write_tokenizer(folder, choices):
    kind, architecture = choices["tokenizer"], choices["architecture"]
    file, config = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if choices["class"]:
        pad = "[PAD]" if architecture in ("bert", "distilbert", "electra") else "<pad>"
        update(config, {"tokenizer_class": choices["class"], "pad_token": pad})
    elif config.exists():
        config.write_text(json.dumps({k: v for k, v in read(config).items() if k != "tokenizer_class"}))
    if architecture in ("bert", "distilbert", "electra", "mpnet"):
        lowercases = choices["lowercases"]
        if lowercases is not None:
            update(config, {"do_lower_case": lowercases})
        if kind != "parts":
            lowercases = (lowercases is not False) != (kind == "other case")
            _bert_tokenizer(folder, lowercases, architecture == "mpnet")
        if kind == "json alone":
            (folder / "vocab.txt").unlink()
        if kind == "other steps":
            update(file, {"pre_tokenizer": {"type": "WhitespaceSplit"}})
    elif architecture == "roberta":
        if kind == "other steps":
            update(file, {"pre_tokenizer": {**read(file)["pre_tokenizer"], "add_prefix_space": True}})
        if kind == "parts":
            model = read(file)["model"]
            merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
            (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
            (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
            file.unlink()
    elif kind != "other steps":
        steps = read(file)
        metaspace = steps["pre_tokenizer"]
        steps["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
        pair = steps["post_processor"]["single"] + [{"SpecialToken": {"id": "</s>", "type_id": 0}}]
        pair += [{"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
        steps["post_processor"]["pair"] = pair
        update(file, steps)
    if choices["lists tokens"] and file.exists():
        listed = {str(token.pop("id")): token for token in read(file)["added_tokens"]}
        update(config, {"added_tokens_decoder": listed})


# sentence-transformers.


def _write_modules(folder, encoder, r, choices, kinds):
    order = ["WordWeights", "Pooling", *kinds[1:]] if kinds[:1] == ["WordWeights"] else ["Pooling", *kinds]
    listed = [("Transformer", encoder.name if encoder != folder else "")]
    size = 24 * len(choices["poolings"])
    for index, kind in enumerate(order, 1):
        path = f"{index}_{kind}"
        listed.append((kind, path))
        (folder / path).mkdir()
        numbers = np.random.default_rng(r.randrange(1 << 30))
        if kind == "Pooling" and choices["new names"]:
            names = [name.removesuffix("_tokens").removesuffix("_token") for name in choices["poolings"]]
            names = ["mean_sqrt_len_tokens" if name == "mean_sqrt_len" else name for name in names]
            mode = names[0] if len(names) == 1 else names
            update(folder / path / "config.json", {"embedding_dimension": 24, "pooling_mode": mode})
        elif kind == "Pooling":
            flags = {f"pooling_mode_{name}": name in choices["poolings"] for name in POOLINGS}
            update(folder / path / "config.json", {"word_embedding_dimension": 24, **flags})
        elif kind == "Dense":
            size = _write_dense(folder / path, r, numbers, size)
        elif kind == "LayerNorm":
            update(folder / path / "config.json", {"dimension": size})
            weights = {name: numbers.standard_normal(size).astype(np.float32) for name in ("norm.weight", "norm.bias")}
            save_file(weights, folder / path / "model.safetensors")
        elif kind == "Dropout":
            update(folder / path / "config.json", {"dropout": 0.1})
    types = [
        {
            "idx": index, "name": str(index), "path": path,
            "type": f"sentence_transformers.{PLACES[kind] if choices['new names'] else 'models'}.{kind}",
        }
        for index, (kind, path) in enumerate(listed)
    ]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(types))
    if choices["limit"]:
        limit = {"max_seq_length": r.choice([8, 20]), "do_lower_case": False}
        update(encoder / f"sentence_{choices['limit']}_config.json", limit)
    if choices["prompts"]:
        update(folder / "config_sentence_transformers.json", choices["prompts"])


def _write_dense(folder, r, numbers, size):
    output = r.choice([size, 13])
    activation = r.choice(ACTIVATIONS)
    module = "linear" if activation == "Identity" else "activation"
    weights = {"linear.weight": numbers.standard_normal((output, size)).astype(np.float32)}
    bias = r.random() < 0.7
    if bias:
        weights["linear.bias"] = numbers.standard_normal(output).astype(np.float32)
    config = {
        "in_features": size, "out_features": output, "bias": bias,
        "activation_function": f"torch.nn.modules.{module}.{activation}",
    }  # fmt: skip
    if r.random() < 0.4:
        config["use_residual"] = True
        if output != size:
            weights["residual.weight"] = numbers.standard_normal((output, size)).astype(np.float32)
    update(folder / "config.json", config)
    save_file(weights, folder / "model.safetensors")
    return output
