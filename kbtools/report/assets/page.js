// The page: which view the address names, the keyboard, the theme. Begins when the index is unpacked.

const THEMES = ["system", "light", "dark"];
const VIEWS = ["overview", "rows", "row"];

class Page {
  constructor(rows) {
    this.rows = rows;
    this.marks = new Marks(rows);
    this.table = new Table(rows, this.marks, (query) => this.go(queryAddress(query)));
    this.open = -1;
    this.title = document.title;
    window.addEventListener("hashchange", () => this.route());
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  go(address) {
    if (location.hash === address) this.route();
    else location.hash = address;
  }

  /** Show what the address names: rows, one row, or the overview and perhaps a section of it. */
  async route() {
    const hash = location.hash.slice(1);
    const named = /^(row|index)=(.*)$/s.exec(hash);
    if (named) await this.showRow(named[1], decoded(named[2]));
    else if (hash === "rows" || hash.startsWith("rows?")) await this.showRows(hash.slice(5));
    else this.showOverview(hash);
    document.documentElement.dataset.view = hash || "overview"; // what is drawn: for tests and print
  }

  show(view, name = "") {
    for (const other of VIEWS) byId(`${other}-view`).hidden = other !== view;
    document.title = name ? `${name} - ${this.title}` : this.title;
    const [here, there] = view === "overview" ? ["to-overview", "to-rows"] : ["to-rows", "to-overview"];
    byId(here).setAttribute("aria-current", "page");
    byId(there).removeAttribute("aria-current");
  }

  showOverview(section) {
    this.show("overview");
    const place = section && section !== "overview" ? byId(section) : null;
    if (place?.tagName === "DETAILS") place.open = true;
    if (place) place.scrollIntoView();
    else window.scrollTo(0, 0);
  }

  async showRows(query) {
    const returning = !byId("row-view").hidden;
    this.show("rows");
    await this.table.show(parseQuery(query));
    if (returning) this.table.body.querySelector(`a[data-index="${this.open}"]`)?.focus();
  }

  async showRow(name, value) {
    const index = this.rows.find(name, value);
    if (index < 0) return this.missing(name, value);
    const wanted = location.hash;
    const whole = await this.rows.at(index);
    if (location.hash !== wanted) return; // another row was asked for meanwhile
    this.open = index;
    byId("row-view").replaceChildren(...rowParts(this.rows, index, whole, this.neighbours(index)));
    byId("row-view").querySelector("nav").prepend(this.marks.box(index, "Mark"));
    this.show("row", byId("row-title").textContent);
    window.scrollTo(0, 0);
    byId("row-title").focus({ preventScroll: true });
  }

  missing(name, value) {
    const what = name === "row" && this.rows.key ? this.rows.key.path : "index";
    byId("row-view").replaceChildren(el("p", { class: "notice" }, visible(`No row has ${what} ${value}.`)), el("a", { href: "#rows" }, "All rows"));
    this.show("row");
  }

  /** Addresses around a row, in the order of the last search; of all rows if the row is not in it. */
  neighbours(index) {
    const place = this.table.found.indexOf(index);
    const order = place >= 0 ? (step) => this.table.found[place + step] : (step) => index + step;
    const address = (row) => (row !== undefined && row >= 0 && row < this.rows.count ? this.rows.address(row) : null);
    return { before: address(order(-1)), after: address(order(1)), back: queryAddress(this.table.query) };
  }

  // ---- keyboard ----

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = this.keys()[event.key];
    if (action && action() !== false) event.preventDefault();
  }

  keys() {
    const inRow = !byId("row-view").hidden;
    const inRows = !byId("rows-view").hidden;
    const move = (step) => (inRow ? this.step(step) : inRows && this.moveFocus(step));
    return {
      o: () => this.go("#overview"),
      r: () => this.go(queryAddress(this.table.query)),
      "/": () => this.search(),
      j: () => move(1),
      k: () => move(-1),
      ArrowDown: () => inRows && this.moveFocus(1),
      ArrowUp: () => inRows && this.moveFocus(-1),
      "[": () => inRows && this.table.turn(-1),
      "]": () => inRows && this.table.turn(1),
      Escape: () => inRow && this.go(queryAddress(this.table.query)),
      m: () => this.mark(),
      t: () => nextTheme(),
      "?": () => byId("help").showModal(),
    };
  }

  /** Mark the open row, or the one of the table that has the focus. */
  mark() {
    const focused = document.activeElement.dataset?.index;
    if (!byId("row-view").hidden) this.marks.toggle(this.open);
    else if (focused === undefined) return false;
    else this.marks.toggle(Number(focused));
    return true;
  }

  async search() {
    if (byId("rows-view").hidden) {
      location.hash = queryAddress(this.table.query);
      this.show("rows");
    }
    byId("search").focus();
    byId("search").select();
  }

  step(step) {
    const { before, after } = this.neighbours(this.open);
    const address = step > 0 ? after : before;
    if (address) this.go(address);
  }

  moveFocus(step) {
    const links = [...this.table.body.querySelectorAll("a[data-index]")];
    const place = links.indexOf(document.activeElement);
    const next = place < 0 ? (step > 0 ? 0 : links.length - 1) : place + step;
    links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
  }
}

const isTyping = (target) => ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) && target.type !== "checkbox";

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not an address that this page wrote: there will be no such row
  }
}

// ---- theme ----

function nextTheme() {
  const current = document.documentElement.dataset.theme ?? "system";
  setTheme(THEMES[(THEMES.indexOf(current) + 1) % THEMES.length]);
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("kbtools-theme", theme);
  } catch {
    // a browser that keeps nothing for files: the choice holds until the page is closed
  }
}

function storedTheme() {
  try {
    const theme = localStorage.getItem("kbtools-theme");
    return THEMES.includes(theme) ? theme : "system";
  } catch {
    return "system";
  }
}

// ---- beginning ----

function trouble(message) {
  byId("trouble").textContent = message;
  byId("trouble").hidden = false;
}

async function begin() {
  setTheme(storedTheme());
  byId("theme").addEventListener("click", nextTheme);
  byId("open-help").addEventListener("click", () => byId("help").showModal());
  if (typeof DecompressionStream === "undefined") {
    return trouble("The rows cannot be shown: this browser is too old to unpack them (Chrome 80, Firefox 113, Safari 16.4 or newer can).");
  }
  try {
    const page = new Page(new Rows(await unpack("index")));
    await page.route();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  } catch (error) {
    trouble(`The rows cannot be shown: ${error.message}. The file may be incomplete.`);
    throw error;
  }
}

begin();
