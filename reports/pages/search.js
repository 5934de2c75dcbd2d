// The search's own plots: made here from the trials' numbers, for any metrics and parameters a reader chooses.
page.search = page.stored("search-data").then((data) => {
  if (!data) return null;
  const { makers, draw, drawn, watch, links } = page;
  const numbers = data.trials.map((_, index) => index);
  const kindOf = (index) => data.kinds[data.kind[index]];
  const lost = data.kinds.findIndex((kind) => kind.name === "no result");
  const order = { name: "trial", title: "trial, in order", label: "order", values: data.trials, view: {} };
  const metrics = [...data.metrics, order];
  const named = (name) => metrics.find((metric) => metric.name === name);
  const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const written = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4))));
  const setting = (parameter, index) => {
    const value = parameter.values[index];
    return value === null ? null : parameter.levels ? parameter.levels[value] : written(value);
  };

  // What a trial is, in lines of plain text.
  const told = (index) => [
    `trial ${data.trials[index]}${index === data.base ? " (base)" : ""}, ${data.statuses[data.status[index]]}`
      + (data.kind[index] === lost ? "" : `, ${kindOf(index).label}`),
    ...(data.reasons[index] ? [data.reasons[index]] : []),
    ...data.metrics.filter((m) => m.shown && m.values[index] !== null)
      .map((m) => `${m.label} ${written(m.values[index])}${m.unit ? ` ${m.unit}` : ""}`),
    ...data.parameters.filter((p) => p.values[index] !== null).map((p) => `${p.name} ${setting(p, index)}`),
  ];
  const hover = (index) => told(index).map((line) => escaped(line.length > 90 ? `${line.slice(0, 90)}…` : line))
    .map((line, place) => (place ? line : `<b>${line}</b>`)).join("<br>");

  const many = numbers.length > 1000;
  const type = many ? "scattergl" : "scatter";
  const layoutOf = (x, y) => {
    const layout = structuredClone(data.layout);
    layout.height = 440;
    layout.shapes = [];
    layout.annotations = [];
    layout.xaxis.title.text = x.title;
    layout.yaxis.title.text = y.title;
    return layout;
  };
  const note = (layout, text, place) => layout.annotations.push({
    text, showarrow: false, font: { size: 11.5, color: data.colours.muted }, ...place,
  });

  // The trials of one kind as marks. `across` and `up` are columns of numbers.
  const marks = (kind, rows, across, up, colour) => {
    const plain = kind.name === "front" ? { size: 10, line: { width: 0 } } : { size: many ? 6 : 9, line: { width: 1.6 } };
    const marker = { symbol: kind.symbol, opacity: 1, ...plain, color: kind.colour };
    if (colour) Object.assign(marker, { color: rows.map((i) => colour.values[i]), coloraxis: "coloraxis" });
    if (colour && /open|thin/.test(kind.symbol)) marker.line = { width: 2 };
    return {
      type, mode: kind.name === "front" && rows.length <= 40 ? "markers+text" : "markers", name: kind.label, marker,
      x: rows.map((i) => across[i]), y: rows.map((i) => up[i]), customdata: rows.map((i) => data.trials[i]),
      text: rows.map((i) => (kind.name === "front" ? `${data.trials[i]}${i === data.base ? " base" : ""}` : "")),
      textposition: "bottom left", textfont: { size: 11, color: data.colours.muted }, cliponaxis: false,
      hovertext: rows.map(hover), hoverinfo: "text",
      unselected: { marker: { opacity: many ? 0.06 : 0.15 }, textfont: { color: "rgba(0,0,0,0)" } },
    };
  };
  const byKind = (rows, across, up, colour) => ["dominated", "infeasible", "front"].flatMap((name) => {
    const kind = data.kinds.find((one) => one.name === name);
    const found = rows.filter((index) => kindOf(index) === kind);
    if (!found.length) return [];
    const trace = marks(kind, found, across, up, colour);
    if (!colour) return [trace];
    // A legend shows one colour; here it explains the symbol alone.
    const marker = { symbol: kind.symbol, color: data.colours.ink, size: 9, line: { width: 1.6 } };
    return [{ ...trace, showlegend: false }, { type, mode: "markers", name: kind.label, x: [null], y: [null], marker }];
  });
  // Trials without a result have no place in the plane; they stand in a strip beside it.
  const strip = (layout, rows) => {
    const kind = data.kinds[lost];
    layout.xaxis.domain = [0, 0.93];
    layout.xaxis2 = { domain: [0.94, 1], range: [-1, 1], visible: false, fixedrange: true, anchor: "y2" };
    layout.yaxis2 = { range: [0, 1], visible: false, fixedrange: true, anchor: "x2" };
    note(layout, "no result", { x: 0, xref: "x2", y: 1, yref: "paper", yanchor: "bottom" });
    const trace = marks(kind, rows, numbers.map(() => 0), numbers);
    const y = rows.map((_, place) => 1 - (place + 0.5) / Math.max(8, rows.length));
    return { ...trace, type: "scatter", mode: "markers", y, xaxis: "x2", yaxis: "y2", marker: { ...trace.marker, line: { width: 2, color: kind.colour } } };
  };
  const budgetLine = (layout, metric, axis) => {
    if (metric.budget === undefined) return;
    const [across, along] = axis === "x" ? ["y", "x"] : ["x", "y"];
    const line = { color: data.colours.infeasible, width: 1.5, dash: "dash" };
    const ends = { [`${along}0`]: metric.budget, [`${along}1`]: metric.budget, [`${across}0`]: 0, [`${across}1`]: 1 };
    layout.shapes.push({ type: "line", ...ends, [`${across}ref`]: `${across} domain`, line });
    // On a logarithmic axis a note stands at the logarithm, a line at the value.
    const at = metric.view.log ? Math.log10(metric.budget) : metric.budget;
    const font = { size: 11, color: data.colours.infeasible };
    const text = `budget ${metric.budgetText}`;
    note(layout, text, axis === "x"
      ? { x: at, y: 1, yref: "y domain", yanchor: "top", xanchor: "right", textangle: -90, font }
      : { y: at, x: 1, xref: "x domain", xanchor: "right", yanchor: "bottom", font });
  };
  const frame = (layout, rows, x, y) => {
    const out = new Set();
    for (const [metric, axis] of [[x, "xaxis"], [y, "yaxis"]]) {
      const { log, range } = metric.view;
      if (log) Object.assign(layout[axis], { type: "log", tickvals: data.logTicks, ticktext: data.logTicks.map(String) });
      if (!range) continue;
      layout[axis].range = log ? range.map(Math.log10) : range;
      rows.filter((i) => metric.values[i] < range[0] || metric.values[i] > range[1]).forEach((i) => out.add(i));
    }
    if (out.size) {
      note(layout, `${out.size} ${out.size === 1 ? "trial" : "trials"} outside this view (double-click)`,
        { x: 1, xref: "x domain", xanchor: "right", y: 1, yref: "y domain", yanchor: "top" });
    }
  };
  // The staircase that no trial within the budgets beats, of just these two.
  const staircase = (rows, x, y) => {
    const [sx, sy] = [x.maximise ? -1 : 1, y.maximise ? -1 : 1];
    const good = rows.filter((i) => ["front", "dominated"].includes(kindOf(i).name))
      .sort((a, b) => sx * (x.values[a] - x.values[b]) || sy * (y.values[a] - y.values[b]));
    let best = Infinity;
    return good.filter((i) => sy * y.values[i] < best && ((best = sy * y.values[i]), true));
  };

  const value = (id) => document.getElementById(id)?.value ?? "";
  makers.pareto = (onDark) => {
    const [x, y, colour] = [named(value("pareto-x")), named(value("pareto-y")), named(value("pareto-colour"))];
    const layout = layoutOf(x, y);
    const rows = numbers.filter((i) => data.kind[i] !== lost && x.values[i] !== null && y.values[i] !== null);
    const traces = [];
    const steps = staircase(rows, x, y);
    if (steps.length > 1) {
      const ends = x === order ? [data.trials.at(-1)] : [];
      traces.push({
        type: "scatter", mode: "lines", hoverinfo: "skip", name: x === order ? "best so far" : "best of these two",
        x: [...steps.map((i) => x.values[i]), ...ends],
        y: [...steps.map((i) => y.values[i]), ...ends.map(() => y.values[steps.at(-1)])],
        line: { color: data.colours.front, width: 1.5, shape: "hv" },
      });
    }
    traces.push(...byKind(rows, x.values, y.values, colour));
    const without = numbers.filter((i) => data.kind[i] === lost);
    if (without.length) traces.push(strip(layout, without));
    budgetLine(layout, x, "x");
    budgetLine(layout, y, "y");
    frame(layout, rows, x, y);
    if (colour) {
      const colorscale = data.scales[onDark ? "dark" : "light"].map((tint, place, all) => [place / (all.length - 1), tint]);
      const { range, log } = colour.view;
      layout.coloraxis = { colorscale, colorbar: { title: { text: colour.title, side: "right" }, thickness: 12, outlinewidth: 0 } };
      if (range && !log) Object.assign(layout.coloraxis, { cmin: range[0], cmax: range[1] });
    }
    return { data: traces, layout };
  };

  // Values that are words stand side by side, their marks spread a little so that they do not cover each other.
  makers.slices = () => {
    const parameter = data.parameters[Number(value("slice-parameter"))];
    const y = named(value("slice-metric"));
    const layout = layoutOf({ title: escaped(parameter.name) }, y);
    const spread = (index) => ((index * 0.618034) % 1 - 0.5) * 0.5;
    const across = parameter.values.map((v, i) => (v === null ? null : parameter.levels ? v + spread(i) : v));
    if (parameter.levels) {
      Object.assign(layout.xaxis, {
        tickvals: parameter.levels.map((_, place) => place), ticktext: parameter.levels.map(escaped),
        range: [-0.6, parameter.levels.length - 0.4],
      });
    }
    const rows = numbers.filter((i) => data.kind[i] !== lost && y.values[i] !== null && across[i] !== null);
    budgetLine(layout, y, "y");
    frame(layout, rows, { values: across, view: {} }, y);
    if (!rows.length) note(layout, "no trial with a result has both", { x: 0.5, xref: "paper", y: 0.5, yref: "paper" });
    return { data: byKind(rows, across, y.values), layout };
  };

  // ---- training curves: those of a few hundred trials, and of any that are chosen
  const line = (rows, style) => {
    const joined = { x: [], y: [], customdata: [] };
    for (const index of rows) {
      const [steps, losses] = data.curves[index];
      steps.forEach((step, place) => { joined.x.push(step); joined.y.push(losses[place]); joined.customdata.push(data.trials[index]); });
      joined.x.push(null); joined.y.push(null); joined.customdata.push(null);
    }
    return { type: "scatter", mode: "lines", hovertemplate: "trial %{customdata}<br>step %{x}, loss %{y:.4f}<extra></extra>", ...joined, ...style };
  };
  const withCurve = data.curves ? numbers.filter((i) => data.curves[i]) : [];
  const shownCurves = () => {
    const front = withCurve.filter((i) => kindOf(i).name === "front");
    const others = withCurve.filter((i) => kindOf(i).name !== "front");
    const every = Math.max(1, Math.ceil(others.length / 300));
    return [...others.filter((_, place) => place % every === 0), ...front];
  };
  const MOST_CHOSEN = 100;
  const chosenCurves = (chosen) => {
    const rows = withCurve.filter((i) => chosen.has(data.trials[i])).slice(0, MOST_CHOSEN);
    return line(rows, { name: "chosen", line: { color: data.colours.ink, width: 3 }, showlegend: false });
  };
  makers["search-curves"] = () => {
    const layout = layoutOf({ title: "optimizer step" }, { title: "training loss (running mean)" });
    layout.height = 360;
    Object.assign(layout.yaxis, { type: "log", tickvals: data.logTicks, ticktext: data.logTicks.map(String) });
    const rows = shownCurves();
    const traces = data.curveKinds.flatMap((kind, place) => {
      const found = rows.filter((i) => data.curveKind[i] === place);
      if (!found.length) return [];
      const style = { color: kind.colour, width: kind.width, dash: kind.dash };
      const drawnLine = line(found, { name: kind.label, legendgroup: kind.name, line: style, opacity: kind.opacity });
      if (!kind.symbol) return [drawnLine];
      const last = found.map((i) => data.curves[i].map((column) => column.at(-1)));
      const cross = {
        type: "scatter", mode: "markers", legendgroup: kind.name, showlegend: false, hoverinfo: "text",
        x: last.map(([step]) => step), y: last.map(([, loss]) => loss), customdata: found.map((i) => data.trials[i]),
        hovertext: found.map(hover), marker: { symbol: kind.symbol, size: 9, color: kind.colour, line: { width: 2, color: kind.colour } },
      };
      return [{ ...drawnLine, showlegend: false }, { ...cross, mode: "markers", showlegend: true, name: kind.label }];
    });
    return { data: [...traces, chosenCurves(links.chosen)], layout };
  };
  const markCurves = (chosen) => {
    const place = document.getElementById("plot-search-curves");
    if (!place || !drawn.has(place)) return;
    const { x, y, customdata } = chosenCurves(chosen);
    const last = place.data.length - 1;
    place.classList.toggle("choosing", chosen.size > 0);
    Plotly.restyle(place, { x: [x], y: [y], customdata: [customdata] }, [last]);
  };
  links.views.push(markCurves);

  const retitle = () => {
    const [x, y] = [named(value("pareto-x")), named(value("pareto-y"))];
    const text = x === order ? `${y.label}, trial by trial` : `${y.label} against ${x.label}`;
    document.getElementById("pareto-title").textContent = text[0].toUpperCase() + text.slice(1);
  };
  for (const key of ["pareto", "slices", "search-curves"]) {
    const place = document.getElementById(`plot-${key}`);
    if (!place) continue;
    watch(place);
    place.closest("figure").querySelectorAll("select").forEach((select) => select.addEventListener("input", () => {
      if (key === "pareto") retitle();
      draw(place);
    }));
  }
  return { data, numbers, kindOf, told, setting, written };
});
