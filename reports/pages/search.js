// The search's trials in numbers and words, and what its plots (planes.js, curves.js, parallel.js) have in common.
page.search = page.stored("search-data").then((data) => {
  if (!data) return null;
  const { draw, watch } = page;
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
      + (data.kind[index] === lost ? "" : `, ${kindOf(index).label}`) + (index === data.knee?.index ? ", its knee" : ""),
    ...(data.reasons[index] ? [data.reasons[index]] : []),
    ...data.metrics.filter((m) => m.shown && m.values[index] !== null)
      .map((m) => `${m.label} ${written(m.values[index])}${m.unit ? ` ${m.unit}` : ""}`),
    ...data.parameters.filter((p) => p.values[index] !== null).map((p) => `${p.name} ${setting(p, index)}`),
  ];
  const hover = (index) => told(index).map((line) => escaped(line.length > 90 ? `${line.slice(0, 90)}…` : line))
    .map((line, place) => (place ? line : `<b>${line}</b>`)).join("<br>");

  const layoutOf = (x, y) => {
    const layout = structuredClone(data.layout);
    layout.height = 440;
    layout.shapes = [];
    layout.annotations = [];
    layout.xaxis.title.text = escaped(x.title);
    layout.yaxis.title.text = escaped(y.title);
    return layout;
  };
  const note = (layout, text, place) => layout.annotations.push({
    text, showarrow: false, font: { size: 11.5, color: data.colours.muted }, ...place,
  });

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
  const narrow = () => innerWidth < 600;
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
      // What is said in the corner has its room from the budgets' labels: one goes below it, the other to the left end.
      for (const label of layout.annotations) {
        if (label.textangle) label.yshift = narrow() ? -32 : -18;
        else if (label.xref === "x domain") Object.assign(label, { x: 0, xanchor: "left" });
      }
      const told = `${out.size} ${out.size === 1 ? "trial" : "trials"} outside${narrow() ? "<br>" : " "}this view (double-click)`;
      note(layout, told,
        { x: 1, align: "right", xref: "x domain", xanchor: "right", y: 1, yref: "y domain", yanchor: "top" });
    }
  };
  const value = (id) => document.getElementById(id)?.value ?? "";
  // A place is drawn when it is scrolled to, and again when the reader chooses something else in it.
  const place = (key, chosen = () => {}) => {
    const found = document.getElementById(`plot-${key}`);
    if (!found) return null;
    watch(found);
    found.closest("figure").querySelectorAll("select").forEach((select) => select.addEventListener("input", () => {
      chosen();
      draw(found);
    }));
    return found;
  };
  return {
    data, numbers, kindOf, lost, order, named, told, hover, setting, written, escaped, layoutOf, note, budgetLine, frame, narrow, value, place,
  };
});
