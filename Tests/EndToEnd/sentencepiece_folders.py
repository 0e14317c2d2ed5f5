"""Folders with a SentencePiece model and no tokenizer.json, and the texts that are asked of them.

`sentencepiece_answers.py` trains the models and asks transformers for what test_sentencepiece.py compares.
"""

import json
import lzma
import io
import tarfile

import numpy as np
from safetensors.numpy import save_file

import families
from server import ROOT
from texts import TEXTS

MODELS = ROOT / "Tests" / "TokenizersTests" / "Fixtures" / "sentencepiece.tar.xz"
SIZES = {"hidden_size": 2, "num_attention_heads": 1, "num_hidden_layers": 1, "intermediate_size": 2,
         "max_position_embeddings": 4100}  # fmt: skip


def listed(**tokens):
    """`added_tokens_decoder` as transformers 4 writes it."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        id.removeprefix("_"): {"content": name, **flags, "lstrip": "mask" in name.lower()}
        for id, name in tokens.items()
    }


OBJECT = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "normalized": True,
          "single_word": False}  # fmt: skip
# Of each folder the model, and what tokenizer_config.json and special_tokens_map.json hold.
FOLDERS = {
    "albert": ("albert", None, None),
    "albert-4": (
        "albert",
        {
            "added_tokens_decoder": listed(_0="<pad>", _1="<unk>", _2="[CLS]", _3="[SEP]", _4="[MASK]"),
            "bos_token": "[CLS]", "cls_token": "[CLS]", "clean_up_tokenization_spaces": True, "do_lower_case": False,
            "eos_token": "[SEP]", "keep_accents": True, "mask_token": "[MASK]", "pad_token": "<pad>",
            "remove_space": True, "sep_token": "[SEP]", "sp_model_kwargs": {}, "tokenizer_class": "AlbertTokenizer",
            "unk_token": "<unk>",
        },
        {"bos_token": "[CLS]", "mask_token": {**OBJECT, "content": "[MASK]", "normalized": False}},
    ),
    "albert-3": (
        "albert", {"do_lower_case": True}, {"mask_token": {**OBJECT, "content": "[MASK]", "normalized": False}}
    ),
    "xlm-roberta": ("xlm-roberta", None, None),
    "xlm-roberta-3": ("xlm-roberta", {"add_prefix_space": False}, {"mask_token": OBJECT}),
    "xlm-roberta-names": (
        "xlm-roberta", {"tokenizer_class": "XLMRobertaTokenizerFast", "additional_special_tokens": ["s"]}, None
    ),
    "xlm-roberta-extra": ("xlm-roberta", {"extra_special_tokens": ["s"]}, None),
    "camembert": ("camembert", None, None),
    "camembert-4": (
        "camembert",
        {
            "added_tokens_decoder": listed(_0="<s>NOTUSED", _1="<pad>", _2="</s>NOTUSED", _4="<unk>NOTUSED",
                                           _5="<s>", _6="</s>"),
            "additional_special_tokens": ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
        },
        None,
    ),
    # As published: [MASK] comes after the pieces.
    "deberta": ("deberta", {"do_lower_case": False, "vocab_type": "spm"}, None),
    "deberta-4": (
        "deberta",
        {
            "added_tokens_decoder": {**listed(_0="[PAD]", _1="[CLS]", _2="[SEP]", _1811="[MASK]", _1812="[new]"),
                                     "3": {**OBJECT, "content": "[UNK]", "lstrip": False}},
            "bos_token": "[CLS]", "cls_token": "[CLS]", "do_lower_case": True, "eos_token": "[SEP]",
            "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "sp_model_kwargs": {},
            "split_by_punct": True, "tokenizer_class": "DebertaV2Tokenizer", "unk_token": "[UNK]",
            "vocab_type": "spm",
        },
        None,
    ),
    "deberta-3": (
        "deberta", {"tokenizer_class": "DebertaV2TokenizerFast"},
        {"mask_token": "[MASK]", "unk_token": {**OBJECT, "content": "[UNK]"}}, {"[MASK]": 1811, "fish": 1812},
    ),
    "deberta-names": (
        "deberta-small", {"add_prefix_space": False, "cls_token": "<ent>", "pad_token": "[pad]", "do_lower_case": True},
        {"mask_token": {**OBJECT, "content": "<mask>"}},
    ),
    "deberta-unnamed": ("deberta-default", None, None),
}  # fmt: skip
# Of each model the file and model_type of its folders, where they are not its own name's.
KINDS = {name: ("spm.model", "deberta-v2") for name in ("deberta", "deberta-small", "deberta-default")}
KINDS["albert"] = ("spiece.model", "albert")
MORE = {
    "named_0": "x <mask>  y [MASK] z</s>[SEP]  [CLS]a<pad><unk>",
    "named_1": "  <mask><s>NOTUSED the</s>NOTUSED<ent>é e\u0301 <ctl>x",
    "white_0": "  a  b\t\tc\nd\u00a0e\u3000f \u2581g▁▁h  ",
    "white_1": "\u2028x\u200by\u0085z\u1680",
    "quotes": "``a'' '''b''' ```c",
    "commas": "1, 23, 4,567, x,",
    "controls": "a\u0000b\u0007c\u001fd\u007fe\u0090f\ufffdg\ufeffh",
    "pair_empty": ("", "b"),
    "pair_words": ("a goldfish", "rides <mask> a bicycle"),
}
# The models are not trained on these.
UNSEEN = {
    "named_2": " [new] fish [MASK]  [UNK] Fish\u3000[mask] [PAD]<pad>[pad]   <mask>  ",
    "bytes": "<0x41> <0xE2><0x82>\u20b5\U0001f99c <0xGG>",
    "white_2": "\n\na\t\tb \r\n  c\u00a0\u00a0d\u3000 e\x0b\x0cf\x85g\n",
    "white_3": "   ",
    "wide": "Ｆｕｌｌ ｗｉｄｔｈ，ﬁﬂ ①② ㎏ ½ ª e\u0301\u0323 \u1e9b\u0323",
}
# transformers takes an empty second text for none.
CHOSEN = {name: text for name, text in {**TEXTS, **MORE, **UNSEEN}.items() if isinstance(text, str) or text[1]}
FEW = [name for name in CHOSEN if name in MORE or name in UNSEEN or name.startswith(("special", "sentence"))]


def read():
    """The models' bytes by name."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(MODELS.read_bytes()))) as archive:
        return {entry.name.removesuffix(".model"): archive.extractfile(entry).read() for entry in archive}


def write(folder, name, models):
    """A folder's files but for the weights."""
    model, *members = FOLDERS[name]
    folder.mkdir(exist_ok=True)
    file, kind = KINDS.get(model, ("sentencepiece.bpe.model", model))
    (folder / file).write_bytes(models[model])
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    for file, members in zip(("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"), members):
        if members is not None:
            (folder / file).write_text(json.dumps(members))


def write_weights(folder, name, tokens):
    """The smallest encoder of so many tokens."""
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    types = {"albert": 2, "deberta-v2": 0}.get(kind, 1)
    config = {"model_type": kind, "vocab_size": tokens, "type_vocab_size": types, **SIZES}
    if kind == "albert":
        config["embedding_size"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {
        "embeddings.word_embeddings.weight": (tokens, 2), "embeddings.position_embeddings.weight": (4100, 2),
    }  # fmt: skip
    if types:
        shapes["embeddings.token_type_embeddings.weight"] = (types, 2)
    block = "encoder.layer.0"
    linear = [f"{block}.attention.self.{part}" for part in ("query", "key", "value")]
    linear += [f"{block}.{part}" for part in ("attention.output.dense", "intermediate.dense", "output.dense")]
    if kind == "albert":
        linear.append("embeddings_project")
    for layer in linear:
        shapes |= {f"{layer}.weight": (2, 2), f"{layer}.bias": (2,)}
    for layer in ("embeddings", f"{block}.attention.output", f"{block}.output"):
        shapes |= {f"{layer}.LayerNorm.weight": (2,), f"{layer}.LayerNorm.bias": (2,)}
    tensors = {tensor: np.ones(shape, np.float32) for tensor, shape in shapes.items()}
    if name := {"albert": "albert", "deberta-v2": "deberta"}.get(kind):
        tensors = {families.own_name(name, tensor): values for tensor, values in tensors.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
