"use strict";
// Linked views: trials of the search chosen in one view are marked in all of them.
(() => {
  const bar = document.getElementById("chosen");
  if (!bar) return;
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const table = document.getElementById("trial-table");
  const bodies = $$('tbody[data-part="search"]', table);
  const lines = $$(".parallel .line");
  const only = document.getElementById("only-chosen");
  const chosen = new Set();
  const plots = new Set();

  const markPlot = (place) => {
    const traces = place.data.map((trace, index) => [trace, index]).filter(([trace]) => trace.customdata);
    const points = traces.map(([trace]) => {
      if (!chosen.size) return null;
      return [...trace.customdata].flatMap((trial, index) => (chosen.has(trial) ? [index] : []));
    });
    if (traces.length) Plotly.restyle(place, { selectedpoints: points }, traces.map(([, index]) => index));
  };
  const mark = () => {
    bar.hidden = chosen.size === 0;
    const numbers = [...chosen].sort((a, b) => a - b);
    const shown = numbers.slice(0, 12).join(", ") + (numbers.length > 12 ? " …" : "");
    bar.querySelector("output").textContent =
      chosen.size ? `${chosen.size} ${chosen.size === 1 ? "trial" : "trials"} chosen: ${shown}` : "";
    for (const body of bodies) {
      const is = chosen.has(Number(body.dataset.trial));
      body.classList.toggle("chosen", is);
      body.querySelector(".marker").checked = is;
    }
    for (const line of lines) {
      line.classList.toggle("chosen", chosen.has(Number(line.dataset.trial)));
      line.closest(".parallel").classList.toggle("choosing", chosen.size > 0);
    }
    plots.forEach(markPlot);
    if (!chosen.size) only.checked = false;
    table.classList.toggle("only-chosen", only.checked);
    table.dispatchEvent(new CustomEvent("filter"));
  };
  const choose = (trials) => {
    chosen.clear();
    trials.forEach((trial) => chosen.add(trial));
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
  lines.forEach((line) => line.addEventListener("click", () => toggle(Number(line.dataset.trial))));
  table.addEventListener("change", ({ target }) => {
    if (target.classList.contains("marker")) toggle(Number(target.closest("tbody").dataset.trial));
  });
  only.addEventListener("change", mark);
  bar.querySelector("button").addEventListener("click", () => choose([]));
})();
