"""Exports of ALBERT with a SentencePiece model, by Model Garden's code: tokens and numbers are TensorFlow's."""

import json
import tarfile

import numpy as np
import pytest

import sentencepiece_folders
from server import ROOT, Server, run

ARCHIVE = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "exports-sentencepiece.tar.xz"
with tarfile.open(ARCHIVE) as archive:
    FILES = {entry.name: archive.extractfile(entry).read() for entry in archive}
GOLDEN = json.loads(FILES.pop("golden.json"))
TEXTS, FOLDERS = GOLDEN["texts"], GOLDEN["folders"]
POSITIONS = 24


def unpacked(name, folder, *replacements, model=None):
    """An export with bytes of its graph replaced, or with another SentencePiece model beside it."""
    for path, data in FILES.items():
        if path.startswith(name + "/"):
            target = folder / path.removeprefix(name + "/")
            if target.name == "saved_model.pb":
                for old, new in replacements:
                    assert old in data and len(old) == len(new)
                    data = data.replace(old, new)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(model if model and target.suffix == ".model" else data)
    return folder


@pytest.mark.parametrize("name", FOLDERS)
def test_served_as_tensorflow(name, tmp_path, log):
    golden = FOLDERS[name]
    assert len(TEXTS) > 40 and max(map(len, golden["ids"])) == POSITIONS
    with Server(model=unpacked(name, tmp_path), log=log) as server:
        options = {"output_key": "sequence_output", "tokens": "true"}
        tokens = server.encode(TEXTS, **options)["tokens"]
        for text, ours, ids in zip(TEXTS, tokens, golden["ids"], strict=True):
            assert [token["id"] for token in ours] == ids, ascii(text)
        keys = "logits" if "logits" in golden else "default,pooled_output,sequence_output"
        found = server.tensors(TEXTS, output_key=keys, seq_length=POSITIONS)
    # How exact they are is measured beside float64 in test_tensorflow_exports.py.
    if "logits" in golden:
        assert np.abs(found["logits"] - np.array(golden["logits"])).max() < 1e-5
    else:
        for key in ("default", "pooled_output"):
            assert np.abs(found[key] - np.array(golden["pooled_output"])).max() < 1e-5
        theirs = np.array(golden["sequence_output"])
        assert np.abs(found["sequence_output"][: len(theirs)] - theirs).max() < 1e-5


def test_pairs(tmp_path, log):
    with Server(model=unpacked("encoder", tmp_path), log=log) as server:
        tokens = server.encode(GOLDEN["pairs"], output_key="sequence_output", tokens="true")["tokens"]
    for pair, ours, ids in zip(GOLDEN["pairs"], tokens, GOLDEN["pairs ids"], strict=True):
        assert [token["id"] for token in ours] == ids, ascii(pair)


def test_the_options_of_the_tokenizer_differ():
    """So that to pass over one of them would be seen."""
    ids = [FOLDERS[name]["ids"] for name in FOLDERS if name != "encoder"]
    assert len(ids) == 4 and all(one != other for place, one in enumerate(ids) for other in ids[:place])
    assert FOLDERS["encoder"]["ids"] == FOLDERS["lower=true+strip=true"]["ids"]


@pytest.mark.parametrize(
    ("name", "replacement", "reason"),
    [
        ("sampling", (), "its preprocessing has nbest_size 4.0"),
        ("lower", (), "StringLower"),
        ("lower=true+strip=true", ((rb"\p{Mn}", rb"\p{Mc}"),), "does StaticRegexReplace (node "),
        ("lower=true+strip=true", ((b"\x12\x03NFD", b"\x12\x03NFC"),), "does NormalizeUTF8 (node "),
        ("lower=true+strip=true", ((b"CaseFoldUTF8", b"TrimUTF8toX8"),), "does TrimUTF8toX8 (node "),
        ("lower=true+strip=true", ((b"SentencepieceOp", b"SentencepieceXX"),), "has no SentencePiece model in its graph"),
        ("lower=true+strip=true", ((b"\x05[SEP]", b"\x05[SEQ]"),), "has no [SEP], which every input needs"),
    ],
)  # fmt: skip
def test_other_preprocessing_is_refused(name, replacement, reason, tmp_path):
    refused = run("inspect", unpacked(name, tmp_path, *replacement))
    assert refused.returncode == 1
    assert f"{tmp_path}/saved_model.pb: " in refused.stderr and reason in refused.stderr, refused.stderr


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("bpe", "is a model of BPE (model_type)"),
        ("byte-fallback", "has byte_fallback 1, must be 0: that is not supported in a SavedModel"),
        ("suffix", "has treat_whitespace_as_suffix 1"),
        ("spaces", "has remove_extra_whitespaces 0"),
        ("no-prefix", "has add_dummy_prefix 0"),
    ],
)
def test_other_models_are_refused(model, reason, tmp_path):
    unpacked("encoder", tmp_path, model=sentencepiece_folders.read()[model])
    refused = run("inspect", tmp_path)
    assert refused.returncode == 1
    assert f"{tmp_path}/assets/30k-clean.model" in refused.stderr and reason in refused.stderr


def test_without_its_model(tmp_path):
    (unpacked("encoder", tmp_path) / "assets" / "30k-clean.model").unlink()
    refused = run("inspect", tmp_path)
    assert refused.returncode == 1 and "assets/30k-clean.model" in refused.stderr
