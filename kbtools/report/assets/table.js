// The table of rows: a page of those that fit, headers that sort, a filter below each header.

class Table {
  /** `changed` is called with the query whenever the reader changes it. */
  constructor(rows, marks, changed) {
    this.rows = rows;
    this.marks = marks;
    this.changed = changed;
    this.shown = new Set(rows.shown);
    this.query = emptyQuery();
    this.found = [];
    this.searches = 0;
    this.head = byId("table").tHead;
    this.body = byId("table").tBodies[0];
    this.fillChooser();
    this.drawHead();
    this.listen();
  }

  get pageSize() {
    return Number(byId("page-size").value);
  }

  get columns() {
    return this.rows.columns.filter((column) => this.shown.has(column.path));
  }

  listen() {
    const soon = debounced(() => this.change({ words: byId("search").value }), 120);
    byId("search").addEventListener("input", soon);
    byId("search-form").addEventListener("submit", (event) => event.preventDefault());
    byId("deep").addEventListener("change", () => this.change({ deep: byId("deep").checked }));
    byId("clear").addEventListener("click", () => this.change(emptyQuery()));
    byId("previous-page").addEventListener("click", () => this.turn(-1));
    byId("next-page").addEventListener("click", () => this.turn(1));
    byId("page-size").addEventListener("change", () => this.change({ page: 0 }));
  }

  /** Take over some parts of a query; anything but a page begins at the first page. */
  change(parts) {
    this.changed({ ...this.query, page: 0, ...parts });
  }

  turn(pages) {
    const page = this.query.page + pages;
    if (page >= 0 && page * this.pageSize < this.found.length) this.change({ page });
  }

  /** Show what fits a query. */
  async show(query) {
    this.query = query;
    this.fillForm();
    this.found = matching(this.rows, query);
    const search = ++this.searches;
    if (query.deep && query.words.trim()) await this.narrow(search);
    if (search === this.searches) this.drawBody();
  }

  /** Of the rows that fit the filters keep those whose texts hold the words; a newer search ends this one. */
  async narrow(search) {
    const told = (done) => {
      byId("count").textContent = `searching texts: ${thousands(done)} of ${rowsText(this.found.length)}`;
      return search === this.searches;
    };
    const fits = await searchTexts(this.rows, this.found, this.query.words, told);
    if (fits !== null) this.found = fits;
  }

  fillForm() {
    if (document.activeElement !== byId("search")) byId("search").value = this.query.words;
    byId("deep").checked = this.query.deep;
    for (const path of [this.query.sort, ...this.query.filters.keys()]) {
      if (path !== null && this.rows.column(path) && !this.shown.has(path)) this.choose(path, true);
    }
    for (const header of this.head.querySelectorAll("th[data-path]")) this.markOrder(header);
    for (const input of this.head.querySelectorAll("[data-filter]")) this.fillFilter(input);
  }

  markOrder(header) {
    const sorted = header.dataset.path === this.query.sort;
    const order = this.query.descending ? "descending" : "ascending";
    header.setAttribute("aria-sort", sorted ? order : "none");
  }

  fillFilter(input) {
    const text = this.query.filters.get(input.dataset.filter) ?? "";
    if (document.activeElement !== input || input.tagName === "SELECT") input.value = text;
    const column = this.rows.column(input.dataset.filter);
    input.setAttribute("aria-invalid", String(text !== "" && demand(column, text) === null));
  }

  // ---- header ----

  drawHead() {
    const titles = this.columns.map((column) => this.title(column));
    const filters = this.columns.map((column) => el("td", { class: column.kind }, this.filter(column)));
    this.head.replaceChildren(
      el("tr", {}, el("th", { scope: "col" }, visible(this.rows.key?.path ?? "row")), titles),
      el("tr", { class: "filters" }, el("td"), filters),
    );
  }

  title(column) {
    const name = el("button", { type: "button", onclick: () => this.sort(column) }, el("bdi", {}, visible(column.path)));
    return el("th", { scope: "col", "aria-sort": "none", "data-path": column.path, class: column.kind }, name);
  }

  /** Numbers begin with the largest, labels with the first; a third press restores the dataset's order. */
  sort(column) {
    const first = column.kind === "number";
    if (this.query.sort !== column.path) this.change({ sort: column.path, descending: first });
    else if (this.query.descending === first) this.change({ descending: !first });
    else this.change({ sort: null, descending: false });
  }

  filter(column) {
    const attributes = { "data-filter": column.path, "aria-label": `filter ${column.path}` };
    if (column.kind === "label") return this.choice(column, attributes);
    const hint = column.kind === "number" ? ">0.5, 1..2" : "part of it";
    const soon = debounced((event) => this.narrowBy(column, event.target.value), 150);
    return el("input", { ...attributes, placeholder: hint, spellcheck: "false", autocomplete: "off", oninput: soon });
  }

  choice(column, attributes) {
    const counts = new Array(column.labels.length).fill(0);
    for (const value of column.values) if (value >= 0) counts[value]++;
    const options = column.labels.map((label, place) =>
      el("option", { value: `=${label}` }, visible(`${label || "(empty)"} (${thousands(counts[place])})`)),
    );
    const none = column.values.some((value) => value < 0) ? [el("option", { value: "none" }, "no value")] : [];
    const picked = (event) => this.narrowBy(column, event.target.value);
    return el("select", { ...attributes, onchange: picked }, el("option", { value: "" }, "any"), options, none);
  }

  narrowBy(column, text) {
    const filters = new Map(this.query.filters);
    if (text === "") filters.delete(column.path);
    else filters.set(column.path, text);
    this.change({ filters });
  }

  // ---- body ----

  drawBody() {
    this.query.page = Math.min(this.query.page, Math.max(0, Math.ceil(this.found.length / this.pageSize) - 1));
    const start = this.query.page * this.pageSize;
    const some = this.found.slice(start, start + this.pageSize);
    this.body.replaceChildren(...some.map((index) => this.line(index)));
    this.drawCount(start, some.length);
  }

  drawCount(start, count) {
    const found = this.found.length;
    const unread = [...this.query.filters].filter(([path, text]) => !this.rows.column(path) || !demand(this.rows.column(path), text));
    const ignored = unread.map(([path, text]) => `; filter ${path}: ${text} is not understood and was left out`).join("");
    byId("count").textContent = `${thousands(found)} of ${rowsText(this.rows.count)}${ignored}`;
    byId("page-text").textContent = count ? `${thousands(start + 1)} to ${thousands(start + count)}` : "no rows";
    byId("previous-page").disabled = start === 0;
    byId("next-page").disabled = start + count >= found;
  }

  line(index) {
    const name = this.rows.key ? this.rows.key.text(index) : String(index);
    const link = el("a", { href: this.rows.address(index), "data-index": index }, visible(name));
    const cells = this.columns.map((column) => el("td", { class: column.kind }, cellText(column, index)));
    return el("tr", {}, el("th", { scope: "row" }, this.marks.box(index), " ", link), cells);
  }

  // ---- choice of columns ----

  fillChooser() {
    const boxes = this.rows.columns.map((column) => {
      const pick = (event) => (this.choose(column.path, event.target.checked), this.drawBody());
      const box = el("input", { type: "checkbox", "data-column": column.path, onchange: pick });
      return el("label", { class: "check" }, box, el("bdi", {}, visible(column.path)));
    });
    byId("choices").replaceChildren(...boxes);
    this.markChosen();
  }

  choose(path, on) {
    if (on) this.shown.add(path);
    else this.shown.delete(path);
    this.markChosen();
    this.drawHead();
    this.fillForm();
  }

  markChosen() {
    for (const box of byId("choices").querySelectorAll("input")) box.checked = this.shown.has(box.dataset.column);
  }
}

function cellText(column, index) {
  if (column.isMissing(index)) return el("span", { class: "quiet" }, "–");
  const text = column.kind === "number" ? readable(column.values[index]) : column.text(index);
  return el("bdi", { title: text.length > 24 ? text : null }, visible(text));
}

function debounced(action, milliseconds) {
  let timer = 0;
  return (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(event), milliseconds);
  };
}
