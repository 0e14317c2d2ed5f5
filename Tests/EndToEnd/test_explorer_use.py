"""The explorer page in use: answers that come late, many texts, keys, links, keyboard, small screens."""

import itertools
import json
import random

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser import Visit, chromium, encode, fill, size_of, wait_for_answer, words_of  # noqa: F401
from server import Server

KEY = "a-secret-key-of-enough-length"
PHONE = {"viewport": {"width": 360, "height": 780}}
CHARTS = ("heat", "path", "cosine")

# fetch under the test's control: it keeps back as many answers as `hold` says, or delays them at random,
# and takes no notice of being aborted, so that what is late does arrive.
SLOW = """
window.hold = 0; window.held = []; window.delays = [];
const real = window.fetch.bind(window);
window.fetch = async (path, options = {}) => {
  const response = await real(path, { ...options, signal: undefined });
  if (window.hold > 0) { window.hold--; await new Promise((go) => window.held.push(go)); }
  else if (window.delays.length) await new Promise((go) => setTimeout(go, window.delays.shift()));
  return response;
};
"""


def of_one_text(page, words):
    """Everything that the page shows is of these tokens."""
    expect(page.locator("#tokens li")).to_have_count(len(words))
    assert words_of(page) == words
    for chart in CHARTS:
        assert size_of(page, chart)[0] == len(words)
        height = page.locator(f"#{chart}").bounding_box()["height"]
        page.locator(f"#{chart}").hover(position={"x": 2, "y": height * (len(words) - 1.5) / len(words)})
        expect(page.locator(f"#{chart}-value")).to_contain_text(words[-2])


def test_an_example_is_there_at_once(chromium, server):
    with Visit(chromium, server) as page:
        wait_for_answer(page)
        expect(page.locator("#lead-text")).to_contain_text("goldfish")
        expect(page.locator("#lead-text")).to_contain_text("became 15 tokens. Each of the model's 6 blocks returned 384 numbers")
        expect(page.locator("#attention")).to_contain_text("Attention weights are not in the map")
        of_one_text(page, "[CLS] improve the physical fitness of your gold ##fish by getting him a bicycle [SEP]".split())


def test_a_late_answer_is_dropped(chromium, server):
    with Visit(chromium, server, script=SLOW) as page:
        page.wait_for_load_state("networkidle")
        fill(page, "the first text is the longer one")
        page.evaluate("() => { window.hold = 1 }")
        page.locator("#ask [type=submit]").click()
        page.wait_for_function("() => window.held.length === 1")
        encode(page, "the second")
        page.evaluate("() => window.held.forEach(go => go())")
        page.wait_for_timeout(500)
        of_one_text(page, ["[CLS]", "the", "second", "[SEP]"])
        assert '"the second"' in page.locator("#code").inner_text()
        # Of the texts of one answer too: the one chosen last is shown.
        encode(page, "one\ntwo words\nand three words", kind="several")
        page.evaluate("() => { window.hold = 1 }")
        page.locator("#which").fill("2")
        page.wait_for_function("() => window.held.length === 2")
        page.locator("#which").fill("3")
        page.evaluate("() => window.held.forEach(go => go())")
        page.wait_for_timeout(500)
        of_one_text(page, ["[CLS]", "and", "three", "words", "[SEP]"])
        assert page.locator("#which").input_value() == "3"


def test_answers_in_any_order(chromium, server):
    """Requests pressed one after the other, whose answers take any time: the last one stands, whole."""
    dice = random.Random(20)
    with Visit(chromium, server, script=SLOW) as page:
        for _ in range(5):
            delays = [dice.randrange(300) for _ in range(20)]
            page.evaluate("delays => { window.delays = delays }", delays)
            for count in (7, 3, 9, 2, 5):
                fill(page, " ".join(["fish"] * count), max_tokens=dice.choice(["", 4, 6]))
                page.locator("#ask [type=submit]").click()
                page.wait_for_timeout(dice.randrange(120))
            kept = min(7, int(page.locator("#max-tokens").input_value() or 7))
            page.wait_for_function("() => !document.querySelector('#encode.busy')")
            page.wait_for_timeout(700)
            of_one_text(page, ["[CLS]", *["fish"] * (kept - 2), "[SEP]"])


def test_encode_shows_that_it_works_and_can_be_stopped(chromium, server):
    with Visit(chromium, server) as page:
        wait_for_answer(page)
        failed, held = [], []
        page.on("requestfailed", lambda request: failed.append(request.failure))
        page.route("**/encode?*", lambda route: held.append(route))
        fill(page, "another text")
        page.locator("#encode").click()
        expect(page.locator("#state")).to_have_text("encoding…")
        expect(page.locator("#encode .spinner")).to_be_visible()
        expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
        page.locator("#encode").click()
        page.wait_for_timeout(200)
        assert failed == ["net::ERR_ABORTED"], "the older request is aborted"
        page.locator("#stop").click()
        expect(page.locator("#state")).to_have_text("stopped")
        expect(page.locator("#stop")).to_be_hidden()
        expect(page.locator("#encode .spinner")).to_be_hidden()
        page.wait_for_timeout(200)
        assert failed == ["net::ERR_ABORTED"] * 2
        # What is on the screen is named, and that the form says other things.
        expect(page.locator("#stale")).to_be_visible()
        expect(page.locator("#lead-text")).to_contain_text("goldfish")
        page.unroute("**/encode?*")
        encode(page)
        expect(page.locator("#stale")).to_be_hidden()


def test_options_changed_after_encoding(chromium, server):
    """What is drawn, saved and shown as code stays with the request that was answered."""
    with Visit(chromium, server) as page:
        encode(page, "one two three four five six\nseven eight nine ten eleven", kind="several")
        page.locator("summary").click()
        page.locator("#max-tokens").fill("3")
        page.locator("[name=kind][value=pair]").check()
        expect(page.locator("#stale")).to_be_visible()
        page.locator("#which").fill("2")
        of_one_text(page, "[CLS] seven eight nine ten eleven [SEP]".split())
        page.locator("#block").fill("0")
        page.locator("#language").select_option("zh")
        of_one_text(page, "[CLS] seven eight nine ten eleven [SEP]".split())
        page.locator("#tool").select_option("Python")
        code = page.locator("#code").inner_text()
        assert "max_tokens" not in code and '["one two' in code


@pytest.mark.parametrize("count", [300, 1000])
def test_many_texts_leave_the_page_usable(chromium, server, count):
    """No task of the page's main thread, a frame's drawing or a piece of script, takes 100 ms of the CPU."""
    texts = [f"text {number} of {number % 17} fish and {number % 23} bicycles" for number in range(count - 1)]
    with Visit(chromium, server) as page:
        wait_for_answer(page)
        page.locator("[name=kind][value=several]").check()
        # As a paste does it; to type that much is slow in the browser itself.
        page.locator("#text").evaluate("(it, text) => { it.value = text }", "\n".join([*texts, "the last"]))
        page.wait_for_timeout(500)
        chromium.start_tracing(page=page, categories=["toplevel"])
        page.locator("#ask [type=submit]").click()
        wait_for_answer(page)
        size_of(page, "projection")
        page.wait_for_timeout(300)
        events = json.loads(chromium.stop_tracing())["traceEvents"]
        threads = [(it["pid"], it["tid"]) for it in events if it.get("args", {}).get("name") == "CrRendererMain"]
        # The clock would count what other processes of the machine take: the thread's own time, in µs.
        tasks = [it["tdur"] for it in events if (it["pid"], it["tid"]) in threads and it["name"].endswith("RunTask") and "tdur" in it]
        assert len(tasks) > 100 and max(tasks) < 100_000, sorted(tasks)[-5:]
        shown = min(count, 300)
        assert size_of(page, "texts") == [shown, shown]
        assert page.evaluate("() => charts.projection.points.length") == count
        cap = f"This chart shows the first 300 of {count} texts. The points and the nearest texts use all of them."
        expect(page.locator("#cap")).to_have_text(cap if count > 300 else "")
        page.locator("#which").fill(str(count))
        expect(page.locator("#tokens")).to_contain_text("last", timeout=20_000)


def test_an_api_key_is_asked_for(chromium, log):
    with Server(environment={"BERT_SERVER_API_KEYS": KEY}, log=log) as server:
        visit = Visit(chromium, server)
        with visit as page:
            expect(page.locator("#api-key")).to_be_visible()
            expect(page.locator("#key-row")).to_contain_text("This service requires an API key.")
            expect(page.locator("#state")).to_have_text("Enter the API key, then press Encode.")
            expect(page.locator("#error")).to_be_hidden()
            page.wait_for_load_state("networkidle")
            page.locator("#encode").click()
            expect(page.locator("#api-key")).to_be_focused()
            expect(page.locator("#api-key-wrong")).to_contain_text("Enter an API key")
            assert visit.complaints == [], "nothing was asked without a key"
            page.locator("#api-key").fill("wrong-but-of-enough-length")
            page.keyboard.press("Enter")
            expect(page.locator("#api-key-wrong")).to_contain_text("does not accept this key")
            expect(page.locator("#api-key")).to_be_focused()
            visit.complaints.clear()
            page.locator("#api-key").fill(KEY)
            encode(page, "a fish")
            expect(page.locator("#api-key-wrong")).to_be_hidden()
            of_one_text(page, ["[CLS]", "a", "fish", "[SEP]"])
            assert "YOUR_KEY" in page.locator("#code").inner_text()
            page.wait_for_function("() => location.hash")
            stored = page.evaluate("() => [location.href, document.getElementById('code').textContent,"
                                   " JSON.stringify([localStorage, sessionStorage]), document.cookie].join()")  # fmt: skip
            assert KEY not in stored


def test_no_key_field_where_none_is_wanted(chromium, server):
    with Visit(chromium, server) as page:
        wait_for_answer(page)
        expect(page.locator("#api-key")).to_be_hidden()


@pytest.mark.parametrize("value", ["1", "513", "2.5", "-3", "1e"])
def test_an_invalid_number_in_closed_options(chromium, server, value):
    with Visit(chromium, server) as page:
        wait_for_answer(page)
        page.locator("summary").click()
        page.locator("#max-tokens").press_sequentially(value)
        page.locator("summary").click()
        expect(page.locator("#max-tokens")).to_be_hidden()
        page.locator("#ask [type=submit]").click()
        expect(page.locator("#max-tokens")).to_be_focused()
        expect(page.locator("#max-tokens")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#max-tokens-wrong")).to_have_text("Enter a whole number from 2 to 512, or leave it empty.")
        page.locator("#max-tokens").fill("")
        expect(page.locator("#max-tokens-wrong")).to_be_hidden()
        encode(page, "a fish")


def test_no_texts_and_too_many(chromium, server):
    with Visit(chromium, server) as page:
        for text, message in ((" \n\n", "Enter at least one line of text."), ("a\n" * 2001, "This page takes at most 2000 texts")):
            page.locator("[name=kind][value=several]").check()
            page.locator("#text").evaluate("(it, text) => { it.value = text }", text)
            page.locator("#ask [type=submit]").click()
            expect(page.locator("#text-wrong")).to_contain_text(message)
            expect(page.locator("#text")).to_be_focused()


def test_a_token_is_marked_everywhere(chromium, server):
    with Visit(chromium, server) as page:
        encode(page, "a fish and a naïve bicycle")

        def expect_marked(word, index):
            expect(page.locator("#shown-text mark")).to_have_text(word)
            expect(page.locator("#tokens [aria-selected=true]")).to_have_attribute("id", f"token-{index}")
            for chart in CHARTS:
                expect(page.locator(f"#{chart}-chart .current")).to_have_text(words_of(page)[index])
                band, canvas = (page.locator(it).first.bounding_box() for it in (f"#{chart}-chart .band", f"#{chart}"))
                assert abs(band["y"] - canvas["y"] - index * band["height"]) < 1

        page.locator("#tokens li").nth(5).click()
        expect_marked("naïve", 5)
        page.keyboard.press("ArrowLeft")
        expect_marked("a", 4)
        page.locator("#heat").hover(position={"x": 100, "y": 2.5 * page.locator("#heat").bounding_box()["height"] / 8})
        expect_marked("fish", 2)
        page.locator("#cosine").focus()
        page.keyboard.press("ArrowDown")
        expect_marked("and", 3)


def test_a_text_is_chosen_in_charts_and_list(chromium, server):
    texts = ["a cat sat", "a kitten sat on a rug", "tax law of 1913"]
    with Visit(chromium, server) as page:
        encode(page, "\n".join(texts), kind="several")
        size_of(page, "projection")
        page.locator("#nearest button", has_text="tax law").click()
        expect(page.locator("#tokens")).to_contain_text("tax")
        size_of(page, "projection")
        expect(page.locator("#texts-chart .current")).to_have_text(texts[2])
        box = page.locator("#texts").bounding_box()
        page.locator("#texts").click(position={"x": 5, "y": box["height"] / 2})
        expect(page.locator("#tokens")).to_contain_text("kitten")
        expect(page.locator("#which")).to_have_value("2")
        page.locator("#projection").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#projection-value")).to_have_text(texts[0])
        page.keyboard.press("Enter")
        expect(page.locator("#tokens")).to_contain_text("cat")
        expect(page.locator("#projection")).to_be_focused()
        page.locator("#texts").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#tokens")).to_contain_text("kitten")
        expect(page.locator("#texts")).to_be_focused()
        # A list that changes under the finger hands the focus on.
        page.locator("#nearest button").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#tokens")).to_be_focused()


def test_a_link_brings_back_what_was_seen(chromium, server):
    with Visit(chromium, server) as page:
        encode(page, "one fish\ntwo & three #fish\n", kind="several", max_tokens=5)
        page.locator("#which").fill("2")
        expect(page.locator("#tokens")).to_contain_text("two")
        page.locator("#block").fill("2")
        page.locator("#tokens li").nth(3).click()
        page.wait_for_function("() => location.hash.includes('token=3')")
        fragment = page.evaluate("() => location.hash")
    with Visit(chromium, server, fragment=fragment) as page:
        wait_for_answer(page)
        of_one_text(page, ["[CLS]", "two", "&", "three", "[SEP]"])
        assert page.locator("#block").input_value() == "2" and page.locator("#max-tokens").input_value() == "5"
        # Another link in the same tab.
        page.evaluate("() => { location.hash = 'kind=pair&text=a+fish&second=%3Cb%3E&token=99&block=99&shown=7&model=none' }")
        expect(page.locator("#tokens li")).to_have_count(8)
        assert page.locator("#second").input_value() == "<b>" and page.locator("b").count() == 0
        # What is too long for an address is not put there.
        encode(page, "a fish and " * 2000)
        page.wait_for_function("() => !location.hash")
        expect(page.locator("#copy-link")).to_be_disabled()


def test_links_that_make_no_sense(chromium, server):
    with Visit(chromium, server, fragment="#kind=x&text=a+fish&max_tokens=zebra&block=-1&token=1e9&shown=%") as page:
        wait_for_answer(page)
        assert words_of(page) == ["[CLS]", "a", "fish", "[SEP]"]
    with Visit(chromium, server, fragment="#text=a+fish&max_tokens=99999") as page:
        expect(page.locator("#max-tokens-wrong")).to_be_visible()


def test_every_chart_has_names_and_a_scale(chromium, server):
    with Visit(chromium, server) as page:
        encode(page, "a fish\na bicycle", kind="several")
        size_of(page, "projection")
        for chart in CHARTS:
            assert page.locator(f"#{chart}-chart .rows span:visible").all_inner_texts() == ["[CLS]", "a", "fish", "[SEP]"]
        assert page.locator("#cosine-chart .columns span").all_inner_texts() == ["[CLS]", "a", "fish", "[SEP]"]
        assert page.locator("#path-chart .columns span").all_inner_texts() == [f"{i}→{i + 1}" for i in range(5)]
        assert page.locator("#heat-chart .columns span").all_inner_texts()[:3] == ["0", "20", "40"]
        assert page.locator("#texts-chart .columns span").all_inner_texts() == ["a fish", "a bicycle"]
        assert sorted(page.locator("#projection-chart .names span").all_inner_texts()) == ["a bicycle", "a fish"]
        for chart in (*CHARTS, "texts"):
            ends = page.locator(f"#{chart}-chart .scale span").all_inner_texts()
            assert len(ends) >= 2 and all(any(letter.isdigit() for letter in end) for end in ends)
            assert page.locator(f"#{chart}-chart .scale canvas").bounding_box()["height"] >= 8


def test_dark_charts(chromium, server):
    """Cells near 0 have about the page's own colour, light or dark, also when that changes under the page."""
    darkness = """id => {
      const canvas = document.getElementById(id), copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
      copy.drawImage(canvas, 0, 0);
      const image = copy.getImageData(0, 0, canvas.width, canvas.height).data;
      const lights = []; for (let at = 0; at < image.length; at += 4) lights.push((image[at] + image[at + 1] + image[at + 2]) / 3);
      return lights.sort((a, b) => a - b)[lights.length >> 1];
    }"""
    with Visit(chromium, server, color_scheme="dark") as page:
        wait_for_answer(page)
        for scheme in ("dark", "light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(100)
            for chart in CHARTS:
                size_of(page, chart)
                light = page.evaluate(darkness, chart)
                assert light < 120 if scheme == "dark" else light > 120, (chart, scheme, light)


# Of the focused element: whether its ring is drawn, and whether anything cuts it off.
RING = """
() => {
  const it = document.activeElement, ringed = it.matches(".frame *") ? it.closest(".frame") : it;
  const style = getComputedStyle(ringed), box = ringed.getBoundingClientRect();
  let free = true;
  for (let up = ringed.parentElement; up && up !== document.body; up = up.parentElement) {
    if (getComputedStyle(up).overflowX === "visible") continue;
    const frame = up.getBoundingClientRect();
    free &&= box.left - 5 >= frame.left && box.right + 5 <= frame.right;
  }
  return { name: it.id || it.name || it.tagName, drawn: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, free, inside: box.left >= 5 && box.right <= innerWidth - 5 };
}
"""


@pytest.mark.parametrize("width", [360, 1280])
def test_the_keyboard_reaches_everything_and_shows_where_it_is(chromium, server, width):
    with Visit(chromium, server, viewport={"width": width, "height": 800}) as page:
        encode(page, "a fish\na bicycle\nsome rice", kind="several")
        size_of(page, "projection")
        page.locator("#language").focus()
        seen = ["language"]
        for _ in range(60):
            page.keyboard.press("Tab")
            ring = page.evaluate(RING)
            if ring["name"] == "BODY":
                break
            assert ring["drawn"] and ring["free"] and ring["inside"], ring
            seen.append(ring["name"])
        assert seen[-1] == "PRE"
        assert {"language", "kind", "text", "SUMMARY", "encode", "copy-link", "vector", "texts", "projection", "which",
                "tokens", "block", "zoom", "heat", "path", "cosine", "code-key", "tool", "copy", "save-json", "save-npy",
                } <= set(seen)  # fmt: skip


def test_the_arrow_keys_keep_the_cell_in_view(chromium, server):
    with Visit(chromium, server, **PHONE) as page:
        encode(page, " ".join(f"word{number}" for number in range(60)))
        page.locator("#heat").focus()
        for key in ("End", *["PageDown"] * 15):
            page.keyboard.press(key)
        frame, bands = page.locator("#heat-chart .frame").bounding_box(), page.locator("#heat-chart .band")
        row, column = bands.nth(0).bounding_box(), bands.nth(1).bounding_box()
        assert frame["y"] < row["y"] and row["y"] + row["height"] <= frame["y"] + frame["height"]
        assert frame["x"] < column["x"] and column["x"] + column["width"] <= frame["x"] + frame["width"]


def overlaps(boxes):
    return [
        (a, b)
        for a, b in itertools.combinations([box for box in boxes if box], 2)
        if min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"]) > 0.5
        and min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"]) > 0.5
    ]


@pytest.mark.parametrize("tokens", [10, 60, 200])
def test_names_on_a_phone(chromium, server, tokens):
    """None overlaps another, and all letters of the page are 11 px high or more."""
    texts = [" ".join(f"fish{index}"[: 4 + index % 2] for index in range(tokens))]
    texts += [f"text {number} of {number % 7} fish" for number in range(tokens)]
    with Visit(chromium, server, **PHONE) as page:
        encode(page, "\n".join(texts), kind="several")
        size_of(page, "projection")
        page.locator("#tokens li").nth(5).click()
        for axis in [f"#{chart}-chart .{side}" for chart in (*CHARTS, "texts") for side in ("rows", "columns")]:
            boxes = [it.bounding_box() for it in page.locator(f"{axis} span:visible").all()[:80]]
            assert boxes and overlaps(boxes) == [], axis
            # The first is not cut off at the edge.
            edge = page.locator(axis).bounding_box()
            assert boxes[0]["y"] >= edge["y"] - 0.5 and boxes[0]["x"] >= edge["x"] - 0.5, axis
        points = [it.bounding_box() for it in page.locator("#projection-chart .names span").all()]
        assert points and overlaps(points) == []
        small = page.evaluate(
            "() => [...document.querySelectorAll('body *')].filter(it => it.checkVisibility() && it.innerText"
            " && parseFloat(getComputedStyle(it).fontSize) < 11).map(it => it.outerHTML)"
        )
        assert small == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_a_key_that_is_asked_for_is_accessible(chromium, log):
    with Server(environment={"BERT_SERVER_API_KEYS": KEY}, log=log) as server:
        for scheme, width in itertools.product(("light", "dark"), (360, 1280)):
            with Visit(chromium, server, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
                page.locator("#encode").click()
                expect(page.locator("#api-key-wrong")).to_be_visible()
                result = Axe().run(page)
                assert result.violations_count == 0, result.generate_report()
