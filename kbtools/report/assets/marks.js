// Rows that the reader has marked: kept by the browser where it keeps anything, and exported as JSON lines.

class Marks {
  constructor(rows) {
    this.rows = rows;
    this.name = `kbtools-marks-${fingerprint(byId("index").textContent)}`;
    this.marked = new Set(this.stored());
    byId("export-marked").addEventListener("click", () => this.export());
    byId("unmark").addEventListener("click", () => this.set([]));
    this.draw();
  }

  stored() {
    try {
      return JSON.parse(localStorage.getItem(this.name) ?? "[]").filter((index) => index < this.rows.count);
    } catch {
      return []; // a browser that keeps nothing for files: the marks hold until the page is closed
    }
  }

  toggle(index) {
    const others = [...this.marked].filter((other) => other !== index);
    this.set(this.marked.has(index) ? others : [...others, index]);
  }

  set(indices) {
    this.marked = new Set(indices);
    try {
      localStorage.setItem(this.name, JSON.stringify(indices));
    } catch {
      // as above
    }
    this.draw();
  }

  /** Everything on the page that shows marks. */
  draw() {
    const count = this.marked.size;
    byId("export-marked").textContent = count ? `Export ${thousands(count)} marked ${count === 1 ? "row" : "rows"}` : "Export marked rows";
    for (const id of ["export-marked", "unmark"]) byId(id).disabled = !count;
    for (const box of document.querySelectorAll("input[data-mark]")) box.checked = this.marked.has(Number(box.dataset.mark));
  }

  /** The box that marks a row. */
  box(index, ...label) {
    const picked = () => this.toggle(index);
    const box = el("input", { type: "checkbox", "data-mark": index, "aria-label": label.length ? null : `mark row ${index}`, onchange: picked });
    box.checked = this.marked.has(index);
    return label.length ? el("label", { class: "button check" }, box, label) : box;
  }

  async export() {
    const lines = [];
    for (const index of [...this.marked].sort((a, b) => a - b)) lines.push(JSON.stringify(original(await this.rows.at(index), this.rows.places)));
    const address = URL.createObjectURL(new Blob([lines.map((line) => `${line}\n`).join("")], { type: "application/jsonl" }));
    el("a", { href: address, download: `${fileName(document.querySelector("h1").textContent)}-marked.jsonl` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}

/** A row as the dataset holds it: conversations back in their columns, plain texts as texts again. */
function original(whole, places) {
  const row = { ...whole.row };
  for (const part of ["prompt", "completion"]) {
    const form = whole.forms?.[part];
    if (places[part] !== null) row[places[part]] = form === "none" ? null : form === "text" ? whole[part][0].content : whole[part];
  }
  return row;
}

const fileName = (title) => title.replace(/\.\w+$/, "").replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "") || "report";

/** A short name for a text: marks of one dataset must not appear in the report of another. */
function fingerprint(text) {
  let hash = 0;
  for (let place = 0; place < text.length; place++) hash = (Math.imul(hash, 31) + text.charCodeAt(place)) | 0;
  return `${(hash >>> 0).toString(16)}-${text.length}`;
}
