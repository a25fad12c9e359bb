// One row, whole: its verdict, the codes side by side, the conversation with reasoning folded, and all other columns.

/** The value at a column path of a row, nested ones too. */
function cell(row, path) {
  if (path === null) return null;
  if (Object.hasOwn(row, path)) return row[path];
  return path.split(".").reduce((value, part) => (isPlainObject(value) ? value[part] ?? null : null), row);
}

const isPlainObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The parts of a row's page. `neighbours` are addresses of the rows before and after it in the search. */
function rowParts(rows, index, whole, neighbours) {
  const { places } = rows;
  const used = new Set([places.reference, places.triton, places.answer, ...places.reasons]);
  return [
    rowHeader(rows, index, neighbours),
    verdict(rows, index, used),
    ...places.reasons.map((path) => reasons(path, cell(whole.row, path))),
    codes(places, whole),
    conversation("Prompt", whole.prompt, [], false),
    conversation("Completion", whole.completion, whole.answers, !whole.answers.some((answer) => answer?.text)),
    others(whole.row, used, rows),
  ].filter(Boolean);
}

function rowHeader(rows, index, { before, after, back }) {
  const module = rows.column(rows.places.module);
  const id = rows.key ? ` · ${rows.key.path} ${rows.key.text(index)}` : "";
  const name = module && !module.isMissing(index) ? module.text(index) : `Row ${index}`;
  const link = (address, text, title) =>
    address ? el("a", { href: address, title, class: "button" }, text) : el("span", { class: "button off" }, text);
  return el(
    "header",
    { class: "row-header" },
    el("h2", { tabindex: "-1", id: "row-title" }, el("bdi", {}, visible(name))),
    el("p", { class: "quiet" }, visible(`row ${index}${id}`)),
    el(
      "nav",
      { "aria-label": "Neighbouring rows" },
      link(back, "All rows", "Esc"),
      link(before, "← Previous", "k"),
      link(after, "Next →", "j"),
    ),
  );
}

/** The small columns, without those that have no value and the module, which is the title. */
function verdict(rows, index, used) {
  const shown = rows.columns.filter(
    (column) => !column.isMissing(index) && !used.has(column.path) && column.path !== rows.places.module && column !== rows.key,
  );
  const pairs = shown.map((column) => pair(column.path, cellText(column, index)));
  return el("dl", { class: "pairs verdict" }, pairs);
}

const pair = (name, value) => el("div", {}, el("dt", {}, el("bdi", {}, visible(name))), el("dd", {}, value));

/** What a judge or a check wrote, JSON laid out. */
function reasons(path, text) {
  if (text === null || text === "") return null;
  const title = path.startsWith("evaluation_raw") ? `Judge's reasons (${path})` : path;
  return el("section", { class: "reasons" }, el("h3", {}, visible(title)), el("p", { class: "prose" }, visible(laidOut(text))));
}

function laidOut(value) {
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  try {
    const parsed = JSON.parse(value);
    return isPlainObject(parsed) || Array.isArray(parsed) ? JSON.stringify(parsed, null, 2) : value;
  } catch {
    return value;
  }
}

// ---- code ----

/** PyTorch on one side; on the other the answer or, on request, another Triton code of the row. */
function codes(places, whole) {
  const reference = cell(whole.row, places.reference);
  const triton = tritonCodes(places, whole);
  if (typeof reference !== "string" && !triton.length) return null;
  const panes = [];
  if (typeof reference === "string") panes.push(pane("PyTorch", [{ name: places.reference, code: reference }]));
  if (triton.length) panes.push(pane("Triton", triton));
  return el("section", { class: "side-by-side" }, panes);
}

function tritonCodes(places, whole) {
  const answer = whole.answers.findLast((found) => found?.text)?.text;
  const candidates = [
    { name: "answer in the completion", code: answer === undefined ? null : unfenced(answer) },
    { name: places.triton, code: cell(whole.row, places.triton) },
    { name: places.answer, code: cell(whole.row, places.answer) },
  ].filter(({ code }) => typeof code === "string" && code !== "");
  const same = (code) => candidates.filter((other) => other.code.trim() === code.trim());
  return candidates
    .filter((candidate) => same(candidate.code)[0] === candidate)
    .map(({ code }) => ({ name: same(code).map(({ name }) => name).join(" = "), code }));
}

/** The code of an answer that is one fenced block, otherwise the answer as it is. */
function unfenced(answer) {
  const fence = /^\s*```\w*[^\S\n]*\n([^]*?)\n?```\s*$/.exec(answer);
  return fence && !fence[1].includes("\n```") ? fence[1] : answer;
}

function pane(title, sources) {
  const place = el("div");
  const show = (number) => place.replaceChildren(codeBlock(sources[number].code));
  const copy = el("button", { type: "button" }, "Copy");
  let current = 0;
  copy.addEventListener("click", () => copyText(sources[current].code, copy));
  const options = sources.map(({ name }, number) => el("option", { value: number }, visible(name)));
  const chosen = (event) => show((current = Number(event.target.value)));
  const name = sources.length > 1
    ? el("select", { "aria-label": `source of the ${title} code`, onchange: chosen }, options)
    : el("span", { class: "quiet" }, visible(sources[0].name));
  show(0);
  return el("div", { class: "pane" }, el("div", { class: "pane-title" }, el("h3", {}, title), name, copy), place);
}

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// ---- conversation ----

function conversation(title, messages, answers, open) {
  if (!messages.length) return null;
  const turns = messages.map((message, place) => turn(message, answers[place] ?? null));
  const size = thousands(messages.length);
  const summary = el("summary", {}, el("h3", {}, title), el("span", { class: "quiet" }, ` ${size} message${messages.length === 1 ? "" : "s"}`));
  return el("details", { class: "conversation", open }, summary, turns);
}

const REASONING = ["reasoning", "reasoning_content", "thinking", "thinking_blocks", "reasoning_details"];

function turn(message, answer) {
  const { role, content, ...rest } = message;
  const thought = REASONING.filter((field) => rest[field]).map((field) => folded(field, laidOut(rest[field])));
  const more = Object.entries(rest).filter(([field, value]) => !REASONING.includes(field) && value !== null);
  return el(
    "div",
    { class: "turn" },
    el("h4", {}, visible(String(role))),
    answer?.trouble ? el("p", { class: "bad" }, `The answer cannot be told from the reasoning: ${answer.trouble}.`) : null,
    thought,
    typeof content === "string" ? spoken(content, answer?.text) : prose(laidOut(content ?? "(no content)")),
    more.map(([field, value]) => folded(field, laidOut(value))),
  );
}

/** A message's text: what stands before the answer is folded if it is reasoning, and nothing is left out. */
function spoken(content, answer) {
  const start = answer === undefined ? -1 : content.lastIndexOf(answer);
  const before = start < 0 ? "" : content.slice(0, start);
  if (!/\S/.test(before) || before.trim() === "<answer>") return fencedText(content);
  return [folded("reasoning before the answer", before), fencedText(content.slice(start))].flat();
}

const folded = (name, text) =>
  el("details", { class: "folded" }, el("summary", {}, visible(`${name} (${thousands(text.length)} characters)`)), prose(text));

const prose = (text) => el("p", { class: "prose" }, visible(text));

/** Text whose fenced blocks are shown as code. */
function fencedText(text) {
  const parts = text.split(/^```(\w*)[^\S\n]*\n([^]*?)^```[^\S\n]*$/m);
  const nodes = [];
  for (let place = 0; place < parts.length; place += 3) {
    if (parts[place].trim()) nodes.push(prose(parts[place].trim()));
    if (place + 2 < parts.length) nodes.push(codeBlock(parts[place + 2].replace(/\n$/, "")));
  }
  return nodes;
}

// ---- everything else ----

/** Columns that are shown nowhere above: long texts and structures. */
function others(row, used, rows) {
  const left = leaves(row).filter(([path, value]) => !used.has(path) && !rows.column(path) && value !== null && value !== "");
  if (!left.length) return null;
  return el("section", {}, el("h3", {}, "Other columns"), left.map(([path, value]) => folded(path, laidOut(value))));
}

function leaves(value, prefix = "") {
  return Object.entries(value).flatMap(([name, inner]) =>
    isPlainObject(inner) ? leaves(inner, `${prefix}${name}.`) : [[prefix + name, inner]],
  );
}
