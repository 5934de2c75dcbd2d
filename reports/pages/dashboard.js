"use strict";
// The page's own script: draws plots when they are scrolled to, unpacks what is kept compressed, swaps pictures.
const page = (() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const { figures, config, dark } = JSON.parse(document.getElementById("chart-data").textContent);
  const darkScreen = matchMedia("(prefers-color-scheme: dark)");

  // ---- what is kept compressed
  const inflate = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };
  const unpack = async (packed) => JSON.parse(await inflate(packed));
  const stored = (id) => {
    const holder = document.getElementById(id);
    return holder ? unpack(JSON.parse(holder.textContent)) : Promise.resolve(null);
  };
  let loading = null;
  const library = () => {
    loading ??= inflate(JSON.parse(document.getElementById("plotly-packed").textContent)).then((text) => {
      const script = document.createElement("script");
      script.textContent = text;
      document.head.append(script);
    });
    return loading;
  };

  // ---- plots: made in light colours; for a dark screen every colour is swapped for its partner
  const swapped = (value) => {
    if (typeof value === "string") return dark[value.toLowerCase()] ?? value;
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(swapped);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, swapped(inner)]));
  };
  // Key of a plot -> a function that makes its figure anew, for plots whose content the reader chooses.
  const makers = {};
  // Key of a plot -> its marks, where they stand on a canvas.
  const marked = {};
  const drawn = new Set();
  const draw = async (place, onDark = darkScreen.matches) => {
    await library();
    return drawNow(place, onDark);
  };
  const drawNow = (place, onDark = darkScreen.matches) => {
    const make = makers[place.dataset.chart];
    const figure = make ? make(onDark) : structuredClone(figures[place.dataset.chart]);
    const { data, layout, own } = onDark ? swapped(figure) : figure;
    // A plot of its own marks what is chosen by itself.
    place.classList.toggle("own", Boolean(own));
    // On the screen plotly follows its place; what it has drawn already it does not make narrower for paper.
    if (document.documentElement.classList.contains("paper")) layout.width = place.clientWidth;
    const linked = own || data.some((trace) => trace.customdata);
    const buttons = config.modeBarButtonsToRemove.filter((name) => !linked || !/^(select|lasso)2d$/.test(name));
    return Plotly.react(place, data, layout, { ...config, modeBarButtonsToRemove: buttons }).then(() => {
      drawn.add(place);
      place.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));
    });
  };
  // Nobody knows beforehand how wide paper is between its margins: plots are drawn for a page of one width (`.paper` in
  // dashboard.css), and then scaled like pictures.
  const framed = (place, whether = true) => {
    const { width, height } = place._fullLayout;
    place.querySelector(".svg-container").style.aspectRatio = whether ? `${width} / ${height}` : "";
    $$(".main-svg", place).forEach((svg) => (whether ? svg.setAttribute("viewBox", `0 0 ${width} ${height}`) : svg.removeAttribute("viewBox")));
  };
  addEventListener("beforeprint", () => document.documentElement.classList.add("paper"));
  addEventListener("afterprint", () => document.documentElement.classList.remove("paper"));
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || drawn.has(target)) continue;
      watcher.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "300px" });
  const watch = (place) => watcher.observe(place);
  const places = $$("[data-chart]");
  places.filter((place) => figures[place.dataset.chart]).forEach(watch);
  if (places.length) {
    darkScreen.addEventListener("change", () => drawn.forEach((place) => draw(place)));
    // Paper has no second chance: once the page stands, the library is there.
    addEventListener("load", () => setTimeout(library, 1500));
    const ready = () => (window.Plotly ? places.filter(({ dataset: { chart } }) => figures[chart] || makers[chart]) : []);
    addEventListener("beforeprint", () => ready().forEach((place) => drawNow(place, false).then(() => framed(place))));
    addEventListener("afterprint", () => drawn.forEach((place) => {
      framed(place, false);
      drawNow(place).then(() => place.clientWidth && Plotly.Plots.resize(place));
    }));
  }

  // ---- metric of the forest plot
  $$(".switch").forEach((group) => group.addEventListener("click", ({ target }) => {
    if (!target.dataset.panel) return;
    $$("button", group).forEach((button) => {
      button.setAttribute("aria-pressed", String(button === target));
      document.getElementById(button.dataset.panel).hidden = button !== target;
    });
  }));

  return { $$, stored, unpack, draw, drawn, watch, makers, marked, dark, darkScreen };
})();
