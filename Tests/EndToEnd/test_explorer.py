"""The page at / in a real browser: what a person sees, hears and saves."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser import Visit, chromium, encode, fill, size_of  # noqa: F401
from server import MODEL, ROOT, Server, from_npy

LONG = " ".join(f"word{number}" for number in range(400))


def test_the_goldfish(chromium, server):
    with Visit(chromium, server) as page:
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


def test_behind_a_prefix(chromium, log):
    """Nothing is asked past it: a proxy would send that elsewhere."""
    with Server("--base-path", "/embeddings-api", log=log) as server:
        server.url += "/embeddings-api"
        with Visit(chromium, server) as page:
            encode(page, "a fish")
            expect(page.locator("#tokens li")).to_have_count(4)
            assert server.url + "/encode" in page.locator("#code").text_content()


def test_an_unknown_token_says_so(chromium, server):
    with Visit(chromium, server) as page:
        encode(page, "a 🦜")
        chip = page.locator("#tokens li.unknown").inner_text().split("\n")
        assert chip == ["[UNK]", "🦜", "100", "2–6", "not in vocabulary"]
        # In the charts too.
        assert "[UNK] 🦜" in page.locator("#heat-chart .rows").inner_text()
        encode(page, "🦜 is no word, [UNK] neither")
        assert page.locator("#tokens .characters").all_inner_texts() == ["🦜", "[UNK]"]


def test_unknown_characters_of_a_pair(chromium, server):
    """Each of its own text: offsets begin anew in the second."""
    with Visit(chromium, server) as page:
        page.locator("[name=kind][value=pair]").check()
        page.locator("#second").fill("é 🦚 [SEP] ☃")
        encode(page, "a [SEP] 🦜", kind="pair")
        assert page.locator("#tokens .characters").all_inner_texts() == ["🦜", "🦚", "☃"]
        encode(page, "", kind="pair")
        assert page.locator("#tokens .characters").all_inner_texts() == ["🦚", "☃"]
        page.locator("#tokens li", has_text="🦚").click()
        assert page.locator("#shown-text mark").all_inner_texts() == ["🦚"]


def test_the_heat_map_has_the_numbers(chromium, server):
    """By pointer and by keys, in every block, each value as the service gives it."""
    blocks = server.tensors(["a fish"], output_key="encoder_outputs")["encoder_outputs"][:, 0]
    with Visit(chromium, server) as page:
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
        page.mouse.move(box["x"] + 2 * 100 + 1, box["y"] + 1.5 * box["height"] / 4)
        expect(page.locator("#heat-value")).to_contain_text("a, dimension 100: ")
        for zoom in ("1", "8"):
            page.locator("#zoom").select_option(zoom)
            assert page.locator("#heat").evaluate("it => it.style.width") == f"{384 * int(zoom)}px"
        page.locator("#path").hover(position={"x": 5, "y": 1.5 * box["height"] / 4})
        a, b = blocks[0, 1].astype(float), blocks[1, 1].astype(float)
        cosine = a @ b / np.sqrt((a @ a) * (b @ b))
        expect(page.locator("#path-value")).to_have_text(f"a, block 0 to 1: cosine {cosine:.4f}")
        page.locator("#cosine").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        expect(page.locator("#cosine-value")).to_contain_text("[CLS] and a: cosine")


def test_a_pair(chromium, server):
    with Visit(chromium, server) as page:
        page.locator("[name=kind][value=pair]").check()
        page.locator("#second").fill("and its answer")
        encode(page, "a question", kind="pair")
        assert page.locator("#tokens li").count() == 8
        assert '[["a question","and its answer"]]' in page.locator("#code").inner_text()


def shorten(text):
    return text if len(text) <= 24 else text[:23] + "…"


def test_several_texts(chromium, server):
    texts = ["a cat sat", "a kitten was sitting on a rug", "tax law of 1913"]
    vectors = server.tensors(texts, output_key="sentence_embedding")["sentence_embedding"]
    with Visit(chromium, server) as page:
        encode(page, "\n".join(texts), kind="several")
        assert size_of(page, "texts") == [3, 3] and size_of(page, "projection")
        side = page.locator("#texts").bounding_box()["width"] / 3
        for row, column in [(0, 1), (1, 2), (2, 2)]:
            page.locator("#texts").hover(position={"x": (column + 0.5) * side, "y": (row + 0.5) * side})
            said = page.locator("#texts-value").inner_text()
            assert said.startswith(f"{shorten(texts[row])} and {shorten(texts[column])}: cosine ")
            assert abs(float(said.rsplit(" ", 1)[1]) - vectors[row] @ vectors[column]) < 1e-4
        nearest = page.locator("#nearest li").all_inner_texts()
        expected = [f"{texts[index]}{vectors[0] @ vectors[index]:.4f}" for index in (1, 2)]
        assert [line.replace("\n", "").replace("\t", "") for line in nearest] == expected
        places = np.array(page.evaluate("() => charts.projection.points"))
        centred = vectors - vectors.mean(0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        assert np.abs(np.abs(places) - np.abs(centred @ axes.T)).max() < 1e-3
        expect(page.locator("#map")).to_contain_text("[3, S, 384]")
        page.locator("#which").fill("2")
        expect(page.locator("#tokens li").nth(2)).to_contain_text("kitten")


def test_texts_are_no_markup(chromium, server):
    text = "<img src=x onerror=alert(1)> </script><b>bold</b>"
    with Visit(chromium, server) as page:
        encode(page, f"{text}\nanother", kind="several")
        assert page.locator("img, b").count() == 0
        assert "<img" in page.locator("#code").inner_text()


def test_code_and_files(chromium, server):
    with Visit(chromium, server) as page:
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
        other = Visit(chromium, server, bypass_csp=True)
        logged = []
        with other as page:
            page.on("console", lambda message: logged.append(message.text))
            page.add_script_tag(content=code, type="module")
            expect(page.locator("#model")).to_contain_text("blocks")
            page.wait_for_timeout(1000)
            other.complaints.clear()
        assert logged and logged[0].startswith("[")


def test_512_tokens_through_all_blocks(chromium, server):
    with Visit(chromium, server) as page:
        encode(page, LONG, max_tokens=512)
        assert page.locator("#tokens li").count() == 512
        expect(page.locator("#cut")).to_be_visible()
        for block in range(6):
            page.locator("#block").fill(str(block))
            expect(page.locator("#block-name")).to_have_text(re.compile(f"^{block}"))
        assert size_of(page, "heat") == [512, 384] and size_of(page, "cosine") == [512, 512]


def test_errors_are_shown(chromium, server):
    with Visit(chromium, server, expects_errors=True) as page:
        page.locator("#max-tokens").evaluate("it => { it.max = 1000000 }")
        fill(page, max_tokens=513)
        page.locator("#max-tokens").evaluate("it => { it.max = 1000000 }")
        page.locator("#encode").click()
        expect(page.locator("#error")).to_contain_text("400: ")
        expect(page.locator("#error")).to_contain_text("max_tokens")
        page.locator("#max-tokens").fill("")
        encode(page)
        expect(page.locator("#error")).to_be_hidden()


def test_chinese(chromium, server):
    with Visit(chromium, server, locale="zh-CN") as page:
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        encode(page, "a fish")
        expect(page.locator("#equal")).to_have_text("default 与 pooled_output 逐位相等。")
        page.locator("#language").select_option("en")
        expect(page.locator("#map-title")).to_have_text("The output map")


def test_both_languages_say_everything(chromium, server):
    with Visit(chromium, server) as page:
        missing = page.evaluate(
            "() => ['en', 'zh'].flatMap(language => [...document.querySelectorAll('[data-say], [data-label]')]"
            ".map(it => it.dataset.say || it.dataset.label).filter(name => !WORDS[language][name]))"
        )
        kinds = page.evaluate(
            "() => Object.values(WORDS).map(words => [Object.entries(words).map(([name, it]) => [name, typeof it]),"
            " Object.keys(words.keys)])"
        )
        used = set(page.evaluate("() => [...document.scripts[0].text.matchAll(/say\\(\\)\\.(\\w+)/g)].map(it => it[1])"))
    assert missing == [] and kinds[0] == kinds[1]
    assert len(used) > 20 and used <= {name for name, _ in kinds[0][0]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible(chromium, server, scheme, width):
    """axe-core finds nothing, and a phone's screen is not wider than itself."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with Visit(chromium, server, **options) as page:
        encode(page, "a fish\nanother 🦜", kind="several")
        assert size_of(page, "projection")
        page.locator("#tokens li").nth(1).click()
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


def test_two_models(chromium, log):
    """The answer, the code and the link are of the model that was chosen when Encode was pressed."""
    with Server("--model", f"second={MODEL}", model=f"first={MODEL}", log=log) as server:
        with Visit(chromium, server) as page:
            expect(page.locator("#model")).to_contain_text("first: 6 blocks")
            encode(page)
            page.locator("summary").click()
            page.locator("#name").select_option("second")
            expect(page.locator("#model")).to_contain_text("second: 6 blocks")
            assert "model=first" in page.locator("#code").inner_text()
            encode(page, "a fish")
            expect(page.locator("#code")).to_contain_text("model=second")
            page.wait_for_function("() => location.hash.includes('model=second')")
            fragment = page.evaluate("() => location.hash")
        with Visit(chromium, server, fragment=fragment) as page:
            expect(page.locator("#code")).to_contain_text("model=second")
            assert page.locator("#name").input_value() == "second"


def test_a_model_without_vectors_of_texts(chromium, server):
    with Visit(chromium, server) as page:
        info = server.get("/info").json()
        info["output_keys"] = ["sequence_output", "encoder_outputs"]
        page.route("**/info", lambda route: route.fulfill(json=info))
        page.reload()
        encode(page, "a fish\na bicycle", kind="several")
        expect(page.locator("#lead-text")).to_contain_text("This model has no vector for the text as a whole.")
        assert page.locator("#map tr th").all_inner_texts() == info["output_keys"]
        assert size_of(page, "cosine") == [4, 4]
        expect(page.locator("#texts-section")).to_be_hidden()


def test_a_service_that_loads_or_is_gone(chromium, server):
    with Visit(chromium, server, expects_errors=True) as page:
        loading = {"error": "the model is being loaded; try again in a moment", "error_type": "Unhealthy"}
        page.route("**/info", lambda route: route.fulfill(status=503, json=loading))
        page.reload()
        expect(page.locator("#state")).to_have_text("the service is loading its model…")
        expect(page.locator("#error")).to_be_hidden()
        page.unroute("**/info")
        expect(page.locator("#tokens li")).to_have_count(15)
        page.route("**/encode?*", lambda route: route.abort())
        page.locator("#encode").click()
        expect(page.locator("#error")).to_have_text("The service cannot be reached.")
        # What was answered before stays, and says of what it is.
        expect(page.locator("#lead-text")).to_contain_text("goldfish")


def test_a_link_to_a_service_with_keys(chromium, log):
    """What the link shows comes once the key is there."""
    key = "a-secret-key-of-enough-length"
    with Server(environment={"BERT_SERVER_API_KEYS": key}, log=log) as server:
        with Visit(chromium, server, fragment="#text=a+fish&token=2&block=1") as page:
            assert page.locator("#text").input_value() == "a fish"
            page.locator("#api-key").fill(key)
            page.keyboard.press("Enter")
            expect(page.locator("#token-2")).to_have_attribute("aria-selected", "true")
            assert page.locator("#block").input_value() == "1"


def test_by_keyboard_alone(chromium, server):
    with Visit(chromium, server) as page:
        expect(page.locator("#tokens li")).to_have_count(15)
        page.locator("#language").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#second")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Control+A")
        page.keyboard.type("a question")
        page.keyboard.press("Tab")
        page.keyboard.type("and its answer")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#tokens li")).to_have_count(8)
        page.locator("#tokens").focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        assert page.locator("#shown-text mark").inner_text() == "answer"


def test_a_head(chromium, log):
    """A bar a label with its probability, or a label a token."""
    heads = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads"
    with Server("--model", heads / "entities", "--model", heads / "reranker", model=heads / "emotions", log=log) as server:
        with Visit(chromium, server) as page:
            encode(page, "a fish")
            answer = server.encode(["a fish"], output_key="probabilities")
            pairs = zip(answer["outputs"]["probabilities"][0], ["joy", "anger", 'fear: "of" what'])
            expected = [f"{label} {value:.4f}" for value, label in sorted(pairs, reverse=True)]
            assert [" ".join(each.split()) for each in page.locator("#labels li").all_inner_texts()] == expected
            assert page.locator("#labels meter").first.get_attribute("value")
            assert "[1, 3]" in page.locator("#map").inner_text()
            assert Axe().run(page).violations_count == 0
        with Visit(chromium, server) as page:
            page.locator("summary").click()
            page.locator("#name").select_option("entities")
            encode(page, "a fish")
            rows = server.encode(["a fish"], model="entities", output_key="token_logits")["outputs"]["token_logits"][0]
            labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
            assert page.locator("#tokens .label").all_inner_texts() == [labels[np.argmax(row)] for row in rows]
            expect(page.locator("#labels-section")).to_be_hidden()
        with Visit(chromium, server) as page:
            page.locator("summary").click()
            page.locator("#name").select_option("reranker")
            texts = ["what is a fish?", "a bicycle", "a goldfish is a fish", "fitness"]
            encode(page, "\n".join(texts), kind="several")
            ranks = server.post({"query": texts[0], "texts": texts[1:]}, path="/rerank", model="reranker").json()
            expected = [f"{texts[each['index'] + 1]} {each['score']:.4f}" for each in ranks]
            assert [" ".join(each.split()) for each in page.locator("#ranks li").all_inner_texts()] == expected
            assert Axe().run(page).violations_count == 0


def test_words(chromium, log):
    """The likeliest words for a mask, and a bar a word of a sparse vector."""
    heads = ROOT / "Tests" / "CheckpointsTests" / "Fixtures" / "heads"
    with Server("--model", heads / "splade", model=heads / "masked-bert", log=log) as server:
        with Visit(chromium, server) as page:
            encode(page, "a [MASK] bicycle")
            found = server.encode(["a [MASK] bicycle"], output_key="mlm_logits", top_k=10)["mlm_tokens"][0][2]
            assert page.locator("#masks li").count() == 1
            assert page.locator("#masks b").all_inner_texts() == [each["token"] for each in found]
            expect(page.locator("#sparse-section")).to_be_hidden()
            assert "mlm_logits" in page.locator("#map").inner_text()
            assert Axe().run(page).violations_count == 0
            encode(page, "a fish")
            expect(page.locator("#masks-section")).to_be_hidden()
        with Visit(chromium, server) as page:
            page.locator("summary").click()
            page.locator("#name").select_option("splade")
            encode(page, "a fish")
            weights = sorted(server.encode(["a fish"], model="splade", output_key="sparse_embedding")["outputs"]["sparse_embedding"][0])
            assert page.locator("#sparse span").all_inner_texts() == [f"{value:.4f}" for value in weights[:-51:-1] if value]
            assert page.locator("#sparse meter").first.get_attribute("value")
            assert Axe().run(page).violations_count == 0
