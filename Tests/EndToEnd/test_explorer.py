"""The page at / in a real browser: what a person sees, hears and saves."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from server import Server, from_npy

CHROMIUM = "/usr/bin/chromium"
LONG = " ".join(f"word{number}" for number in range(400))


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        # Without a sandbox of its own: containers give it none.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page that must not complain, nor ask anyone but the service."""

    def __init__(self, browser, server, expects_errors=False, **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.complaints, self.strangers, self.expects_errors = [], [], expects_errors
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.note(request.url, server))
        self.page.goto(server.url + "/")

    def note(self, url, server):
        if not url.startswith((server.url + "/", "data:", "blob:")):
            self.strangers.append(url)

    def __enter__(self):
        return self.page

    def __exit__(self, *failure):
        self.context.close()
        if failure[0] is None:
            assert self.strangers == []
            # A refused request is in the browser's own log.
            assert self.expects_errors or self.complaints == []


def encode(page, text=None, kind="one"):
    page.locator(f"[name=kind][value={kind}]").check()
    if text is not None:
        page.locator("#text").fill(text)
    page.locator("#ask button").click()
    expect(page.locator("#state, #error").filter(visible=True)).to_contain_text(re.compile(r"\d"), timeout=60_000)
    assert page.locator("#error").inner_text() == ""


def test_the_goldfish(chromium, server):
    with Visit(chromium, server, locale="en-GB") as page:
        expect(page.locator("#model")).to_contain_text("6 blocks, hidden size 384")
        encode(page)
        answer = server.encode([page.locator("#text").input_value()], tokens="true")
        tokens = page.locator("#tokens li")
        assert tokens.count() == answer["lengths"][0]
        assert [tokens.nth(i).inner_text().split() for i in range(tokens.count())] == [
            [t["text"], str(t["id"]), "added" if t["special"] else f"{t['start']}–{t['stop']}"]
            for t in answer["tokens"][0]
        ]
        expect(page.locator("#equal")).to_have_text("default and pooled_output are equal, bit for bit.")
        rows = [page.locator("#map tr").nth(i).inner_text().split("\t")[:2] for i in range(5)]
        assert rows == [
            ["default", "[1, 384]"], ["pooled_output", "[1, 384]"],
            ["sequence_output", "[1, 15, 384]"], ["encoder_outputs", "[6, 1, 15, 384]"],
            ["sentence_embedding", "[1, 384]"],
        ]  # fmt: skip


def test_an_unknown_token_says_so(chromium, server):
    with Visit(chromium, server, locale="en-GB") as page:
        encode(page, "a 🦜")
        assert page.locator("#tokens li.unknown").inner_text().split() == ["[UNK]", "100", "2–6", "unknown"]


def test_the_heat_map_has_the_numbers(chromium, server):
    """By pointer and by keys, in every block, each value as the service gives it."""
    blocks = server.tensors(["a fish"], output_key="encoder_outputs")["encoder_outputs"][:, 0]
    with Visit(chromium, server, locale="en-GB") as page:
        encode(page, "a fish")
        for block in (0, 3, 5):
            page.locator("#block").fill(str(block))
            page.locator("#heat").focus()
            for _ in range(2):
                page.keyboard.press("ArrowDown")
            for _ in range(7):
                page.keyboard.press("ArrowRight")
            said = page.locator("#heat-value").inner_text()
            assert said.startswith("fish, dimension 7: ")
            assert np.float32(said.rsplit(" ", 1)[1]) == blocks[block, 2, 7]
            for _ in range(9):
                page.keyboard.press("ArrowUp")
                page.keyboard.press("ArrowLeft")
        box = page.locator("#heat").bounding_box()
        page.mouse.move(box["x"] + 2 * 100 + 1, box["y"] + 12 * 1 + 6)
        expect(page.locator("#heat-value")).to_contain_text("a, dimension 100: ")
        for zoom in ("1", "8"):
            page.locator("#zoom").select_option(zoom)
            assert page.locator("#heat").evaluate("it => it.style.width") == f"{384 * int(zoom)}px"
        page.locator("#path").focus()
        page.keyboard.press("ArrowDown")
        a, b = blocks[0, 1].astype(float), blocks[1, 1].astype(float)
        cosine = a @ b / np.sqrt((a @ a) * (b @ b))
        expect(page.locator("#path-value")).to_have_text(f"a, block 0 to 1: cosine {cosine:.4f}")
        page.locator("#cosine").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#cosine-value")).to_contain_text("[CLS] and a: cosine")


def test_a_pair(chromium, server):
    with Visit(chromium, server, locale="en-GB") as page:
        page.locator("[name=kind][value=pair]").check()
        page.locator("#second").fill("and its answer")
        encode(page, "a question", kind="pair")
        assert page.locator("#tokens li").count() == 8
        assert '[["a question","and its answer"]]' in page.locator("#code").inner_text()


def test_several_texts(chromium, server):
    texts = ["a cat sat", "a kitten was sitting on a rug", "tax law of 1913"]
    vectors = server.tensors(texts, output_key="sentence_embedding")["sentence_embedding"]
    with Visit(chromium, server, locale="en-GB") as page:
        encode(page, "\n".join(texts), kind="several")
        cells = page.locator("#texts td.number")
        found = np.array([float(cells.nth(i).inner_text()) for i in range(9)]).reshape(3, 3)
        assert np.abs(found - vectors @ vectors.T).max() < 1e-4
        points = page.locator("#projection circle")
        places = np.array(
            [[float(points.nth(i).get_attribute(c)) for c in ("cx", "cy")] for i in range(3)]
        )
        distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
        assert distances[0, 1] < min(distances[0, 2], distances[1, 2])
        expect(page.locator("#map")).to_contain_text("[3, S, 384]")
        page.locator("#which").select_option("1")
        expect(page.locator("#tokens li").nth(2)).to_contain_text("kitten")


def test_texts_are_no_markup(chromium, server):
    text = "<img src=x onerror=alert(1)> </script><b>bold</b>"
    with Visit(chromium, server, locale="en-GB") as page:
        encode(page, f"{text}\nanother", kind="several")
        assert page.locator("img, b").count() == 0
        assert "<img" in page.locator("#code").inner_text()


def test_code_and_files(chromium, server):
    with Visit(chromium, server, locale="en-GB") as page:
        encode(page, "it's \"one\" fish")
        page.locator("#code-key").select_option("sequence_output")
        expected = server.tensors(["it's \"one\" fish"], output_key="sequence_output")
        with page.expect_download() as download:
            page.locator("#save-npy").click()
        with open(download.value.path(), "rb") as file:
            assert np.array_equal(from_npy(file.read()), expected["sequence_output"])
        with page.expect_download() as download:
            page.locator("#save-json").click()
        with open(download.value.path()) as file:
            saved = json.load(file)["outputs"]["sequence_output"]
        assert np.array_equal(np.array(saved, np.float32), expected["sequence_output"])
        for tool, command in (("curl", ["sh", "-c"]), ("Python", [sys.executable, "-c"])):
            page.locator("#tool").select_option(tool)
            code = page.locator("#code").inner_text()
            done = subprocess.run([*command, code], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            assert str(saved[0][0][0])[:8] in done.stdout
        page.locator("#tool").select_option("JavaScript")
        code = page.locator("#code").inner_text()
        page.close()
        # The page's own policy keeps code from running that it was not sent with; another page's does not.
        other = Visit(chromium, server, locale="en-GB", bypass_csp=True)
        logged = []
        with other as page:
            page.on("console", lambda message: logged.append(message.text))
            page.add_script_tag(content=code, type="module")
            expect(page.locator("#model")).to_contain_text("blocks")
            page.wait_for_timeout(1000)
            other.complaints.clear()
        assert logged and logged[0].startswith("[")


def test_512_tokens_through_all_blocks(chromium, server):
    with Visit(chromium, server, locale="en-GB") as page:
        page.locator("summary").click()
        page.locator("#max-tokens").fill("512")
        encode(page, LONG)
        assert page.locator("#tokens li").count() == 512
        expect(page.locator("#cut")).to_be_visible()
        for block in range(6):
            page.locator("#block").fill(str(block))
            expect(page.locator("#block-name")).to_have_text(re.compile(f"^{block}"))
        assert page.locator("#heat").evaluate("it => [it.width, it.height]") == [384, 512]


def test_errors_are_shown(chromium, server):
    with Visit(chromium, server, locale="en-GB", expects_errors=True) as page:
        page.locator("summary").click()
        page.locator("#max-tokens").evaluate("it => { it.removeAttribute('min'); it.value = '1' }")
        page.locator("#ask button").click()
        expect(page.locator("#error")).to_contain_text("400: ")
        expect(page.locator("#error")).to_contain_text("max_tokens")
        page.locator("#max-tokens").fill("")
        encode(page)
        expect(page.locator("#error")).to_be_hidden()


def test_api_keys(chromium, log):
    environment = {"BERT_SERVER_API_KEYS": "a-secret-key-of-enough-length"}
    server = Server(environment=environment, log=log)
    with server, Visit(chromium, server, expects_errors=True, locale="en-GB") as page:
        expect(page.locator("#error")).to_contain_text("401")
        page.locator("summary").click()
        page.locator("#api-key").fill("a-secret-key-of-enough-length")
        encode(page, "a fish")
        assert page.locator("#tokens li").count() == 4
        assert "a-secret" not in page.locator("#code").inner_text()


def test_chinese(chromium, server):
    with Visit(chromium, server, locale="zh-CN") as page:
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        encode(page, "a fish")
        expect(page.locator("#equal")).to_have_text("default 与 pooled_output 逐位相等。")
        page.locator("#language").select_option("en")
        expect(page.locator("#map-title")).to_have_text("The map")


def test_both_languages_say_everything(chromium, server):
    with Visit(chromium, server) as page:
        missing = page.evaluate(
            "() => ['en', 'zh'].flatMap(language => [...document.querySelectorAll('[data-say], [data-label]')]"
            ".map(it => it.dataset.say || it.dataset.label).filter(name => !WORDS[language][name]))"
        )
        keys = page.evaluate("() => Object.values(WORDS).map(words => [Object.keys(words), Object.keys(words.keys)])")
    assert missing == [] and keys[0] == keys[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible(chromium, server, scheme, width):
    """axe-core finds nothing, and a phone's screen is not wider than itself."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "locale": "en-GB"}
    with Visit(chromium, server, **options) as page:
        encode(page, "a fish\nanother fish", kind="several")
        result = Axe().run(page)
        assert result.violations_count == 0, result.generate_report()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_policy(server):
    answers = [server.get("/") for _ in range(2)]
    policies = [answer.headers["content-security-policy"] for answer in answers]
    assert policies[0] != policies[1], "each answer has a nonce of its own"
    for answer, policy in zip(answers, policies, strict=True):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in policy and "unsafe" not in policy
        nonce = re.search(r"script-src 'nonce-([0-9a-f-]{20,})'", policy)[1]
        assert answer.text.count(f'nonce="{nonce}"') == 2 and "{{" not in answer.text
        assert not re.search(r"(src|href)=\"(?!data:)", answer.text)
    assert server.session.head(server.url + "/").status_code == 200
