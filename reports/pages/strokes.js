// Thousands of lines on a canvas, pixel by pixel: a browser's own strokes take seconds for what this does in a tenth of one.
// Ink is added up in each pixel, so that what many lines cross is darker; what has been drawn is then laid over the rest.
// It is counted in whole parts of a line's, so that a line that is taken away leaves what would be there without it.
page.strokes = (canvas, width, height, ratio) => {
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext("2d");
  const FULL = 64;
  const image = context.createImageData(wide, high);
  const ink = new Uint32Array(wide * high);

  // From left to right, of equal width however steep; `dash` is [on, off] along the line, null for none;
  // `times` lines that lie upon each other are drawn as one; fewer than none are taken away.
  const line = (x0, y0, x1, y1, size, dash, times = 1) => {
    const full = FULL * times;
    const part = (share) => Math.trunc(share * FULL) * times;
    const from = Math.max(0, Math.round(x0 * ratio));
    const to = Math.min(wide, Math.round(x1 * ratio));
    const slope = ((y1 - y0) * ratio) / Math.max(1, to - from);
    const long = Math.sqrt(1 + slope * slope);
    const half = (size * ratio * long) / 2;
    const [on, every] = dash ? [dash[0] * ratio, (dash[0] + dash[1]) * ratio] : [1, 1];
    let middle = y0 * ratio;
    for (let x = from; x < to; x += 1, middle += slope) {
      if (dash && ((x - from) * long) % every > on) continue;
      const [top, bottom] = [Math.max(0, middle - half), Math.min(high - 0.01, middle + half)];
      if (bottom <= top) continue;
      const [first, last] = [Math.floor(top), Math.floor(bottom)];
      if (first === last) {
        ink[first * wide + x] += part(bottom - top);
        continue;
      }
      ink[first * wide + x] += part(first + 1 - top);
      for (let y = first + 1; y < last; y += 1) ink[y * wide + x] += full;
      ink[last * wide + x] += part(bottom - last);
    }
  };
  // Lay all ink over what is there, in a colour ("#rrggbb") of which one line covers the share `alpha`.
  const lay = (colour, alpha) => {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const covers = Float32Array.from({ length: 64 * FULL }, (_, amount) => 1 - (1 - alpha) ** (amount / FULL));
    const { data } = image;
    for (let at = 0, place = 0; at < ink.length; at += 1, place += 4) {
      if (!ink[at]) continue;
      const over = alpha === 1 ? Math.min(1, ink[at] / FULL) : covers[Math.min(covers.length - 1, ink[at])];
      ink[at] = 0;
      page.cover(data, place, red, green, blue, over);
    }
  };
  return { line, lay, put: () => context.putImageData(image, 0, 0), ink: () => ink.slice(), pour: (kept) => ink.set(kept) };
};
