// Python in colours: a small tokenizer. What it does not know is plain text, and nothing is left out or reordered.

const MOST_COLOURED = 200_000;

const TOKEN = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>(?:\b[rbfu]{1,2})?(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?))`,
    String.raw`(?<number>\b(?:0x[\da-f_]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)\b)`,
    String.raw`(?<decorator>@[a-z_][\w.]*)`,
    String.raw`(?<name>[a-z_]\w*)`,
  ].join("|"),
  "gi",
);

const KEYWORDS = new Set(
  ("and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda nonlocal not or pass raise return try while with yield match case").split(" "),
);
const CONSTANTS = new Set(["True", "False", "None", "self"]);
const LIBRARIES = new Set(["tl", "triton", "torch", "nn", "F"]);

/** Code as nodes for a <code> element. */
function coloured(code) {
  const head = code.slice(0, MOST_COLOURED);
  const nodes = [];
  let end = 0;
  for (const found of head.matchAll(TOKEN)) {
    const kind = kindOf(found.groups, head, found.index + found[0].length);
    if (!kind) continue;
    nodes.push(...visible(head.slice(end, found.index)));
    nodes.push(el("span", { class: `py-${kind}` }, visible(found[0])));
    end = found.index + found[0].length;
  }
  nodes.push(...visible(head.slice(end)), ...visible(code.slice(MOST_COLOURED)));
  return nodes;
}

function kindOf(groups, code, end) {
  if (groups.name === undefined) return Object.keys(groups).find((kind) => groups[kind] !== undefined);
  if (KEYWORDS.has(groups.name)) return "keyword";
  if (CONSTANTS.has(groups.name)) return "constant";
  if (LIBRARIES.has(groups.name)) return "library";
  return code[end] === "(" ? "call" : null;
}

/** A block of code with line numbers. */
function codeBlock(code) {
  const lines = code.split("\n").length - (code.endsWith("\n") ? 1 : 0);
  const numbers = Array.from({ length: Math.max(lines, 1) }, (_, line) => line + 1).join("\n");
  return el(
    "div",
    { class: "code", tabindex: "0", role: "group", "aria-label": `code, ${thousands(lines)} lines` },
    el("pre", { class: "line-numbers", "aria-hidden": "true" }, numbers),
    el("pre", { dir: "ltr" }, el("code", {}, coloured(code))),
  );
}
