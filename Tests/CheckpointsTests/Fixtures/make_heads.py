"""Writes heads/: models with heads, small and random, and what transformers answers.

    pip install -r requirements-pytorch.txt && python make_heads.py

Of each family a head for texts, and of BERT and RoBERTa one for tokens; the vocabularies are those of
pytorch/ and relatives/, which come first, MPNet's with tokens of its own, and ALBERT's of families.py. heads.json has, in float64: `logits`, what the
text-classification pipeline or a softmax makes of them, and how far PyTorch's float32 is from that.
entities.json has what the token-classification pipeline finds in 200 texts, in each of its ways.

masked-…: of each family a masked language model, and two sparse encoders. masked.json has logits of every 17th
token of the vocabulary in float64, masks.json what the fill-mask pipeline gives, and sparse.json the vectors of
sentence-transformers' SparseEncoder in float64.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile

import numpy as np
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "EndToEnd"))
import families  # noqa: E402

ROOT = HERE / "heads"
SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "initializer_range": 0.3,
}
EMOTIONS = {0: "joy", 1: "anger", 2: "fear: \"of\" what"}
ENTITIES = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
# Name: class, what its configuration has besides, and the folder with its vocabulary.
KINDS = {
    "reranker": (
        "BertForSequenceClassification",
        {"num_labels": 1, "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}},
        "pytorch/weights",
    ),
    "emotions": ("BertForSequenceClassification", {"id2label": EMOTIONS}, "pytorch/weights"),
    "several": (
        "BertForSequenceClassification",
        {"id2label": EMOTIONS, "problem_type": "multi_label_classification"},
        "pytorch/weights",
    ),
    "regression": (
        "BertForSequenceClassification", {"num_labels": 1, "problem_type": "regression"}, "pytorch/weights"
    ),
    "distilbert": ("DistilBertForSequenceClassification", {"id2label": EMOTIONS}, "pytorch/distilbert"),
    "electra": (
        "ElectraForSequenceClassification", {"id2label": EMOTIONS, "embedding_size": 16}, "pytorch/weights"
    ),
    "mpnet": ("MPNetForSequenceClassification", {"id2label": EMOTIONS}, "pytorch/weights"),
    "albert": (
        "AlbertForSequenceClassification", {"id2label": EMOTIONS, "embedding_size": 16}, "families.py"
    ),
    "roberta": ("RobertaForSequenceClassification", {"id2label": EMOTIONS}, "relatives/roberta"),
    "xlm-roberta-reranker": (
        "XLMRobertaForSequenceClassification",
        {"num_labels": 1, "sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"},
        "relatives/xlm-roberta",
    ),
    "entities": ("BertForTokenClassification", {"id2label": ENTITIES}, "pytorch/weights"),
    "roberta-entities": ("RobertaForTokenClassification", {"id2label": ENTITIES}, "relatives/roberta"),
}
MASKED = {
    "masked-bert": ("BertForMaskedLM", {}, "pytorch/weights"),
    "masked-untied": ("BertForMaskedLM", {"tie_word_embeddings": False, "hidden_act": "gelu_new"}, "pytorch/weights"),
    "masked-distilbert": ("DistilBertForMaskedLM", {}, "pytorch/distilbert"),
    "masked-electra": ("ElectraForMaskedLM", {"embedding_size": 16}, "pytorch/weights"),
    "masked-mpnet": ("MPNetForMaskedLM", {}, "pytorch/weights"),
    "masked-albert": ("AlbertForMaskedLM", {"embedding_size": 16}, "families.py"),
    "masked-roberta": ("RobertaForMaskedLM", {}, "relatives/roberta"),
    "masked-xlm-roberta": ("XLMRobertaForMaskedLM", {}, "relatives/xlm-roberta"),
    "masked-camembert": ("CamembertForMaskedLM", {}, "relatives/xlm-roberta"),
}
# Name: pooling, activation, and the masked language model before it.
SPARSE = {
    "splade": ("max", "relu", "masked-bert"),
    "splade-sum": ("sum", "log1p_relu", "masked-distilbert"),
}
STEP = 17
MASKED_TEXTS = ["Improve the [MASK] of your goldfish", "[MASK]", "a [MASK] [MASK] bicycle, café 中文", ["a [MASK]", "fish."]]
TEXTS = [
    "Improve the physical fitness of your goldfish by getting him a bicycle",
    ["what is a goldfish?", "A goldfish is a fish, and it has no bicycle."],
    "Café naïve ™ 中文",
    "",
    "don't  we'll x 12 34.5 🐟",
    ["", "x"],
]


def configuration(name, vocabulary):
    kind, more, _ = (KINDS | MASKED)[name]
    architecture = kind.split("For")[0]
    sizes = {**SIZES, "vocab_size": len(vocabulary)}
    if architecture == "DistilBert":
        sizes = {
            "dim": 24, "n_layers": 2, "n_heads": 2, "hidden_dim": 40, "initializer_range": 0.3,
            "vocab_size": len(vocabulary),
        }
    pad = vocabulary.get("<pad>", 0)
    sizes["max_position_embeddings"] = 128
    if architecture == "MPNet":
        sizes |= {"pad_token_id": pad, "max_position_embeddings": 128 + pad + 1}
    if any(part in architecture for part in ["oberta", "Camembert"]):
        sizes |= {"pad_token_id": pad, "type_vocab_size": 1, "max_position_embeddings": 128 + pad + 1}
    return getattr(transformers, architecture + "Config")(**sizes, **more)


def tokenizer(name, folder):
    """The tokenizer of a kind, whose files it writes to the kind's folder."""
    files = HERE / (KINDS | MASKED)[name][2]
    if "albert" in name:
        families.write_albert(folder, name)
        return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    if "mpnet" in name:
        tokens = ["<s>", "<pad>", "</s>", "<unk>", *(files / "vocab.txt").read_text().splitlines(), "<mask>"]
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}\n')
        engine = tokenizers.BertWordPieceTokenizer(
            str(folder / "vocab.txt"), cls_token="<s>", sep_token="</s>", mask_token="<mask>", lowercase=True
        )
        engine._tokenizer.post_processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        return engine
    for file in ["vocab.txt", "tokenizer.json", "tokenizer_config.json"]:
        if (files / file).exists():
            shutil.copy(files / file, folder)
    if not (folder / "tokenizer.json").exists():
        return tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    engine = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    if "xlm" in name or "camembert" in name:  # pairs as XLM-R has them
        ends = [(token, engine.token_to_id(token)) for token in ["<s>", "</s>"]]
        engine.post_processor = tokenizers.processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
        )
        engine.save(str(folder / "tokenizer.json"))
    if name in MASKED and (files / "tokenizer_config.json").exists():
        options = json.loads((files / "tokenizer_config.json").read_text()) | {"mask_token": "<mask>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(options) + "\n")
    return engine


def answers(model, engine, text, has_types):
    pair = [text] if isinstance(text, str) else text
    encoded = engine.encode(*pair)
    inputs = {"input_ids": torch.tensor([encoded.ids])}
    if has_types:
        inputs["token_type_ids"] = torch.tensor([encoded.type_ids])
    with torch.no_grad():
        single = model.float()(**inputs).logits[0].numpy()
        exact = model.double()(**inputs).logits[0]
    row = {"text": text, "logits": exact.tolist(), "error": float(np.abs(single - exact.numpy()).max())}
    if model.config.problem_type == "multi_label_classification" or model.config.num_labels == 1:
        row["probabilities"] = torch.sigmoid(exact).tolist()
    else:
        row["probabilities"] = torch.softmax(exact, -1).tolist()
    return row


def made(name):
    """The model of a kind and its tokenizer, written to the kind's folder."""
    kind = (KINDS | MASKED)[name][0]
    folder = ROOT / name
    folder.mkdir(parents=True)
    engine = tokenizer(name, folder)
    torch.manual_seed(7)
    model = getattr(transformers, kind)(configuration(name, engine.get_vocab())).eval()
    # As PyTorch makes them they are zero.
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith("bias"):
            parameter.data = 0.2 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    return model, engine


def write(name):
    model, engine = made(name)
    kind = KINDS[name][0]
    has_types = not any(part in kind for part in ["oberta", "Distil", "MPNet"])
    texts = [text for text in TEXTS if isinstance(text, str) or "Token" not in kind]
    return [answers(model, engine, text, has_types) for text in texts]


def mask_of(engine):
    return "<mask>" if engine.token_to_id("<mask>") is not None else "[MASK]"


def masked(name):
    model, engine = made(name)
    has_types = any(part in name for part in ["-bert", "electra", "albert", "untied"])
    rows = []
    for text in MASKED_TEXTS:
        pair = [part.replace("[MASK]", mask_of(engine)) for part in ([text] if isinstance(text, str) else text)]
        encoded = engine.encode(*pair)
        inputs = {"input_ids": torch.tensor([encoded.ids])}
        if has_types:
            inputs["token_type_ids"] = torch.tensor([encoded.type_ids])
        with torch.no_grad():
            single = model.float()(**inputs).logits[0].double()
            exact = model.double()(**inputs).logits[0]
        some = [[float(f"{value:.10g}") for value in row[::STEP].tolist()] for row in exact]
        rows.append({"text": pair if len(pair) > 1 else pair[0], "logits": some, "error": (single - exact).abs().max().item()})
    return rows


def masks(name):
    """What the pipeline gives for one mask, several, and with targets."""
    folder = ROOT / name
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        pipeline = transformers.pipeline("fill-mask", model=place)
    mask = pipeline.tokenizer.mask_token
    rows = []
    for text, options in [
        ("Improve the [MASK] of your goldfish.", {}),
        ("[MASK]", {"top_k": 2}),
        ("a [MASK] bicycle, [MASK]", {"top_k": 3}),
        ("your [MASK] bicycle", {"targets": ["goldfish", "fish", "bicycle", "中文x"], "top_k": 3}),
        ("your [MASK]", {"targets": "fit"}),
    ]:
        text = text.replace("[MASK]", mask)
        rows.append({"text": text, "options": options, "found": pipeline(text, **options)})
    return rows


def sparse(name):
    pooling, activation, base = SPARSE[name]
    folder = ROOT / name
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(ROOT / base, place, dirs_exist_ok=True)
        modules = [Transformer(place, transformer_task="fill-mask"), SpladePooling(pooling, activation_function=activation)]
        model = sentence_transformers.SparseEncoder(modules=modules, prompts={"query": "a goldfish: "}, device="cpu")
        model.save_pretrained(str(folder))
    (folder / "README.md").unlink()
    model = sentence_transformers.SparseEncoder(str(folder), device="cpu")
    rows = []
    for text in ["Improve the fitness of your goldfish", "", "don't x 12 🐟 a bicycle"]:
        for prompt in [None, "query"]:
            ask = {"prompt_name": prompt, "convert_to_sparse_tensor": False}
            single = model.float().encode(text, **ask).double()
            exact = model.double().encode(text, **ask)
            weights = {str(index): float(f"{exact[index]:.10g}") for index in exact.nonzero().flatten().tolist()}
            rows.append({"text": text, "prompt": prompt, "weights": weights, "error": (single - exact).abs().max().item()})
    return rows


WORDS = "goldfish bicycle fitness café naïve 中文 getting him Improve your 🐟 x12 don't [UNK] a,b U.S. é ﬁt".split()
WAYS = ["none", "simple", "first", "average", "max"]


def entities(name):
    """What the pipeline finds, by way: one text in ten of each, for they are long."""
    folder = ROOT / name
    with tempfile.TemporaryDirectory() as place:
        # The folder as transformers saves it, which has all files of its tokenizer.
        shutil.copytree(folder, place, dirs_exist_ok=True)
        pipeline = transformers.pipeline("token-classification", model=place, ignore_labels=["I-LOC"])
    chance = random.Random(3)
    rows = []
    for number in range(200):
        text = " ".join(chance.choices(WORDS, k=chance.randint(0, 9)))
        if number % 7 == 0:
            text = " " + text.replace(" ", "  ") + "\n"
        way = WAYS[number % len(WAYS)]
        found = pipeline(text, aggregation_strategy=way)
        rows.append({"text": text, "way": way, "found": json.loads(json.dumps(found, default=float))})
    return rows


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    goldens = {name: write(name) for name in KINDS}
    found = {name: entities(name) for name in KINDS if "entities" in name}
    answers_of = {
        "entities": found, "heads": goldens, "masked": {name: masked(name) for name in MASKED},
        "masks": {name: masks(name) for name in MASKED}, "sparse": {name: sparse(name) for name in SPARSE},
    }
    for name, rows in answers_of.items():
        (ROOT / f"{name}.json").write_text(json.dumps(rows, separators=(",", ":")) + "\n")


main()
