// A row at a time: keys 1 to 9 give a label and go on to the next row without one. What the server has not written
// is not shown as given.

let question, judged, rows, here = 0, busy = false;

async function ask(path, options) {
  const response = await fetch(path, options);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** Run one action at a time, and say what went wrong. */
async function act(action) {
  if (busy) return;
  busy = true;
  try {
    await action();
    byId("trouble").hidden = true;
  } catch (error) {
    const gone = error instanceof TypeError;
    byId("trouble").textContent = gone ? "The server has ended: start kbtools label again. Labels given so far are in the file." : error.message;
    byId("trouble").hidden = false;
  } finally {
    busy = false;
    document.documentElement.dataset.row = here;
  }
}

async function show(row) {
  const texts = await ask(`rows/${row}`);
  here = row;
  byId("name").textContent = rows[row].name;
  byId("verdict").textContent = "";
  byId("texts").replaceChildren(
    ...texts.map(({ column, text }) =>
      el("section", {}, el("h4", {}, ...visible(column)), text === null ? el("p", { class: "quiet" }, "nothing") : codeBlock(text)),
    ),
  );
  mark();
}

function mark() {
  const done = rows.filter((row) => row.value !== null).length;
  byId("progress").textContent = done === rows.length ? `all ${thousands(done)} labelled` : `${thousands(done)} of ${thousands(rows.length)} labelled`;
  [...byId("values").children].forEach((button, place) => {
    button.setAttribute("aria-pressed", String(question.values[place] === rows[here].value));
  });
}

async function give(value) {
  await ask(`rows/${here}/label`, { method: "PUT", body: JSON.stringify({ value }) });
  rows = (await ask("rows")).rows; // equal texts share a label
  mark();
  const next = value === null ? -1 : following(here);
  if (next >= 0) await show(next);
}

/** The next row without a label, going round. */
function following(row) {
  const order = [...rows.keys()].map((step) => (row + 1 + step) % rows.length);
  return order.find((place) => rows[place].value === null) ?? -1;
}

async function reveal() {
  if (judged) byId("verdict").textContent = String(await ask(`rows/${here}/verdict`));
}

const KEYS = {
  ArrowRight: () => show((here + 1) % rows.length),
  ArrowLeft: () => show((here + rows.length - 1) % rows.length),
  u: () => give(null),
  v: reveal,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const place = "123456789".indexOf(event.key);
  const action = place >= 0 && place < question.values.length ? () => give(question.values[place]) : KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  act(action);
});

act(async () => {
  ({ question, judged, rows } = await ask("rows"));
  byId("column").textContent = question.column;
  byId("reveal").hidden = !judged;
  byId("values").append(
    ...question.values.map((value, place) =>
      el("button", { type: "button", onclick: () => act(() => give(value)) }, ...visible(String(value)), place < 9 ? el("kbd", {}, String(place + 1)) : null),
    ),
  );
  for (const [id, key] of [["back", "ArrowLeft"], ["on", "ArrowRight"], ["clear", "u"], ["reveal", "v"]]) {
    byId(id).addEventListener("click", () => act(KEYS[key]));
  }
  await show(Math.max(following(-1), 0));
  document.documentElement.dataset.ready = "yes";
});
