// Two architectures side by side: any two that are in the file. Pairs with the base were drawn together, row by row; of
// any others each is a form whose blocks get their words here, and what differs is marked. What a block is stands below
// while it is pointed at.
page.architectures = (() => {
  const section = document.getElementById("architecture-pair");
  const left = document.getElementById("architecture-left");
  const right = document.getElementById("architecture-choice");
  if (!section) return null;
  const { $$, stored, unpack } = page;

  // ---- what a block is, for those who point and for those who tab
  const readout = document.getElementById("architecture-block");
  const tell = ({ target }) => {
    const node = target.closest?.(".node");
    if (node) readout.textContent = node.querySelector("title").textContent.split("\n").join(" · ");
  };
  section.addEventListener("focusin", tell);
  section.addEventListener("pointerover", tell);
  if (!right) return null;

  const pairs = JSON.parse(document.getElementById("architecture-data").textContent);
  const base = left.options[0].value;
  let reading = null;
  const catalogue = () => (reading ??= stored("architecture-alone"));

  // ---- drawing: the form that an architecture has, with the words of its blocks
  const put = (node, [label, words, op, meant, flow]) => {
    const name = node.dataset.node;
    Object.assign(node.dataset, { op, meant, flow });
    node.setAttribute("aria-label", `${name}: ${label}`);
    node.querySelector("title").textContent = `${name}: ${words}`;
    const text = node.querySelector("text");
    if (!text) return;
    text.textContent = label;
    if (label.length <= Number(text.dataset.letters)) return;
    text.setAttribute("textLength", text.dataset.room);
    text.setAttribute("lengthAdjust", "spacingAndGlyphs");
  };
  // Both at one scale: the narrower one does not fill its half.
  const fit = (...places) => {
    const pictures = places.map((place) => place.firstElementChild);
    const widths = pictures.map((picture) => picture.viewBox.baseVal.width);
    pictures.forEach((picture, at) => { picture.style.width = `${(100 * widths[at]) / Math.max(...widths)}%`; });
  };
  const draw = (place, { blocks, forms, entries }, fingerprint) => {
    const [label, , form, numbers] = entries[fingerprint];
    const [svg, names] = forms[form];
    place.innerHTML = svg;
    place.firstElementChild.setAttribute("aria-label", `Architecture: ${label}`);
    place.querySelector("title").textContent = `Architecture: ${label}`;
    const numberOf = new Map(names.map((name, at) => [name, numbers[at]]));
    for (const node of $$(".node", place)) put(node, blocks[numberOf.get(node.dataset.node)]);
  };

  // ---- marks
  const SIGNS = { changed: "≠", added: "+", removed: "−" };
  const badge = (group, mark, x, y) => {
    const make = (name, attributes, text = "") => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      element.textContent = text;
      group.append(element);
    };
    make("circle", { class: "badge", cx: x, cy: y, r: 6 });
    make("text", { class: "sign", x, y: y + 3.6 }, SIGNS[mark]);
  };
  const markNode = (node, mark) => {
    node.classList.add(`m-${mark}`);
    node.setAttribute("aria-label", `${node.getAttribute("aria-label")}, ${mark}`);
    const rect = node.querySelector("rect");
    if (!rect || !SIGNS[mark]) return;
    const { x, y, width } = rect;
    badge(node, mark, x.baseVal.value + width.baseVal.value - 1, y.baseVal.value + 1);
  };
  // Nodes of equal keys are counterparts, then those of equal ids that have none.
  const counterparts = (ours, theirs) => {
    const pairs = new Map();
    const taken = new Set();
    for (const name of ["key", "node"]) {
      const free = new Map(theirs.filter((n) => !taken.has(n)).map((n) => [n.dataset[name], n]));
      for (const node of ours) {
        const other = free.get(node.dataset[name]);
        if (pairs.has(node) || !other || taken.has(other)) continue;
        pairs.set(node, other);
        taken.add(other);
      }
    }
    return { pairs, taken };
  };
  const differs = (node, other, what) => node.dataset[what] !== other.dataset[what];
  const MIN_SHARED = 0.3;
  const markPair = (one, other) => {
    const [ours, theirs] = [one, other].map((place) => $$(".node", place));
    const { pairs, taken } = counterparts(ours, theirs);
    if (pairs.size < MIN_SHARED * Math.min(ours.length, theirs.length)) return null;
    const counts = { changed: 0, "with other channels only": 0, added: 0, removed: 0 };
    for (const node of ours) {
      const match = pairs.get(node);
      if (!match) {
        markNode(node, "removed");
        counts.removed += 1;
      } else if (differs(node, match, "meant") && differs(node, match, "op")) {
        [node, match].forEach((n) => markNode(n, "changed"));
        counts.changed += 1;
      } else if (differs(node, match, "meant") || differs(node, match, "flow")) {
        [node, match].forEach((n) => markNode(n, "follows"));
        counts["with other channels only"] += 1;
      }
    }
    for (const node of theirs.filter((n) => !taken.has(n))) {
      markNode(node, "added");
      counts.added += 1;
    }
    markSkips(one, other);
    return counts;
  };
  const markSkips = (one, other) => {
    const skips = (place) => new Map($$(".skip", place).map((path) => [path.dataset.key, path]));
    const [ours, theirs] = [skips(one), skips(other)];
    const mark = (mine, others, alone) => {
      for (const [key, path] of mine) {
        const match = others.get(key);
        if (!match) path.classList.add(`m-${alone}`);
        else if (match.dataset.from !== path.dataset.from) path.classList.add("m-changed");
      }
    };
    mark(ours, theirs, "removed");
    mark(theirs, ours, "added");
  };
  const inWords = (counts) => {
    if (counts === null) return "The two name their nodes too differently to be compared one by one.";
    const words = Object.entries(counts).filter(([, number]) => number).map(([what, number]) => `${number} ${what}`);
    return `${words.length ? `Nodes: ${words.join(", ")}.` : "No node differs."} Each is drawn by itself, so rows may not line up.`;
  };

  // ---- choosing
  const fill = (content) => {
    for (const slot of $$("[data-slot]")) {
      const text = content[slot.dataset.slot];
      if (text === undefined) continue;
      if (slot.classList.contains("picture")) slot.innerHTML = text;
      else slot.textContent = text;
    }
  };
  const label = (select) => select.selectedOptions[0].textContent;
  let last = 0;
  const show = async () => {
    const turn = ++last;
    const [a, b] = [left.value, right.value];
    const drawn = pairs[b];
    if (a === base && drawn) {
      const pair = await unpack(drawn);
      if (turn !== last) return;
      fill({ ...pair, left_title: label(left) });
    } else {
      const known = await catalogue();
      if (turn !== last) return;
      const [here, there] = ["left", "right"].map((name) => section.querySelector(`[data-slot="${name}"]`));
      draw(here, known, a);
      draw(there, known, b);
      fit(here, there);
      fill({
        left_caption: known.entries[a][1], left_title: label(left),
        right_caption: known.entries[b][1], right_title: label(right),
        difference: inWords(markPair(here, there)),
      });
    }
    readout.textContent = "";
    section.dataset.left = a;
    section.dataset.shown = b;
  };
  // The lists have the first few hundred; another joins them when it is chosen.
  const choose = async (fingerprint) => {
    const { entries } = await catalogue();
    for (const list of [left, right]) {
      if ([...list.options].some((option) => option.value === fingerprint)) continue;
      list.add(new Option(entries[fingerprint][0], fingerprint));
    }
    right.value = fingerprint;
    await show();
  };
  const drawable = async (fingerprint) => fingerprint in (await catalogue()).entries;
  const wanted = document.getElementById("architecture-trial");
  const unknown = document.getElementById("architecture-unknown");
  const byNumber = async () => {
    unknown.textContent = "";
    if (wanted.value === "") return;
    const { entries, trials } = await catalogue();
    const found = trials.find(([trial]) => trial === Number(wanted.value));
    if (found) await choose(Object.keys(entries)[found[1]]);
    else unknown.textContent = `Trial ${wanted.value} of the search has no architecture that can be drawn here.`;
  };
  // Before anything else on the page hears of it: this file alone knows what can be drawn.
  document.addEventListener("change", (event) => {
    if (![left, right, wanted].includes(event.target)) return;
    event.stopPropagation();
    if (event.target === wanted) byNumber();
    else show();
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".draw, #architecture-swap");
    if (!button) return;
    event.stopPropagation();
    if (button.id === "architecture-swap") {
      [left.value, right.value] = [right.value, left.value];
      show();
      return;
    }
    choose(button.dataset.fingerprint).then(() => document.getElementById("architectures").scrollIntoView());
  }, true);
  return { drawable };
})();
