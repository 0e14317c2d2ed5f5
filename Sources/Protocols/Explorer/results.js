// Draws an answer. All that is read here is the answer's own: the form may say other things by now.
const MOST_IN_MATRIX = 300, MOST_IN_CODE = 20_000, MOST_NEAREST = 8, MOST_LABELS = 50;

const select = (place, names, chosen) => place.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
// Cells are as large as lets a screen hold them; zoom makes small ones larger.
const cellOf = (count, zoom) => Math.max(count <= 48 ? 18 : count <= 128 ? 8 : 4, 2 * zoom);
const formatted = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

// "S" stands for a count that differs from text to text.
function shapeOf(answer, key) {
  const { request: { texts }, tokens, blocks, info: { widths } } = answer;
  const rows = new Set(tokens.map((each) => each.length)).size > 1 ? "S" : tokens[0].length;
  if (key === "encoder_outputs") return [blocks.length, texts.length, rows, widths[key]];
  return PER_TOKEN.includes(key) ? [texts.length, rows, widths[key]] : [texts.length, widths[key]];
}

function drawLead({ request, info, tokens, shown, blocks, rows, width }) {
  const texts = request.texts;
  find("lead-text").textContent = say().lead({
    name: shorten(nameOf(texts[shown]), 80), texts: texts.length, tokens: rows, blocks: blocks.length, width,
    vectors: info.output_keys.filter((key) => ![...PER_TOKEN, ...SCORES, ...OF_VOCABULARY, "default"].includes(key)), maxTokens: request.maxTokens,
  });
}

// A number, not a list: a thousand options take a browser 100 ms.
function drawWhich({ request: { texts }, shown }) {
  find("which-row").hidden = texts.length < 2;
  find("which").max = texts.length;
  find("which").value = shown + 1;
  find("which-of").textContent = say().of(texts.length);
}

// The label with the largest of a token's numbers.
function labelOf({ info, tokenLogits }, row) {
  const count = info.labels.length, own = tokenLogits.subarray(row * count, (row + 1) * count);
  return info.labels[own.indexOf(Math.max(...own))];
}

// A line with a number, and a bar for it beside the largest there may be.
function lineOf(name, value, most) {
  const item = node("li", "");
  item.append(node("b", name), " ", node("span", formatted(value, 4)));
  if (!most) return item;
  const bar = node("meter", "");
  bar.max = most;
  bar.value = value;
  bar.setAttribute("aria-label", name || "?");
  item.append(bar);
  return item;
}

// A bar a label for its probability; without probabilities the numbers alone.
function drawLabels({ info, vectors, shown }) {
  const key = SCORES.findLast((each) => vectors[each]);
  find("labels-section").hidden = !key;
  if (!key) return;
  const values = vectors[key][shown], order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, MOST_LABELS);
  find("labels").replaceChildren(...order.map((index) => lineOf(info.labels[index], values[index], key === "probabilities" ? 1 : 0)));
}

// The texts after the first, by their relevance for that.
function drawRanks({ request: { texts }, ranks }) {
  find("ranks-section").hidden = !ranks.length;
  if (!ranks.length) return;
  find("ranks-query").textContent = shorten(nameOf(texts[0]), 80);
  find("ranks").replaceChildren(...ranks.slice(0, MOST_LABELS).map(({ index, score }) => lineOf(shorten(nameOf(texts[index + 1]), 60), score, 1)));
}

// The likeliest words for each mask with their logits, and a bar a word of a sparse vector.
function drawWords({ masks, sparse }) {
  find("masks-section").hidden = !masks.length;
  find("masks").replaceChildren(...masks.map((words) => {
    const item = node("li", "");
    for (const { word, value } of words) item.append(node("b", word), node("span", formatted(value)), " ");
    return item;
  }));
  find("sparse-section").hidden = !sparse;
  if (!sparse) return;
  find("sparse-count").textContent = say().weights(sparse.words.length, sparse.count);
  find("sparse").replaceChildren(...sparse.words.map(({ word, value }) => lineOf(word, value, sparse.words[0].value)));
}

function drawTokens(answer) {
  const { shown, truncated, placed, tokenLogits } = answer;
  find("cut").hidden = !truncated[shown];
  find("tokens").replaceChildren(...placed.map((token, index) => {
    const item = node("li", token.text, token.characters ? "unknown" : token.special ? "special" : "");
    item.id = `token-${index}`;
    item.setAttribute("role", "option");
    if (token.characters) item.append(node("small", token.characters, "characters"));
    item.append(node("small", String(token.id)), node("small", token.start === null ? say().putIn : `${token.start}–${token.stop}`));
    if (token.characters) item.append(node("small", say().unknown));
    if (tokenLogits) item.append(node("small", labelOf(answer, index), "label"));
    return item;
  }));
}

function drawMap(answer) {
  const { info, vectors, areEqual } = answer;
  find("map").replaceChildren(...info.output_keys.map((key) => {
    const row = node("tr", ""), head = node("th", key);
    head.scope = "row";
    row.append(head, node("td", `[${shapeOf(answer, key).join(", ")}]`), node("td", say().keys[key] || ""));
    return row;
  }));
  find("equal").textContent = !vectors.default?.length || !vectors.pooled_output ? "" : areEqual ? say().equal : say().unequal;
}

function drawBlockName({ blocks }, block) {
  const name = `${block}${block === blocks.length - 1 ? ` (${say().lastBlock})` : ""}`;
  find("block").max = blocks.length - 1;
  find("block").value = block;
  find("block").setAttribute("aria-valuetext", name);
  find("block-name").textContent = name;
  find("cosine-help").textContent = say().cosineHelp(block);
}

function drawHeat({ blocks, placed, rows, width }, block, zoom) {
  const values = blocks[block];
  // A few dimensions are far larger than the rest: the colours are for the rest.
  const limit = quantile(values, 0.98), height = cellOf(rows, zoom);
  charts.heat.draw({
    rows, columns: width, width: zoom, height, values, palette: "signed", low: -limit, high: limit,
    ends: [`≤ ${formatted(-limit)}`, "0", `≥ ${formatted(limit)}`],
    rowName: (row) => tokenName(placed[row]), columnName: String,
    columnStep: [10, 20, 50, 100, 200].find((step) => step * zoom >= 40),
    say: (row, column) => say().cell(tokenName(placed[row]), column, exact(values[row * width + column])),
  });
}

async function drawCosines({ blocks, placed, rows, width }, block, zoom, slices) {
  const vectors = Array.from({ length: rows }, (_, row) => blocks[block].subarray(row * width, (row + 1) * width));
  const values = await cosineMatrix(vectors, slices), name = (row) => tokenName(placed[row]), size = cellOf(rows, zoom);
  const low = Math.min(0.9, Math.floor(values.reduce((least, value) => Math.min(least, value), 1) * 10) / 10);
  charts.cosine.draw({
    rows, columns: rows, width: size, height: size, values, palette: "plain", low, high: 1,
    ends: [formatted(low), formatted((low + 1) / 2), "1"], rowName: name, columnName: name, upright: true,
    say: (row, column) => say().between(name(row), name(column), values[row * rows + column].toFixed(4)),
  });
}

function drawPath({ blocks, placed, rows, width }, zoom) {
  const columns = blocks.length - 1, values = new Float32Array(rows * columns);
  if (!columns) return charts.path.clear();
  const vector = (block, row) => blocks[block].subarray(row * width, (row + 1) * width);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) values[row * columns + column] = 1 - cosine(vector(column, row), vector(column + 1, row));
  }
  // Strong colours for large steps: the scale runs from the largest cosine to the least.
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  charts.path.draw({
    rows, columns, width: 44, height: cellOf(rows, zoom), values, palette: "plain", low, high: Math.max(high, low + 1e-3),
    ends: say().steps(formatted(1 - low), formatted(1 - high)),
    rowName: (row) => tokenName(placed[row]), columnName: (column) => `${column}→${column + 1}`, columnStep: 1,
    say: (row, column) => say().step(tokenName(placed[row]), column, (1 - values[row * columns + column]).toFixed(4)),
  });
}

async function drawTexts(answer, slices) {
  const { request, vectors, shown } = answer, { texts } = request, keys = Object.keys(vectors).filter((key) => !SCORES.includes(key));
  find("texts-section").hidden = texts.length < 2 || !keys.length;
  if (find("texts-section").hidden) return;
  const key = keys.includes(find("vector").value) ? find("vector").value : keys.includes("sentence_embedding") ? "sentence_embedding" : keys[0];
  select(find("vector"), keys, key);
  const rows = vectors[key], count = Math.min(texts.length, MOST_IN_MATRIX);
  drawNearest(rows, texts, shown);
  find("cap").hidden = count === texts.length;
  find("cap").textContent = find("cap").hidden ? "" : say().cap(count, texts.length);
  const { drawnOf } = charts.projection;
  if (drawnOf?.request !== request || drawnOf.key !== key) await drawAllTexts(rows, count, { request, key }, slices);
  charts.texts.mark(shown < count ? shown : null);
  charts.projection.show(shown);
}

async function drawAllTexts(rows, count, drawnOf, slices) {
  charts.texts.clear();
  charts.projection.clear();
  const name = (index) => shorten(nameOf(drawnOf.request.texts[index]));
  const values = await cosineMatrix(rows.slice(0, count), slices);
  const least = values.reduce((a, b) => Math.min(a, b), 1), low = Math.min(0.9, Math.floor(least * 10) / 10);
  const size = count <= 16 ? 32 : count <= 48 ? 18 : count <= 128 ? 6 : 3;
  const points = await project(rows, slices);
  charts.texts.draw({
    rows: count, columns: count, width: size, height: size, values, palette: "plain", low, high: 1,
    ends: [formatted(low), formatted((low + 1) / 2), "1"], rowName: name, columnName: name, upright: true,
    say: (row, column) => say().between(name(row), name(column), values[row * count + column].toFixed(4)),
  });
  charts.projection.draw(points, rows.map((_, index) => name(index)));
  charts.texts.drawnOf = charts.projection.drawnOf = drawnOf;
}

function drawNearest(rows, texts, shown) {
  const order = rows.map((row, index) => [index, cosine(row, rows[shown])]).filter(([index]) => index !== shown);
  order.sort((a, b) => b[1] - a[1]);
  find("nearest").replaceChildren(...order.slice(0, MOST_NEAREST).map(([index, value]) => {
    const item = node("li", ""), button = node("button", shorten(nameOf(texts[index]), 60), "quiet");
    button.type = "button";
    button.dataset.text = index;
    item.append(button, node("span", formatted(value, 4)));
    return item;
  }));
}

function drawCode({ request, info }) {
  const keys = info.output_keys, chosen = find("code-key").value || "default";
  const key = keys.includes(chosen) ? chosen : keys[0];
  select(find("code-key"), keys, key);
  let texts = request.texts, length = 0;
  const fitting = texts.findIndex((text) => (length += nameOf(text).length) > MOST_IN_CODE);
  if (fitting >= 0) texts = texts.slice(0, Math.min(Math.max(fitting, 1), 3)).map((text) => (Array.isArray(text) ? text.map((each) => shorten(each, 1000)) : shorten(text, 1000)));
  find("code-cut").hidden = fitting < 0;
  find("code-cut").textContent = say().codeCut(texts.length, request.texts.length);
  const url = location.origin + BASE + pathOf(request, { output_key: key }), list = JSON.stringify(texts);
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  find("code").textContent = {
    curl: `curl${state.asksForKey ? " -H 'Authorization: Bearer YOUR_KEY'" : ""} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify({ inputs: texts }))} ${quoted(url)}`,
    Python: `import json, urllib.request\n\nrequest = urllib.request.Request(\n    ${JSON.stringify(url)},\n    data=json.dumps({"inputs": ${list}}).encode(),\n    headers={"Content-Type": "application/json"${state.asksForKey ? ', "Authorization": "Bearer YOUR_KEY"' : ""}},\n)\nprint(json.load(urllib.request.urlopen(request))["outputs"]["${key}"])`,
    JavaScript: `const response = await fetch(${JSON.stringify(url)}, {\n  method: "POST",\n  headers: { "Content-Type": "application/json"${state.asksForKey ? ', Authorization: "Bearer YOUR_KEY"' : ""} },\n  body: JSON.stringify({ inputs: ${list} }),\n});\nconsole.log((await response.json()).outputs["${key}"]);`,
  }[find("tool").value];
}
