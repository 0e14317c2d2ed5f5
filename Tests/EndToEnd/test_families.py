"""Families besides BERT: tokens are transformers', numbers at least as near to float64 as PyTorch's float32."""

import json
import pathlib
import random
import shutil

import numpy as np
import pytest
import safetensors.numpy
import tokenizers

import deberta_families
import families
import reference
import remote_code_families
import rotary_families
from families import CHOSEN, CONFIGURATIONS
from server import Server, run

GOLDENS = json.loads((pathlib.Path(__file__).parent / "families.json").read_text())["families"]
# Of the plain kernels, which round each product's terms, and of the mean of few rows, whose slips are
# those of one text: as in test_checkpoints_pytorch.py.
ROOM = 1.5
# The largest of some 10^6 errors of a gated block scatters by a tenth; most are below PyTorch's.
GATED_ROOM = 1.1
# What the two lower precisions keep of the direction of every row of tokens: least cosine, mean cosine.
COSINES = {"bfloat16": (0.9999, 0.99999), "int8": (0.9995, 0.9998)}
GATED = {*rotary_families.CONFIGURATIONS, *remote_code_families.CONFIGURATIONS} - {"jina-plain"}
# Gates and turned queries are rounded once more, and made-up weights of seven blocks multiply it. Products of so few
# inputs have one scale in kernel set avx2, which rounds weights half a bit more coarsely than the others, whose worst cosine is 0.997.
GATED_COSINES = {"bfloat16": (0.9997, 0.9999), "int8": (0.996, 0.999)}
# One token of this folder is at 0.99964.
COSINES_OF = {"neobert-small": GATED_COSINES | {"bfloat16": (0.9996, 0.9999)}}


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def made(request, tmp_path_factory):
    """Name, folder, reference, and its answers to all texts."""
    name = request.param
    folder = tmp_path_factory.mktemp("families") / name
    exact = families.make(folder, name)
    ids = GOLDENS[name]["ids"]
    return name, folder, exact, {text: exact.encode(ids[text], typed(name, CHOSEN[text], ids[text])) for text in CHOSEN}


def typed(name, text, ids):
    """The types that the tokenizer gives: of a pair's second text 1, where there are types."""
    if isinstance(text, str) or not families.has_types(name):
        return [0] * len(ids)
    first = ids.index(3 if CONFIGURATIONS[name]["model_type"] == "albert" else 102) + 1  # [SEP]
    return [0] * first + [1] * (len(ids) - first)


def answer(server, text, exact, **options):
    found = server.tensors([text], max_tokens=exact.positions, output_key="all", **options)
    return {key: rows[:, 0] if key == "encoder_outputs" else rows[0] for key, rows in found.items()}


def test_tokens(made, log):
    name, folder, exact, answers = made
    with Server(model=folder, log=log) as server:
        names = list(CHOSEN)
        options = {"output_key": "sequence_output", "max_tokens": exact.positions, "tokens": "true"}
        found = server.encode([CHOSEN[text] for text in names], **options)["tokens"]
    ids = {text: [token["id"] for token in tokens] for text, tokens in zip(names, found, strict=True)}
    assert ids == GOLDENS[name]["ids"]


@pytest.mark.parametrize("kernels", ["avx512", "avx2", "scalar"])
def test_no_further_from_float64_than_pytorch(made, kernels, log, capsys):
    name, folder, exact, answers = made
    if kernels not in run("serve", "--kernels", "none").stderr:
        pytest.skip(f"this CPU has no {kernels}")
    worst = {}
    with Server("--kernels", kernels, model=folder, log=log) as server:
        for text, expected in answers.items():
            found = answer(server, CHOSEN[text], exact)
            assert set(found) >= {"sequence_output", "encoder_outputs"}
            assert ("pooled_output" in found) == exact.has_pooler
            expected = {key: expected[key] for key in found if key in expected}
            for key, error in reference.worst_errors(found, expected).items():
                worst[key] = max(worst.get(key, 0), error)
        for text in families.PADDED:
            ids = GOLDENS[name]["ids"][text]
            more = exact.positions - len(ids)
            expected = exact.encode(ids + [families.padding(name)] * more, [0] * exact.positions, len(ids))
            found = answer(server, CHOSEN[text], exact, seq_length=exact.positions)
            expected = {key: expected[key] for key in found if key in expected}
            for key, error in reference.worst_errors(found, expected).items():
                worst[key] = max(worst.get(key, 0), error)
    errors = GOLDENS[name]["errors"]
    with capsys.disabled():
        print(f"\n{name}, {kernels}: largest error over {len(CHOSEN)} texts; PyTorch float32's in brackets")
        for key, error in worst.items():
            print(f"  {key:20} {error:.3g} ({errors[key]:.3g}), {error / errors[key]:.2f}")
    least = GATED_ROOM if name in GATED else 1
    room = {key: ROOM if kernels == "scalar" or key == "sentence_embedding" else least for key in worst}
    assert {key: error for key, error in worst.items() if error > room[key] * errors[key]} == {}


@pytest.mark.parametrize("precision", COSINES)
def test_lower_precisions(made, precision, log, capsys):
    name, folder, exact, answers = made
    cosines = []
    with Server("--precision", precision, model=folder, log=log) as server:
        for text, expected in answers.items():
            rows, right = answer(server, CHOSEN[text], exact)["sequence_output"], expected["sequence_output"]
            sizes = np.linalg.norm(rows, axis=1) * np.linalg.norm(right, axis=1)
            cosines += list((rows * right).sum(axis=1) / sizes)
    least, mean = min(cosines), np.mean(cosines)
    with capsys.disabled():
        print(f"\n{name}, {precision}: cosine of {len(cosines)} tokens, mean {mean:.6f}, worst {least:.6f}")
    limits = COSINES_OF.get(name, GATED_COSINES if name in GATED else COSINES)[precision]
    assert least > limits[0] and mean > limits[1]


@pytest.mark.parametrize("precision", ["float32", *COSINES])
def test_batches_and_threads_change_no_bit(made, precision, log):
    name, folder, exact, answers = made
    generator = random.Random(7)
    alone = {}
    for threads in (1, 2):
        with Server("--threads", threads, "--precision", precision, model=folder, log=log) as server:
            options = {"output_key": "all", "max_tokens": exact.positions, "format": "base64"}
            for _ in range(8):
                texts = generator.sample(list(CHOSEN), generator.randint(1, 12))
                outputs = server.encode([CHOSEN[text] for text in texts], **options)["outputs"]
                outputs["encoder_outputs"] = list(zip(*outputs["encoder_outputs"], strict=True))
                for index, text in enumerate(texts):
                    rows = {key: values[index] for key, values in outputs.items()}
                    assert alone.setdefault(text, rows) == rows, (text, threads)


def module_of(name):
    modules = [deberta_families, rotary_families, remote_code_families]
    return next(module for module in modules if name in module.CONFIGURATIONS)


MASKED = [*rotary_families.MASKED, *deberta_families.MASKED, *remote_code_families.MASKED]


@pytest.mark.parametrize("made", MASKED, indirect=True)
def test_masked_language_models(made, log):
    name, folder, exact, answers = made
    module = module_of(name)
    with Server(model=folder, log=log) as server:
        for text in ["empty", "sentence_3", "language_0"]:
            found = server.tensors([CHOSEN[text]], output_key="mlm_logits")["mlm_logits"][0]
            hidden = answers[text]["sequence_output"]
            expected = reference.mlm_logits(exact, hidden, module.head(name), module.MASKED[name])
            assert reference.difference(found, expected) < 4e-6 * np.abs(expected).max()


@pytest.mark.parametrize("made", ["modernbert", "deberta", "jina-reranker", "neobert-small"], indirect=True)
def test_classification(made, log):
    """After a mean of tokens, of the first one, after the pooler, and as a reranker's one score."""
    name, folder, exact, answers = made
    module = module_of(name)
    labels = CONFIGURATIONS[name]["id2label"]
    with Server(model=folder, log=log) as server:
        for text in ["empty", "sentence_3", "words_19"]:
            found = server.tensors([CHOSEN[text]], max_tokens=exact.positions, output_key="logits")["logits"][0]
            expected = module.logits(exact, name, answers[text])
            assert reference.difference(found, expected) < 1e-5
            predicted = server.post({"inputs": CHOSEN[text]}, path="/predict").json()
            assert [each["label"] for each in predicted] == [labels[str(index)] for index in np.argsort(-expected)]


@pytest.mark.parametrize("made", ["jina-reranker"], indirect=True)
def test_rerank(made, log):
    name, folder, exact, answers = made
    query, documents = "a fish", ["gold", "a goldfish swims", "x " * 40, ""]
    expected = []
    with Server(model=folder, log=log) as server:
        for document in documents:
            pair = [query, document]
            tokens = server.encode([pair], tokens="true", output_key="logits")["tokens"][0]
            ids = [token["id"] for token in tokens]
            found = exact.encode(ids, typed(name, pair, ids))
            [logit] = remote_code_families.logits(exact, name, found)
            expected.append(1 / (1 + np.exp(-logit)))
        ranked = server.post({"query": query, "texts": documents}, path="/rerank").json()
    assert [each["index"] for each in ranked] == np.argsort(-np.array(expected)).tolist()
    assert [each["score"] for each in ranked] == pytest.approx(sorted(expected, reverse=True), abs=1e-5)


@pytest.mark.parametrize("made", ["deberta"], indirect=True)
def test_deberta_of_other_classes(made, log, tmp_path):
    """A head for tokens; and the steps of a tokenizer of transformers 4, which are the file's."""
    name, folder, exact, answers = made
    shutil.copytree(folder, tmp_path / "model")
    folder = tmp_path / "model"
    change(folder, "config.json", architectures=["DebertaV2ForTokenClassification"])
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    strip = {"type": "Strip", "strip_left": True, "strip_right": True}
    change(folder, "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [strip, spaces]})
    assert "compatibility characters" in run("inspect", folder).stdout
    head = {tensor: values.astype(np.float64) for tensor, values in deberta_families.head(name).items()}
    with Server(model=folder, log=log) as server:
        for text in ["empty", "sentence_3"]:
            found = server.tensors([CHOSEN[text]], output_key="token_logits")["token_logits"][0]
            expected = answers[text]["sequence_output"] @ head["classifier.weight"].T + head["classifier.bias"]
            assert reference.difference(found, expected) < 1e-5
        tokens = server.encode(["  a\tb"], output_key="token_logits", tokens="true")["tokens"][0]
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert [token["id"] for token in tokens] == tokenizer.encode("  a\tb").ids
    (folder / "tokenizer.json").unlink()
    assert "only with a tokenizer.json" in run("inspect", folder).stderr


def test_inspect_explains_the_architecture(made):
    name, folder, exact, answers = made
    shown = run("inspect", folder)
    assert shown.returncode == 0, shown.stderr
    wanted = {
        "mpnet": ["mpnet", "by head and distance, 32 buckets, one for all blocks", "512, and one for padding, token 1"],
        "mpnet-parts": ["mpnet", "40 buckets", "64, and one", "cased", "no: neither default nor pooled_output"],
        "electra-small": ["electra", "128, then a layer to 256", "uncased", "512\n"],
        "electra-base": ["electra", "no: neither default nor pooled_output", "relu"],
        "albert": ["albert", "6, with 1 set of weights", "128, then a layer to 192", "gelu_tanh", "Unigram", "uncased"],
        "albert-groups": ["albert", "4, with 2 sets of weights", "120, then a layer to 120", "gelu_erf", ", cased"],
        "modernbert": ["pre-norm", "gated", "rotary", "window of 129 tokens in 4 of 7 blocks", "no biases"],
        "modernbert-biased": ["pre-norm", "window of 9 tokens in 3 of 4 blocks", "gelu_tanh"],
        "nomic": ["post-norm", "rotary, base 1000.0", "gated", "silu", "biases only in norms"],
        "nomic-own": ["rotary, base 10000.0", "gelu_erf"],
        "gte": ["rotary, base 160000.0", "gated"],
        "gte-own": ["rotary, base 500.0", "relu"],
        "eurobert": ["pre-norm", "root mean square", "6 of 32, sharing 2 of keys and values"],
        "deberta": ["disentangled: content to position and position to content, 512 rows, logarithmic buckets up to distance 512", "Unigram", "3 labels"],
        "deberta-own": ["disentangled: content to position, 40 rows, projections of their own", "72, then a layer to 120"],
        "deberta-conv": ["of 3 tokens beside the first block, gelu_erf", "32 rows, logarithmic buckets up to distance 130"],
        "deberta-lm": ["32 rows, logarithmic buckets up to distance 130, projections", "30522 tokens, with the word embeddings'"],
        "jina": [
            "bert (JinaBert)", "minus the distance times a slope of each head (ALiBi), one for all blocks", "512, gated",
            "biases only in queries", "30528 tokens, with the word embeddings'", "gelu_erf", "mean",
        ],
        "jina-reranker": ["ALiBi", "340, gated", "relu", "1 label of a text, sigmoid"],
        "jina-code": [
            "ALiBi", "post-norm, second norm with residual after attention",
            "of queries and of keys over all heads", "8 of 24",
        ],
        "jina-plain": ["ALiBi", "310\n", "gelu_tanh"],
        "neobert": [
            "neobert", "rotary, base 10000.0", "512, gated", "pre-norm, root mean square", "no biases", "silu",
            "30522 tokens, with weights of its own",
        ],
        "neobert-small": ["rotary, base 10000.0", "232, gated", "3 labels", "130\n", "6 of 24\n"],
        "eurobert-biased": ["root mean square", "5 of 24\n"],
    }[name]
    assert [words for words in wanted if words not in shown.stdout] == []
    has_projection = name in ("electra-small", "deberta-own") or exact.set_count < exact.block_count
    assert ("then a layer to" in shown.stdout) == has_projection


def change(folder, file, **members):
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **members}))


@pytest.mark.parametrize(
    ("name", "file", "members", "reason"),
    [
        ("mpnet", "config.json", {"relative_attention_num_buckets": 16}, "relative_attention_num_buckets"),
        ("mpnet", "config.json", {"relative_attention_num_buckets": 33}, "relative_attention_bias.weight is [32, 6]"),
        ("mpnet", "config.json", {"position_embedding_type": "rotary"}, "position_embedding_type"),
        ("mpnet", "tokenizer_config.json", {"do_lower_case": False}, "do_lower_case"),
        ("mpnet", "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"}, "BertTokenizer"),
        ("mpnet-parts", "tokenizer_config.json", {"query_token": "<query>"}, "<query>"),
        ("electra-base", "config.json", {"embedding_size": 100}, "embeddings_project.weight [144, 100]"),
        ("electra-base", "config.json", {"is_decoder": True}, "is_decoder"),
        ("albert", "config.json", {"inner_group_num": 2}, "inner_group_num"),
        ("albert", "config.json", {"num_hidden_groups": 4}, "num_hidden_groups"),
        ("albert", "config.json", {"embedding_size": 64}, "embeddings_project.weight is [192, 128]"),
        ("albert", "tokenizer_config.json", {"keep_accents": True}, "AlbertTokenizer"),
        ("albert", "tokenizer_config.json", {"do_lower_case": False}, "AlbertTokenizer"),
        ("deberta", "config.json", {"conv_kernel_size": 3}, "encoder.convolution.weight"),
        ("deberta-conv", "config.json", {"conv_kernel_size": 5}, "encoder.convolution.weight is [96, 96, 3]"),
        ("deberta-conv", "config.json", {"conv_kernel_size": 0}, "not of this model: encoder.convolution"),
        ("deberta", "config.json", {"norm_rel_ebd": "none"}, "encoder.relative.LayerNorm"),
        ("deberta", "config.json", {"position_buckets": 128}, "relative_embeddings.weight is [512, 192]"),
        ("deberta", "config.json", {"share_att_key": False}, "relative_key"),
        ("deberta", "config.json", {"pooler_hidden_act": "gelu_new"}, "pooler_hidden_act"),
        ("deberta", "tokenizer_config.json", {"do_lower_case": True}, "DebertaV2Tokenizer"),
        ("deberta", "tokenizer_config.json", {"split_by_punct": True}, "DebertaV2Tokenizer"),
        ("electra-base", "tokenizer_config.json", {"model_input_names": ["input_ids"]}, "token_type_ids"),
        ("jina", "config.json", {"feed_forward_type": "swiglu"}, "feed_forward_type"),
        ("jina", "config.json", {"feed_forward_type": None}, "feed_forward_type"),
        ("jina", "config.json", {"feed_forward_type": "original"}, "intermediate.gate"),
        ("jina", "config.json", {"position_embedding_type": "absolute"}, "position_embedding_type"),
        ("jina", "config.json", {"emb_pooler": "cls"}, "emb_pooler"),
        ("jina", "config.json", {"is_decoder": True}, "is_decoder"),
        ("jina", "config.json", {"max_position_embeddings": 1 << 20, "num_attention_heads": 32}, "with 32 heads"),
        ("jina", "config.json", {"auto_map": {}, "architectures": ["BertModel"]}, "position_embedding_type"),
        ("neobert", "config.json", {"rope": False}, "rope"),
        ("neobert", "config.json", {"ngpt": True}, "ngpt"),
        ("neobert", "config.json", {"rms_norm": False}, "rms_norm"),
        ("neobert", "config.json", {"hidden_act": "gelu"}, "hidden_act"),
        ("neobert", "config.json", {"dim_head": 64}, "dim_head"),
        ("neobert", "config.json", {"rope_theta": 500.0}, "rope_theta"),
        ("neobert", "config.json", {"max_position_embeddings": 1024}, "max_position_embeddings"),
        ("neobert", "config.json", {"intermediate_size": 1024}, "intermediate.gate.weight is [512, 192]"),
        ("neobert", "config.json", {"intermediate_size": 1}, '"intermediate_size" must be 2 or more'),
        ("jina", "config.json", {"architectures": None, "auto_map": {}}, '"alibi" with "architectures": ["JinaBertModel"]'),
    ],
)
def test_refusals(name, file, members, reason, tmp_path):
    folder = tmp_path / "model"
    families.make(folder, name)
    change(folder, file, **members)
    done = run("inspect", folder)
    assert done.returncode == 1 and reason in done.stderr, done.stderr
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "stray", "shown"),
    [
        (
            "neobert", "model.embeddings.token_type_embeddings.weight",
            "model.embeddings.token_type_embeddings.weight",
        ),
        # By BERT's name, where it has one.
        ("neobert", "model.positional_embedding.weight", "embeddings.position_embeddings.weight"),
        ("neobert", "model.transformer_encoder.0.sqk", "model.transformer_encoder.0.sqk"),
        ("neobert", "model.transformer_encoder.0.attn_alpha", "model.transformer_encoder.0.attn_alpha"),
        ("mpnet", "embeddings.token_type_embeddings.weight", "embeddings.token_type_embeddings.weight"),
    ],
)  # fmt: skip
def test_tensors_of_another_architecture_are_refused(name, stray, shown, tmp_path):
    folder = tmp_path / "model"
    families.make(folder, name)
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    hidden = CONFIGURATIONS[name]["hidden_size"]
    safetensors.numpy.save_file({**tensors, stray: np.ones((2, hidden), np.float32)}, folder / "model.safetensors")
    done = run("inspect", folder)
    assert done.returncode == 1 and shown in done.stderr, done.stdout + done.stderr
