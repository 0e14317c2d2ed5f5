// The page: one state, drawn anew when it changes.
const find = (id) => document.getElementById(id);
const state = { language: (navigator.language || "en").startsWith("zh") ? "zh" : "en", info: null, answer: null };
const say = () => WORDS[state.language];
const heat = new Cells(find("heat"), find("heat-value"));
const path = new Cells(find("path"), find("path-value"));
const cosines = new Cells(find("cosine"), find("cosine-value"));

function translate() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  find("language").value = state.language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say()[element.dataset.say];
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say()[element.dataset.label]);
  if (state.info) find("model").textContent = say().models(state.info);
  if (state.answer) draw();
}

function headers(more) {
  const key = find("api-key").value;
  return { ...more, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function fetchOf(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error(say().unreachable);
  }
  if (response.ok) return response;
  const text = await response.text();
  let message = text;
  try { message = JSON.parse(text).error; } catch { /* not ours: as it is */ }
  throw new Error(`${response.status}: ${message}`);
}

async function loadInfo(name) {
  const info = await (await fetchOf("/info" + (name ? `?model=${encodeURIComponent(name)}` : ""), { headers: headers() })).json();
  state.info = info;
  if (!name) find("name").replaceChildren(...info.models.map((each) => new Option(each, each)));
  find("name").value = info.model;
  find("max-tokens").max = info.shape.positions;
  find("model").textContent = say().models(info);
}

function inputs() {
  const kind = document.querySelector("[name=kind]:checked").value;
  const text = find("text").value;
  if (kind === "pair") return [[text, find("second").value]];
  return kind === "one" ? [text] : text.split("\n").filter((line) => line.trim());
}

function query(more) {
  const fields = new URLSearchParams(more);
  if (find("max-tokens").value) fields.set("max_tokens", find("max-tokens").value);
  if (state.info.models.length > 1) fields.set("model", find("name").value);
  return `/encode?${fields}`;
}

async function encode() {
  if (!state.info) await loadInfo();
  if (find("name").value && find("name").value !== state.info.model) await loadInfo(find("name").value);
  const texts = inputs();
  const ask = (body, more) => fetchOf(query(more), {
    method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body),
  });
  const began = performance.now();
  const key = ["sentence_embedding", "default", "sequence_output"].find((each) => state.info.output_keys.includes(each));
  const vectors = state.info.output_keys.filter((each) => !["sequence_output", "encoder_outputs"].includes(each));
  // The tokens of all texts; the vectors of all texts; every block of the text that is shown.
  const tokens = await (await ask({ inputs: texts }, { output_key: key, tokens: "true" })).json();
  const wholes = vectors.length
    ? readSafetensors(await (await ask({ inputs: texts }, { output_key: vectors.join(","), format: "safetensors" })).arrayBuffer())
    : {};
  state.answer = { texts, tokens: tokens.tokens, truncated: tokens.truncated, wholes, ask, blocks: [], shown: 0 };
  await loadBlocks(0);
  find("state").textContent = say().done(Math.round(performance.now() - began));
}

async function loadBlocks(shown) {
  const { texts, ask } = state.answer;
  const response = await ask({ inputs: [texts[shown]] }, { output_key: "encoder_outputs", format: "safetensors" });
  const { shape: [count, , rows, width], values } = readSafetensors(await response.arrayBuffer()).encoder_outputs;
  const blocks = [];
  for (let block = 0; block < count; block++) {
    blocks.push(Array.from({ length: rows }, (_, row) => values.subarray((block * rows + row) * width, (block * rows + row + 1) * width)));
  }
  Object.assign(state.answer, { blocks, shown });
  find("block").max = count - 1;
  find("block").value = count - 1;
}

// MARK: drawing

const shorten = (text) => (text.length > 24 ? text.slice(0, 23) + "…" : text);
const nameOf = (input) => (Array.isArray(input) ? input.join(" | ") : input);
const node = (name, text, className) => Object.assign(document.createElement(name), { textContent: text, className: className || "" });

function draw() {
  const { texts, tokens, truncated, shown } = state.answer;
  find("result").hidden = false;
  find("which-row").hidden = texts.length < 2;
  find("which").replaceChildren(...texts.map((text, index) => new Option(shorten(nameOf(text)), index, false, index === shown)));
  find("cut").hidden = !truncated[shown];
  find("tokens").replaceChildren(...tokens[shown].map((token) => {
    const isUnknown = ["[UNK]", "<unk>"].includes(token.text);
    const item = node("li", token.text, isUnknown ? "unknown" : token.special ? "special" : "");
    item.append(node("small", String(token.id)), node("small", token.special ? say().putIn : `${token.start}–${token.stop}`));
    if (isUnknown) item.append(node("small", say().unknown));
    return item;
  }));
  drawMap();
  drawHeat();
  drawPath();
  drawTexts();
  drawCode();
}

function shapeOf(key) {
  const { texts, tokens, wholes, shown, blocks } = state.answer;
  if (wholes[key]) return wholes[key].shape;
  const width = state.info.shape.hidden_size;
  const rows = texts.length > 1 && new Set(tokens.map((each) => each.length)).size > 1 ? "S" : tokens[shown].length;
  return key === "encoder_outputs" ? [blocks.length, texts.length, rows, width] : [texts.length, rows, width];
}

function drawMap() {
  const { wholes } = state.answer;
  find("map").replaceChildren(...state.info.output_keys.map((key) => {
    const row = node("tr", "");
    const head = node("th", key);
    head.scope = "row";
    row.append(head, node("td", `[${shapeOf(key).join(", ")}]`), node("td", say().keys[key] || ""));
    return row;
  }));
  const both = wholes.default && wholes.pooled_output;
  find("equal").textContent = !both ? "" : areEqualBits(wholes.default.values, wholes.pooled_output.values) ? say().equal : say().unequal;
}

function drawHeat() {
  const { blocks, tokens, shown } = state.answer;
  const block = Number(find("block").value), rows = blocks[block], zoom = Number(find("zoom").value);
  const name = block === blocks.length - 1 ? `${block} (${say().lastBlock})` : String(block);
  find("block-name").textContent = name;
  find("block").setAttribute("aria-valuetext", name);
  // A few dimensions are far larger than the rest: the colours are for the rest.
  const width = rows[0].length, step = Math.max(1, Math.floor((rows.length * width) / 4096));
  const sizes = [];
  for (let place = 0; place < rows.length * width; place += step) sizes.push(Math.abs(rows[Math.floor(place / width)][place % width]));
  const limit = sizes.sort((a, b) => a - b)[Math.floor(sizes.length * 0.98)] || 1;
  const word = (row) => tokens[shown][row].text;
  heat.draw({
    rows: rows.length, columns: width, width: zoom, height: Math.max(zoom, rows.length > 64 ? 4 : 12),
    color: (row, column) => signed(rows[row][column], limit),
    say: (row, column) => say().cell(word(row), column, exact(rows[row][column])),
  });
  const units = rows.map(unit);
  cosines.draw({
    rows: rows.length, columns: rows.length, width: rows.length > 64 ? 3 : 12, height: rows.length > 64 ? 3 : 12,
    color: (row, column) => unsigned(dot(units[row], units[column])),
    say: (row, column) => say().between(word(row), word(column), dot(units[row], units[column]).toFixed(4)),
  });
}

function drawPath() {
  const { blocks, tokens, shown } = state.answer;
  const value = (row, column) => cosine(blocks[column][row], blocks[column + 1][row]);
  path.draw({
    rows: blocks[0].length, columns: blocks.length - 1, width: 36, height: blocks[0].length > 64 ? 4 : 12,
    color: (row, column) => unsigned(1 - value(row, column)),
    say: (row, column) => say().step(tokens[shown][row].text, column, value(row, column).toFixed(4)),
  });
}

function rowsOf(key) {
  const { shape: [count, width], values } = state.answer.wholes[key];
  return Array.from({ length: count }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

function drawTexts() {
  const { texts, wholes } = state.answer;
  const keys = Object.keys(wholes);
  find("texts-section").hidden = texts.length < 2 || !keys.length;
  if (texts.length < 2 || !keys.length) return;
  const chosen = keys.includes(find("vector").value) ? find("vector").value : keys.includes("sentence_embedding") ? "sentence_embedding" : keys[0];
  find("vector").replaceChildren(...keys.map((key) => new Option(key, key, false, key === chosen)));
  const rows = rowsOf(chosen), names = texts.map((text) => shorten(nameOf(text)));
  const head = node("tr", "");
  head.append(node("td", ""), ...names.map((name) => Object.assign(node("th", name), { scope: "col" })));
  find("texts").replaceChildren(head, ...rows.map((a, index) => {
    const row = node("tr", "");
    row.append(Object.assign(node("th", names[index]), { scope: "row" }), ...rows.map((b) => node("td", cosine(a, b).toFixed(4), "number")));
    return row;
  }));
  drawPoints(find("projection"), project(rows.map((row) => Array.from(row))), names);
}

function drawCode() {
  const keys = state.info.output_keys, chosen = find("code-key").value || "default";
  const key = keys.includes(chosen) ? chosen : keys[0];
  find("code-key").replaceChildren(...keys.map((each) => new Option(each, each, false, each === key)));
  const url = location.origin + query({ output_key: key });
  const body = JSON.stringify({ inputs: state.answer.texts });
  const hasKey = Boolean(find("api-key").value);
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  find("code").textContent = {
    curl: `curl${hasKey ? " -H 'Authorization: Bearer YOUR_KEY'" : ""} -H 'Content-Type: application/json' -d ${quoted(body)} ${quoted(url)}`,
    Python: `import json, urllib.request\n\nrequest = urllib.request.Request(\n    ${JSON.stringify(url)},\n    data=json.dumps({"inputs": ${JSON.stringify(state.answer.texts)}}).encode(),\n    headers={"Content-Type": "application/json"${hasKey ? ', "Authorization": "Bearer YOUR_KEY"' : ""}},\n)\nprint(json.load(urllib.request.urlopen(request))["outputs"]["${key}"])`,
    JavaScript: `const response = await fetch(${JSON.stringify(url)}, {\n  method: "POST",\n  headers: { "Content-Type": "application/json"${hasKey ? ', Authorization: "Bearer YOUR_KEY"' : ""} },\n  body: JSON.stringify({ inputs: ${JSON.stringify(state.answer.texts)} }),\n});\nconsole.log((await response.json()).outputs["${key}"]);`,
  }[find("tool").value];
}

async function save(format) {
  const key = find("code-key").value;
  const fields = { output_key: key, format };
  // npy holds rectangles: texts of several lengths are padded to the longest.
  if (format === "npy" && shapeOf(key).includes("S")) fields.seq_length = "longest";
  const response = await state.answer.ask({ inputs: state.answer.texts }, fields);
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await response.blob()), download: `${key}.${format}` });
  link.click();
  URL.revokeObjectURL(link.href);
}

// MARK: events

function fail(error) {
  find("error").textContent = error ? error.message : "";
  find("error").hidden = !error;
}

async function doing(work) {
  fail(null);
  find("state").textContent = say().busy;
  try {
    await work();
    draw();
  } catch (error) {
    find("state").textContent = "";
    fail(error);
  }
}

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  doing(encode);
});
find("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("ask").requestSubmit();
});
for (const radio of document.querySelectorAll("[name=kind]")) {
  radio.addEventListener("change", () => { find("second-row").hidden = radio.value !== "pair"; });
}
find("language").addEventListener("change", () => { state.language = find("language").value; translate(); });
find("which").addEventListener("change", () => doing(async () => {
  await loadBlocks(Number(find("which").value));
  find("state").textContent = "";
}));
find("block").addEventListener("input", drawHeat);
find("zoom").addEventListener("change", drawHeat);
find("vector").addEventListener("change", drawTexts);
find("code-key").addEventListener("change", drawCode);
find("tool").addEventListener("change", drawCode);
find("copy").addEventListener("click", async () => {
  // Only a secure origin may write to the clipboard; elsewhere the text is selected for copying by hand.
  getSelection().selectAllChildren(find("code"));
  if (!navigator.clipboard) return;
  await navigator.clipboard.writeText(find("code").textContent);
  find("state").textContent = say().copied;
});
find("save-json").addEventListener("click", () => save("json").catch(fail));
find("save-npy").addEventListener("click", () => save("npy").catch(fail));
translate();
loadInfo().catch((error) => fail(error));
