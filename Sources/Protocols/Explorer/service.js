// Requests to the service. What one asks for is fixed when it is made, and its answer stays with it.
const PER_TOKEN = ["sequence_output", "encoder_outputs", "token_logits", "mlm_logits", "colbert"], SCORES = ["logits", "probabilities"];
// As many numbers as the vocabulary has tokens: asked for of the text that is shown alone.
const OF_VOCABULARY = ["mlm_logits", "sparse_embedding"], MOST_WORDS = 10, MOST_WEIGHTS = 50, MASK = /^(\[MASK\]|<mask>)$/;

class Refusal extends Error {
  constructor(status, message) {
    super(`${status}: ${message}`);
    this.status = status;
  }
}

// One piece of work at a time: a new one aborts the one before, and what that still brings is dropped.
class Latest {
  begin() {
    this.stop();
    this.controller = new AbortController();
    return this.controller.signal;
  }

  stop() { this.controller?.abort(); }
}

// What a proxy puts before every path.
const BASE = location.pathname.replace(/\/+$/, "");

// What read(response) makes of the answer, or an error that can be shown.
async function ask(path, read, options, signal) {
  const key = find("api-key").value.trim();
  try {
    const response = await fetch(BASE + path, {
      ...options, signal,
      headers: { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) },
    });
    signal.throwIfAborted();
    if (!response.ok) throw new Refusal(response.status, messageOf(await response.text()));
    const body = await read(response);
    signal.throwIfAborted();
    return body;
  } catch (error) {
    signal.throwIfAborted();
    // fetch's word for a connection that fails.
    throw error instanceof TypeError ? new Error(say().unreachable) : error;
  }
}

function messageOf(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return text; // a proxy's words, as they are
  }
}

const asJSON = (response) => response.json();

// Hands each line of a stream to a function, as it comes.
async function readLines(response, slices, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      take(JSON.parse(line));
      if (slices.isOver) await slices.next();
    }
  }
}

const infos = new Map();

// What the service says of a model; "" is the default. Waits for a model that is being loaded.
async function infoOf(name, signal) {
  while (!infos.has(name)) {
    try {
      const info = await ask("/info" + (name ? `?model=${encodeURIComponent(name)}` : ""), asJSON, {}, signal);
      infos.set(name, info).set(info.model, info);
    } catch (error) {
      if (error.status !== 503) throw error;
      find("state").textContent = say().loading;
      await new Promise((done) => setTimeout(done, 1000));
      signal.throwIfAborted();
    }
  }
  return infos.get(name);
}

function pathOf(request, more) {
  const fields = new URLSearchParams(more);
  if (request.maxTokens) fields.set("max_tokens", request.maxTokens);
  if (request.model) fields.set("model", request.model);
  return `/encode?${fields}`;
}

function post(request, texts, more, read, signal) {
  return ask(pathOf(request, more), read, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ inputs: texts }),
  }, signal);
}

// Tokens and vectors of all texts, and every block of the one that is shown. A line comes a text: so the
// answer to a thousand is read in slices, and progress(count) can be told.
async function answerTo(request, info, shown, signal, progress) {
  const keys = info.output_keys.filter((key) => !PER_TOKEN.includes(key) && !OF_VOCABULARY.includes(key)), { texts } = request;
  const answer = { request, info, tokens: [], truncated: [], vectors: Object.fromEntries(keys.map((key) => [key, []])), areEqual: true };
  const take = ({ error, tokens, truncated, outputs }) => {
    if (error) throw new Error(`${texts.length > 1 ? `${shorten(nameOf(texts[answer.tokens.length]))}: ` : ""}${error}`);
    answer.tokens.push(tokens[0]);
    answer.truncated.push(truncated[0]);
    // The base64 of numbers is the same exactly if their bits are.
    answer.areEqual &&= outputs.default?.[0] === outputs.pooled_output?.[0];
    for (const key of keys) answer.vectors[key].push(readBase64(outputs[key][0]));
    progress(answer.tokens.length);
  };
  const fields = { output_key: keys.join(",") || "sequence_output", tokens: "true", format: "base64" };
  await ask(pathOf(request, fields), (response) => readLines(response, new Slices(signal), take), {
    method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body: texts.map((text) => JSON.stringify(text) + "\n").join(""),
  }, signal);
  if (answer.tokens.length !== texts.length) throw new Error(say().mismatch);
  // With one label a text is scored with another: the first is the query.
  const isReranker = info.labels.length === 1 && info.output_keys.includes("logits");
  // The route has no limit of tokens of one's own.
  const ranks = isReranker && request.kind === "several" && texts.length > 1 && !request.maxTokens ? await ranksOf(request, texts[0], texts.slice(1), signal) : [];
  return withBlocks({ ...answer, ranks }, Math.min(shown, texts.length - 1), signal);
}

// The answer with the blocks of another of its texts: blocks[b] is (rows × width).
async function withBlocks(answer, shown, signal) {
  const { request, info, tokens } = answer, hasTokenLogits = info.output_keys.includes("token_logits");
  const body = await post(request, [request.texts[shown]], { output_key: hasTokenLogits ? "encoder_outputs,token_logits" : "encoder_outputs", format: "safetensors" }, (response) => response.arrayBuffer(), signal);
  const tensors = readSafetensors(body), { shape: [count, , rows, width], values } = tensors.encoder_outputs;
  if (rows !== tokens[shown].length) throw new Error(say().mismatch);
  const blocks = Array.from({ length: count }, (_, block) => values.subarray(block * rows * width, (block + 1) * rows * width));
  const words = await wordsOf(answer, shown, signal);
  return { ...answer, shown, blocks, rows, width, tokenLogits: tensors.token_logits?.values, ...words };
}

// The documents by their relevance for a query: [{index, score}, …]; none if the service refuses.
function ranksOf({ model }, query, texts, signal) {
  return ask(`/rerank${model ? `?model=${encodeURIComponent(model)}` : ""}`, asJSON, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ query, texts }),
  }, signal).catch(() => {
    signal.throwIfAborted();
    return [];
  });
}

// For each mask of a text its likeliest words, and the words of a sparse vector: [{word, value}, …].
async function wordsOf({ request, info, tokens }, shown, signal) {
  const texts = [request.texts[shown]], result = { masks: [], sparse: null };
  const masks = [...tokens[shown].keys()].filter((place) => MASK.test(tokens[shown][place].text));
  if (info.output_keys.includes("mlm_logits") && masks.length) {
    const { outputs, mlm_tokens: found } = await post(request, texts, { output_key: "mlm_logits", top_k: MOST_WORDS }, asJSON, signal);
    result.masks = masks.map((place) => found[0][place].map(({ token }, index) => ({ word: token ?? "", value: outputs.mlm_logits[0][place][index] })));
  }
  if (info.output_keys.includes("sparse_embedding")) {
    const { outputs: { sparse_embedding: [weights] } } = await post(request, texts, { output_key: "sparse_embedding" }, asJSON, signal);
    const order = [...weights.keys()].filter((id) => weights[id]).sort((a, b) => weights[b] - weights[a]);
    const ids = order.slice(0, MOST_WEIGHTS), model = request.model ? `?model=${encodeURIComponent(request.model)}` : "";
    const words = ids.length ? await ask(`/decode${model}`, asJSON, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ids: ids.map((id) => [id]), skip_special_tokens: false }),
    }, signal) : [];
    result.sparse = { count: order.length, words: ids.map((id, index) => ({ word: words[index], value: weights[id] })) };
  }
  return result;
}
