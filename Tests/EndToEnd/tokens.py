"""Hugging Face's own tokenizer, set as the server's default model is used."""

import pathlib

from tokenizers import Tokenizer


def tokenizer(folder, max_tokens):
    """`tokenizer.json` without the truncation and padding that this file happens to hold."""
    result = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    result.no_padding()
    result.enable_truncation(max_tokens, strategy="longest_first")
    return result


def encode(tokenizer, text):
    return tokenizer.encode(text) if isinstance(text, str) else tokenizer.encode(*text)
