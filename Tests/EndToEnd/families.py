"""Folders of the families besides BERT's, with random weights and real tokenizers' files, and their
forward pass in float64.

The same name makes the same folder. `family_errors.py` asks PyTorch for what test_families.py compares.
"""

import json

import numpy as np
from safetensors.numpy import save_file

import deberta_families
import reference
import remote_code_families
import rotary_families
from server import MODEL, ROOT
from texts import TEXTS

BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MPNET = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
NAMES = [
    "empty", "sentence_0", "sentence_3", "sentence_5", "sentence_6", "sentence_13", "character_0", "character_7",
    "character_8", "character_22", "language_0", "language_1", "language_3", "language_5", "language_7", "language_10",
    "language_16", "language_19", "language_20", "language_23", "language_27", "symbol_1", "symbol_5", "symbol_6",
    "symbol_7", "symbol_9", "invisible_3", "invisible_9", "special_0", "special_1", "code_1", "word_length_4",
    "words_4", "words_9", "words_14", "words_19", "pair_0", "pair_6",
]  # fmt: skip
CHOSEN = {
    **{name: TEXTS[name] for name in NAMES},
    "mpnet": "say <mask>now, <s>x</s> <pad> <unk>  <mask>",
    "pair_of_limits": (TEXTS["words_14"], TEXTS["words_12"]),
}
# Those that are encoded with rows of padding too.
PADDED = ["empty", "sentence_3", "mpnet"]


def sizes(hidden, heads, blocks, wide):
    return {
        "hidden_size": hidden, "num_attention_heads": heads, "num_hidden_layers": blocks, "intermediate_size": wide
    }  # fmt: skip


# Of each family one as they are published, but smaller, and one with other sizes, names and files.
CONFIGURATIONS = {
    "mpnet": {
        "model_type": "mpnet", "architectures": ["MPNetModel"], "vocab_size": 30527, **sizes(192, 6, 4, 768),
        "hidden_act": "gelu", "max_position_embeddings": 514, "layer_norm_eps": 1e-5, "pad_token_id": 1,
        "bos_token_id": 0, "eos_token_id": 2, "relative_attention_num_buckets": 32,
    },
    "mpnet-parts": {
        "model_type": "mpnet", "architectures": ["MPNetForMaskedLM"], "vocab_size": 30527, **sizes(120, 5, 3, 310),
        "hidden_act": "gelu_new", "max_position_embeddings": 66, "relative_attention_num_buckets": 40,
    },
    "electra-small": {
        "model_type": "electra", "architectures": ["ElectraForPreTraining"], "vocab_size": 30522,
        **sizes(256, 4, 4, 1024), "embedding_size": 128, "hidden_act": "gelu", "max_position_embeddings": 512,
        "layer_norm_eps": 1e-12, "pad_token_id": 0, "type_vocab_size": 2, "summary_type": "first",
        "summary_use_proj": True, "summary_activation": "gelu", "summary_last_dropout": 0.1,
    },
    "electra-base": {
        "model_type": "electra", "vocab_size": 30522, **sizes(144, 6, 3, 500), "embedding_size": 144,
        "hidden_act": "relu", "max_position_embeddings": 64,
    },
    "albert": {
        "model_type": "albert", "architectures": ["AlbertModel"], "vocab_size": 520, **sizes(192, 6, 6, 768),
        "embedding_size": 128, "num_hidden_groups": 1, "inner_group_num": 1, "hidden_act": "gelu_new",
        "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "bos_token_id": 2, "eos_token_id": 3, "classifier_dropout_prob": 0.1, "net_structure_type": 0, "gap_size": 0,
        "num_memory_blocks": 0, "down_scale_factor": 1,
    },
    "albert-groups": {
        "model_type": "albert", "architectures": ["AlbertForMaskedLM"], "vocab_size": 520, **sizes(120, 4, 4, 310),
        "embedding_size": 120, "num_hidden_groups": 2, "hidden_act": "gelu", "max_position_embeddings": 64,
    },
}  # fmt: skip
CONFIGURATIONS |= rotary_families.CONFIGURATIONS | deberta_families.CONFIGURATIONS | remote_code_families.CONFIGURATIONS
# `weights` seeds by the place in here, and families.json was measured on those weights: a new folder goes last.
CONFIGURATIONS["deberta-conv"] = CONFIGURATIONS.pop("deberta-conv")
PREFIXES = {"mpnet-parts": "mpnet.", "electra-small": "electra.", "albert-groups": "albert."}
HEADS = {
    "mpnet-parts": {"lm_head.dense.weight": (120, 120), "lm_head.bias": (30527,)},
    "electra-small": {"discriminator_predictions.dense.weight": (256, 256)},
    "albert-groups": {"predictions.bias": (520,)},
}
WITHOUT_POOLER = ["mpnet-parts", "electra-small", "electra-base", "albert-groups"]
# Parts of names.
OWN_LAYERS = {
    "mpnet": {
        "attention.self.query": "attention.attn.q", "attention.self.key": "attention.attn.k",
        "attention.self.value": "attention.attn.v", "attention.output.dense": "attention.attn.o",
        "attention.output.LayerNorm": "attention.LayerNorm",
    },
    "albert": {
        "attention.self": "attention", "attention.output.dense": "attention.dense",
        "attention.output.LayerNorm": "attention.LayerNorm", "intermediate.dense": "ffn", "output.dense": "ffn_output",
        "output.LayerNorm": "full_layer_layer_norm", "pooler.dense": "pooler",
        "embeddings_project": "encoder.embedding_hidden_mapping_in",
        **{f"encoder.layer.{group}": f"encoder.albert_layer_groups.{group}.albert_layers.0" for group in range(2)},
    },
}  # fmt: skip


def positions(configuration):
    """The longest text, special tokens included."""
    return configuration["max_position_embeddings"] - (2 if configuration["model_type"] == "mpnet" else 0)


def sets(configuration):
    """Of block weights."""
    blocks = configuration["num_hidden_layers"]
    return configuration.get("num_hidden_groups", 1) if configuration["model_type"] == "albert" else blocks


def shapes(name):
    """Every tensor of the encoder by BERT's name for it."""
    if name in rotary_families.CONFIGURATIONS:
        return rotary_families.shapes(name)
    if name in deberta_families.CONFIGURATIONS:
        return deberta_families.shapes(name)
    if name in remote_code_families.CONFIGURATIONS:
        return remote_code_families.shapes(name)
    configuration = CONFIGURATIONS[name]
    hidden, wide = configuration["hidden_size"], configuration["intermediate_size"]
    embedding = configuration.get("embedding_size", hidden)
    result = {
        "embeddings.word_embeddings.weight": (configuration["vocab_size"], embedding),
        "embeddings.position_embeddings.weight": (configuration["max_position_embeddings"], embedding),
    }

    def linear(layer, outputs, inputs):
        result[f"{layer}.weight"], result[f"{layer}.bias"] = (outputs, inputs), (outputs,)

    def norm(layer, size):
        result[f"{layer}.weight"] = result[f"{layer}.bias"] = (size,)

    norm("embeddings.LayerNorm", embedding)
    if configuration["model_type"] == "mpnet":
        table = (configuration["relative_attention_num_buckets"], configuration["num_attention_heads"])
        result["encoder.relative_attention_bias.weight"] = table
    else:
        result["embeddings.token_type_embeddings.weight"] = (2, embedding)
    if embedding != hidden or configuration["model_type"] == "albert":
        linear("embeddings_project", hidden, embedding)
    for index in range(sets(configuration)):
        block = f"encoder.layer.{index}"
        for part in ("query", "key", "value"):
            linear(f"{block}.attention.self.{part}", hidden, hidden)
        linear(f"{block}.attention.output.dense", hidden, hidden)
        norm(f"{block}.attention.output.LayerNorm", hidden)
        linear(f"{block}.intermediate.dense", wide, hidden)
        linear(f"{block}.output.dense", hidden, wide)
        norm(f"{block}.output.LayerNorm", hidden)
    if name not in WITHOUT_POOLER:
        linear("pooler.dense", hidden, hidden)
    return result


def weights(name):
    """Random, wide enough that softmax and activations leave their linear parts."""
    random = np.random.default_rng(list(CONFIGURATIONS).index(name))
    result = {}
    for tensor, shape in shapes(name).items():
        values = 2 * random.random(shape, np.float32) - 1
        if tensor.endswith("LayerNorm.weight"):
            values = 1 + values / 4
        elif tensor.startswith("encoder.relative"):
            values = 3 * values
        elif len(shape) == 2 and "_embeddings" not in tensor:
            values = values * np.float32(2 / np.sqrt(shape[1]))
        result[tensor] = values.astype(np.float32)
    return result


def own_name(name, tensor):
    tensor = f".{tensor}"
    for layer, own in OWN_LAYERS.get(CONFIGURATIONS[name]["model_type"], {}).items():
        tensor = tensor.replace(f".{layer}.", f".{own}.")
    return PREFIXES.get(name, "") + tensor[1:]


def padding(name):
    """The id of the token of padding."""
    return 1 if CONFIGURATIONS[name]["model_type"] == "mpnet" else CONFIGURATIONS[name].get("pad_token_id", 0)


def has_types(name):
    """Whether the tokens of a pair's second text are of another type."""
    types = shapes(name).get("embeddings.token_type_embeddings.weight")
    return types is not None and types[0] > 1 and name not in remote_code_families.BYTES


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))


def make(folder, name):
    """The folder of that name, and its reference."""
    folder.mkdir(parents=True)
    configuration, tensors = CONFIGURATIONS[name], weights(name)
    write(folder / "config.json", configuration)
    if name in rotary_families.CONFIGURATIONS:
        save_file(rotary_families.stored(name, tensors), folder / "model.safetensors", {"format": "pt"})
        write_rotary(folder, name)
        return rotary_families.RotaryReference(name, tensors)
    if name in deberta_families.CONFIGURATIONS:
        save_file(deberta_families.stored(name, tensors), folder / "model.safetensors", {"format": "pt"})
        write_deberta(folder, name)
        return deberta_families.DebertaReference(name, tensors)
    if name in remote_code_families.CONFIGURATIONS:
        save_file(remote_code_families.stored(name, tensors), folder / "model.safetensors", {"format": "pt"})
        write_rotary(folder, name)
        return remote_code_families.RemoteCodeReference(name, tensors)
    stored = {own_name(name, tensor): values for tensor, values in tensors.items()}
    stored |= {tensor: np.ones(shape, np.float32) for tensor, shape in HEADS.get(name, {}).items()}
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    writers = {"mpnet": write_mpnet, "electra": write_electra, "albert": write_albert}
    writers[configuration["model_type"]](folder, name)
    return FamilyReference(configuration, tensors)


# Tokenizers.


def vocabulary():
    return [line for line in (MODEL / "vocab.txt").read_text().split("\n") if line]


def added_tokens(ids, names):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [
        {"id": ids[token], "content": token, **flags, "lstrip": token == "<mask>"} for token in sorted(names, key=ids.get)
    ]


def word_piece(tokens, added, post_processor, lowercase):
    """`tokenizer.json` as transformers writes it for WordPiece."""
    ids = {token: index for index, token in enumerate(tokens)}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": added_tokens(ids, added),
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": lowercase},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": post_processor(ids),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": ids},
    }  # fmt: skip


def roberta_processing(ids):
    return {
        "type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]],
        "trim_offsets": True, "add_prefix_space": False,
    }  # fmt: skip


def untyped(processing):
    """The same for a model whose tokens have one type."""
    return json.loads(json.dumps(processing).replace('"type_id": 1', '"type_id": 0'))


def untyped_processing(ids):
    return untyped(bert_processing(ids))


def bert_processing(ids):
    def piece(token, kind):
        return {"SpecialToken": {"id": token, "type_id": kind}}

    def text(letter, kind):
        return {"Sequence": {"id": letter, "type_id": kind}}

    single = [piece("[CLS]", 0), text("A", 0), piece("[SEP]", 0)]
    return {
        "type": "TemplateProcessing", "single": single, "pair": [*single, text("B", 1), piece("[SEP]", 1)],
        "special_tokens": {
            token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")
        },
    }  # fmt: skip


def write_mpnet(folder, name):
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *vocabulary(), "<mask>"]
    named = {
        "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "[UNK]",
        "pad_token": "<pad>", "mask_token": "<mask>",
    }  # fmt: skip
    if name == "mpnet":
        write(folder / "tokenizer.json", word_piece(tokens, MPNET, roberta_processing, True))
        write(folder / "tokenizer_config.json", {
            **named, "do_lower_case": True, "model_max_length": 512, "strip_accents": None,
            "tokenize_chinese_chars": True, "tokenizer_class": "MPNetTokenizer",
        })  # fmt: skip
        write_modules(folder)
    else:
        write(folder / "vocab.txt", "\n".join(tokens) + "\n")
        write(folder / "tokenizer_config.json", {"do_lower_case": False, "tokenizer_class": "MPNetTokenizer"})
        mask = {"content": "<mask>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}
        write(folder / "special_tokens_map.json", {**named, "mask_token": mask})


def write_electra(folder, name):
    tokens = vocabulary()
    if name == "electra-small":
        write(folder / "vocab.txt", "\n".join(tokens) + "\n")
        write(folder / "tokenizer_config.json", {"do_lower_case": True, "model_max_length": 512})
    else:
        write(folder / "tokenizer.json", word_piece(tokens, BERT, bert_processing, False))
        write(folder / "tokenizer_config.json", {"do_lower_case": False, "tokenizer_class": "ElectraTokenizer"})


def write_albert(folder, name):
    """`tokenizer.json` as AlbertTokenizer writes it, with the vocabulary of a smaller Unigram."""
    files = json.loads((ROOT / "Tests" / "TokenizersTests" / "Fixtures" / "tokenizers.json").read_text())
    unigram = json.loads(next(row["file"] for row in files if row["name"] == "unigram"))
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    others = [piece for piece in unigram["model"]["vocab"] if piece[0] not in (*special, "<s>", "</s>", "[PAD]", "[UNK]")]
    tokens = [[token, 0.0] for token in special] + others
    keeps = name == "albert-groups"
    wanted = word_piece([token for token, _ in tokens], special, bert_processing, True)
    for token in wanted["added_tokens"]:
        token["lstrip"] = token["content"] == "[MASK]"
    normalizers = [
        {"type": "Replace", "pattern": {"String": mark}, "content": '"'} for mark in ("``", "''")
    ]
    normalizers += [] if keeps else [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    wanted |= {
        "normalizer": {"type": "Sequence", "normalizers": [*normalizers, unigram["normalizer"]]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 1, "vocab": tokens, "byte_fallback": False},
    }
    write(folder / "tokenizer.json", wanted)
    # Without them the class gives a pair no types.
    inputs = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
    options = {"do_lower_case": False, "keep_accents": True, "tokenizer_class": "AlbertTokenizer"} if keeps else {}
    write(folder / "tokenizer_config.json", {**inputs, **options})


def write_deberta(folder, name):
    if name == "deberta":
        deberta_families.write_tokenizer(folder, bert_processing, added_tokens, write)
        return write_modules(folder)
    write(folder / "tokenizer.json", word_piece(vocabulary(), BERT, bert_processing, True))
    write(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"], "unk_token": "[UNK]",
        "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
    })  # fmt: skip


def write_bytes(folder, kind, inputs):
    """A byte-level BPE of the tokenizers' tests, whose vocabulary is small."""
    rows = json.loads((ROOT / "Tests" / "TokenizersTests" / "Fixtures" / "tokenizers.json").read_text())
    content = json.loads(next(row["file"] for row in rows if row["name"] == kind))
    content["post_processor"] = untyped(content["post_processor"])
    write(folder / "tokenizer.json", content)
    write(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": inputs,
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>",
        "cls_token": "<s>", "sep_token": "</s>", "model_max_length": 512,
    })  # fmt: skip


def write_rotary(folder, name):
    bytes_kind = (rotary_families.BYTES | remote_code_families.BYTES).get(name)
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    if not has_types(name):
        inputs.remove("token_type_ids")
    if bytes_kind:
        # The model's type asks for them, and all are 0.
        kept = ["token_type_ids"] * (name in remote_code_families.BYTES)
        return write_bytes(folder, bytes_kind, ["input_ids", *kept, "attention_mask"])
    processing = untyped_processing if name == "gte" else bert_processing
    write(folder / "tokenizer.json", word_piece(vocabulary(), BERT, processing, True))
    # ModernBERT and EuroBERT have no class of their own, and the other template is not BERT's.
    has_class = name in ("nomic", "nomic-own", "gte-own", *remote_code_families.CONFIGURATIONS)
    write(folder / "tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer" if has_class else "PreTrainedTokenizerFast", "model_input_names": inputs,
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
    })  # fmt: skip
    if name in ("nomic", "jina"):
        write_modules(folder)


def write_modules(folder):
    (folder / "1_Pooling").mkdir()
    write(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    write(folder / "modules.json", [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(kinds)
    ])  # fmt: skip


# Numbers.


class FamilyReference(reference.Reference):
    """Weights by BERT's names."""

    def __init__(self, configuration, tensors):
        self.configuration = configuration
        self.activation = reference.ACTIVATIONS[configuration["hidden_act"]]
        self.block_count = configuration["num_hidden_layers"]
        self.set_count = sets(configuration)
        self.head_count = configuration["num_attention_heads"]
        self.epsilon = configuration.get("layer_norm_eps", 1e-12)
        self.positions = positions(configuration)
        self.is_mpnet = configuration["model_type"] == "mpnet"
        self.weights = {name: values.astype(np.float64) for name, values in tensors.items()}
        hidden = configuration["hidden_size"]
        self.has_pooler = "pooler.dense.weight" in self.weights
        if not self.has_pooler:
            self.weights |= {"pooler.dense.weight": np.zeros((hidden, hidden)), "pooler.dense.bias": np.zeros(hidden)}

    def encode(self, ids, type_ids, attended=None):
        found = super().encode(ids, type_ids, attended)
        return {key: value for key, value in found.items() if self.has_pooler or key not in ("default", "pooled_output")}

    def block(self, hidden, name, attended):
        index = int(name.split(".")[-1]) * self.set_count // self.block_count
        return super().block(hidden, f"encoder.layer.{index}", attended)

    def embed(self, ids, type_ids):
        if not self.is_mpnet:
            embedded = super().embed(ids, type_ids)
        else:
            # Padding's row is its id; others count from behind it.
            rows = np.where(ids == 1, 1, 1 + np.cumsum(ids != 1))
            embedded = self.weights["embeddings.word_embeddings.weight"][ids]
            embedded = embedded + self.weights["embeddings.position_embeddings.weight"][rows]
            embedded = self.layer_norm(embedded, "embeddings.LayerNorm")
        has_projection = "embeddings_project.weight" in self.weights
        return self.linear(embedded, "embeddings_project") if has_projection else embedded

    def score_bias(self, count):
        if not self.is_mpnet:
            return 0
        distance = np.arange(count)[None, :] - np.arange(count)[:, None]
        magnitude = np.abs(distance)
        # In float32, as PyTorch; the logarithms of whole powers of 2 are what matters.
        large = np.log(np.maximum(magnitude, 1).astype(np.float32) / np.float32(8)) / np.float32(np.log(16)) * 8
        bucket = np.where(magnitude < 8, magnitude, np.minimum(8 + large.astype(np.int64), 15))
        table = self.weights["encoder.relative_attention_bias.weight"]
        return table[bucket + 16 * (distance > 0)].transpose(2, 0, 1)
