"""Makes model folders of what folders may say, and compares each answer with its framework's.

    python compare_folders.py --server ../../.build/release/bert-server --folders 400

What is served must be what sentence-transformers (with modules) or transformers (without) answers in
float32, within its error, for every text and key; what is refused must name the file, the key and
what to do. `--record` writes the answers of some folders for Tests/EndToEnd/test_folders.py.
"""

import argparse
import base64
import collections
import dataclasses
import inspect
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import requests
import torch

import folders as made
from folders import FIXTURES, ODD, TEXTS

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.filterwarnings("ignore")
import sentence_transformers  # noqa: E402
import sentence_transformers.models  # noqa: E402
import transformers  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

SOURCES = FIXTURES.parents[2] / "Sources" / "Checkpoints"
# What a refusal says to do, or what there is instead.
TO_DO = re.compile(r"\b(set|take|give|add|write|ask|make|call|only|are|writes|must|needs|instead|mask)\b")
# Of a refusal of one odd member, the words that stand for its file and key.
SAID_OTHERWISE = {"adapter_config.json": "adapter", "modules.json": "modules.json"}
AT_ONCE = 20
UNTYPED = ["input_ids", "attention_mask"]


# The tables of keys.


def framework_keys():
    """Every key that the frameworks' classes have a name for, by class."""
    keys = {}
    for kind in ("Bert", "Roberta", "XLMRoberta", "Camembert", "DistilBert", "MPNet", "Electra", "Albert"):
        configuration = getattr(transformers, f"{kind}Config")
        keys[configuration.__name__] = [field.name for field in dataclasses.fields(configuration)]
    names = ("Bert", "MPNet", "Roberta", "XLMRoberta", "Camembert", "Albert")
    for name in [f"{name}Tokenizer" for name in names]:
        keys[name] = list(inspect.signature(getattr(transformers, name).__init__).parameters)
    models = sentence_transformers.models
    for module in (models.Transformer, models.Pooling, models.Dense, models.Normalize, models.LayerNorm):
        keys[module.__name__] = list(module.config_keys)
    return {
        name: [key for key in found if key not in ("self", "args", "kwargs") and not key.startswith("_spm")]
        for name, found in keys.items()
    }


def unknown_keys():
    tables = "".join((SOURCES / f"ConfigurationKeys{part}.swift").read_text() for part in ("", "+Model"))
    return [
        f"{name}.{key}" for name, keys in framework_keys().items() for key in keys if f'"{key}"' not in tables
    ]


# Answers.


def theirs(folder, choices):
    """The framework's answers by key, a dictionary a text: of its float32 and its float64.

    A text that it fails at is None.
    """
    answers = []
    if choices["architecture"] == "xlm-roberta" and choices["tokenizer"] == "other steps":
        # tokenizer.json counts, as for transformers 4; transformers 5 takes its class's steps.
        encoder = next(path.parent for path in folder.rglob("tokenizer.json"))
        made.update(encoder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    has_modules = any((folder / name).exists() for name in ("modules.json", "1_Pooling"))
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        if has_modules:
            # Else transformers 5 rounds a Dense layer's weights to the encoder's type.
            model = sentence_transformers.SentenceTransformer(
                str(folder), device="cpu", model_kwargs={"dtype": torch.float32}
            ).to(dtype)
            ask = lambda text: {"sentence_embedding": model.encode(text).astype(np.float64)}  # noqa: E731
        else:
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
            model = transformers.AutoModel.from_pretrained(str(folder), dtype=torch.float32).to(dtype).eval()
            ask = lambda text: transformers_outputs(tokenizer, model, text)  # noqa: E731
        rows = []
        for text in TEXTS:
            # Its pairs are no two segments.
            if has_modules and isinstance(text, list):
                continue
            # transformers 5 leaves types out for a class without a name, transformers 4 does not.
            untyped = not has_modules and tokenizer.model_input_names == UNTYPED
            if isinstance(text, list) and untyped and model.config.model_type in ("bert", "electra"):
                rows.append("a pair without types")
                continue
            try:
                rows.append(ask(text))
            except (IndexError, RuntimeError, ValueError) as error:
                rows.append(repr(error)[:120])
        answers.append(rows)
    return answers


def transformers_outputs(tokenizer, model, text):
    positions = model.config.max_position_embeddings - (
        2 if "roberta" in model.config.model_type or model.config.model_type == "mpnet" else 0
    )
    parts = text if isinstance(text, list) else [text]
    inputs = tokenizer(
        *parts, truncation=True, max_length=min(tokenizer.model_max_length, positions), return_tensors="pt"
    )
    with torch.inference_mode():
        found = model(**inputs, output_hidden_states=True)
    return {
        "sequence_output": found.last_hidden_state[0].double().numpy(),
        "encoder_outputs": torch.stack(found.hidden_states[1:])[:, 0].double().numpy(),
        **({} if found.get("pooler_output") is None else {"pooled_output": found.pooler_output[0].double().numpy()}),
    }


def ours(url, name, keys):
    rows = []
    for text in TEXTS:
        if isinstance(text, list) and "sentence_embedding" in keys:
            continue
        response = requests.post(
            f"{url}/encode", params={"model": name, "output_key": ",".join(keys)}, json={"inputs": [text]}
        )
        if response.status_code != 200:
            rows.append(response.text)
            continue
        outputs = response.json()["outputs"]
        row = {key: np.array(outputs[key]) for key in keys}
        rows.append({key: row[key][:, 0] if key == "encoder_outputs" else row[key][0] for key in keys})
    return rows


def judge(found, single, double):
    """What is wrong with our answers, or nothing, and the largest errors, relative to the numbers' size."""
    error, least, failed = 0.0, 0.0, 0
    for text, mine, one, two in zip(TEXTS, found, single, double):
        if isinstance(one, str) or isinstance(two, str):
            failed += 1
            continue
        if isinstance(mine, str) and "takes no pairs" in mine:
            failed += 1
            continue
        if isinstance(mine, str):
            return f"{text!r}: {mine}", error, failed
        for key in mine:
            if mine[key].shape != two[key].shape:
                return f"{text!r}: {key} is {mine[key].shape}, not {two[key].shape}", error, failed
            scale = max(1.0, np.abs(two[key]).max())
            error = max(error, np.abs(mine[key] - two[key]).max() / scale)
            least = max(least, np.abs(one[key] - two[key]).max() / scale)
    wrong = f"error {error:.2g}, and theirs is {least:.2g}" if error > max(2e-5, 3 * least) else None
    return wrong, error, failed


# Refusals.


def fault_of(refusal, number):
    """What is wrong with a refusal's message, or nothing."""
    if len(refusal) < 40 or "Error" in refusal:
        return "is no message"
    if not re.search(r"FOLDER|\w+\.(json|txt|safetensors)", refusal):
        return "names no file"
    if not TO_DO.search(refusal):
        return "does not say what to do"
    if number < len(ODD) and "do not fit the configuration" not in refusal:
        name, members = ODD[number]
        file = SAID_OTHERWISE.get(name, name.split("/")[-1])
        if file not in refusal:
            return f"does not name {file}"
        keys = list(members) if isinstance(members, dict) else [members]
        if name not in SAID_OTHERWISE and not any(str(key) in refusal for key in keys):
            return f"names none of {keys}"
    return None


def inspected(server, folder):
    """The refusal's message, its folder called FOLDER; None if it would be served."""
    done = subprocess.run([server, "inspect", folder], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    if done.returncode != 1:
        return f"Error: inspect ended with {done.returncode}"
    refusal = (done.stderr + done.stdout).strip().splitlines()[-1]
    return refusal.replace(str(folder), "FOLDER").split("FOLDER is refused: ")[-1]


def compare(server, root, numbers, report):
    served = []
    for number in numbers:
        folder = root / f"m{number}"
        choices = made.make(folder, number)
        refusal = inspected(server, folder)
        if refusal is None:
            served.append((number, choices))
        else:
            fault = fault_of(refusal, number)
            report["bad refusals" if fault else "refused"].append((number, choices, refusal, fault))
    if not served:
        return
    models = [argument for number, _ in served for argument in ("--model", f"m{number}={root}/m{number}")]
    process = subprocess.Popen(
        [server, "serve", "--port", "0", "--threads", "1", "--max-batch-tokens", "2048", *models],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        url = process.stdout.readline().split()[-1]
        while requests.get(f"{url}/health/ready").status_code != 200:
            if process.poll() is not None:
                raise SystemExit("the server has ended")
        for number, choices in served:
            try:
                single, double = theirs(root / f"m{number}", choices)
            except Exception as error:  # the framework refuses what we serve
                report["only ours"].append((number, choices, repr(error)[:200]))
                continue
            keys = next((list(row) for row in single if isinstance(row, dict)), [])
            if not keys:
                report["only ours"].append((number, choices, single[0]))
                continue
            if choices["names"] == "no pooler":  # a random one, there
                keys = [key for key in keys if key != "pooled_output"]
            found = ours(url, f"m{number}", keys)
            wrong, error, failed = judge(found, single, double)
            report["texts"].append(len(found) - failed)
            report["different" if wrong else "same"].append((number, choices, wrong or error))
            if not wrong:
                report["answers"].append((number, double))
    finally:
        process.terminate()
        process.wait()


# The sample that every test run tries.


def short(value):
    """Of a tensor, its shape, and the first and the last row of tokens: float32, in base64."""
    rows = value if value.ndim == 1 else value[..., [0, -1], :]
    data = base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode()
    return {"shape": list(value.shape), "ends": data}


def record(path, report):
    """The folders that need no PyTorch to be made again."""
    rows = []
    for number, choices, refusal, _ in report["refused"]:
        if choices["form"] != "bin":
            rows.append({"number": number, "choices": choices, "refusal": refusal})
    for number, double in report["answers"]:
        choices = made.draw(number)
        if choices["form"] == "bin":
            continue
        # Blocks' outputs end in sequence_output's.
        keys = ["sentence_embedding", "sequence_output", "pooled_output"]
        if choices["names"] == "no pooler":
            keys.remove("pooled_output")
        answers = [
            None if isinstance(row, str) else {key: short(row[key]) for key in keys if key in row} for row in double
        ]
        rows.append({"number": number, "choices": choices, "answers": answers})
    rows.sort(key=lambda row: row["number"])
    path.write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
    print(f"{path}: {len(rows)} folders, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--folders", type=int, default=400)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    report = collections.defaultdict(list)
    end = arguments.first + arguments.folders
    for start in range(arguments.first, end, AT_ONCE):
        with tempfile.TemporaryDirectory() as root:
            compare(arguments.server, pathlib.Path(root), range(start, min(start + AT_ONCE, end)), report)
    reasons = collections.Counter(re.sub(r'"[^"]*"', '"…"', row[2])[:100] for row in report["refused"])
    for reason, count in reasons.most_common():
        print(f"refused {count}: {reason}")
    for kind in ("only ours", "bad refusals", "different"):
        for row in report[kind]:
            print(f"{kind}:", *row)
    unknown = unknown_keys()
    for key in unknown:
        print("a key of the framework's that no table has:", key)
    errors = [row[2] for row in report["same"]]
    print(
        f"{arguments.folders} folders tried: {len(errors)} served, the same over {sum(report['texts'])} texts "
        f"(largest relative error {max(errors, default=0):.2g}); {len(report['refused'])} refused with file, key "
        f"and what to do; {len(report['only ours'])} served that the framework fails at; "
        f"{len(report['bad refusals'])} refused without a reason; {len(report['different'])} different; "
        f"{len(unknown)} keys unknown"
    )
    if arguments.record:
        record(arguments.record, report)
    sys.exit(bool(report["different"] or report["bad refusals"] or unknown))


if __name__ == "__main__":
    main()
