// The marks of thousands of trials, on two canvases over a plot: all of them below, and the chosen ones above, so that a
// choice draws only what it holds. Hovering, clicks, boxes and lassos are looked up in the same numbers.
page.marks = (place, { groups, dark, label, textOf, trialOf, told }) => {
  const { links } = page;
  const NEAR = 9;

  // ---- one mark, drawn once for each symbol and then copied in its colour
  const shapes = {
    "circle-open": (c, r) => { c.arc(0, 0, r, 0, 2 * Math.PI); c.stroke(); },
    "triangle-up-open": (c, r) => {
      const side = r * 1.155;
      c.moveTo(-side, r / 2); c.lineTo(side, r / 2); c.lineTo(0, -r); c.closePath(); c.stroke();
    },
    diamond: (c, r) => { const d = r * 1.3; c.moveTo(d, 0); c.lineTo(0, d); c.lineTo(-d, 0); c.lineTo(0, -d); c.closePath(); c.fill(); },
    "x-thin": (c, r) => { const d = r * 0.8; c.moveTo(-d, -d); c.lineTo(d, d); c.moveTo(d, -d); c.lineTo(-d, d); c.stroke(); },
  };
  const stamps = new Map();
  const stamp = ({ symbol, size, line }, ratio) => {
    const key = [symbol, size, ratio].join();
    if (!stamps.has(key)) {
      const half = Math.ceil((size / 2) * 1.3 + line + 1);
      stamps.set(key, page.stamps.shape((context) => shapes[symbol](context, size / 2), half, line, ratio));
    }
    return stamps.get(key);
  };
  const tinted = (colour) => (dark() ? page.dark[colour.toLowerCase()] ?? colour : colour);

  // ---- where each mark stands, kept between a plot and the next
  let shown = [];
  const located = (places) => {
    shown = groups().filter(({ trace }) => place.data[trace].visible !== "legendonly").map((group) => {
      const [x, y] = group.axes.map(places);
      return { ...group, px: Float32Array.from(group.x, x), py: Float32Array.from(group.y, y) };
    });
  };
  // The first groups, those on the plot's own axes, and their pixels: where a choice of all of them begins.
  let kept = null;
  const first = () => shown.findLastIndex(({ axes: [across] }) => across === "xaxis") + 1;
  const wholly = (group, wanted) => group.rows.every((index) => wanted.has(trialOf(index)));
  const paintRows = (context, ratio, layer, wanted) => {
    const sheet = page.stamps(context, ratio);
    const begun = wanted && kept && shown.slice(0, kept.groups).every((group) => wholly(group, wanted));
    if (begun) sheet.start(kept.pixels);
    for (const [number, group] of shown.entries()) {
      if (begun && number < kept.groups) continue;
      const box = sheet.box(...group.axes.map((name) => place._fullLayout[name]), layer.MARGIN);
      const [shape, plain] = [stamp(group, ratio), tinted(group.colour)];
      group.rows.forEach((index, at) => {
        if (wanted && !wanted.has(trialOf(index))) return;
        sheet.put(shape, group.tints ? group.tints[at] : plain, group.px[at], group.py[at], box);
      });
      if (!wanted && number + 1 === first()) kept = { groups: number + 1, pixels: sheet.copy() };
    }
    sheet.lay();
    for (const group of shown.filter(({ texts }) => texts.size)) {
      layer.clipped(context, ...group.axes, () => {
        context.fillStyle = tinted(label.colour);
        context.font = label.font;
        context.textAlign = "right";
        group.rows.forEach((index, at) => {
          if (group.texts.has(at) && (!wanted || wanted.has(trialOf(index)))) context.fillText(textOf(index), group.px[at] - 4, group.py[at] + 14);
        });
      });
    }
  };
  const all = page.layer(place, (context, places, ratio) => {
    located(places);
    kept = null;
    paintRows(context, ratio, all, null);
  });
  all.canvas.classList.add("all");
  const some = page.layer(place, (context, _, ratio) => {
    if (links.chosen.size) paintRows(context, ratio, some, links.chosen);
  });
  const mark = () => {
    place.classList.toggle("choosing", links.chosen.size > 0);
    place.dataset.chosen = String(links.chosen.size);
    some();
  };
  const plotted = () => { all(); mark(); };

  // ---- pointing
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const nearest = (x, y) => {
    let [best, far] = [null, NEAR * NEAR];
    for (const { rows, px, py } of shown) {
      for (let at = 0; at < rows.length; at += 1) {
        const away = (px[at] - x) ** 2 + (py[at] - y) ** 2;
        if (away < far) [best, far] = [rows[at], away];
      }
    }
    return best;
  };
  const at = (clientX, clientY) => {
    const box = place.getBoundingClientRect();
    return nearest(clientX - box.left, clientY - box.top);
  };
  const point = (event) => {
    const box = place.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const pointed = event.buttons ? null : nearest(x, y);
    tip.hidden = pointed === null;
    if (pointed === null) return;
    if (!tip.parentNode) place.append(tip);
    tip.textContent = told(pointed).join("\n");
    tip.style.left = `${Math.max(0, Math.min(x + 14, box.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + 14, box.height - tip.offsetHeight))}px`;
  };
  const boxed = (event) => {
    const found = new Set();
    for (const { rows, x, y, axes } of shown) {
      const inside = page.within(event, axes.map((axis) => axis.replace("axis", "")));
      rows.forEach((index, at) => { if (inside(x[at], y[at])) found.add(trialOf(index)); });
    }
    return found;
  };
  links.views.push(() => { if (page.drawn.has(place)) mark(); });
  // Its events are the plot's own, which is there after it was drawn for the first time.
  place.addEventListener("drawn", () => {
    plotted();
    place.on("plotly_afterplot", plotted);
    place.on("plotly_relayouting", plotted);
    page.links.boxes(place, boxed);
    place.addEventListener("mousemove", point);
    place.addEventListener("mouseleave", () => { tip.hidden = true; });
    place.addEventListener("click", ({ clientX, clientY }) => {
      const found = at(clientX, clientY);
      if (found !== null) links.toggle(trialOf(found));
    });
  }, { once: true });
  return { shown: () => shown };
};
