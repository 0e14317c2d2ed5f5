"""Trains SentencePiece models, and asks transformers and sentencepiece for the tokens of texts with them.

Writes sentencepiece.json and ../TokenizersTests/Fixtures/sentencepiece.tar.xz. Needs, besides requirements.txt:
transformers (`.venv/folders` has it), sentencepiece 0.2.1 and protobuf. Run by hand:

    python sentencepiece_answers.py

A folder's tokens are those of transformers' class. sentencepiece.json also names the texts of which sentencepiece
itself makes other ones: those with white space that it does not know, with special tokens written in them, or, of
ALBERT, with what that class's own normalizers change.
"""

import io
import json
import lzma
import pathlib
import tarfile
import tempfile

import sentencepiece
import transformers

from sentencepiece_folders import CHOSEN, FEW, FOLDERS, MODELS, UNSEEN, write

HERE = pathlib.Path(__file__).parent
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]}
DEBERTA = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]", "bos_piece": "[CLS]",
           "eos_piece": "[SEP]", "unk_piece": "[UNK]"}  # fmt: skip
# Name, normaliser, further options of the trainer.
TRAINED = {
    "albert": ("nmt_nfkc", ALBERT),
    "xlm-roberta": ("nmt_nfkc_cf", {"control_symbols": ["<ctl>"], "user_defined_symbols": ["<ent>", "é"]}),
    "camembert": ("identity", {}),
    "deberta": ("nmt_nfkc", {**DEBERTA, "byte_fallback": True}),
    "deberta-small": (
        "identity", {**DEBERTA, "vocab_size": 600, "control_symbols": ["<ctl>", "[MASK]"],
                     "user_defined_symbols": ["<ent>", "é"]},
    ),
    "deberta-default": ("nmt_nfkc_cf", {"vocab_size": 400, "remove_extra_whitespaces": False}),
    "bpe": ("identity", {"model_type": "bpe"}),
    "byte-fallback": ("identity", {"byte_fallback": True}),
    "suffix": ("identity", {"treat_whitespace_as_suffix": True}),
    "spaces": ("identity", {"remove_extra_whitespaces": False}),
    "no-prefix": ("identity", {"add_dummy_prefix": False}),
}


def texts_of_training(is_latin=False):
    chosen = [text for name, text in CHOSEN.items() if name not in UNSEEN]
    texts = [part for text in chosen for part in ([text] if isinstance(text, str) else text)]
    lines = [line for text in texts for line in text.replace("\0", " ").splitlines() if line.strip()]
    return [line[:4000] for line in lines if not is_latin or max(line) < "\u0250"]


def train():
    models = {}
    for name, (rule, options) in TRAINED.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts_of_training(is_latin=options.get("vocab_size") is not None)),
            model_writer=model, num_threads=1, normalization_rule_name=rule, hard_vocab_limit=False, minloglevel=2,
            character_coverage=0.98, **{"vocab_size": 2000, **options},
        )  # fmt: skip
        models[name] = model.getvalue()
    return models


def pieces(model, parts):
    """sentencepiece's own, by their text: unknown ones in a row are one."""
    unknown = model.id_to_piece(model.unk_id())
    found = []
    for part in parts:
        for id in model.encode(part):
            piece = model.id_to_piece(id)
            if piece != unknown or found[-1:] != [unknown]:
                found.append(piece)
    return found


def measure(folder, name, models):
    write(folder, name, models)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = sentencepiece.SentencePieceProcessor(model_proto=models[FOLDERS[name][0]])
    ids, differs = {}, []
    for text in CHOSEN if name in TRAINED else FEW:
        parts = CHOSEN[text]
        parts = [parts] if isinstance(parts, str) else parts
        ids[text] = tokenizer(*parts)["input_ids"]
        if len(parts) == 1:
            found = tokenizer.convert_ids_to_tokens(ids[text][1:-1])
            if found != pieces(model, parts):
                differs.append(text)
    print(name, type(tokenizer).__name__, len(tokenizer), f"{len(differs)} of {len(ids)} differ:", *differs)
    return {"tokens": len(tokenizer), "ids": ids, "sentencepiece differs": differs}


def main():
    models = train()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, model in models.items():
            entry = tarfile.TarInfo(f"{name}.model")
            entry.size = len(model)
            archive.addfile(entry, io.BytesIO(model))
    MODELS.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    with tempfile.TemporaryDirectory() as root:
        folders = {name: measure(pathlib.Path(root) / name, name, models) for name in FOLDERS}
    report = {
        "meaning": "token ids of transformers' classes, and the texts of which sentencepiece makes other pieces",
        "transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__, "folders": folders,
    }  # fmt: skip
    (HERE / "sentencepiece.json").write_text(json.dumps(report, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main()
