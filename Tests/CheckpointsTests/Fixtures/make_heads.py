"""Writes heads/: models with heads that classify, small and random, and what transformers answers.

    pip install -r requirements-pytorch.txt && python make_heads.py

Of each family a head for texts, and of BERT and RoBERTa one for tokens; the vocabularies are those of
pytorch/ and relatives/, which come first, MPNet's with tokens of its own, and ALBERT's of families.py. heads.json has, in float64: `logits`, what the
text-classification pipeline or a softmax makes of them, and how far PyTorch's float32 is from that.
entities.json has what the token-classification pipeline finds in 200 texts, in each of its ways.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile

import numpy as np
import tokenizers
import torch
import transformers

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
TEXTS = [
    "Improve the physical fitness of your goldfish by getting him a bicycle",
    ["what is a goldfish?", "A goldfish is a fish, and it has no bicycle."],
    "Café naïve ™ 中文",
    "",
    "don't  we'll x 12 34.5 🐟",
    ["", "x"],
]


def configuration(name, vocabulary):
    kind, more, _ = KINDS[name]
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
    if "oberta" in architecture:
        sizes |= {"pad_token_id": pad, "type_vocab_size": 1, "max_position_embeddings": 128 + pad + 1}
    return getattr(transformers, architecture + "Config")(**sizes, **more)


def tokenizer(name, folder):
    """The tokenizer of a kind, whose files it writes to the kind's folder."""
    files = HERE / KINDS[name][2]
    if name == "albert":
        families.write_albert(folder, name)
        return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    if name == "mpnet":
        tokens = ["<s>", "<pad>", "</s>", "<unk>", *(files / "vocab.txt").read_text().splitlines(), "<mask>"]
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}\n')
        engine = tokenizers.BertWordPieceTokenizer(
            str(folder / "vocab.txt"), cls_token="<s>", sep_token="</s>", lowercase=True
        )
        engine._tokenizer.post_processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        return engine
    for file in ["vocab.txt", "tokenizer.json", "tokenizer_config.json"]:
        if (files / file).exists():
            shutil.copy(files / file, folder)
    if not (folder / "tokenizer.json").exists():
        return tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    engine = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    if "xlm" in name:  # pairs as XLM-R has them
        ends = [(token, engine.token_to_id(token)) for token in ["<s>", "</s>"]]
        engine.post_processor = tokenizers.processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
        )
        engine.save(str(folder / "tokenizer.json"))
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


def write(name):
    kind = KINDS[name][0]
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
    has_types = not any(part in kind for part in ["oberta", "Distil", "MPNet"])
    texts = [text for text in TEXTS if isinstance(text, str) or "Token" not in kind]
    return [answers(model, engine, text, has_types) for text in texts]


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
    (ROOT / "entities.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
    (ROOT / "heads.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


main()
