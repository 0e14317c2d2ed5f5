"""Folders with a SentencePiece model and no tokenizer.json: tokens are transformers', other models are refused."""

import json
import pathlib
import re

import pytest

import sentencepiece_folders as folders
from server import Server, run

RECORDED = json.loads((pathlib.Path(__file__).parent / "sentencepiece.json").read_text())["folders"]
MODELS = folders.read()


def make(folder, name, models=MODELS):
    folders.write(folder, name, models)
    folders.write_weights(folder, name, RECORDED[name]["tokens"])
    return folder


@pytest.mark.parametrize("name", RECORDED)
def test_tokens(name, tmp_path, log, capsys):
    recorded = RECORDED[name]
    with Server(model=make(tmp_path, name), log=log) as server:
        found = {}
        for text in recorded["ids"]:
            options = {"output_key": "sequence_output", "max_tokens": 4000, "tokens": "true"}
            [tokens] = server.encode([folders.CHOSEN[text]], **options)["tokens"]
            found[text] = [token["id"] for token in tokens]
    with capsys.disabled():
        own = len(found) - len(recorded["sentencepiece differs"])
        print(f"\n{name}: {len(found)} texts as in transformers, {own} of them as in sentencepiece itself")
    assert found == recorded["ids"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("bpe", "is a model of BPE (model_type)"),
        ("byte-fallback", "has byte_fallback 1"),
        ("suffix", "has treat_whitespace_as_suffix 1"),
        ("spaces", "has remove_extra_whitespaces 0"),
        ("no-prefix", "has add_dummy_prefix 0"),
        ("albert", "the piece 0 must be the unknown one"),
    ],
)
def test_other_models_are_refused(model, reason, tmp_path):
    make(tmp_path, "xlm-roberta", {"xlm-roberta": MODELS[model]})
    refused = run("inspect", tmp_path)
    assert refused.returncode == 1
    assert f"{tmp_path}/sentencepiece.bpe.model" in refused.stderr and reason in refused.stderr


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"mask_token": "[MASK]"}, 'the token "[MASK]", which tokenizer_config.json'),
        ({"extra_special_tokens": ["<new>"]}, "has no <new>"),
        ({"tokenizer_class": "AlbertTokenizer"}, "is supported only with a tokenizer.json"),
    ],
)
def test_other_tokens_are_refused(members, reason, tmp_path):
    make(tmp_path, "xlm-roberta")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(members))
    refused = run("inspect", tmp_path)
    assert refused.returncode == 1 and reason in refused.stderr, refused.stderr


@pytest.mark.parametrize(
    ("file", "members", "reason"),
    [
        ("added_tokens.json", {"[MASK]": 1812}, 'the added token "[MASK]" must have the id 1811'),
        ("added_tokens.json", {"[MASK]": "x"}, '"[MASK]" must be an id'),
        ("tokenizer_config.json", {"mask_token": None}, '"mask_token" must be a token'),
        ("tokenizer_config.json", {"extra_special_tokens": ["a b", "c d"]}, "more than one without an id"),
        ("special_tokens_map.json", {"additional_special_tokens": ["x"]}, "only with a tokenizer.json"),
        ("tokenizer_config.json", {"vocab_type": "spm", "sp_model_kwargs": {"alpha": 1}}, None),
    ],
)
def test_debertas_other_tokens(file, members, reason, tmp_path):
    make(tmp_path, "deberta")
    (tmp_path / file).write_text(json.dumps(members))
    shown = run("inspect", tmp_path)
    if reason is None:
        assert shown.returncode == 0 and "byte_fallback" in shown.stdout, shown
    else:
        assert shown.returncode == 1 and reason in shown.stderr, shown.stderr


def test_a_model_of_bpe_is_refused_for_deberta_too(tmp_path):
    make(tmp_path, "deberta", {"deberta": MODELS["bpe"]})
    refused = run("inspect", tmp_path)
    assert refused.returncode == 1 and f"{tmp_path}/spm.model: is a model of BPE" in refused.stderr, refused.stderr


def test_a_file_that_is_cut_or_changed_is_refused_by_name(tmp_path):
    model = MODELS["camembert"]
    make(tmp_path, "camembert")
    path = tmp_path / "sentencepiece.bpe.model"
    for bytes in (model[:100], model[:-1], b"\xff" * 100, model[:2] + b"\xff\xff" + model[4:]):
        path.write_bytes(bytes)
        refused = run("inspect", tmp_path)
        assert refused.returncode == 1 and re.search(f"{path}: |{path} ", refused.stderr), refused.stderr
