"""The shapes of `bert-server bench`, number for number (Sources/Bench/BenchShape.swift)."""

BATCH = 32  # sequences of one call to a peer
MIXED = "256 mixed texts"


class Random:
    """BenchShape's generator: Knuth's MMIX constants, the upper 31 bits."""

    def __init__(self):
        self.state = 42

    def next(self):
        self.state = (self.state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        return self.state >> 33

    def unit(self):
        return self.next() % 1_000_000 / 1_000_000


def fixed(positions, vocabulary):
    """Name → sequences of token ids, in the order in which bench draws them."""
    random = Random()

    def sequence(length):
        return [random.next() % vocabulary for _ in range(length)]

    shapes = {f"one text of {n} tokens": [sequence(n)] for n in (16, 128, 512) if n <= positions}
    shapes["32 texts of 128"] = [sequence(128) for _ in range(32)]
    lengths = [mixed_length(random, positions) for _ in range(256)]
    shapes[MIXED] = [sequence(length) for length in lengths]
    return shapes


def named(names, vocabulary):
    """As bench's --shapes: 1x16,32x128 is one sequence of 16 tokens, then 32 of 128."""
    random = Random()
    shapes = {}
    for name in names.split(","):
        count, length = map(int, name.split("x"))
        shapes[f"{count} x {length}"] = [
            [random.next() % vocabulary for _ in range(length)] for _ in range(count)
        ]
    return shapes


def mixed_length(random, positions):
    """Lognormal by way of twelve uniform numbers."""
    normal = -6.0
    for _ in range(12):
        normal += random.unit()
    length = 22.0
    for _ in range(int(abs(normal) * 16)):
        length *= 1.047 if normal > 0 else 1 / 1.047
    return min(max(int(length), 4), min(256, positions))


def operations(configuration, sequences):
    """As Encoder.operations(of:): products and attention of real tokens, no padding."""
    hidden = configuration["hidden_size"]
    weights = 4 * hidden * hidden + 2 * hidden * configuration["intermediate_size"]
    lengths = [len(sequence) for sequence in sequences]
    per_block = sum(2 * weights * n + 4 * hidden * n * n for n in lengths)
    return configuration["num_hidden_layers"] * per_block


def calls(sequences):
    """What is handed to a peer at a time."""
    return [sequences[start : start + BATCH] for start in range(0, len(sequences), BATCH)]
