"""Texts that hold every scalar value worth asking for, and a hash of their tokens.

All of planes 0 and 1, of the rest every 97th; 256 to a text, each between two letters and alone.
"""

SCALARS = [s for s in range(0x110000) if (s < 0x20000 or s % 97 == 0) and not 0xD800 <= s < 0xE000]
TEXTS_PER_HASH = 16


def texts():
    for start in range(0, len(SCALARS), 256):
        yield " ".join(f"a{chr(s)}b {chr(s)}" for s in SCALARS[start : start + 256])


def hashes(ids_of_texts):
    """FNV-1a, 64 bits, of the ids in turn, as 32-bit words."""
    result, value = [], 0xCBF29CE484222325
    for index, ids in enumerate(ids_of_texts):
        if index % TEXTS_PER_HASH == 0 and index > 0:
            result.append(f"{value:x}")
            value = 0xCBF29CE484222325
        for token in ids:
            value = (value ^ token) * 0x100000001B3 % 2**64
    return result + [f"{value:x}"]
