// Training curves of the search: those of a few hundred trials as a plot, those of any that are chosen drawn over it.
page.search.then((search) => {
  if (!search?.data.curves) return;
  const { data, numbers, kindOf, hover, layoutOf, place } = search;
  const { makers, links } = page;
  const line = (rows, style) => {
    const joined = { x: [], y: [], customdata: [] };
    for (const index of rows) {
      const [steps, losses] = data.curves[index];
      steps.forEach((step, at) => { joined.x.push(step); joined.y.push(losses[at]); joined.customdata.push(data.trials[index]); });
      joined.x.push(null); joined.y.push(null); joined.customdata.push(null);
    }
    return { type: "scatter", mode: "lines", hovertemplate: "trial %{customdata}<br>step %{x}, loss %{y:.4f}<extra></extra>", ...joined, ...style };
  };
  const withCurve = numbers.filter((i) => data.curves[i]);
  const front = withCurve.filter((i) => kindOf(i).name === "front");
  const others = withCurve.filter((i) => kindOf(i).name !== "front");
  const every = Math.max(1, Math.ceil(others.length / 300));
  const shown = [...others.filter((_, at) => at % every === 0), ...front];
  makers["search-curves"] = () => {
    const layout = layoutOf({ title: "optimizer step" }, { title: "training loss (running mean)" });
    layout.height = 360;
    Object.assign(layout.yaxis, { type: "log", tickvals: data.logTicks, ticktext: data.logTicks.map(String) });
    const traces = data.curveKinds.flatMap((kind, at) => {
      const found = shown.filter((i) => data.curveKind[i] === at);
      if (!found.length) return [];
      const style = { color: kind.colour, width: kind.width, dash: kind.dash };
      const drawnLine = line(found, { name: kind.label, legendgroup: kind.name, line: style, opacity: kind.opacity });
      if (!kind.symbol) return [drawnLine];
      const last = found.map((i) => data.curves[i].map((column) => column.at(-1)));
      return [{ ...drawnLine, showlegend: false }, {
        type: "scatter", mode: "markers", legendgroup: kind.name, name: kind.label, hoverinfo: "text",
        x: last.map(([step]) => step), y: last.map(([, loss]) => loss), customdata: found.map((i) => data.trials[i]),
        hovertext: found.map(hover), marker: { symbol: kind.symbol, size: 9, color: kind.colour, line: { width: 2, color: kind.colour } },
      }];
    });
    // plotly offers boxes only where there are marks.
    const none = { type: "scatter", mode: "markers", x: [null], y: [null], showlegend: false };
    return { data: [...traces, none], layout, own: true };
  };

  // ---- the chosen ones
  const MOST_CHOSEN = 100;
  const found = place("search-curves");
  if (!found) return;
  const layer = page.layer(found, (context, places) => {
    const rows = withCurve.filter((i) => links.chosen.has(data.trials[i])).slice(0, MOST_CHOSEN);
    found.dataset.chosen = rows.map((i) => data.trials[i]).join();
    const [x, y] = [places("xaxis"), places("yaxis")];
    layer.clipped(context, "xaxis", "yaxis", () => {
      context.strokeStyle = getComputedStyle(found).getPropertyValue("--ink");
      context.lineWidth = 2.5;
      context.lineJoin = "round";
      context.beginPath();
      for (const index of rows) {
        const [steps, losses] = data.curves[index];
        steps.forEach((step, at) => context[at ? "lineTo" : "moveTo"](x(step), y(losses[at])));
      }
      context.stroke();
    });
  });
  const mark = () => {
    found.classList.toggle("choosing", links.chosen.size > 0);
    layer();
  };
  links.views.push(() => { if (page.drawn.has(found)) mark(); });
  const crossed = (event) => {
    const inside = page.within(event);
    return shown.filter((i) => data.curves[i][0].some((step, at) => inside(step, data.curves[i][1][at]))).map((i) => data.trials[i]);
  };
  found.addEventListener("drawn", () => {
    mark();
    found.on("plotly_afterplot", mark);
    found.on("plotly_relayouting", mark);
    found.on("plotly_click", ({ points: [{ customdata }] }) => { if (typeof customdata === "number") links.toggle(customdata); });
    links.boxes(found, crossed);
  }, { once: true });
});
