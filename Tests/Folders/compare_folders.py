"""Makes model folders of what folders may say, and compares each answer with its framework's.

    python compare_folders.py --server ../../.build/release/bert-server --folders 300

A folder is drawn from the product of architecture, weights' form, tokenizer files, classes of
tokenizer, length limits, poolings, modules, prompts and single odd keys. What is served must be
what sentence-transformers (with modules.json) or transformers (without) answers, within float32's
error; what is refused must say why. Texts: short, long, two cases, an accent, an emoji, CJK, empty.
"""

import argparse
import collections
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import requests
import torch
from safetensors.numpy import load_file, save_file

warnings.filterwarnings("ignore")
import sentence_transformers  # noqa: E402
import transformers  # noqa: E402

transformers.logging.set_verbosity_error()

TESTS = pathlib.Path(__file__).parents[1]
FIXTURES = TESTS / "CheckpointsTests" / "Fixtures"
TEXTS = [
    "a goldfish",
    "A GOLDFISH Rides",
    "Caf\u00e9 na\u00efve \u2122",
    "\U0001f600 x <mask> [MASK]  y",
    "\u4e2d\u6587 \u65e5\u672c",
    "",
    " ".join(["the fitness of a bicycle"] * 30),
]
LIMITS = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"]
POOLINGS = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
ACTIVATIONS = [
    "Identity", "Tanh", "ReLU", "ReLU6", "GELU", "SiLU", "Mish", "Sigmoid", "LogSigmoid", "Hardsigmoid",
    "Hardswish", "Hardtanh", "Tanhshrink", "Softsign", "Softplus", "Softshrink", "Hardshrink", "ELU", "CELU",
    "SELU", "LeakyReLU",
]  # fmt: skip
# Keys of one file each that must be honoured, change nothing, or be refused.
ODD = [
    ("1_Pooling/config.json", {"include_prompt": False}),
    ("1_Pooling/config.json", {"pooling_weights": [1]}),
    ("2_Dense/config.json", {"scale": 2.0}),
    ("2_Dense/config.json", {"activation_function": "my_package.Tanh"}),
    ("2_Dense/config.json", {"module_input_name": "token_embeddings"}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "stride": 3}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "unpad_inputs": True}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "query_expansion": {"strategy": "fixed", "length": 16}}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "processing_kwargs": {"text": {"max_length": 5}}}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": True}),
    ("sentence_bert_config.json", {"max_seq_length": 9, "transformer_task": "fill-mask"}),
    ("tokenizer_config.json", {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}),
    ("tokenizer_config.json", {"truncation_side": "left"}),
    ("tokenizer_config.json", {"padding_side": "left"}),
    ("tokenizer_config.json", {"do_lower_case": False}),
    ("tokenizer_config.json", {"do_lower_case": True}),
    ("tokenizer_config.json", {"strip_accents": False}),
    ("tokenizer_config.json", {"tokenize_chinese_chars": False}),
    ("tokenizer_config.json", {"split_special_tokens": True}),
    ("tokenizer_config.json", {"model_max_length": 11}),
    ("tokenizer_config.json", {"clean_up_tokenization_spaces": True}),
    ("tokenizer_config.json", {"add_prefix_space": True}),
    ("config.json", {"tokenizer_class": "BertJapaneseTokenizer"}),
    ("config.json", {"position_embedding_type": "relative_key"}),
    ("config.json", {"is_decoder": True}),
    ("config.json", {"hidden_act": "silu"}),
    ("config.json", {"hidden_act": "gelu_new"}),
    ("config.json", {"hidden_act": "relu"}),
    ("config.json", {"chunk_size_feed_forward": 4}),
    ("config.json", {"layer_norm_eps": 1e-5}),
    ("config.json", {"model_type": "albert"}),
    ("added_tokens.json", {}),
    ("added_tokens.json", {"<x>": 4}),
    ("adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "base"}),
    ("config_sentence_transformers.json", {"prompts": {"q": "the "}, "default_prompt_name": "q"}),
    ("config_sentence_transformers.json", {"prompts": {"q": "the "}, "default_prompt_name": "r"}),
    ("config_sentence_transformers.json", {"truncate_dim": 7}),
    ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}),
]


def read(path):
    return json.loads(path.read_text()) if path.exists() else {}


def update(path, members):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**read(path), **members}))


def write_weights(folder, r, choices):
    """The base's weights again: prefix and head, dtype, shards, PyTorch's file."""
    tensors = load_file(folder / "model.safetensors")
    prefix = {"bert": "bert.", "roberta": "roberta.", "xlm-roberta": "roberta."}[choices["architecture"]]
    head = choices["head"]
    if head == "prefixed":
        tensors = {prefix + name: tensor for name, tensor in tensors.items()}
    if head != "none":
        tensors["classifier.weight"] = np.ones((2, 24), np.float32)
        tensors["classifier.bias"] = np.zeros(2, np.float32)
    tensors = {name: torch.from_numpy(tensor.copy()) for name, tensor in tensors.items()}
    if choices["dtype"] != "float32":
        tensors = {name: tensor.to(getattr(torch, choices["dtype"])) for name, tensor in tensors.items()}
    (folder / "model.safetensors").unlink()
    from safetensors.torch import save_file as save

    if choices["form"] == "bin":
        torch.save(tensors, folder / "pytorch_model.bin")
    elif choices["form"] == "shards":
        names = sorted(tensors)
        halves = [names[: len(names) // 2], names[len(names) // 2 :]]
        files = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
        for file, part in zip(files, halves):
            save({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        index = {name: file for file, part in zip(files, halves) for name in part}
        update(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    else:
        save(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def write_tokenizer(folder, r, choices):
    if choices["architecture"] != "bert":
        if choices["tokenizer"] == "parts" and choices["architecture"] == "roberta":
            model = read(folder / "tokenizer.json")["model"]
            merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
            (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
            (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
            (folder / "tokenizer.json").unlink()
        return
    lowercases = choices["lowercases"]
    if lowercases is not None:
        update(folder / "tokenizer_config.json", {"do_lower_case": lowercases})
    if choices["tokenizer"] == "parts":
        return
    tokenizer = transformers.BertTokenizer(
        vocab=str(folder / "vocab.txt"), do_lower_case=lowercases is not False
    )
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    if choices["tokenizer"] == "json alone":
        (folder / "vocab.txt").unlink()
    if choices["tokenizer"] == "cased json":
        file = read(folder / "tokenizer.json")
        file["normalizer"]["lowercase"] = False
        (folder / "tokenizer.json").write_text(json.dumps(file))


def write_modules(folder, r, choices):
    kinds = choices["modules"]
    if kinds is None:
        return
    library = "sentence_transformers.models."
    listed = [("Transformer", "")]
    size = 24 * len(choices["poolings"])
    for index, kind in enumerate(["Pooling", *kinds], 1):
        path = f"{index}_{kind}"
        listed.append((kind, path))
        (folder / path).mkdir()
        numbers = np.random.default_rng(r.randrange(1 << 30))
        if kind == "Pooling":
            flags = {f"pooling_mode_{name}": name in choices["poolings"] for name in POOLINGS}
            update(folder / path / "config.json", {"word_embedding_dimension": 24, **flags})
        elif kind == "Dense":
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
            update(folder / path / "config.json", config)
            save_file(weights, folder / path / "model.safetensors")
            size = output
        elif kind == "LayerNorm":
            update(folder / path / "config.json", {"dimension": size})
            weights = {name: numbers.standard_normal(size).astype(np.float32) for name in ("norm.weight", "norm.bias")}
            save_file(weights, folder / path / "model.safetensors")
        elif kind == "Dropout":
            update(folder / path / "config.json", {"dropout": 0.1})
        elif kind == "CNN":
            update(folder / path / "config.json", {"in_word_embedding_dimension": 24, "out_channels": 8, "kernel_sizes": [1]})
    types = [
        {"idx": index, "name": str(index), "path": path, "type": library + kind}
        for index, (kind, path) in enumerate(listed)
    ]
    (folder / "modules.json").write_text(json.dumps(types))
    if choices["limit"]:
        update(folder / f"sentence_{choices['limit']}_config.json", {"max_seq_length": r.choice([8, 20]), "do_lower_case": False})
    if choices["prompts"]:
        update(folder / "config_sentence_transformers.json", choices["prompts"])


def draw(r):
    return {
        "architecture": r.choice(["bert", "bert", "roberta", "xlm-roberta"]),
        "head": r.choice(["none", "none", "prefixed", "bare"]),
        "dtype": r.choice(["float32", "float32", "float16", "bfloat16"]),
        "form": r.choice(["safetensors", "safetensors", "bin", "shards"]),
        "tokenizer": r.choice(["parts", "both", "json alone", "cased json"]),
        "lowercases": r.choice([None, True, False]),
        "poolings": r.sample(POOLINGS, r.choice([1, 1, 1, 2, 3])),
        "modules": r.choice([
            None, [], ["Normalize"], ["Dense"], ["Dense", "Normalize"], ["LayerNorm"], ["Normalize", "Dense"],
            ["Dense", "Dropout", "Dense"], ["LayerNorm", "Dense", "Normalize"], ["CNN"],
        ]),
        "limit": r.choice([None, *LIMITS]),
        "prompts": r.choice([
            None, None, {"prompts": {"query": "the bicycle: ", "document": ""}, "default_prompt_name": "query"},
            {"prompts": {"query": "q"}}, {"truncate_dim": 5},
        ]),
        "odd": r.choice([None, *ODD]),
    }  # fmt: skip


def make(folder, seed):
    r = random.Random(seed)
    choices = draw(r)
    bases = {"bert": FIXTURES / "pytorch" / "weights"}
    architecture = choices["architecture"]
    shutil.copytree(bases.get(architecture, FIXTURES / "relatives" / architecture), folder)
    write_weights(folder, r, choices)
    write_tokenizer(folder, r, choices)
    write_modules(folder, r, choices)
    if choices["odd"]:
        name, members = choices["odd"]
        update(folder / name, members)
    return choices


def theirs(folder):
    """By key, the framework's answer to each text; and float64's, for the room there is."""
    answers = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        if (folder / "modules.json").exists():
            model = sentence_transformers.SentenceTransformer(str(folder), device="cpu").to(dtype)
            answers.append([
                {"sentence_embedding": model.encode(text).astype(np.float64)} for text in TEXTS
            ])  # fmt: skip
            continue
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
        model = transformers.AutoModel.from_pretrained(str(folder)).to(dtype).eval()
        limit = min(
            tokenizer.model_max_length,
            model.config.max_position_embeddings - (2 if "roberta" in model.config.model_type else 0),
        )
        rows = []
        for text in TEXTS:
            inputs = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
            with torch.inference_mode():
                rows.append({"sequence_output": model(**inputs).last_hidden_state[0].double().numpy()})
        answers.append(rows)
    return answers


def ours(url, name, key):
    rows = []
    for text in TEXTS:
        response = requests.post(f"{url}/encode", params={"model": name, "output_key": key}, json={"inputs": [text]})
        if response.status_code != 200:
            return response.text
        rows.append(np.array(response.json()[key][0] if isinstance(response.json()[key], list) else response.json()[key]))
    return rows


def compare(server, root, seeds, report):
    served = {}
    for seed in seeds:
        folder = root / f"m{seed}"
        choices = make(folder, seed)
        done = subprocess.run([server, "inspect", folder], capture_output=True, text=True)
        refusal = (done.stderr + done.stdout).strip().splitlines()[-1] if done.returncode else None
        if done.returncode == 0:
            served[seed] = choices
        elif done.returncode != 1 or len(refusal) < 40 or "Error" in refusal:
            report["bad refusals"].append((seed, choices, done.returncode, refusal))
        else:
            report["refused"].append((seed, choices, refusal.replace(str(folder), "FOLDER")))
    if not served:
        return
    models = [argument for seed in served for argument in ("--model", f"m{seed}={root}/m{seed}")]
    process = subprocess.Popen(
        [server, "serve", "--port", "0", "--threads", "1", "--max-batch-tokens", "2048", *models],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = process.stdout.readline().split()[-1]
        while requests.get(f"{url}/health/ready").status_code != 200:
            if process.poll() is not None:
                raise SystemExit(process.stderr.read())
        for seed, choices in served.items():
            try:
                single, double = theirs(root / f"m{seed}")
            except Exception as error:  # the framework refuses what we serve
                report["only ours"].append((seed, choices, repr(error)[:200]))
                continue
            key = next(iter(single[0]))
            found = ours(url, f"m{seed}", key)
            if isinstance(found, str):
                report["different"].append((seed, choices, found))
                continue
            worst = {"shape": None, "error": 0.0, "theirs": 0.0}
            for mine, one, two in zip(found, single, double):
                if mine.shape != two[key].shape:
                    worst["shape"] = (mine.shape, two[key].shape)
                    break
                scale = max(1.0, np.abs(two[key]).max())
                worst["error"] = max(worst["error"], np.abs(mine - two[key]).max() / scale)
                worst["theirs"] = max(worst["theirs"], np.abs(one[key] - two[key]).max() / scale)
            kind = "different" if worst["shape"] or worst["error"] > max(2e-5, 3 * worst["theirs"]) else "same"
            report[kind].append((seed, choices, worst))
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--folders", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    report = collections.defaultdict(list)
    for start in range(0, arguments.folders, 20):
        seeds = range(arguments.seed + start, arguments.seed + min(start + 20, arguments.folders))
        with tempfile.TemporaryDirectory() as root:
            compare(arguments.server, pathlib.Path(root), seeds, report)
    reasons = collections.Counter(refusal.split(": ", 2)[-1][:90] for _, _, refusal in report["refused"])
    for reason, count in reasons.most_common():
        print(f"refused {count}: {reason}")
    for kind in ("only ours", "bad refusals", "different"):
        for row in report[kind]:
            print(kind, *row)
    errors = [row[2]["error"] for row in report["same"]]
    print(
        f"{arguments.folders} folders: {len(report['same'])} served and the same (largest relative error "
        f"{max(errors, default=0):.2g}), {len(report['refused'])} refused with a reason, "
        f"{len(report['only ours'])} served that the framework cannot load, "
        f"{len(report['bad refusals'])} refused without a reason, {len(report['different'])} different"
    )
    sys.exit(bool(report["different"] or report["bad refusals"]))


if __name__ == "__main__":
    main()
