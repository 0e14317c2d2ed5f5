"""Exports by TensorFlow's own code: each is served as TensorFlow would, or refused with the reason.

BERT_EXPORTS=FOLDER takes those that tensorflow_exports.py has written there, instead of the sample.
"""

import collections
import json
import os
import pathlib
import re
import tarfile

import numpy as np
import pytest

from server import ROOT, Server, run

EXPORTS = pathlib.Path(
    os.environ.get("BERT_EXPORTS", ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "exports")
)
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in EXPORTS.glob("*.tar.xz"))
POSITIONS = 16
counts = collections.Counter()
worst = collections.Counter()


@pytest.fixture(scope="module", autouse=True)
def report(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{len(NAMES)} exports: {dict(counts)}; largest error beside TensorFlow's own:")
        for key in sorted({key for key, _ in worst}):
            print(f"  {key:20} {worst[key, 'ours']:.3g} ({worst[key, 'theirs']:.3g})")


def text_of(ids, vocabulary):
    """What the tokenizer makes these ids of: one text, or two."""
    texts = [[]]
    for token in ids[1:-1]:
        if vocabulary[token] == "[SEP]":
            texts.append([])
        else:
            texts[-1].append(vocabulary[token])
    joined = [" ".join(words).replace(" ##", "") for words in texts]
    return joined if len(joined) > 1 else joined[0]


@pytest.mark.parametrize("name", NAMES)
def test_served_as_tensorflow_or_refused(name, tmp_path, log):
    with tarfile.open(EXPORTS / f"{name}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    golden = json.loads((tmp_path / "golden.json").read_text())
    if golden["refusal"]:
        refused = run("inspect", tmp_path)
        assert refused.returncode == 1, refused.stdout
        assert golden["refusal"] in refused.stderr, refused.stderr
        counts["refused"] += 1
        return
    vocabulary = next((tmp_path / "assets").glob("*vocab.txt")).read_text().split()
    with Server(model=tmp_path, log=log) as server:
        for text in golden["texts"]:
            source = text_of(text["ids"], vocabulary)
            options = {"output_key": "sequence_output", "max_tokens": POSITIONS, "tokens": "true"}
            tokens = server.encode([source], **options)["tokens"]
            assert [token["id"] for token in tokens[0]] == text["ids"]
            # Keys that the export has not are not answered.
            for key in {"default", "pooled_output", "encoder_outputs"} - set(text["answers"]):
                answer = server.post([source], output_key=key)
                assert answer.status_code == 400, (key, answer.text)
            found = server.tensors([source], output_key="all", seq_length=POSITIONS)
            scores = {key: found.pop(key) for key in ("logits", "probabilities") if key in found}
            assert bool(scores) == ("head" in text), golden.get("head refusal")
            assert set(found) == set(text["answers"])
            for key, rows in found.items():
                rows = rows[:, 0] if key == "encoder_outputs" else rows[0]
                exact = np.array(text["exact"][key])
                ours = np.abs(rows - exact).max()
                theirs = np.abs(np.array(text["answers"][key], np.float32) - exact).max()
                worst[key, "ours"] = max(worst[key, "ours"], ours)
                worst[key, "theirs"] = max(worst[key, "theirs"], theirs)
                # So small a model's error is a few units in the last place.
                assert ours < max(3 * theirs, 2e-6), (key, ours, theirs)
        if "head" in golden["texts"][0]:
            check_head(server, golden, vocabulary)
    if golden.get("head refusal"):
        shown = run("inspect", tmp_path).stdout
        [line] = [line for line in shown.splitlines() if "served without: " in line]
        assert line.startswith("head: ") and golden["head refusal"] in line
    counts["served"] += 1


def check_head(server, golden, vocabulary):
    """The model's output for texts, cut to the length of its preprocessing."""
    is_cut = False
    for text in golden["texts"]:
        if text["head"] is None:
            continue
        source = text_of(text["ids"], vocabulary)
        tokens = server.encode([source], tokens="true", output_key="logits")["tokens"][0]
        assert len(tokens) == min(len(text["ids"]), golden["text length"])
        is_cut = is_cut or len(tokens) < len(text["ids"])
        found = server.tensors([source], output_key="logits,probabilities")
        theirs = np.array(text["head"])
        # The last layer of one has no activation: the tutorial takes the sigmoid of what it gives.
        ours = found["logits" if len(theirs) == 1 else "probabilities"][0]
        assert ours.shape == theirs.shape
        error = np.abs(ours - theirs).max()
        worst["head", "ours"] = max(worst["head", "ours"], error)
        assert error < 2e-6, (ours, theirs)
        if len(theirs) == 1:
            assert np.abs(found["probabilities"][0] - 1 / (1 + np.exp(-theirs))).max() < 1e-6
    assert is_cut == (golden["text length"] < POSITIONS)


def unpacked(name, folder, *replacements):
    """An export with bytes of its graph replaced by others of the same length."""
    with tarfile.open(EXPORTS / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    path = folder / "saved_model.pb"
    graph = path.read_bytes()
    for old, new in replacements:
        assert old in graph and len(old) == len(new)
        graph = graph.replace(old, new)
    path.write_bytes(graph)


@pytest.mark.parametrize(
    ("name", "replacement", "case", "is_guessed"),
    [
        # A preprocessor that is part of the model shows it.
        ("tf2.15+wrapper=classifier", (b"CaseFoldUTF8", b"CaseFoldUTF8"), "uncased", False),
        ("tf2.15+wrapper=classifier", (b"CaseFoldUTF8", b"IdentityUTF8"), "cased", False),
        # Nothing shows it but the vocabulary.
        ("tf2.15+vocabulary=cased_vocab.txt", (b"do_lower_case", b"do_lower_cas_"), "uncased", True),
    ],
)
def test_case(name, replacement, case, is_guessed, tmp_path):
    unpacked(name, tmp_path, replacement)
    done = run("inspect", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"rules, {case}\n" in done.stdout
    assert ("\ncase:" in done.stdout) == is_guessed


# The tutorial's models by their encoders: names, an export of that encoder, and what `inspect` says of it.
TUTORIAL = {
    "BERT": (
        [
            "bert_en_uncased_L-12_H-768_A-12", "bert_en_cased_L-12_H-768_A-12", "bert_multi_cased_L-12_H-768_A-12",
            "small_bert/bert_en_uncased_L-…_H-…_A-…", "experts_pubmed", "experts_wiki_books",
        ],
        "tf2.4+with_mlm", r"model type: +bert\nblocks: +2\nhidden size: +8\nattention heads: +2 of 4\n",
    ),
    "ELECTRA": (
        ["electra_small", "electra_base"],
        "tf2.15+embedding_width=4", r"hidden size: +8\nembedding size: +4, then a layer to 8\n",
    ),
    # With a SentencePiece model, as TF Hub's have it: test_tensorflow_sentencepiece.py.
    "ALBERT": (
        ["albert_en_base"],
        "tf2.15+network=albert", r"model type: +albert\n",
    ),
    "talking heads": (
        ["talking-heads_base"],
        "tf2.15+network=gated-talking-heads", r"attention scores: +mixed over heads before softmax, and after it",
    ),
}  # fmt: skip


def test_the_table_of_the_tutorials_models():
    table = (ROOT / "README.md").read_text().partition("| name there |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| served \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n") - 1
    shown = [(name, encoder) for cell, encoder in rows for name in re.findall(r"`(.+?)`", cell)]
    tested = [(name, encoder) for encoder, (names, *_) in TUTORIAL.items() for name in names]
    assert sorted(shown) == sorted(tested)


@pytest.mark.parametrize("encoder", TUTORIAL)
def test_the_tutorials_models(encoder, tmp_path):
    _, name, words = TUTORIAL[encoder]
    unpacked(name, tmp_path)
    done = run("inspect", tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(words, done.stdout), done.stdout


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_mixed_heads_give_the_same_bits(precision, tmp_path, log):
    """In every batch, on every number of threads, and whatever else is asked for."""
    unpacked("tf2.15+network=gated-talking-heads", tmp_path)
    texts = ["the cat sat", "a", "", "the dogs ! the cat on mat ? a b d e f", ["the cat", "a dog"]] * 4
    found = []
    for threads in ("1", "2"):
        with Server("--precision", precision, "--threads", threads, model=tmp_path, log=log) as server:
            found.append(server.tensors(texts, output_key="pooled_output")["pooled_output"])
            found.append(server.tensors(texts, output_key="all")["pooled_output"])
            found.append(np.concatenate([server.tensors([text], output_key="pooled_output")["pooled_output"] for text in texts]))
    assert all(np.array_equal(each, found[0]) for each in found)


def test_the_case_of_a_vocabulary_with_capitals(tmp_path):
    """Guessed, and told, where the graph does not show it."""
    unpacked("tf2.15+vocabulary=cased_vocab.txt", tmp_path, (b"do_lower_case", b"do_lower_cas_"))
    path = tmp_path / "assets" / "cased_vocab.txt"
    path.write_text(path.read_text().replace("mat\n", "Mat\n"))
    done = run("inspect", tmp_path)
    assert "rules, cased\n" in done.stdout and "taken for false" in done.stdout
