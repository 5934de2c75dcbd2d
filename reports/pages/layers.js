// A canvas over a plot's axes, below its legend and notes: what would take a plotting library's traces seconds is drawn
// in milliseconds. `paint(context, places)` draws it, after each plot, zoom and shift; `places(axis)` turns values of an
// axis ("xaxis", "yaxis2") into pixels.
page.layer = (place, paint) => {
  const canvas = document.createElement("canvas");
  canvas.className = "layer";
  canvas.setAttribute("aria-hidden", "true");
  const places = (name) => {
    const { type, range, _offset: offset, _length: length } = place._fullLayout[name];
    const [from, to] = range.map(Number);
    const at = type === "log" ? Math.log10 : Number;
    const scale = length / (to - from);
    return name.startsWith("x") ? (v) => offset + (at(v) - from) * scale : (v) => offset + length - (at(v) - from) * scale;
  };
  const draw = () => {
    const { width, height } = place._fullLayout;
    const ratio = Math.max(2, devicePixelRatio);
    const host = place.querySelector(".gl-container");
    if (canvas.parentNode !== host) host.append(canvas);
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    paint(context, places, ratio);
  };
  // What lies outside an area of two axes is cut off there, but for this many pixels.
  draw.MARGIN = 6;
  draw.clipped = (context, x, y, inner) => {
    const [across, down] = [place._fullLayout[x], place._fullLayout[y]];
    context.save();
    context.beginPath();
    const around = 2 * draw.MARGIN;
    context.rect(across._offset - draw.MARGIN, down._offset - draw.MARGIN, across._length + around, down._length + around);
    context.clip();
    inner();
    context.restore();
  };
  draw.canvas = canvas;
  return draw;
};

// Which rows lie in a box or a lasso that was drawn in a plot.
page.within = ({ range, lassoPoints }, axes = ["x", "y"]) => {
  const [x, y] = axes;
  if (range?.[x]) {
    const [[left, right], [low, high]] = [range[x], range[y]];
    return (a, b) => a >= left && a <= right && b >= low && b <= high;
  }
  if (!lassoPoints?.[x]) return () => false;
  const corners = lassoPoints[x].map((a, place) => [a, lassoPoints[y][place]]);
  // Even and odd crossings of a ray to the right.
  return (a, b) => corners.reduce((inside, [x1, y1], place) => {
    const [x0, y0] = corners.at(place - 1);
    return (y0 > b) !== (y1 > b) && a < x0 + ((b - y0) / (y1 - y0)) * (x1 - x0) ? !inside : inside;
  }, false);
};

// One pixel of an image's data, at `place`: a colour that covers the share `over` of it, laid over what is there.
page.cover = (data, place, red, green, blue, over) => {
  const under = (data[place + 3] / 255) * (1 - over);
  const whole = over + under;
  data[place] = (red * over + data[place] * under) / whole;
  data[place + 1] = (green * over + data[place + 1] * under) / whole;
  data[place + 2] = (blue * over + data[place + 2] * under) / whole;
  data[place + 3] = whole * 255;
};
