"""Texts on which tokenizers differ."""

import random

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LONG_WORD = "internationalisation"

PLAIN = [
    "Improve the physical fitness of your goldfish by getting him a bicycle",
    "THE QUICK BROWN FOX, jumping over 13 lazy dogs; isn't it (almost) unbelievable?!",
    "wait... what -- yes/no @home #tag $5 50% a&b x*y [ok] {no} <tag> 'q' \"d\" `t` ~ ^ _ | \\",
    "https://www.example.com/a/b?c=d&e=f#g me@example.co.uk 3.14159 1,000,000 0x1F4A9 1e-9",
    "antidisestablishmentarianism xylophonically qqqqzzzzx unaffable",
    " ".join(["goldfish", "bicycles", "tokenisation", "embeddings"] * 12),
    "a" * 100,
    "a" * 101,
    "b" * 99 + ". " + "x" * 300 + "yz",
]
TELLING = [
    "",
    " \t\n\r \u00a0\u2003\u3000 ",
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m Z\u00fcrich \u0141\u00f3d\u017a \u0110or\u0111e",
    "Cafe\u0301 nai\u0308ve A\u030angstro\u0308m \u0301lone \u0344a x\u20dd",
    "\u0130stanbul ISPARTA \u0131\u015f\u0131k \u1e9e Stra\u00dfe \u01c4 \u01c5 \ufb01 \u212a \u212b",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03c3\u03af\u03b3\u03bc\u03b1 \u03c2 \u1fb3 \u1fbc",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0416 \u0419\u043e\u0434",
    "abc\u4e2d\u6587def\u6f22\u5b57123 \uf900\ufa0e\U0002f800\U00020000\U0002b820\U0002b740\u9fff",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3001\u30ab\u30bf\u30ab\u30ca \uff76\uff9e\u30ac",
    "\uc548\ub155\ud558\uc138\uc694 \uac00\uac01 \u1112\u1161\u11ab",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u093f\u0924\u093e\u092c \u0958 \u0e2a\u0e27\u0e31\u0e2a",
    "\u0627\u0644\u0633\u0651\u064e\u0644\u0627\u0645\u064f \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "Ti\u1ebfng Vi\u1ec7t Nguy\u1ec5n \u0110\u00ecnh",
    "\u201ccurly\u201d \u2018x\u2019 \u2014 \u2026 \u00ab\u00bb \u00bf\u00a1 \u3001\u3002 \u20ac \u00b1 \u2122 \u2260 \u226e \u037e \u1fef \u2329",
    "bell\x07ring null\x00byte esc\x1b[31mred del\x7fete vt\x0btab ff\x0cfeed nel\u0085x \x01\x02 \x03a",
    "zero\u200bwidth join\u200der soft\u00adhyphen bom\ufeffhere tag\U000e0067 vs\ufe0f bidi\u202eend",
    "one\u2028two\u2029three\u1680four\u180efive pua\ue000x \ufffd un\u0378as \U000f0000",
    "\U0001f600 love \U0001f41f! \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 1\ufe0f\u20e3",
    "[CLS] [SEP] say[MASK]now [PAD][UNK] [cls] x[SEP] [SE[SEP]] [ MASK ] [MASK",
    "##ing play##ing # ##",
    # Marks that survive stripping, among marks that do not: NFD reorders them.
    "a\u0301\u1b44b x\u0345\u1bab\u1baa\u0334 k\u302f\u302e\u0316\U0001e000\u0338z",
    "\U0001d15e\U0001d16d\u0334\U0001d165 \U0001d160\u0301\U0001d166a \u00e9\ua953\u0f73\ua953",
    # Where such a word ends tells which mark took which place.
    "\U0001d15e\u0334 \U0001d160\U0001d16d\u0345",
    "\u0e01\u0301\u200d\u1b44\u00ad\u0334[MASK]\u1b44\u0334\u4e2d\u0334\u1b44",
    "\u00e9" * 100,
    "\u00e9" * 101 + " \u0436" * 2,
    "\u0436" * 100 + " " + "e\u0301" * 100,
    "\u2160 \U00016ea0 \ua7dc \u1c89 \U00010400 \U0001e900 \u13a0 \u10a0 \u1c90",
]


def random_texts(count, seed):
    r = random.Random(seed)
    blocks = [
        (0x20, 0x7F), (0x61, 0x7B), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x700),
        (0x900, 0xE00), (0x1B00, 0x2100), (0x2000, 0x2300), (0x3000, 0x3400), (0x4E00, 0x9FFF),
        (0xAC00, 0xD7A4), (0xF900, 0x10000), (0x1D100, 0x1D200), (0x1E000, 0x1E030), (0, 0x21),
    ]  # fmt: skip
    pieces = SPECIAL + [" ", "the", "un", "believ", "able", "##", "\u1b44", "\u0334", "\u0301"]
    texts = []
    for _ in range(count):
        text = ""
        chosen = r.sample(blocks, 4)
        for _ in range(r.randrange(3, 16)):
            text += r.choice(pieces) if r.random() < 0.25 else chr(r.randrange(*r.choice(chosen)))
        texts.append(text)
    return texts
