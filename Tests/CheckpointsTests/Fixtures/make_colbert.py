"""Writes colbert/: folders with a vector a token, small and random, and what sentence-transformers gives for them.

    pip install -r requirements-pytorch.txt && python make_colbert.py

native as sentence-transformers saves a MultiVectorEncoder, pylate as PyLate does, stanford as ColBERT's own code,
and m3 as BGE-M3 is, with its sparse weights. The vocabularies are those of pytorch/ and relatives/, which come first.
colbert.json has the vectors of queries and documents in float64, and how far PyTorch's float32 is from them; of m3
also the weights.
"""

import json
import pathlib
import shutil

import safetensors.torch
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.base.modules.dense import Dense
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

HERE = pathlib.Path(__file__).parent
ROOT = HERE / "colbert"
SIZES = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40,
    "initializer_range": 0.3, "max_position_embeddings": 128,
}
TEXTS = [
    "Improve the physical fitness of your goldfish, by getting him a bicycle!",
    "what is a goldfish?",
    "",
    "Café naïve ™ 中文 -- [MASK] . [unused0] [Q] x [q] y [d] ",
    "bicycle, " * 30,
]


def bert(folder, vocabulary, **more):
    """A BERT and its tokenizer, as transformers saves them."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = transformers.BertTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 128
    torch.manual_seed(7)
    model = transformers.BertModel(transformers.BertConfig(**SIZES, vocab_size=len(tokenizer), **more)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data = 0.2 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


def words():
    return (HERE / "pytorch" / "weights" / "vocab.txt").read_text().splitlines()


def native(folder):
    base = folder.parent / "base"
    bert(base, words())
    transformer = Transformer(
        str(base), query_length=24, query_expansion={"strategy": "min", "attend": True, "length": 12}
    )
    shutil.rmtree(base)
    options = {"module_input_name": "token_embeddings", "use_residual": True}
    dense = Dense(24, 16, bias=True, activation_function=torch.nn.Tanh(), **options)
    narrow = Dense(16, 16, bias=False, activation_function=torch.nn.Identity(), **options)
    mask = MultiVectorMask(["goldfish", ",", "the", "no such word"], skiplist_tasks=["query", "document"])
    modules = [transformer, dense, narrow, mask, Normalize(module_input_name="token_embeddings")]
    model = sentence_transformers.MultiVectorEncoder(modules=modules, prompts={"query": "what: ", "passage": "a fish "}, device="cpu")
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink()


def pylate(folder):
    bert(folder, words())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["[Q] ", "[D] "])
    model = transformers.AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
    ])
    write(folder / "sentence_bert_config.json", {"max_seq_length": 39, "do_lower_case": False})
    write(folder / "config_sentence_transformers.json", {
        "__version__": {"sentence_transformers": "4.0.2", "transformers": "4.48.2", "pytorch": "2.6.0"},
        "prompts": {}, "default_prompt_name": None, "similarity_fn_name": "MaxSim", "query_prefix": "[Q] ",
        "document_prefix": "[D] ", "query_length": 16, "document_length": 40, "attend_to_expansion_tokens": False,
        "skiplist_words": [",", ".", "!", "?", "-"], "do_query_expansion": True,
    })
    (folder / "1_Dense").mkdir()
    write(folder / "1_Dense" / "config.json", {
        "in_features": 24, "out_features": 16, "bias": False, "activation_function": "torch.nn.modules.linear.Identity",
        "use_residual": False,
    })
    safetensors.torch.save_file({"linear.weight": 0.3 * torch.randn(16, 24)}, folder / "1_Dense" / "model.safetensors")


def stanford(folder):
    model, _ = bert(folder, words())
    tensors = {f"bert.{name}": value.contiguous() for name, value in model.state_dict().items()}
    tensors["linear.weight"] = 0.3 * torch.randn(16, 24)
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    configuration = json.loads((folder / "config.json").read_text())
    write(folder / "config.json", configuration | {"architectures": ["HF_ColBERT"]})
    write(folder / "artifact.metadata", {
        "query_token_id": "[unused0]", "doc_token_id": "[unused1]", "query_token": "[Q]", "doc_token": "[D]",
        "similarity": "cosine", "dim": 16, "doc_maxlen": 50, "mask_punctuation": True, "query_maxlen": 14,
        "attend_to_mask_tokens": False,
    })


def m3(folder):
    folder.mkdir(parents=True)
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(HERE / "relatives" / "xlm-roberta" / name, folder)
    engine = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    torch.manual_seed(8)
    pad = engine.token_to_id("<pad>")
    configuration = transformers.XLMRobertaConfig(
        **SIZES | {"max_position_embeddings": 128 + pad + 1}, vocab_size=engine.get_vocab_size(), type_vocab_size=1,
        pad_token_id=pad,
    )
    model = transformers.XLMRobertaModel(configuration).eval()
    model.save_pretrained(folder)
    linear = {"colbert": torch.nn.Linear(24, 24), "sparse": torch.nn.Linear(24, 1)}
    for name, layer in linear.items():
        layer.weight.data *= 3
        torch.save(layer.state_dict(), folder / f"{name}_linear.pt")
    write(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ])
    (folder / "1_Pooling").mkdir()
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 24, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    return model, engine, linear


def write(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def compact(vectors):
    return [[float(f"{value:.10g}") for value in row] for row in vectors.tolist()]


def answers(folder):
    model = sentence_transformers.MultiVectorEncoder(str(folder), device="cpu")
    rows = []
    for kind in ["query", "document"]:
        for text in TEXTS:
            encode = getattr(model, f"encode_{kind}")
            model.float()
            single = encode(text).double()
            model.double()
            exact = encode(text)
            assert single.shape == exact.shape
            rows.append({"text": text, "type": kind, "vectors": compact(exact), "error": (single - exact).abs().max().item()})
    return rows


def answers_of_m3(model, engine, linear):
    """As FlagEmbedding's M3Embedder makes them."""
    unused = {engine.token_to_id(name) for name in ["<s>", "</s>", "<pad>", "<unk>"]}
    rows = []
    for text in TEXTS:
        ids = engine.encode(text).ids
        ids = ids[:127] + ids[-1:] if len(ids) > 128 else ids

        def run(kind):
            with torch.no_grad():
                hidden = model.to(kind)(torch.tensor([ids])).last_hidden_state[0]
                vectors = torch.nn.functional.normalize(linear["colbert"].to(kind)(hidden[1:]), dim=-1)
                return vectors.double(), torch.relu(linear["sparse"].to(kind)(hidden))[:, 0].double()

        (single, single_weights), (exact, exact_weights) = run(torch.float32), run(torch.float64)
        weights = {}
        for token, weight in zip(ids, exact_weights.tolist()):
            if token not in unused and weight > weights.get(str(token), 0):
                weights[str(token)] = weight
        rows.append({
            "text": text, "type": "document", "vectors": compact(exact), "error": (single - exact).abs().max().item(),
            "weights": weights, "weights_error": (single_weights - exact_weights).abs().max().item(),
        })
    return rows


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    found = {}
    for make in [native, pylate, stanford]:
        make(ROOT / make.__name__)
        found[make.__name__] = answers(ROOT / make.__name__)
    found["m3"] = answers_of_m3(*m3(ROOT / "m3"))
    (ROOT / "colbert.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


main()
