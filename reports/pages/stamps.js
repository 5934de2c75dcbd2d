// Thousands of marks on a canvas, pixel by pixel where they cover anything: a quarter less work than copies of a small picture.
page.stamps = (context, ratio) => {
  const { width: wide, height: high } = context.canvas;
  const image = context.createImageData(wide, high);
  const { data } = image;

  // A mark's shape, lying over what is there, its middle at (x, y) in `colour` ("#rrggbb" or "rgb(…)"), cut off at `box`.
  const put = ({ side, xs, ys, covers }, colour, x, y, [west, north, east, south]) => {
    const [red, green, blue] = page.stamps.rgb(colour);
    const [left, top] = [Math.round(x * ratio - side / 2), Math.round(y * ratio - side / 2)];
    for (let at = 0; at < covers.length; at += 1) {
      const column = left + xs[at];
      const row = top + ys[at];
      if (column < west || column >= east || row < north || row >= south) continue;
      page.cover(data, 4 * (row * wide + column), red, green, blue, covers[at]);
    }
  };
  // The pixels between two axes and a little around, within the canvas.
  const box = (across, down, margin) => [
    Math.max(0, (across._offset - margin) * ratio), Math.max(0, (down._offset - margin) * ratio),
    Math.min(wide, (across._offset + across._length + margin) * ratio),
    Math.min(high, (down._offset + down._length + margin) * ratio),
  ];
  return { put, box, copy: () => data.slice(), start: (pixels) => data.set(pixels), lay: () => context.putImageData(image, 0, 0) };
};

page.stamps.known = new Map();
page.stamps.rgb = (colour) => {
  const { known: parsed } = page.stamps;
  if (!parsed.has(colour)) {
    parsed.set(colour, colour.startsWith("#")
      ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) : colour.match(/\d+/g).slice(0, 3).map(Number));
  }
  return parsed.get(colour);
};

// The pixels that a shape covers in a square of `side` around its middle, and how much of each, up to 1.
page.stamps.shape = (paint, half, line, ratio) => {
  const canvas = document.createElement("canvas");
  const side = Math.ceil(2 * half * ratio);
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.scale(ratio, ratio);
  context.translate(half, half);
  context.lineWidth = line;
  context.beginPath();
  paint(context);
  const { data } = context.getImageData(0, 0, side, side);
  const places = [...Array(side * side).keys()].filter((at) => data[4 * at + 3]);
  return {
    side,
    xs: Int16Array.from(places, (at) => at % side),
    ys: Int16Array.from(places, (at) => Math.floor(at / side)),
    covers: Float32Array.from(places, (at) => data[4 * at + 3] / 255),
  };
};
