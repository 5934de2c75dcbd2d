// Parallel coordinates: a line for each trial, and a range to choose on every axis.
page.search.then((search) => {
  const root = document.getElementById("parallel");
  if (!search || !root) return;
  const { data, numbers, kindOf, told, written } = search;
  const { links } = page;
  const SVG = "http://www.w3.org/2000/svg";
  const [TOP, BOTTOM, SIDE] = [70, 30, 64];
  const HEIGHT = root.clientHeight;
  const styles = {
    dominated: { width: 1, dash: [], alpha: 0.6 }, infeasible: { width: 1.2, dash: [7, 4], alpha: 0.9 },
    front: { width: 2, dash: [], alpha: 1 }, "no result": { width: 1.4, dash: [1.5, 4], alpha: 0.9 },
  };
  const ORDER = ["no result", "infeasible", "dominated", "front"];

  // ---- axes: the parameters that vary, then the objectives; 0 is below, and below is better
  const scaled = (name, title, values, flipped) => {
    const known = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const at = (value) => (high > low ? (value - low) / (high - low) : 0.5);
    const places = values.map((value) => (value === null ? null : flipped ? 1 - at(value) : at(value)));
    const short = (value) => (value && Math.abs(value) < 1e-3 ? value.toExponential(1) : written(value));
    const labels = high > low ? [[flipped ? 1 : 0, short(low)], [flipped ? 0 : 1, short(high)]] : [[0.5, short(low)]];
    return { name, title, places, labels };
  };
  const stepped = ({ name, levels, values }) => ({
    name, title: name, labels: levels.map((level, place) => [place / (levels.length - 1), level]),
    places: values.map((value) => (value === null ? null : value / (levels.length - 1))),
  });
  const axes = [
    ...data.parameters.map((p) => (p.levels ? stepped(p) : scaled(p.name, p.name, p.values, false))),
    ...data.metrics.filter((m) => m.objective).map((m) => ({ ...scaled(m.name, m.title, m.values, m.maximise), objective: true })),
  ];
  const ranges = new Map();
  const [base, front] = root.querySelectorAll("canvas");
  const svg = root.querySelector("svg");
  const tip = root.querySelector(".tip");
  let width = 0;
  const x = (axis) => SIDE + ((width - 2 * SIDE) * axis) / Math.max(1, axes.length - 1);
  const y = (place) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - place);
  const up = (pixel) => Math.min(1, Math.max(0, 1 - (pixel - TOP) / (HEIGHT - TOP - BOTTOM)));

  // ---- lines
  let onPaper = false;
  const shade = ({ colour }) => (page.darkScreen.matches && !onPaper ? page.dark[colour.toLowerCase()] ?? colour : colour);
  // Lines between the same two places are one, drawn as often as there are: most values are few.
  const traced = (strokes, rows, size, dash, sign = 1) => {
    axes.forEach(({ places }, axis) => {
      const [before, after] = [axes[axis - 1]?.places, axes[axis + 1]?.places];
      const times = new Map();
      for (const index of rows) {
        const [place, next] = [places[index], after?.[index] ?? null];
        // A trial that has a value here and none beside it is a short stroke.
        if (place === null || (next === null && (before?.[index] ?? null) !== null)) continue;
        const [from, to] = [Math.round(y(place) * 4), next === null ? -1 : Math.round(y(next) * 4)];
        const key = from * 8192 + to + 1;
        times.set(key, (times.get(key) ?? 0) + 1);
      }
      times.forEach((number, key) => {
        const [from, to] = [Math.floor(key / 8192) / 4, (key % 8192) - 1];
        if (to < 0) strokes.line(x(axis), from, x(axis) + 5, from, size, dash, sign * number);
        else strokes.line(x(axis), from, x(axis + 1), to / 4, size, dash, sign * number);
      });
    });
  };
  const crossed = (strokes, index, size, sign) => {
    const last = axes.findLastIndex(({ places }) => places[index] !== null);
    if (last < 0) return;
    const [cx, cy] = [x(last), y(axes[last].places[index])];
    for (const side of [-4, 4]) strokes.line(cx - 4, cy - side, cx + 4, cy + side, size, null, sign);
  };
  // So many lines show no finer detail, and a quarter of the pixels is drawn four times as fast.
  const ratio = () => (numbers.length * axes.length > 2000 ? 1 : Math.max(2, devicePixelRatio));
  const ofKind = new Map(ORDER.map((name) => [name, numbers.filter((index) => kindOf(index).name === name)]));
  // Kind of trial -> the ink of all its lines and their width: what a choice of most of them is made of, without the rest.
  const inks = new Map();
  const draw = (canvas, wanted, bold) => {
    const strokes = page.strokes(canvas, width, HEIGHT, ratio());
    const rows = numbers.filter(wanted);
    const many = rows.length > 100;
    for (const name of ORDER) {
      const every = ofKind.get(name);
      const found = every.filter(wanted);
      if (!found.length) continue;
      const { width: plain, dash, alpha } = styles[name];
      const size = many && name !== "front" ? 1 : bold ? Math.max(2.4, plain) : plain;
      const add = (lines, sign) => {
        traced(strokes, lines, size, dash.length ? dash : null, sign);
        if (name === "no result") lines.forEach((index) => crossed(strokes, index, size, sign));
      };
      const kept = bold && found.length > every.length / 2 ? inks.get(name) : null;
      if (kept?.size === size) {
        strokes.pour(kept.ink);
        add(every.filter((index) => !wanted(index)), -1);
      } else add(found, 1);
      if (!bold && many) inks.set(name, { ink: strokes.ink(), size });
      const pale = alpha * Math.min(1, 400 / rows.length + 0.02);
      strokes.lay(shade(kindOf(found[0])), name === "front" || (bold && !many) ? 1 : bold ? Math.max(0.3, pale) : pale);
    }
    strokes.put();
    root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
  };
  const marked = (chosen) => {
    root.classList.toggle("choosing", chosen.size > 0);
    root.dataset.chosen = String(chosen.size);
    draw(front, (index) => chosen.has(data.trials[index]), true);
  };

  // ---- axes, their titles and values, and the chosen ranges
  const made = (tag, attributes, parent, text = "") => {
    const node = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    node.textContent = text;
    parent.append(node);
    return node;
  };
  const cut = (text, room) => (text.length > room ? `${text.slice(0, room - 1)}…` : text);
  const band = (axis) => {
    const rect = svg.querySelector(`[data-axis="${axis}"] .range`);
    const [low, high] = ranges.get(axis) ?? [0, 0];
    rect.setAttribute("y", y(high));
    rect.setAttribute("height", ranges.has(axis) ? Math.max(2, y(low) - y(high)) : 0);
  };
  const scale = () => {
    svg.replaceChildren();
    const gap = (width - 2 * SIDE) / Math.max(1, axes.length - 1);
    axes.forEach(({ title, labels, objective }, axis) => {
      const group = made("g", {
        class: `axis${objective ? " objective" : ""}`, tabindex: 0, role: "button", "data-axis": axis,
        "aria-label": `${title}: choose a range with the up and down arrow keys, Escape for none`,
      }, svg);
      made("rect", { class: "catch", x: x(axis) - 14, y: TOP - 6, width: 28, height: HEIGHT - TOP - BOTTOM + 12 }, group);
      made("line", { x1: x(axis), x2: x(axis), y1: TOP - 4, y2: HEIGHT - BOTTOM + 4 }, group);
      made("rect", { class: "range", x: x(axis) - 6, y: 0, width: 12, height: 0 }, group);
      // Neighbouring titles stand on two heights, and are cut to the room there is.
      const room = Math.max(6, Math.floor((2 * gap - 10) / 6.9));
      const anchor = axis === 0 ? "start" : axis === axes.length - 1 ? "end" : "middle";
      const at = { start: 2, middle: x(axis), end: width - 2 }[anchor];
      const place = { class: "title", x: at, y: axis % 2 ? 22 : 44, "text-anchor": anchor };
      const titled = made("text", place, group, cut(title, Math.min(room, 26)));
      made("title", {}, titled, title);
      let below = -1;
      [...labels].sort(([a], [b]) => a - b).forEach(([place, text]) => {
        if (below >= 0 && (place - below) * (HEIGHT - TOP - BOTTOM) < 14) return;
        below = place;
        made("text", { class: "value", x: x(axis) + 6, y: y(place) - 4 }, group, cut(text, Math.max(4, Math.floor(gap / 7.2))));
      });
      band(axis);
    });
  };
  let own = false;
  const apply = () => {
    own = true;
    const wanted = [...ranges].map(([axis, [low, high]]) => [axes[axis].places, low, high]);
    links.choose(wanted.length ? numbers.filter((index) => wanted.every(([places, low, high]) => (
      places[index] !== null && places[index] >= low && places[index] <= high
    ))).map((index) => data.trials[index]) : []);
    own = false;
  };
  const choose = (axis, range) => {
    if (range) ranges.set(axis, range);
    else ranges.delete(axis);
    band(axis);
    apply();
  };
  const axisOf = (node) => { const group = node.closest?.("[data-axis]"); return group ? Number(group.dataset.axis) : null; };
  const pixel = (event) => event.clientY - svg.getBoundingClientRect().top;
  svg.addEventListener("pointerdown", (event) => {
    const axis = axisOf(event.target);
    if (axis === null) return;
    const start = up(pixel(event));
    svg.setPointerCapture(event.pointerId);
    const range = (at) => [Math.min(start, at) - 0.004, Math.max(start, at) + 0.004];
    // The range chooses while it is drawn, once a frame.
    let drawing = false;
    const move = (moved) => {
      ranges.set(axis, range(up(pixel(moved))));
      band(axis);
      if (!drawing) requestAnimationFrame(() => { if (drawing) apply(); drawing = false; });
      drawing = true;
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerup", (ended) => {
      svg.removeEventListener("pointermove", move);
      drawing = false;
      const at = up(pixel(ended));
      choose(axis, Math.abs(at - start) < 0.01 ? null : range(at));
    }, { once: true });
  });
  svg.addEventListener("keydown", (event) => {
    const axis = axisOf(event.target);
    const step = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key];
    if (axis === null || (!step && event.key !== "Escape")) return;
    event.preventDefault();
    const [low] = ranges.get(axis) ?? [step > 0 ? -0.1 : 0.9];
    const next = Math.min(0.9, Math.max(0, low + (step ?? 0)));
    choose(axis, step ? [next - 0.004, next + 0.104 + 0.1] : null);
  });

  // ---- the line below the pointer
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const left = Math.max(0, Math.min(axes.length - 2, Math.floor(((px - SIDE) / (width - 2 * SIDE)) * (axes.length - 1))));
    const share = Math.min(1, Math.max(0, (px - x(left)) / (x(left + 1) - x(left))));
    let [best, off] = [null, 7];
    for (const index of numbers) {
      const [a, b] = [axes[left].places[index], axes[left + 1].places[index]];
      if (a === null || b === null) continue;
      const far = Math.abs(y(a + (b - a) * share) - py);
      if (far < off) [best, off] = [index, far];
    }
    return best;
  };
  svg.addEventListener("mousemove", (event) => {
    const index = event.buttons ? null : nearest(event);
    tip.hidden = index === null;
    if (index === null) return;
    tip.textContent = told(index).join("\n");
    const box = svg.getBoundingClientRect();
    const over = event.clientX - box.left;
    tip.style.left = `${Math.max(0, Math.min(over + 14, width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.min(event.clientY - box.top + 14, HEIGHT - 40)}px`;
  });
  svg.addEventListener("mouseleave", () => { tip.hidden = true; });
  svg.addEventListener("click", (event) => {
    const index = axisOf(event.target) === null ? nearest(event) : null;
    if (index !== null) links.toggle(data.trials[index]);
  });

  links.views.push((chosen) => {
    if (!width) return;
    // Ranges say how a choice was made: one that was made elsewhere has none.
    if (!own) {
      ranges.clear();
      axes.forEach((_, axis) => band(axis));
    }
    marked(chosen);
  });
  const all = () => {
    width = root.clientWidth;
    // On paper it is scaled with the lines below it.
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    root.style.aspectRatio = onPaper ? `${width} / ${HEIGHT}` : "";
    scale();
    draw(base, () => true, false);
    marked(links.chosen);
  };
  const seen = new IntersectionObserver(([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    seen.disconnect();
    new ResizeObserver(() => { if (root.clientWidth !== width) all(); }).observe(root);
    all();
  }, { rootMargin: "300px" });
  seen.observe(root);
  page.darkScreen.addEventListener("change", () => { if (width) all(); });
  const paper = (whether) => () => {
    onPaper = whether;
    all();
  };
  addEventListener("beforeprint", paper(true));
  addEventListener("afterprint", paper(false));
});
