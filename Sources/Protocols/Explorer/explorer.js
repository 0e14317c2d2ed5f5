// The page: its state, and what its controls do.
const find = (id) => document.getElementById(id);
const node = (name, text, className) => Object.assign(document.createElement(name), { textContent: text, className: className || "" });
const EXAMPLE = "Improve the physical fitness of your goldfish by getting him a bicycle";
const MOST_TEXTS = 2000;
const OF_TOKENS = ["heat", "path", "cosine"]; // the charts with a row a token
const state = {
  language: (navigator.language || "en").startsWith("zh") ? "zh" : "en",
  asksForKey: document.body.dataset.asksForKey === "true",
  info: null, // of the model that the form names
  answer: null, // with the request that it answers; all that is drawn is of it
  view: { block: null, token: null },
  linked: {}, // the view of a link that could not be followed at once
};
const say = () => WORDS[state.language];
const encoding = new Latest(), drawing = new Latest();
const charts = {
  heat: new Grid(find("heat-chart"), { id: "heat", label: "heatTitle", select: selectToken }),
  path: new Grid(find("path-chart"), { id: "path", label: "pathTitle", select: selectToken }),
  cosine: new Grid(find("cosine-chart"), { id: "cosine", label: "cosineTitle", select: selectToken }),
  texts: new Grid(find("texts-chart"), { id: "texts", label: "similarityTitle", select: (row) => charts.projection.mark(row), choose: show }),
  projection: new Points(find("projection-chart"), { id: "projection", label: "projectionTitle", select: (row) => markText(row), choose: show }),
};

function translate() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  find("language").value = state.language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say()[element.dataset.say];
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say()[element.dataset.label]);
  for (const id of ["state", "code-state"]) find(id).textContent = "";
  for (const name of ["text", "api-key", "max-tokens"]) complain(name, "");
  showInfo();
  if (state.answer) draw();
}

function useInfo(info) {
  state.info = info;
  showInfo();
}

function showInfo() {
  if (!state.info) return;
  const { models, model, shape, limits } = state.info;
  find("model").textContent = say().models(state.info);
  if (find("name").length !== models.length) find("name").replaceChildren(...models.map((each) => new Option(each, each)));
  find("name").value = model;
  find("max-tokens").max = shape.positions;
  find("max-tokens-help").textContent = say().maxTokensHelp(shape.positions, limits.max_tokens);
}

// MARK: the form

const kindOf = () => document.querySelector("[name=kind]:checked").value;

// The form as it stands: what a link holds.
function readForm() {
  const model = state.info && state.info.models.length > 1 ? find("name").value : "";
  const maxTokens = find("max-tokens").value && String(find("max-tokens").valueAsNumber);
  return { kind: kindOf(), text: find("text").value, second: find("second").value, maxTokens, model };
}

function showKind() {
  find("second-row").hidden = kindOf() !== "pair";
  find("text").rows = kindOf() === "several" ? 6 : 3;
}

function writeForm({ kind, text, second, maxTokens }) {
  document.querySelector(`[name=kind][value=${kind}]`).checked = true;
  showKind();
  find("text").value = text;
  find("second").value = second;
  find("max-tokens").value = maxTokens;
}

function requestOf(fields) {
  const { kind, text, second } = fields;
  const texts = kind === "pair" ? [[text, second]] : kind === "one" ? [text] : text.split("\n").filter((line) => line.trim());
  return { ...fields, texts };
}

// Says below a field what is wrong with it; "" if nothing is.
function complain(name, message) {
  const field = find(name), place = find(`${name}-wrong`);
  place.textContent = message;
  place.hidden = !message;
  if (message) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

// Whether the form can be sent. If not, the first field that is wrong is opened, focused and explained.
function checkForm() {
  const wrong = [];
  const check = (name, message) => {
    complain(name, message);
    if (message) wrong.push(find(name));
  };
  const key = find("api-key").value.trim(), number = find("max-tokens");
  const count = requestOf(readForm()).texts.length;
  check("text", !count ? say().noTexts : count > MOST_TEXTS ? say().manyTexts(MOST_TEXTS, count) : "");
  check("api-key", state.asksForKey && !key ? say().keyMissing : /[^!-~]/.test(key) ? say().keyWrong : "");
  check("max-tokens", number.checkValidity() ? "" : say().maxTokensWrong(state.info?.shape.positions));
  if (!wrong.length) return true;
  const folded = wrong[0].closest("details");
  if (folded) folded.open = true;
  wrong[0].focus();
  return false;
}

// MARK: work

function showBusy(isBusy, message = "") {
  find("encode").classList.toggle("busy", isBusy);
  find("stop").hidden = !isBusy;
  find("copy-link").hidden = isBusy || !state.answer;
  find("result").setAttribute("aria-busy", isBusy);
  find("state").textContent = isBusy ? say().busy : message;
}

// Says how many of many texts are answered, twice a second.
function progressOf({ texts }) {
  let said = performance.now();
  return (count) => {
    if (performance.now() - said < 500) return;
    said = performance.now();
    find("state").textContent = say().progress(count, texts.length);
  };
}

function fail(error) {
  find("error").textContent = error ? error.message : "";
  find("error").hidden = !error;
  if (error?.status !== 401) return;
  // The reason stands at the key's field.
  find("error").hidden = true;
  state.asksForKey = true;
  find("key-row").hidden = false;
  complain("api-key", find("api-key").value ? say().keyRefused : say().keyMissing);
  find("api-key").focus();
}

// Work that ends in a new answer; older work is dropped, whatever it still brings.
async function perform(work) {
  const signal = encoding.begin(), began = performance.now();
  fail(null);
  showBusy(true);
  try {
    const changes = await work(signal);
    Object.assign(state, changes);
    showBusy(false, say().done(Math.round(performance.now() - began)));
    draw();
  } catch (error) {
    if (signal.aborted) return;
    showBusy(false);
    fail(error);
    if (state.answer) drawWhich(state.answer);
  }
}

// The answer to the form's fields as they are now; what is typed later changes nothing.
async function answerOf(fields, info, view, signal) {
  const request = requestOf(fields);
  const answer = await answerTo(request, info, view.shown || 0, signal, progressOf(request));
  return { answer, view: { block: view.block ?? null, token: view.token ?? null } };
}

function encode() {
  if (!checkForm()) return;
  const fields = readForm(), view = state.linked;
  state.linked = {};
  perform(async (signal) => {
    const info = await infoOf(fields.model, signal);
    if (!state.info) useInfo(info);
    return answerOf(fields, info, view, signal);
  });
}

// Shows another text of the same answer.
function show(index) {
  const answer = state.answer;
  if (!answer || index === answer.shown) return;
  perform(async (signal) => ({ answer: await withBlocks(answer, index, signal), view: { ...state.view, token: null } }));
}

// MARK: drawing

function draw() {
  const { answer, view } = state, { request, shown, tokens, blocks, rows } = answer;
  answer.segments = [request.texts[shown]].flat().map((text) => new TextEncoder().encode(text));
  answer.placed = placeTokens(answer.segments, tokens[shown]);
  view.block = Math.min(view.block ?? blocks.length - 1, blocks.length - 1);
  if (view.token !== null && view.token >= rows) view.token = null;
  find("result").hidden = false;
  for (const [name, chart] of Object.entries(charts)) {
    if (OF_TOKENS.includes(name) || chart.drawnOf?.request !== request) chart.clear();
  }
  drawLead(answer);
  drawWhich(answer);
  drawTokens(answer);
  drawLabels(answer);
  drawRanks(answer);
  drawWords(answer);
  drawMap(answer);
  showStale();
  drawCharts();
}

function drawCharts() {
  const { answer, view } = state, zoom = Number(find("zoom").value);
  drawBlockName(answer, view.block);
  drawHeat(answer, view.block, zoom);
  drawPath(answer, zoom);
  // Cells of another block must not be read while these are computed.
  charts.cosine.spec = null;
  markToken();
  drawRest();
}

// Draws what may take long and is not drawn; an older call gives up.
async function drawRest() {
  const { answer, view } = state, slices = new Slices(drawing.begin());
  try {
    await slices.next();
    drawCode(answer);
    await slices.next();
    if (!charts.cosine.spec) await drawCosines(answer, view.block, Number(find("zoom").value), slices);
    markToken();
    await drawTexts(answer, slices);
  } catch (error) {
    if (!slices.signal.aborted) fail(error);
  }
}

function selectToken(index) {
  state.view.token = index;
  markToken();
}

// One token is marked everywhere: in the text, among the tokens, in each chart.
function markToken() {
  const { answer: { placed, segments }, view: { token: chosen } } = state;
  for (const item of find("tokens").querySelectorAll("[aria-selected=true]")) item.removeAttribute("aria-selected");
  const item = chosen === null ? null : find(`token-${chosen}`), token = chosen === null ? null : placed[chosen];
  if (item) {
    item.setAttribute("aria-selected", "true");
    find("tokens").setAttribute("aria-activedescendant", item.id);
  } else find("tokens").removeAttribute("aria-activedescendant");
  find("shown-text").replaceChildren(...segments.map((bytes, segment) => {
    const [before, characters, after] = textAround(bytes, token && token.segment === segment ? token : null);
    const line = node("p", before);
    if (characters) line.append(node("mark", characters), after);
    return line;
  }));
  for (const name of OF_TOKENS) charts[name].mark(chosen, charts[name].isRead ? charts[name].at[1] : null);
  saveLink();
}

function markText(index) {
  if (index < (charts.texts.spec?.rows || 0)) charts.texts.mark(index);
}

function showStale() {
  const { request } = state.answer, now = readForm();
  find("stale").hidden = Object.keys(now).every((name) => now[name] === request[name] || (name === "second" && now.kind !== "pair"));
}

// MARK: the link

let linkTimer;

// Browsers allow only so many changes of the address in a time.
function saveLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    const fragment = currentFragment();
    history.replaceState(null, "", fragment || location.pathname + location.search);
    find("copy-link").disabled = !fragment;
    find("copy-link").textContent = fragment ? say().copyLink : say().linkTooLong;
  }, 250);
}

function currentFragment() {
  const { answer: { request, shown, blocks }, view } = state;
  return fragmentOf(request, {
    shown: shown || null, token: view.token, block: view.block === blocks.length - 1 ? null : view.block,
  });
}

// Encodes what the address says, or the example.
function start() {
  clearTimeout(linkTimer);
  const { fields, view } = readFragment(location.hash) || { fields: { kind: "one", text: EXAMPLE, second: "", maxTokens: "", model: "" }, view: {} };
  writeForm(fields);
  find("key-row").hidden = !state.asksForKey;
  // Without its key the service would refuse: the page says what is wanted, and waits.
  if (state.asksForKey && !find("api-key").value) {
    state.linked = view;
    find("state").textContent = say().keyFirst;
    return;
  }
  perform(async (signal) => {
    const first = await infoOf("", signal);
    useInfo(first.models.includes(fields.model) ? await infoOf(fields.model, signal) : first);
    if (!checkForm()) throw new Error(say().linkWrong);
    return answerOf(readForm(), state.info, view, signal);
  });
}

// Copies a text; only a secure origin may. Elsewhere it says what to do by hand.
async function copy(text, place, byHand) {
  try {
    await navigator.clipboard.writeText(text);
    place.textContent = say().copied;
  } catch {
    place.textContent = byHand;
  }
}

async function save(format) {
  const { answer } = state, key = find("code-key").value, fields = { output_key: key, format };
  // npy holds rectangles: texts of several lengths are padded to the longest.
  if (format === "npy" && shapeOf(answer, key).includes("S")) fields.seq_length = "longest";
  find("code-state").textContent = "";
  try {
    const blob = await post(answer.request, answer.request.texts, fields, (response) => response.blob(), new AbortController().signal);
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${key}.${format}` });
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) {
    find("code-state").textContent = error.message;
  }
}

// MARK: events

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  encode();
});
find("stop").addEventListener("click", () => {
  encoding.stop();
  showBusy(false, say().stopped);
  find("encode").focus();
});
find("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("ask").requestSubmit();
});
find("ask").addEventListener("input", (event) => {
  if (find(`${event.target.id}-wrong`)) complain(event.target.id, "");
  showKind();
  if (state.answer) showStale();
});
find("name").addEventListener("change", async () => {
  const name = find("name").value;
  const info = await infoOf(name, new AbortController().signal).catch(fail);
  if (!info || find("name").value !== name) return;
  useInfo(info);
});
find("language").addEventListener("change", () => { state.language = find("language").value; translate(); });
find("which").addEventListener("input", () => {
  if (find("which").value && find("which").checkValidity()) show(Number(find("which").value) - 1);
});
find("block").addEventListener("input", () => { state.view.block = Number(find("block").value); drawCharts(); });
find("zoom").addEventListener("change", drawCharts);
find("vector").addEventListener("change", drawRest);
find("tokens").addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (item) selectToken(Number(item.id.slice("token-".length)));
});
find("tokens").addEventListener("keydown", (event) => {
  const count = state.answer.rows, at = state.view.token ?? -1;
  const next = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: count - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  selectToken(Math.min(Math.max(next, 0), count - 1));
  find(`token-${state.view.token}`).scrollIntoView({ block: "nearest" });
});
find("nearest").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  show(Number(button.dataset.text));
  // The list is made anew: who chose with a key goes on at the text.
  if (event.detail === 0) find("tokens").focus();
});
find("code-key").addEventListener("change", () => drawCode(state.answer));
find("tool").addEventListener("change", () => drawCode(state.answer));
find("copy").addEventListener("click", () => {
  getSelection().selectAllChildren(find("code"));
  copy(find("code").textContent, find("code-state"), say().copyKeys);
});
find("copy-link").addEventListener("click", () => copy(location.origin + location.pathname + currentFragment(), find("state"), say().copyAddress));
find("save-json").addEventListener("click", () => save("json"));
find("save-npy").addEventListener("click", () => save("npy"));
SCHEME.addEventListener("change", () => { for (const chart of Object.values(charts)) chart.redraw(); });
addEventListener("hashchange", start);
translate();
start();
