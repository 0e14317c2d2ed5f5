// Tokens and the characters that they stand for.
const shorten = (text, most = 24) => {
  const characters = [...text.slice(0, 2 * most + 2)];
  return characters.length > most ? characters.slice(0, most - 1).join("") + "…" : text;
};
const nameOf = (input) => (Array.isArray(input) ? input.join(" | ") : input);
const isUnknown = (token) => ["[UNK]", "<unk>"].includes(token.text);

// Each token with the segment (a text's UTF-8) it is of and, if the vocabulary has no word for it, its characters.
// Offsets are in UTF-8 bytes of the token's own segment; null for tokens that the model adds.
function placeTokens(segments, tokens) {
  let segment = 0;
  return tokens.map((token, index) => {
    if (token.start === null) {
      // After the first token, an added one ends a text.
      if (index > 0 && segment < segments.length - 1) segment += 1;
      return { ...token, segment: null };
    }
    const bytes = segments[segment].subarray(token.start, Math.min(token.stop, token.start + 96));
    return { ...token, segment, characters: isUnknown(token) ? shorten(new TextDecoder().decode(bytes)) : "" };
  });
}

const tokenName = (token) => (token.characters ? `${token.text} ${token.characters}` : token.text);

// The text around a token: [before, the token's characters, after], cut to what a page can show.
function textAround(bytes, token) {
  const decode = (from, to) => new TextDecoder().decode(bytes.subarray(from, to));
  if (!token) return [shorten(decode(0, 16_000), 2000), "", ""];
  const first = token.start > 1000 ? `…${decode(token.start - 1000, token.start).replace(/^\uFFFD+/, "")}` : decode(0, token.start);
  return [first, shorten(decode(token.start, token.stop), 200), shorten(decode(token.stop, token.stop + 8000), 1000)];
}
