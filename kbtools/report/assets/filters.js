// What is looked for: words, a filter for each column, an order; and which rows fit. All of it stands in the address.

const emptyQuery = () => ({ words: "", deep: false, filters: new Map(), sort: null, descending: false, page: 0 });

/** A query from the part of the address behind `#rows?`. */
function parseQuery(text) {
  const query = emptyQuery();
  for (const [name, value] of new URLSearchParams(text)) {
    if (name === "q") query.words = value;
    else if (name === "deep") query.deep = value === "1";
    else if (name === "page") query.page = Math.max(0, Number.parseInt(value, 10) - 1 || 0);
    else if (name === "sort") [query.sort, query.descending] = [value.replace(/^-/, ""), value.startsWith("-")];
    else if (name.startsWith("f.")) query.filters.set(name.slice(2), value);
  }
  return query;
}

function queryAddress(query) {
  const parameters = new URLSearchParams();
  if (query.words) parameters.set("q", query.words);
  if (query.deep) parameters.set("deep", "1");
  if (query.sort !== null) parameters.set("sort", (query.descending ? "-" : "") + query.sort);
  for (const [path, text] of query.filters) parameters.set(`f.${path}`, text);
  if (query.page) parameters.set("page", query.page + 1);
  const text = parameters.toString();
  return text ? `#rows?${text}` : "#rows";
}

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const COMPARISON = new RegExp(`^(>=|<=|>|<|=)?\\s*(${NUMBER})$`, "i");
const RANGE = new RegExp(`^(${NUMBER})\\s*\\.\\.\\s*(${NUMBER})$`, "i");
const COMPARE = {
  ">": (value, limit) => value > limit,
  ">=": (value, limit) => value >= limit,
  "<": (value, limit) => value < limit,
  "<=": (value, limit) => value <= limit,
  "=": (value, limit) => value === limit,
};

/** What a filter's text demands of a row, as a function of its index; null when the text cannot be understood. */
function demand(column, text) {
  const wanted = text.trim();
  if (wanted.toLowerCase() === "none") return (index) => column.isMissing(index);
  return column.kind === "number" ? demandNumber(column, wanted) : demandText(column, text);
}

function demandNumber(column, wanted) {
  const range = RANGE.exec(wanted);
  if (range) return (index) => within(column.values[index], Number(range[1]), Number(range[2]));
  const comparison = COMPARISON.exec(wanted);
  if (!comparison) return null;
  const [compare, limit] = [COMPARE[comparison[1] ?? "="], Number(comparison[2])];
  return (index) => column.values[index] !== null && compare(column.values[index], limit);
}

const within = (value, low, high) => value !== null && value >= low && value <= high;

function demandText(column, text) {
  const whole = text.startsWith("=");
  const part = text.toLowerCase();
  const fits = column.labels.map((label) => (whole ? label === text.slice(1) : label.toLowerCase().includes(part)));
  return (index) => fits[column.values[index]] === true;
}

const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

/** Indices of the rows that fit the filters and, unless the texts are searched too, the words; in the query's order. */
function matching(rows, query) {
  const demands = [...query.filters].map(([path, text]) => {
    const column = rows.column(path);
    return column && demand(column, text);
  });
  const wanted = query.deep ? [] : wordsOf(query.words);
  const found = [];
  for (let index = 0; index < rows.count; index++) {
    if (demands.every((fits) => !fits || fits(index)) && contains(rows, index, wanted)) found.push(index);
  }
  const order = query.sort === null ? null : rows.column(query.sort);
  return order ? found.sort(order.compare(query.descending)) : found;
}

const contains = (rows, index, words) => words.every((word) => rows.haystack(index).includes(word));

/** Of these rows those whose columns or texts hold every word; `told` hears how far it is, and stops it by saying false. */
async function searchTexts(rows, indices, words, told) {
  const wanted = wordsOf(words);
  const fits = new Set();
  let done = 0;
  await wholePage;
  for (const [number, some] of byChunk(rows, indices)) {
    await new Promise((resolve) => setTimeout(resolve)); // the page stays alive between chunks
    const chunk = await (rows.cache.get(number) ?? unpack(`chunk-${number}`)); // one look at each: nothing is kept
    for (const index of some) {
      const text = `${rows.haystack(index)}\n${allText(chunk[index - rows.first[number]]).toLowerCase()}`;
      if (wanted.every((word) => text.includes(word))) fits.add(index);
    }
    done += some.length;
    if (told(done) === false) return null;
  }
  return indices.filter((index) => fits.has(index));
}

function byChunk(rows, indices) {
  const groups = new Map();
  for (const index of indices) {
    const number = rows.chunkOf(index);
    if (!groups.has(number)) groups.set(number, []);
    groups.get(number).push(index);
  }
  return groups;
}

/** Every text within a value, one a line. */
function allText(value) {
  if (value === null || typeof value !== "object") return String(value ?? "");
  return Object.values(value).map(allText).join("\n");
}
