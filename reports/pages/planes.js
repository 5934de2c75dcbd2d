// Trials in a plane: any metric against any other, and against one parameter at a time. Up to a thousand trials are
// traces of plotly; the marks of more stand on a canvas (marks.js), and plotly keeps axes, legend, zoom and boxes.
page.search.then((search) => {
  if (!search) return;
  const { data, numbers, kindOf, lost, order, named, told, hover, layoutOf, note, budgetLine, frame, narrow, value, place } = search;
  const { makers } = page;
  const { many } = data;
  const named3 = (index) => `${data.trials[index]}${index === data.base ? " base" : ""}`;
  const LABELLED = 40;
  const [WIDE, HIGH] = [40, 14];
  // The knee's number stands with its square, in the plot that has one.
  const squared = (key) => (key === "pareto" ? data.knee?.index : undefined);
  // Numbers that would cover each other are left out, never the base's; which trial a mark is, is said on hovering.
  const legible = ({ key, layout }, rows, x, y) => {
    const places = (axis, values, size) => {
      const moved = values.map((v) => (axis.type === "log" ? Math.log10(v) : v));
      const [low, high] = axis.range ?? extent(moved);
      return moved.map((v) => ((v - low) / (high - low || 1)) * size);
    };
    const width = document.getElementById(`plot-${key}`).clientWidth - 120;
    const [px, py] = [places(layout.xaxis, x, width), places(layout.yaxis, y, layout.height - 140)];
    const kept = [];
    const rank = (at) => 2 * (rows[at] === squared(key)) + (rows[at] === data.base);
    const first = rows.map((_, at) => at).sort((a, b) => rank(b) - rank(a));
    for (const at of first) {
      if (kept.every((other) => Math.abs(px[other] - px[at]) > WIDE || Math.abs(py[other] - py[at]) > HIGH)) kept.push(at);
    }
    return new Set(kept.filter((at) => rows[at] !== squared(key)));
  };
  // Key of a plot -> the groups of marks on its canvas, made anew with its figure.
  const groups = {};
  let onDark = false;

  // ---- one kind of trial: a trace, or a name in the legend and a group on the canvas
  const traced = ({ kind, rows, x, y, axes, colour }, where) => {
    const front = kind.name === "front";
    const said = front ? legible(where, rows, x, y) : new Set();
    const plain = front ? { size: 10, line: { width: 0 } } : { size: 9, line: { width: 1.6 } };
    const marker = { symbol: kind.symbol, opacity: 1, ...plain, color: kind.colour };
    if (colour) Object.assign(marker, { color: rows.map((i) => colour.values[i]), coloraxis: "coloraxis" });
    if (colour && /open|thin/.test(kind.symbol)) marker.line = { width: 2 };
    if (kind.symbol === "x-thin") marker.line = { width: 2, color: kind.colour };
    return {
      type: "scatter", mode: front && rows.length <= LABELLED ? "markers+text" : "markers", name: kind.label, marker, x, y,
      ...axes, customdata: rows.map((i) => data.trials[i]), text: rows.map((i, at) => (said.has(at) ? named3(i) : "")),
      textposition: "bottom left", textfont: { size: 11, color: data.colours.muted }, cliponaxis: false,
      hovertext: rows.map(hover), hoverinfo: "text",
      unselected: { marker: { opacity: 0.15 }, textfont: { color: "rgba(0,0,0,0)" } },
    };
  };
  // A legend shows one colour; here it explains the symbol alone.
  const explained = ({ kind, axes, colour }) => ({
    type: "scatter", mode: "markers", name: kind.label, x: [null], y: [null], ...axes,
    marker: { symbol: kind.symbol, color: colour ? data.colours.ink : kind.colour, size: 9, line: { width: 1.6, color: colour ? data.colours.ink : kind.colour } },
  });
  const extent = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
  const STEPS = 48;
  const tints = (rows, colour, [low, high]) => {
    const scale = data.scales[onDark ? "dark" : "light"].map((tint) => [1, 3, 5].map((at) => parseInt(tint.slice(at, at + 2), 16)));
    return rows.map((i) => {
      const v = colour.values[i];
      if (v === null) return data.colours.muted;
      const share = Math.round(Math.min(1, Math.max(0, (v - low) / (high - low || 1))) * STEPS) / STEPS * (scale.length - 1);
      const from = Math.min(scale.length - 2, Math.floor(share));
      const mixed = scale[from].map((c, k) => Math.round(c + (scale[from + 1][k] - c) * (share - from)));
      return `rgb(${mixed.join()})`;
    });
  };
  const stamped = ({ kind, rows, x, y, axes, colour, span }, trace, where) => ({
    rows, x, y, trace, axes: axes.xaxis ? ["xaxis2", "yaxis2"] : ["xaxis", "yaxis"],
    symbol: kind.symbol, colour: kind.colour, tints: colour ? tints(rows, colour, span) : null,
    ...(kind.name === "front" ? { size: 10, line: 0 } : { size: 6, line: 1.2 }),
    texts: kind.name === "front" && rows.length <= LABELLED ? legible(where, rows, x, y) : new Set(),
  });
  // Marks on a canvas leave plotly without points: two corners that are not seen tell it how far its axes reach.
  const corners = (x, y, colour, span) => ({
    type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false, x, y,
    marker: { opacity: 0, size: 9, ...(colour ? { color: span, coloraxis: "coloraxis" } : {}) },
  });
  const drawn = (where, kinds, before, rows, across, up, colour) => {
    const inside = kinds.filter(({ axes }) => !axes.xaxis);
    if (!many) {
      return [...before, ...kinds.flatMap((one) => (colour && inside.includes(one)
        ? [{ ...traced(one, where), showlegend: false }, explained(one)] : [traced(one, where)]))];
    }
    const known = (values) => rows.map((i) => values[i]).filter((v) => v !== null);
    const span = colour ? colour.view.range ?? extent(known(colour.values)) : null;
    const traces = [...before, corners(extent(known(across)), extent(known(up)), colour, span)];
    groups[where.key] = kinds.map((one, at) => stamped({ ...one, span }, traces.length + at, where));
    return [...traces, ...kinds.map(explained)];
  };
  const byKind = (rows, across, up, colour) => ["dominated", "infeasible", "front"].flatMap((name) => {
    const kind = data.kinds.find((one) => one.name === name);
    const found = rows.filter((index) => kindOf(index) === kind);
    return found.length ? [{ kind, rows: found, x: found.map((i) => across[i]), y: found.map((i) => up[i]), axes: {}, colour }] : [];
  });
  // Trials without a result have no place in the plane; they stand in a strip beside it.
  const strip = (layout, rows) => {
    layout.xaxis.domain = [0, 0.93];
    layout.xaxis2 = { domain: [0.94, 1], range: [-1, 1], visible: false, fixedrange: true, anchor: "y2" };
    layout.yaxis2 = { range: [0, 1], visible: false, fixedrange: true, anchor: "x2" };
    // Below, as an axis has its title; above is the legend's place.
    note(layout, "no<br>result", { x: 0, xref: "x2", y: 0, yref: "paper", yanchor: "top", yshift: -6 });
    // Many stand in rows of eight.
    const wide = rows.length > 60 ? 8 : 1;
    const lines = Math.max(8, Math.ceil(rows.length / wide));
    return {
      kind: data.kinds[lost], rows, axes: { xaxis: "x2", yaxis: "y2" },
      x: rows.map((_, at) => (wide === 1 ? 0 : ((at % wide) - (wide - 1) / 2) / (wide / 1.6))),
      y: rows.map((_, at) => 1 - (Math.floor(at / wide) + 0.5) / lines),
    };
  };
  // The staircase that no trial within the budgets beats, of just these two.
  const staircase = (rows, x, y) => {
    const [sx, sy] = [x.maximise ? -1 : 1, y.maximise ? -1 : 1];
    const good = rows.filter((i) => ["front", "dominated"].includes(kindOf(i).name))
      .sort((a, b) => sx * (x.values[a] - x.values[b]) || sy * (y.values[a] - y.values[b]));
    let best = Infinity;
    return good.filter((i) => sy * y.values[i] < best && ((best = sy * y.values[i]), true));
  };
  const stairs = (rows, x, y) => {
    const steps = staircase(rows, x, y);
    if (steps.length < 2) return [];
    const ends = x === order ? [data.trials.at(-1)] : [];
    return [{
      type: "scatter", mode: "lines", hoverinfo: "skip", name: x === order ? "best so far" : "best of these two",
      x: [...steps.map((i) => x.values[i]), ...ends],
      y: [...steps.map((i) => y.values[i]), ...ends.map(() => y.values[steps.at(-1)])],
      line: { color: data.colours.front, width: 1.5, shape: "hv" },
    }];
  };

  // The knee is that of all objectives, whichever two are shown.
  const bend = (rows, x, y) => {
    if (!data.knee || !rows.includes(data.knee.index)) return [];
    const { index, label, symbol, colour, size } = data.knee;
    return [{
      type: "scatter", mode: "markers+text", name: label, x: [x.values[index]], y: [y.values[index]], hoverinfo: "skip",
      text: [named3(index)], textposition: "bottom left", textfont: { size: 11, color: data.colours.muted },
      cliponaxis: false, marker: { symbol, size, color: colour, line: { width: 1.6, color: colour } },
      // A choice does not concern it.
      unselected: { marker: { opacity: 1 } },
    }];
  };

  makers.pareto = (dark) => {
    onDark = dark;
    const [x, y, colour] = [named(value("pareto-x")), named(value("pareto-y")), named(value("pareto-colour"))];
    const layout = layoutOf(x, y);
    const rows = numbers.filter((i) => data.kind[i] !== lost && x.values[i] !== null && y.values[i] !== null);
    const kinds = byKind(rows, x.values, y.values, colour);
    const without = numbers.filter((i) => data.kind[i] === lost);
    if (without.length) kinds.push(strip(layout, without));
    budgetLine(layout, x, "x");
    budgetLine(layout, y, "y");
    frame(layout, rows, x, y);
    if (colour) {
      const colorscale = data.scales[dark ? "dark" : "light"].map((tint, at, all) => [at / (all.length - 1), tint]);
      const { range, log } = colour.view;
      const bar = narrow() ? { orientation: "h", y: -0.3, yanchor: "top" } : {};
      const title = { text: colour.title, side: narrow() ? "top" : "right", font: layout.yaxis.title.font };
      layout.coloraxis = { colorscale, colorbar: { ...bar, title, thickness: 12, outlinewidth: 0 } };
      if (range && !log) Object.assign(layout.coloraxis, { cmin: range[0], cmax: range[1] });
    }
    const shown = drawn({ key: "pareto", layout }, kinds, stairs(rows, x, y), rows, x.values, y.values, colour);
    return { data: [...shown, ...bend(rows, x, y)], layout, own: many };
  };

  // Values that are words stand side by side, their marks spread a little so that they do not cover each other.
  makers.slices = (dark) => {
    onDark = dark;
    const parameter = data.parameters[Number(value("slice-parameter"))];
    const y = named(value("slice-metric"));
    const layout = layoutOf({ title: parameter.name }, y);
    const spread = (index) => ((index * 0.618034) % 1 - 0.5) * 0.5;
    const across = parameter.values.map((v, i) => (v === null ? null : parameter.levels ? v + spread(i) : v));
    if (parameter.levels) {
      Object.assign(layout.xaxis, {
        tickvals: parameter.levels.map((_, at) => at), ticktext: parameter.levels.map(search.escaped),
        range: [-0.6, parameter.levels.length - 0.4],
      });
    }
    const rows = numbers.filter((i) => data.kind[i] !== lost && y.values[i] !== null && across[i] !== null);
    budgetLine(layout, y, "y");
    frame(layout, rows, { values: across, view: {} }, y);
    if (!rows.length) note(layout, "no trial with a result has both", { x: 0.5, xref: "paper", y: 0.5, yref: "paper" });
    return { data: drawn({ key: "slices", layout }, byKind(rows, across, y.values), [], rows, across, y.values), layout, own: many };
  };

  const retitle = () => {
    const [x, y] = [named(value("pareto-x")), named(value("pareto-y"))];
    const text = x === order ? `${y.label}, trial by trial` : `${y.label} against ${x.label}`;
    document.getElementById("pareto-title").textContent = text[0].toUpperCase() + text.slice(1);
  };
  const label = { colour: data.colours.muted, font: `11px ${data.layout.font.family}` };
  for (const key of ["pareto", "slices"]) {
    const found = place(key, key === "pareto" ? retitle : undefined);
    if (!found || !many) continue;
    page.marked[key] = page.marks(found, {
      groups: () => groups[key], dark: () => onDark, label, textOf: named3, trialOf: (index) => data.trials[index], told,
    });
  }
});
