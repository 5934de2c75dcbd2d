// Linked views: trials of the search chosen in one view are marked in all of them.
page.links = (() => {
  const bar = document.getElementById("chosen");
  if (!bar) return null;
  const { table } = page;
  const only = document.getElementById("only-chosen");
  const chosen = new Set();
  const plots = new Set();
  const boxed = new Set();
  // Views that draw for themselves: called with the chosen trials after each choice.
  const views = [];

  const markPlot = (place) => {
    const traces = place.data.map((trace, index) => [trace, index])
      .filter(([trace]) => trace.customdata && trace.mode !== "lines");
    const points = traces.map(([trace]) => {
      if (!chosen.size) return null;
      const found = [];
      trace.customdata.forEach((trial, index) => { if (chosen.has(trial)) found.push(index); });
      return found;
    });
    if (traces.length) Plotly.restyle(place, { selectedpoints: points }, traces.map(([, index]) => index));
  };
  // The box or lasso that a choice came from stands until the next choice is made in another way.
  let quiet = false;
  const forget = (source) => {
    quiet = true;
    boxed.forEach((place) => {
      if (place !== source && place.layout.selections?.length) Plotly.relayout(place, { selections: [] });
    });
    quiet = false;
  };
  const mark = (source, dragging) => {
    bar.hidden = chosen.size === 0;
    const numbers = [...chosen].sort((a, b) => a - b);
    const shown = numbers.slice(0, 12).join(", ") + (numbers.length > 12 ? " …" : "");
    bar.querySelector("output").textContent =
      chosen.size ? `${chosen.size} ${chosen.size === 1 ? "trial" : "trials"} chosen: ${shown}` : "";
    if (!chosen.size) only.checked = false;
    table.mark(new Set(chosen), only.checked);
    if (!dragging) forget(source);
    // A plot in which a box is being drawn marks its own points.
    plots.forEach((place) => { if (!dragging || place !== source) markPlot(place); });
    views.forEach((view) => view(chosen));
  };
  const choose = (trials, source = null, dragging = false) => {
    chosen.clear();
    trials.forEach((trial) => { if (typeof trial === "number") chosen.add(trial); });
    mark(source, dragging);
  };
  const toggle = (trial) => {
    if (!chosen.delete(trial)) chosen.add(trial);
    mark(null, false);
  };
  // A box or lasso in a plot chooses while it is being drawn, once a frame. `found` looks up the trials in it.
  const boxes = (place, found) => {
    let drawing = null;
    boxed.add(place);
    place.on("plotly_selecting", (event) => {
      if (!event) return;
      if (!drawing) {
        requestAnimationFrame(() => {
          if (drawing) choose(found(drawing), place, true);
          drawing = null;
        });
      }
      drawing = event;
    });
    place.on("plotly_selected", (event) => {
      drawing = null;
      if (event && !quiet) choose(found(event), place);
    });
    place.on("plotly_deselect", () => { if (!quiet) choose([], place); });
  };

  // A line of steps is ringed where it is chosen: less work than plotly's own marks, which draw the whole plot anew.
  const ring = (place) => {
    const { x, y, customdata } = place.data.find((trace) => trace.customdata);
    const layer = page.layer(place, (context, places) => {
      const [across, up] = [places("xaxis"), places("yaxis")];
      context.strokeStyle = getComputedStyle(place).getPropertyValue("--ink");
      context.lineWidth = 2;
      customdata.forEach((trial, at) => {
        if (!chosen.has(trial)) return;
        context.beginPath();
        context.arc(across(x[at]), up(y[at]), 7, 0, 2 * Math.PI);
        context.stroke();
      });
    });
    layer();
    views.push(layer);
    place.on("plotly_afterplot", layer);
  };

  document.addEventListener("drawn", ({ target: place }) => {
    if (place.classList.contains("own") || !place.data.some((trace) => trace.customdata)) return;
    if (!boxed.has(place)) {
      if (place.dataset.chart === "progress") ring(place);
      else plots.add(place);
      boxes(place, ({ points }) => (points ?? []).map((p) => p.customdata));
      place.on("plotly_click", ({ points }) => {
        const { customdata } = points[0];
        if (typeof customdata === "number") toggle(customdata);
      });
    }
    if (chosen.size && plots.has(place)) markPlot(place);
  });
  table.element.addEventListener("change", ({ target }) => {
    if (target.classList.contains("marker")) toggle(Number(target.closest("tbody").dataset.trial));
  });
  only.addEventListener("change", () => mark(null, false));
  bar.querySelector("button").addEventListener("click", () => choose([]));
  return { chosen, choose, toggle, views, boxes };
})();
