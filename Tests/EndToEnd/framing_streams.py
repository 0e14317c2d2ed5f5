"""Streams of requests, right and broken, out of a seed.

Each part of a request is mostly right and sometimes one of its odd values; a stream has several requests, so that a wrong
end of one shows in the next. X-Request-Id numbers them.
"""

# Around every limit that an integer of a parser may have.
NUMBERS = [base + offset for base in (2**8, 2**16, 2**24, 2**31, 2**32, 2**53, 2**63, 2**64) for offset in (-1, 0, 1)]
SPACES = ["", " ", "\t", "  ", "\x0b", "\x0c", "\xa0", "\x85", "\r", "\0"]
ENDS = ["\n", "\r", "\r\r\n", "\n\r\n", "", " \r\n", "\r\n ", "\r\n\t", "\x0b\r\n"]
METHODS = ["G=T", "G\xc9T", "", "GET ", "P" * 33, "G\x00T", "(GET)"]
VERSIONS = ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "HTTP/01.1", "http/1.1", "HTTP/1", "HTTP/1.", "HTTP 1.1", "ICY/1.1", "", "HTTP/1.1 ", "HTTP/1.1\t"]
TARGETS = ["http://b{}", "https://b:1{}", "HTTP://[::1]{}", "//{}", "{}?a=b%20", "{}#x", "{}%", "{}%zz", "{}\"", "{}<", "{}|", "{}\\", "{}^", "{}`", "{}{{", "{}[", "{}\xe9", "{} x", "*", "b:1", "", "{}\x7f", "{}\x01", "ftp://b{}", "http://u@b{}", "http://{}"]
HOSTS = ["", "a b", "a/b", "a@b", "a:99999", "a:", "a:b", "[::1", "[::1]:80", "[1]", "%", "a%zz", "a%41", "a,b", "a\x00", "a\xe9", "a_b", "[v1.x]", "::1"]
NAMES = ["X ", " X", "\tX", "X\t", "X\x00", "X\xef", "X[]", "", "X:Y", "X\r", "X\n", "Content_Length", "X" * 300, "Content-Length\x0b"]
VALUES = ["", " ", "a\tb", "a\rb", "a\nb", "a\x00b", "a\x01b", "a\x7fb", "a\xe9b", "\x0ba", "a" * 5000, "a\r\n b", "a\r\n\tb", "a\r\n", "\"a\\\"", "a,,b"]
CODINGS = ["Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked\t", "\x0bchunked", "chunked\x0c", "chunked\xa0", "xchunked", "chunkedx", "chun ked", "\"chunked\"", "chunked;a=b", "chunked,", ",chunked", "chunked,chunked", "chunked, identity", "identity", "identity, chunked", "gzip, chunked", "chunked, gzip", "gzip", "", "ch\u00fcnked", "chunked\x00", "chunked\r\n , identity"]
CONNECTIONS = ["close", "CLOSE", "keep-alive", "foo, close", "close, keep-alive", "closex", "close;", "Transfer-Encoding", "Content-Length", "upgrade", ",", "\"close\""]
EXTENSIONS = [";a", ";a=b", ";a=\"b\"", " ;a", "; a", ";a =b", ";a= b", ";", ";=", ";a=", ";a b", " ", "\t", ",a", ";a=\"b", ";a=\"\\\"\"", ";a\n", ";a\rb", ";a\x00", ";a=\"\r\n\"", ";\xe9", ";a;;b", " a", ";" + "a" * 5000]
TRAILERS = ["X: y", "Content-Length: 5", "Transfer-Encoding: chunked", "Host: b", "X", ": y", " X: y", "X : y", "X: a\nb", "X: a\x00b", "GET / HTTP/1.1", "X: \xe9"]
TOKENS = ["\r\n", "\n", "\r", "\r\n\r\n", "0\r\n\r\n", "0\r\n", "1\r\n", ":", " ", "\t", "\0", ";", ",", "chunked", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "GET /x HTTP/1.1\r\n", "\x0b", "\xa0", "\"", "-", "+", "0x", "_"]


class Streams:
    """An endless iterator of streams, the same ones for the same `random.Random`."""

    def __init__(self, random):
        self.random = random
        # Few streams have many faults: behind the first one of a stream nobody looks.
        self.rate = 1

    def __iter__(self):
        return self

    def odd(self, share, usual, unusual):
        return self.random.choice(unusual) if self.happens(share) else usual

    def happens(self, share):
        return self.random.random() < share * self.rate

    def size(self, number, base):
        """How a length is written."""
        random = self.random
        if not self.happens(0.1):
            return "%x" % number if base == 16 else str(number)
        written = random.choice([number, number + 1, max(0, number - 1), -number, *NUMBERS])
        text = "%x" % written if base == 16 else str(written)
        if base == 16 and random.random() < 0.3:
            text = text.upper()
        for odd in self.random.choices(
            [lambda t: t, lambda t: "0" * random.choice([1, 2, 15, 16, 17, 30]) + t, lambda t: "+" + t, lambda t: "-" + t,
             lambda t: "0x" + t, lambda t: t + random.choice(SPACES), lambda t: random.choice(SPACES) + t,
             lambda t: t[:1] + "_" + t[1:], lambda t: t + ".0", lambda t: t + "e0", lambda t: t + "," + t,
             lambda t: t + ", 1", lambda t: "", lambda t: "\uff11", lambda t: t + "h", lambda t: t + " 1"],
            weights=[6] + 15 * [1], k=random.choice([1, 1, 2]),
        ):  # fmt: skip
            text = odd(text)
        return text

    def body(self):
        """What stands in a body is often what would be a request if the length were read otherwise."""
        random = self.random
        return random.choice(["", "a", "hello", "0\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n", "5\r\nhello\r\n0\r\n\r\n", "a" * random.randint(1, 40)])

    def chunked(self):
        random, text = self.random, ""
        for _ in range(random.randint(0, 3)):
            chunk = self.body() or "a"
            text += self.size(len(chunk), 16) + self.odd(0.1, "", EXTENSIONS) + self.odd(0.02, "\r\n", ENDS)
            text += chunk + self.odd(0.03, "\r\n", ENDS)
        text += self.odd(0.03, "0", ["", "00", "000000000000000000", "-0", "+0", "0x0", " 0", "0 "])
        text += self.odd(0.05, "", EXTENSIONS) + self.odd(0.02, "\r\n", ENDS)
        for _ in range(random.choice([0, 0, 0, 0, 1, 2])):
            text += self.odd(0.5, "X: y", TRAILERS) + self.odd(0.03, "\r\n", ENDS)
        return text + self.odd(0.03, "\r\n", ENDS)

    def request(self, number):
        random = self.random
        fields = [["Host", self.odd(0.05, "a", HOSTS)], ["X-Request-Id", f"r{number}"]]
        body = ""
        kind = random.choice(["none", "none", "length", "length", "chunked", "chunked", "chunked", "both"])
        if self.happens(0.03):
            kind = "twice"
        if kind in ("length", "both", "twice"):
            body = self.body()
            fields.append(["Content-Length", self.size(len(body), 10)])
        if kind == "twice":
            fields.append(["Content-Length", random.choice([str(len(body)), "0", "1"])])
        if kind == "both" and not self.happens(0.1):
            kind = "chunked"
            fields.pop()
        if kind in ("chunked", "both"):
            body = self.chunked()
            fields.append(["Transfer-Encoding", self.odd(0.12, "chunked", CODINGS)])
            if self.happens(0.03):
                fields.append(["Transfer-Encoding", random.choice(["chunked", "identity", "gzip", ""])])
        method = "GET" if kind == "none" else random.choice(["POST", "POST", "GET"])
        if self.happens(0.1):
            fields.append(["X", self.odd(0.5, "y", VALUES)])
        if self.happens(0.05):
            fields.append(["Connection", random.choice(CONNECTIONS)])
        if self.happens(0.02):
            fields.append(["Expect", random.choice(["100-continue", "x"])])
        if self.happens(0.03):
            random.choice(fields)[0] = random.choice(NAMES)
        if self.happens(0.02):
            fields.append(list(random.choice(fields)))
        if self.happens(0.02):
            fields.pop(random.randrange(len(fields)))
        random.shuffle(fields)
        text = self.odd(0.02, "", ["\r\n", "\r\n\r\n", "\n", "\r", " ", "\r\n" * 6])
        text += self.odd(0.03, method, METHODS) + self.odd(0.01, " ", SPACES)
        text += self.odd(0.06, "{}", TARGETS).format("/v1/models/x:predict" if method == "POST" else "/v1/models/x")
        text += self.odd(0.01, " ", SPACES) + self.odd(0.04, "HTTP/1.1", VERSIONS) + self.odd(0.02, "\r\n", ENDS)
        for name, value in fields:
            if self.happens(0.1):
                name = random.choice([name.lower(), name.upper()])
            text += name + ":" + self.odd(0.05, " ", SPACES) + value + self.odd(0.02, "", SPACES)
            text += self.odd(0.01, "\r\n", ENDS)
        return text + self.odd(0.02, "\r\n", ENDS) + body

    def __next__(self):
        random = self.random
        self.rate = random.choice([0, 0.2, 0.2, 0.2, 1])
        text = "".join(self.request(number) for number in range(random.randint(1, 4)))
        for _ in range(random.choice([1, 1, 2]) if self.happens(0.5) else 0):
            index = random.randrange(len(text) + 1)
            cut = random.choice([0, 0, 1, 2, 20])
            text = text[:index] + self.odd(0.8, "", TOKENS) + text[index + cut :]
        return text.encode("latin-1", "replace")
