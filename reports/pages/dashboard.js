"use strict";
// The page's own script: draws plots when they are scrolled to, sorts and filters the table, opens rows, swaps pictures.
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const { figures, config, dark } = JSON.parse(document.getElementById("chart-data").textContent);
  const darkScreen = matchMedia("(prefers-color-scheme: dark)");

  // ---- plots: made in light colours; for a dark screen every colour is swapped for its partner
  const swapped = (value) => {
    if (typeof value === "string") return dark[value.toLowerCase()] ?? value;
    if (Array.isArray(value)) return value.map(swapped);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, swapped(inner)]));
  };
  const drawn = new Set();
  const draw = (place, onDark = darkScreen.matches) => {
    const figure = figures[place.dataset.chart];
    const { data, layout } = onDark ? swapped(figure) : structuredClone(figure);
    drawn.add(place);
    const linked = data.some((trace) => trace.customdata);
    const buttons = config.modeBarButtonsToRemove.filter((name) => !linked || !/^(select|lasso)2d$/.test(name));
    return Plotly.react(place, data, layout, { ...config, modeBarButtonsToRemove: buttons })
      .then(() => place.dispatchEvent(new CustomEvent("drawn", { bubbles: true })));
  };
  const places = $$("[data-chart]");
  if (places.length) {
    const watcher = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || drawn.has(target)) continue;
        watcher.unobserve(target);
        draw(target);
      }
    }, { rootMargin: "300px" });
    places.forEach((place) => watcher.observe(place));
    darkScreen.addEventListener("change", () => drawn.forEach((place) => draw(place)));
    addEventListener("beforeprint", () => places.forEach((place) => draw(place, false)));
    addEventListener("afterprint", () => drawn.forEach((place) => draw(place)));
  }

  // ---- metric of the forest plot
  $$(".switch").forEach((group) => group.addEventListener("click", ({ target }) => {
    if (!target.dataset.panel) return;
    $$("button", group).forEach((button) => {
      button.setAttribute("aria-pressed", String(button === target));
      document.getElementById(button.dataset.panel).hidden = button !== target;
    });
  }));

  // ---- pictures of architectures: kept compressed, unpacked when chosen
  const choice = document.getElementById("architecture-choice");
  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  };
  const compare = async (fingerprint) => {
    const pictures = JSON.parse(document.getElementById("architecture-data").textContent);
    const pair = await unpack(pictures[fingerprint]);
    for (const slot of $$("[data-slot]")) {
      const content = pair[slot.dataset.slot];
      if (slot.classList.contains("picture")) slot.innerHTML = content;
      else slot.textContent = content;
    }
    document.getElementById("architecture-pair").dataset.shown = fingerprint;
  };
  if (choice) choice.addEventListener("change", () => compare(choice.value));

  // ---- the table of trials
  const table = document.getElementById("trial-table");
  if (!table) return;
  const trials = [...table.tBodies];
  const heads = $$("thead th", table);

  const keyOf = (body, column) => {
    const { value, key } = body.rows[0].cells[column].dataset;
    if (value) return Number(value);
    return (key ?? body.rows[0].cells[column].textContent).trim();
  };
  const ordered = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : null;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  const sortBy = (head) => {
    const column = heads.indexOf(head);
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.filter((h) => h.hasAttribute("aria-sort")).forEach((h) => h.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const keyed = trials.map((body) => [keyOf(body, column), body]);
    // What has no value stands last in both directions.
    keyed.sort(([a], [b]) => ordered(a, b) === null ? (a === "" ? 1 : -1) : direction * ordered(a, b));
    table.append(...keyed.map(([, body]) => body));
  };
  heads.forEach((head) => head.querySelector("button")?.addEventListener("click", () => sortBy(head)));

  const open = (button) => {
    const details = document.getElementById(button.getAttribute("aria-controls"));
    details.hidden = !details.hidden;
    button.setAttribute("aria-expanded", String(!details.hidden));
  };
  const known = choice ? new Set([...choice.options].map((option) => option.value)) : new Set();
  $$(".draw", table).forEach((button) => { button.hidden = !known.has(button.dataset.fingerprint); });
  table.addEventListener("click", ({ target }) => {
    if (target.classList.contains("opener")) open(target);
    if (target.classList.contains("draw")) {
      choice.value = target.dataset.fingerprint;
      compare(choice.value).then(() => document.getElementById("architectures").scrollIntoView());
    }
  });

  const find = document.getElementById("trial-filter");
  const part = document.getElementById("trial-part");
  const status = document.getElementById("trial-status");
  const count = document.getElementById("trial-count");
  const texts = new Map(trials.map((body) => [body, body.textContent.toLowerCase()]));
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    table.dataset.part = part?.value ?? "";
    for (const body of trials) {
      const kept = (!part?.value || body.dataset.part === part.value)
        && (!status.value || body.dataset.status === status.value)
        && words.every((word) => texts.get(body).includes(word))
        && (!table.classList.contains("only-chosen") || body.classList.contains("chosen"));
      body.hidden = !kept;
      shown += kept;
    }
    count.textContent = `${shown} of ${trials.length} trials`;
  };
  [find, part, status].forEach((control) => control?.addEventListener("input", filter));
  table.addEventListener("filter", filter);
})();
