// The rows: the index with all small columns is unpacked when the page opens, a chunk of whole rows when it is needed.

const KEPT_CHUNKS = 4;

/** A packed block of the page as data. */
const unpack = (id) => JSON.parse(new TextDecoder().decode(unzstd(unprintable(byId(id).textContent))));

// All printable characters but < > &, as in rows.py: the number of each.
const LETTERS = new Map(
  Array.from({ length: 94 }, (_, place) => place + 33)
    .filter((code) => !"<>&".includes(String.fromCharCode(code)))
    .map((code, number) => [code, number]),
);

/** Bytes from text in which two characters stand for 13 bits. */
function unprintable(text) {
  const numbers = Uint8Array.from({ length: 128 }, (_, code) => LETTERS.get(code) ?? 0);
  const bytes = new Uint8Array(Math.floor((text.length * 13) / 16));
  let [bits, count, place] = [0, 0, 0];
  for (let letter = 0; letter + 1 < text.length; letter += 2) {
    bits = (bits << 13) | (numbers[text.charCodeAt(letter)] * 91 + numbers[text.charCodeAt(letter + 1)]);
    for (count += 13; count >= 8; count -= 8) bytes[place++] = (bits >> (count - 8)) & 255;
    bits &= 255; // fewer than 8 are left over
  }
  return bytes;
}

/** Resolves when the whole page is there: the chunks stand behind this script. */
const wholePage = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true });
  else resolve();
});

class Rows {
  constructor(index) {
    this.count = index.rows;
    this.first = index.chunks;
    this.places = index.places;
    this.columns = index.columns.map((column) => new Column(column));
    this.key = this.columns.find((column) => column.path === index.key) ?? null;
    this.shown = index.shown;
    this.cache = new Map();
  }

  /** The whole row at an index: {row, prompt, completion, answers}. */
  async at(index) {
    const chunk = this.chunkOf(index);
    return (await this.chunk(chunk))[index - this.first[chunk]];
  }

  chunkOf(index) {
    let low = 0;
    let high = this.first.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.first[middle] <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async chunk(number) {
    const known = this.cache.get(number);
    this.cache.delete(number);
    if (known === undefined && this.cache.size >= KEPT_CHUNKS) this.cache.delete(this.cache.keys().next().value);
    const rows = known ?? wholePage.then(() => unpack(`chunk-${number}`));
    this.cache.set(number, rows);
    return rows;
  }

  /** What the address of a row says: its id where ids are unique, otherwise its index. */
  address(index) {
    return this.key ? `#row=${encodeURIComponent(this.key.text(index))}` : `#index=${index}`;
  }

  /** The index of the row that an address names, or -1. */
  find(name, value) {
    if (name === "row" && this.key) return this.positions().get(value) ?? -1;
    const index = Number(value);
    return Number.isInteger(index) && index >= 0 && index < this.count ? index : -1;
  }

  positions() {
    this.byKey ??= new Map(Array.from({ length: this.count }, (_, index) => [this.key.text(index), index]));
    return this.byKey;
  }

  column(path) {
    return this.columns.find((column) => column.path === path) ?? null;
  }

  /** Lower-case text of a row's small columns, for searching. */
  haystack(index) {
    this.haystacks ??= new Array(this.count);
    this.haystacks[index] ??= this.columns.map((column) => column.text(index).toLowerCase()).join("\n");
    return this.haystacks[index];
  }
}

class Column {
  constructor({ path, kind, labels = null, values }) {
    this.path = path;
    this.kind = kind;
    this.labels = labels;
    // Numbers are themselves, infinity comes as its name; labels are places in `labels`, in their order.
    this.values = kind === "number" ? values.map((value) => (value === null ? null : Number(value))) : values;
  }

  isMissing(index) {
    return this.kind === "number" ? this.values[index] === null : this.values[index] < 0;
  }

  text(index) {
    if (this.isMissing(index)) return "";
    return this.kind === "number" ? String(this.values[index]) : this.labels[this.values[index]];
  }

  /** Rows in the order of this column; those without a value last, equal ones as they came. */
  compare(descending) {
    const sign = descending ? -1 : 1;
    return (a, b) => {
      const missing = this.isMissing(a) - this.isMissing(b);
      if (missing) return missing;
      const x = this.values[a];
      const y = this.values[b];
      return this.isMissing(a) || x === y ? a - b : x < y ? -sign : sign;
    };
  }
}
