// Colour scales: 256 colours between a few fixed ones, for a light page and for a dark one. Near 0, or at
// the scale's quiet end, the colour is close to the page's own.
const SCHEME = matchMedia("(prefers-color-scheme: dark)");
const STOPS = {
  light: {
    signed: [[5, 113, 176], [146, 197, 222], [247, 247, 247], [244, 165, 130], [202, 0, 32]],
    plain: [[243, 247, 251], [158, 202, 225], [49, 130, 189], [8, 48, 107]],
  },
  dark: {
    signed: [[116, 190, 255], [42, 98, 156], [29, 34, 39], [150, 70, 46], [255, 154, 118]],
    plain: [[29, 34, 39], [31, 78, 121], [63, 143, 208], [204, 232, 255]],
  },
};

// (256) pixels as ImageData stores them, read as little-endian numbers.
function colorsOf(name) {
  const stops = STOPS[SCHEME.matches ? "dark" : "light"][name];
  return Uint32Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (stops.length - 1), first = Math.min(Math.floor(place), stops.length - 2);
    const [red, green, blue] = [0, 1, 2].map((part) => {
      const [from, to] = [stops[first][part], stops[first + 1][part]];
      return Math.round(from + (to - from) * (place - first));
    });
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

// Paints values between low and high, a pixel each; beyond them the end's colour.
function paint(canvas, { rows, columns, values, palette, low, high }) {
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
  const colors = colorsOf(palette), scale = 255 / (high - low || 1);
  for (let place = 0; place < pixels.length; place++) {
    pixels[place] = colors[Math.max(0, Math.min(255, Math.round((values[place] - low) * scale)))];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
