"""The texts that answers are measured on: of every kind, the same in every run.

`TEXTS` maps a name to a text or to a pair of texts.
"""

import random

SEED = "Improve the physical fitness of your goldfish by getting him a bicycle"
SEED_TOKENS = 15

WORDS = (
    "the a of to and in that it is was for on with as at by from harbour bicycle goldfish window "
    "unbelievably antique river seventeen lantern photosynthesis quietly budget vector glacier "
    "misunderstanding violin tax paper, engine. copper; (perhaps) won't re-entry 42 3.14 Lisbon "
    "Tchaikovsky gRPC kilowatt-hours naïve café tokenization zeitgeist embroidery plankton"
).split()

SENTENCES = [
    SEED,
    "Hello, world!",
    "The train to Lisbon leaves at 7:45 from platform 3, not 4.",
    "WHY IS EVERYBODY SHOUTING IN THIS ROOM?",
    "iPhone, eBay, LaTeX and McDonald's mix their cases.",
    "She said: \"I can't, won't and shouldn't!\" -- and left...",
    "‘Single’ and “double” quotes – en dash — em dash … ellipsis",
    "Rock’n’roll isn’t dead; it’s sleeping.",
    "Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo.",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "pneumonoultramicroscopicsilicovolcanoconiosis and floccinaucinihilipilification",
    "the the the the the the the the the the the the the the the the",
    "no punctuation at all and rather long so that it wraps around in most terminals",
    "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer.",
]

LANGUAGES = [
    "我爱北京天安门，天安门上太阳升。",
    "漢字とひらがなとカタカナが混ざった文です。",
    "ｶﾀｶﾅ ﾊﾝｶｸ ガギグゲゴ ばびぶ",
    "안녕하세요, 세계! 한국어 문장입니다.",
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "english中文mixed漢字without空格spaces",
    "𠀀𠮷野家 \U0002a6d6\U0002b740\U0002b820\U0002ceb0\U00030000 豈 \uf900\U0002f800",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "السَّلامُ عَلَيْكُمْ وَرَحْمَةُ اللهِ",
    "שָׁלוֹם עֲלֵיכֶם, מה שלומך?",
    "नमस्ते दुनिया! कृपया ध्यान दें।",
    "বাংলা ভাষা খুব সুন্দর",
    "தமிழ் மொழி கொண்டாடு",
    "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง",
    "ភាសាខ្មែរ \u17b4\u17b5 ລາວ မြန်မာ",
    "བོད་སྐད་ ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ",
    "Привет, мир! Ёжик в тумане, йод и ЩУКА.",
    "Ο ΟΔΥΣΣΕΥΣ και η Πηνελόπη· τέλος ς",
    "Ἐν ἀρχῇ ἦν ὁ λόγος ᾳ ᾼ ῼ",
    "Straße, STRASSE, ẞ, Fußgängerübergänge, Äpfel",
    "İstanbul'da ISPARTA ışık ığdır I İ ı i",
    "Đặng Thị Hồng nói tiếng Việt rất giỏi",
    "Zażółć gęślą jaźń; Łódź, Kraków",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Árvíztűrő tükörfúrógép",
    "Þórður át ís á Ægisgötu; ðæǿ",
    "¿Dónde está el baño? ¡Mañana!",
    "L’élève reçoit œuvre, où çà et là",
    "Հայերեն ԲԱՐԵՒ և ֆ",
    "ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ",
    "ᎣᏏᏲ ꭰꭱꭲ Ꭰ",
    "አማርኛ ፊደል። ትግርኛ፡",
    "ᠮᠣᠩᠭᠣᠯ \u180e бичиг",
    "ⲁⲃⲅ 𐌰𐌱𐌲 𐐀𐐨 𞤀𞤢",
    "Hello мир 世界 안녕 नमस्ते مرحبا Γειά שלום",
]

SYMBOLS = [
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "$5 €6 £7 ¥8 ₹9 ₿10 50 % 0.5‰ ±2 §4 ¶ ° © ® ™ ª º",
    "∀x∈ℝ: ∑ᵢ xᵢ² ≥ 0, ∫₀^∞ e⁻ˣ dx = 1 ≠ ∅ → √2 ≈ 1.414 ℵ₀ 𝒜 𝔹 𝟙𝟚𝟛",
    "← ↑ → ↓ ⇒ ⇔ ■ □ ▲ ● ★ ☆ ♠ ♥ ♪ ☃ ☎ ✓ ✗",
    "« guillemets » ‹ single › „low“ ‚low‘ 「角」『二重』【墨付】〈山〉、。・",
    "I 😀 love 🐟 and 🚲!! 👍🏽👍🏿 😀😀😀",
    "👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇯🇵 1️⃣ #️⃣ ❤️ ☠︎ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Cafe\u0301 nai\u0308ve fac\u0327ade A\u030angstro\u0308m",
    "Z\u0351\u036b\u0343a\u0334\u0321l\u0320g\u0315o\u0336 t\u0301\u0302\u0303\u0304e\u0305\u0306xt",
    "\u0301lone mark first, \u20dd enclosing\u20e0, spacing \u0903\u093e",
    "ﬁne ﬂow ﬃ ﬅ ǆ Ǆ ǅ ĳ ŉ ǰ ΐ և",
    "ＨＥＬＬＯ　Ｗｏｒｌｄ１２３！？",
    "K Å ſ Ω µ ẛ ϐ ϑ ϕ ϰ ϱ ϵ",
    "٠١٢٣ १२३ ๑๒๓ ①②③ Ⅷ ⅷ ² ³ ½ ¼ 一二三 〇",
    "0 1 12 123 1234567890 3.14159 1,000,000 0x1F4A9 1e-9 -0 +7",
    "555-0199, +1 (555) 010-9999, 2024-02-29T23:59:60Z, 12:34:56.789",
    "192.168.0.1 ::1 fe80::1%eth0 00:1A:2B:3C:4D:5E",
]

INVISIBLE = [
    " ",
    "\n",
    " \t\n\r  \u00a0\u2003\u3000 ",
    "  leading and trailing   and   inner  ",
    "line one\nline two\r\nline three\rline four\ttab",
    "vertical\x0btab form\x0cfeed next\x85line one\u2028two\u2029three",
    "bell\x07ring null\x00byte esc\x1b[31mred\x1b[0m del\x7fete",
    "\x01\x02\x03 \x1f",
    "c1 \x80\x9f controls",
    "zero\u200bwidth join\u200der non\u200cjoiner word\u2060joiner bom\ufeffhere",
    "co\u00adoperate un\u00adbe\u00adliev\u00adable",
    "abc\u202edef\u202c ghi\u200e jkl\u2066mno\u2069 \u061c",
    "no\u00a0break narrow\u202fbreak ogham\u1680space math\u205fspace thin\u2009space",
    "bad\ufffdchar and \ufffd alone",
    "private \ue000x unassigned \u0378y noncharacter \uffffz \ufdd0 plane15 \U000f0000w",
    "variation\ufe0e selectors\ufe0f 葛\U000e0100 a\u034fb fillers \u115f\u1160\u3164\u2800",
    "tags \U000e0041\U000e0042 interlinear \ufff9x\ufffay\ufffb musical \U0001d173\U0001d17a",
]

SPECIAL = [
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "say[MASK]now x[SEP]y [PAD][PAD] [unused1] [unused99]",
    "[cls] [sep] [mask] [Mask] [MASK ] [ MASK] [[MASK]] [MAS",
    "[SEP]",
    "[SEP] [SEP] [SEP]",
    "é[MASK]é [MASK]\u0301 \u0301[MASK]",
    "##ing play##ing # # #hashtag ##",
    "[CL\u0301S] [\u200bMASK] [M\u00adASK]",
]

CODE = [
    "https://www.example.com:8443/a/b/../c?d=e&f=%20g#h and mail.me+tag@example.co.uk",
    "func f<T: Sendable>(_ x: inout [T]) async throws -> T? { x.popLast() ?? nil }",
    "for (int i = 0; i < n; ++i) { a[i] *= b[i] << 2; } // done",
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name;",
    '{"key": ["value", null, true, 1.5e-3], "nested": {"a\\"b": "\\u00e9"}}',
    "<html><body class='x'>&lt;b&gt; &amp; &#169;</body></html>",
    "# Title\n\n* item **bold** `code`\n\n```py\nprint(1)\n```\n| a | b |\n|---|---|",
    "def f(x):\n    return x ** 2 if x else None  # comment",
    "C:\\Users\\me\\file.txt /usr/local/lib/libfoo.so.1.2.3 ~/x",
    "$ grep -rn 'foo.*bar' --include=*.c | awk '{print $1}' >> out.txt 2>&1",
    "snake_case camelCase PascalCase kebab-case SCREAMING_CASE __dunder__",
    "d41d8cd98f00b204e9800998ecf8427e ZGVhZGJlZWY= 550e8400-e29b-41d4-a716-446655440000",
]

WORD_LENGTHS = [
    "a" * 99,
    "a" * 100,
    "a" * 101,
    "x" * 5000,
    "antidisestablishmentarianism" * 3,
    "antidisestablishmentarianism" * 40,
    "é" * 100,
    "é" * 101,
    "e\u0301" * 100,
    "e\u0301" * 101,
    "ж" * 100,
    "ж" * 101,
    "中" * 150,
    "-" * 300,
    "İ" * 50,
    "İ" * 60,
    "a" * 100 + " " + "b" * 101 + " end",
    "\U0001f600" * 101,
]

PAIRS = [
    ("How many people live in Berlin?", "Berlin has about 3.8 million inhabitants."),
    ("", ""),
    ("first only", ""),
    ("", "second only"),
    ("same", "same"),
    ("[SEP]", "[CLS] x"),
    ("我爱你", "I love you"),
    ("a" * 101, "b" * 100),
    ("question? " * 10, "answer. " * 40),
    ("short", "long " * 600),
    ("long " * 600, "short"),
    ("both are long " * 200, "and so is this " * 200),
]


def single_characters():
    return list("aZ7.!_ é中あ한я\u0301\u200b\u00ad\ufffd\x00\u3000İßﬁÅ😀\U0010fffd")


def sentences_of_words(generator):
    """1 to 600 words."""
    counts = [1, 2, 3, 5, 8, 13, 21, 30, 44, 60, 80, 100, 125, 150, 200, 253, 300, 400, 508, 600]
    for count in counts:
        yield " ".join(generator.choice(WORDS) for _ in range(count))


def random_unicode(generator):
    """Code points that nobody would put side by side, unassigned ones among them."""
    ranges = [
        (0x00, 0x7F), (0x80, 0x24F), (0x2B0, 0x36F), (0x370, 0x52F), (0x590, 0x8FF),
        (0x900, 0x109F), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2BFF), (0x3000, 0x30FF),
        (0x4E00, 0x9FFF), (0xA640, 0xA7FF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF),
        (0x10000, 0x12000), (0x1D000, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2FA1F),
    ]  # fmt: skip
    for low, high in ranges:
        yield "".join(chr(generator.randint(low, high)) for _ in range(40))
    for _ in range(22):
        runs = []
        for _ in range(generator.randint(3, 12)):
            low, high = generator.choice(ranges)
            start = generator.randint(low, high)
            runs.append("".join(chr(min(start + step, high)) for step in range(6)))
        yield generator.choice(["", " ", "-"]).join(runs)


def collect():
    generator = random.Random(20240229)
    groups = {
        "sentence": SENTENCES,
        "character": single_characters(),
        "language": LANGUAGES,
        "symbol": SYMBOLS,
        "invisible": INVISIBLE,
        "special": SPECIAL,
        "code": CODE,
        "word_length": WORD_LENGTHS,
        "words": sentences_of_words(generator),
        "unicode": random_unicode(generator),
        "pair": PAIRS,
    }
    texts = {"empty": ""}
    for group, members in groups.items():
        for number, text in enumerate(members):
            texts[f"{group}_{number}"] = text
    return texts


TEXTS = collect()
assert len(TEXTS) >= 200
