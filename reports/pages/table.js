// The table of trials: sorts, filters and opens rows. A long one stands in the file as text and is shown in pages.
page.table = (() => {
  const { $$ } = page;
  const choice = document.getElementById("architecture-choice");
  const table = document.getElementById("trial-table");
  if (!table) return null;
  const heads = $$("thead th", table);
  const PAGE = 200;
  let chosen = new Set();
  let from = 0;
  let visible = [];

  // A row that stands in the page already, and one that is a text until it is looked at, answer the same questions.
  const keyOf = (cell) => (cell.dataset.value ? Number(cell.dataset.value) : (cell.dataset.key ?? cell.textContent).trim());
  const standing = (body) => ({
    ...body.dataset, trial: Number(body.dataset.trial), element: () => body,
    key: (column) => keyOf(body.rows[0].cells[column]), words: body.textContent.toLowerCase(),
  });
  const rows = [...table.tBodies].map(standing);
  const written = ([part, status, trial, text, keys]) => {
    let body = null;
    return {
      part, status, trial,
      key: (column) => keys[column] ?? "",
      get words() {
        const value = text.replace(/<[^>]*>/g, " ").toLowerCase();
        Object.defineProperty(this, "words", { value });
        return value;
      },
      element() {
        if (body) return body;
        const parsed = document.createElement("table");
        parsed.innerHTML = text;
        return (body = dressed(parsed.tBodies[0]));
      },
    };
  };
  const known = choice ? new Set([...choice.options].map((option) => option.value)) : new Set();
  const dressed = (body) => {
    $$(".draw", body).forEach((button) => { button.hidden = !known.has(button.dataset.fingerprint); });
    return body;
  };
  rows.forEach((row) => dressed(row.element()));

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
  };
  table.addEventListener("click", ({ target }) => {
    if (target.classList.contains("opener")) open(target);
  });

  page.stored("trial-rows").then((packed) => {
    if (!packed) return;
    rows.push(...packed.map(written));
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
