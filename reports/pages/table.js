// The table of trials: sorts, filters and opens rows. A long one stands in the file as text and is shown in pages.
page.table = (() => {
  const { $$ } = page;
  const table = document.getElementById("trial-table");
  if (!table) return null;
  const heads = $$("thead th", table);
  const PAGE = 200;
  let chosen = new Set();
  let from = 0;
  let visible = [];

  // A row that stands in the page already, and one that is a list until it is looked at, answer the same questions.
  const keyOf = (cell) => (cell.dataset.value ? Number(cell.dataset.value) : (cell.dataset.key ?? cell.textContent).trim());
  const standing = (body) => ({
    ...body.dataset, trial: Number(body.dataset.trial), element: () => body,
    key: (column) => keyOf(body.rows[0].cells[column]), words: body.textContent.toLowerCase(),
  });
  const rows = [...table.tBodies].map(standing);
  const model = table.tBodies[0]?.cloneNode(true);
  const tellsPart = Boolean(model?.querySelector(".part"));
  const make = (tag, properties, parent, text = "") => {
    const node = document.createElement(tag);
    Object.entries(properties).forEach(([name, value]) => node.setAttribute(name, value));
    if (text !== "") node.textContent = text;
    parent.append(node);
    return node;
  };
  const signed = (sign, text, parent) => {
    make("span", { class: "sign", "aria-hidden": "true" }, parent, sign);
    parent.append(` ${text}`);
  };
  // A row of a long table is a list of what it says, and gets its cells, after the model of the first, when it is shown.
  const built = ({ part, status, trial, kind, cells, details, curve, fingerprint }) => {
    const body = model.cloneNode(true);
    const [line, opened] = body.rows;
    Object.assign(body.dataset, { part, trial, status: status.name });
    const fill = (cell, [text, by]) => {
      ["data-value", "data-key"].forEach((name) => cell.removeAttribute(name));
      if (by !== undefined) cell.setAttribute(typeof by === "number" ? "data-value" : "data-key", by);
      cell.textContent = text;
    };
    cells.forEach((cell, column) => { if (column) fill(line.cells[column], cell); });
    const [first, second] = line.cells;
    first.replaceChildren();
    make("button", { type: "button", class: "opener", "aria-expanded": "false", "aria-controls": `d-${part}-${trial}`, "aria-label": `Details of ${part} trial ${trial}` }, first);
    if (part === "search") make("input", { type: "checkbox", class: "marker", "aria-label": `Mark search trial ${trial} in every view` }, first);
    if (tellsPart) {
      second.replaceChildren();
      make("span", { class: "part" }, second, part);
      second.append(` ${trial}`);
    }
    const told = line.querySelector("[class*='s-']");
    told.className = `nowrap s-${status.name}`;
    told.replaceChildren();
    signed(status.symbol, status.label, told);
    if (kind) {
      told.append(" ");
      const mark = make("span", { class: `kind k-${kind.css}`, title: kind.label }, told);
      make("span", { class: "sign", "aria-hidden": "true" }, mark, kind.sign);
      make("span", { class: "visually-hidden" }, mark, kind.label);
    }
    opened.id = `d-${part}-${trial}`;
    const place = opened.cells[1];
    place.replaceChildren();
    const list = make("dl", {}, place);
    for (const [term, text, css] of details) {
      const one = make("div", {}, list);
      make("dt", {}, one, term);
      make("dd", css ? { class: css } : {}, one, text);
    }
    place.insertAdjacentHTML("beforeend", curve);
    if (fingerprint) make("button", { type: "button", class: "draw", "data-fingerprint": fingerprint }, place, "Compare its architecture with the base").hidden = true;
    return body;
  };
  const listed = (statuses, kinds) => ([part, status, trial, kind, cells, details, curve, fingerprint]) => {
    let body = null;
    return {
      part, trial, status: statuses[status].name,
      key: (column) => cells[column][1] ?? cells[column][0],
      get words() {
        const texts = [tellsPart ? part : "", ...cells.map(([text]) => text), ...details.flatMap(([term, text]) => [term, text])];
        const value = texts.join(" ").toLowerCase();
        Object.defineProperty(this, "words", { value });
        return value;
      },
      element: () => (body ??= built({ part, trial, cells, details, curve, fingerprint, status: statuses[status], kind: kinds[kind] })),
    };
  };
  const find = document.getElementById("trial-filter");
  const part = document.getElementById("trial-part");
  const status = document.getElementById("trial-status");
  const count = document.getElementById("trial-count");
  const pager = document.getElementById("trial-pager");
  const isChosen = (row) => row.part === "search" && chosen.has(row.trial);
  const marked = (row) => {
    const body = row.element();
    const marker = body.querySelector(".marker");
    body.classList.toggle("chosen", isChosen(row));
    if (marker) marker.checked = isChosen(row);
    return body;
  };

  const kept = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => (!part?.value || row.part === part.value)
      && (!status.value || row.status === status.value)
      && (!table.classList.contains("only-chosen") || isChosen(row))
      && words.every((word) => row.words.includes(word)));
  };
  const show = () => {
    const found = kept();
    table.dataset.part = part?.value ?? "";
    count.textContent = `${found.length} of ${rows.length} trials`;
    if (!pager) {
      const stay = new Set(found);
      rows.forEach((row) => { marked(row).hidden = !stay.has(row); });
      return;
    }
    from = Math.min(from, Math.max(0, found.length - 1));
    from -= from % PAGE;
    const shown = visible = found.slice(from, from + PAGE);
    [...table.tBodies].forEach((body) => body.remove());
    table.append(...shown.map(marked));
    shown.forEach((row) => { row.element().hidden = false; });
    pager.querySelector("output").textContent =
      shown.length ? `rows ${from + 1} to ${from + shown.length} of ${found.length}` : "no row";
    const [earlier, later] = pager.querySelectorAll("button");
    earlier.disabled = from === 0;
    later.disabled = from + PAGE >= found.length;
  };
  const first = () => { from = 0; show(); };
  [find, part, status].forEach((control) => control?.addEventListener("input", first));
  pager?.addEventListener("click", ({ target }) => {
    if (!target.dataset.step) return;
    from += Number(target.dataset.step) * PAGE;
    show();
  });

  const ordered = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : null;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  const sortBy = (head) => {
    const column = heads.indexOf(head);
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.filter((h) => h.hasAttribute("aria-sort")).forEach((h) => h.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const keyed = rows.map((row) => [row.key(column), row]);
    // What has no value stands last in both directions.
    keyed.sort(([a], [b]) => ordered(a, b) === null ? (a === "" ? 1 : -1) : direction * ordered(a, b));
    rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
    if (!pager) table.append(...rows.map((row) => row.element()));
    first();
  };
  heads.forEach((head) => head.querySelector("button")?.addEventListener("click", () => sortBy(head)));

  const open = (button) => {
    const details = document.getElementById(button.getAttribute("aria-controls"));
    details.hidden = !details.hidden;
    button.setAttribute("aria-expanded", String(!details.hidden));
    const drawer = details.querySelector(".draw");
    if (drawer) page.architectures?.drawable(drawer.dataset.fingerprint).then((can) => { drawer.hidden = !can; });
  };
  table.addEventListener("click", ({ target }) => {
    if (target.classList.contains("opener")) open(target);
  });

  page.stored("trial-rows").then((packed) => {
    if (!packed) return;
    rows.push(...packed.rows.map(listed(packed.statuses, packed.kinds)));
    pager.hidden = false;
    show();
  });
  const mark = (trials, only) => {
    const before = table.classList.contains("only-chosen");
    chosen = trials;
    table.classList.toggle("only-chosen", only);
    if (only || before) first();
    else (pager ? visible : rows).forEach(marked);
  };
  return { element: table, mark };
})();
