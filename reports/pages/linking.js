// Linked views: trials of the search chosen in one view are marked in all of them.
page.links = (() => {
  const bar = document.getElementById("chosen");
  if (!bar) return null;
  const { table } = page;
  const only = document.getElementById("only-chosen");
  const chosen = new Set();
  const plots = new Set();
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
  const mark = () => {
    bar.hidden = chosen.size === 0;
    const numbers = [...chosen].sort((a, b) => a - b);
    const shown = numbers.slice(0, 12).join(", ") + (numbers.length > 12 ? " …" : "");
    bar.querySelector("output").textContent =
      chosen.size ? `${chosen.size} ${chosen.size === 1 ? "trial" : "trials"} chosen: ${shown}` : "";
    if (!chosen.size) only.checked = false;
    table.mark(new Set(chosen), only.checked);
    views.forEach((view) => view(chosen));
    plots.forEach(markPlot);
  };
  const choose = (trials) => {
    chosen.clear();
    trials.forEach((trial) => { if (typeof trial === "number") chosen.add(trial); });
    mark();
  };
  const toggle = (trial) => {
    if (!chosen.delete(trial)) chosen.add(trial);
    mark();
  };

  document.addEventListener("drawn", ({ target: place }) => {
    if (!place.data.some((trace) => trace.customdata)) return;
    if (!plots.has(place)) {
      plots.add(place);
      place.on("plotly_selected", (event) => { if (event?.points) choose(event.points.map((p) => p.customdata)); });
      place.on("plotly_deselect", () => choose([]));
      place.on("plotly_click", ({ points }) => {
        const { customdata } = points[0];
        if (typeof customdata === "number") toggle(customdata);
      });
    }
    if (chosen.size) markPlot(place);
  });
  table.element.addEventListener("change", ({ target }) => {
    if (target.classList.contains("marker")) toggle(Number(target.closest("tbody").dataset.trial));
  });
  only.addEventListener("change", mark);
  bar.querySelector("button").addEventListener("click", () => choose([]));
  return { chosen, choose, toggle, views };
})();
