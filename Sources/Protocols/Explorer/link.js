// What is on the screen as a URL's fragment, which browsers do not send. The API key is never in it.
const LONGEST_LINK = 8000;
const VIEW = ["shown", "block", "token"];

// null: the texts are too long for a link.
function fragmentOf({ kind, text, second, maxTokens, model }, view) {
  const fields = new URLSearchParams({ kind, text });
  if (kind === "pair") fields.set("second", second);
  if (maxTokens) fields.set("max_tokens", maxTokens);
  if (model) fields.set("model", model);
  for (const name of VIEW) if (view[name] !== null && view[name] !== undefined) fields.set(name, view[name]);
  const fragment = fields.toString();
  return fragment.length > LONGEST_LINK ? null : `#${fragment}`;
}

// null if the fragment has no text. What in it makes no sense is left out.
function readFragment(hash) {
  const fields = new URLSearchParams(hash.slice(1));
  if (!fields.has("text")) return null;
  const kind = ["one", "pair", "several"].includes(fields.get("kind")) ? fields.get("kind") : "one";
  const view = {};
  for (const name of VIEW) if (/^\d{1,5}$/.test(fields.get(name) || "")) view[name] = Number(fields.get(name));
  return {
    fields: {
      kind, text: fields.get("text"), second: fields.get("second") || "",
      maxTokens: fields.get("max_tokens") || "", model: fields.get("model") || "",
    },
    view,
  };
}
