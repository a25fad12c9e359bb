"use strict";
// Building elements. Text only ever becomes text nodes: nothing here or elsewhere turns a string into markup.

const byId = (id) => document.getElementById(id);

/** An element with properties and children; strings become text. `class`, `data-*` and `aria-*` are attributes. */
function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Controls, and marks that reorder or hide what is around them; the same set as in wording.py.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]/g;

/** The text as nodes, every hidden character shown as its code point. A carriage return at a line's end stays hidden. */
function visible(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found[0] === "\r" && text[found.index + 1] === "\n") continue;
    nodes.push(text.slice(end, found.index));
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(el("span", { class: "hidden-character" }, `[U+${code}]`));
    end = found.index + 1;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== "");
}

const thousands = (number) => number.toLocaleString("en-US");

/** How many rows, as `1 row` or `2 rows`. */
const rowsText = (count) => `${thousands(count)} ${count === 1 ? "row" : "rows"}`;

/** A number as people read it: thousands apart, about four digits of a fraction. */
function readable(number) {
  if (!Number.isFinite(number)) return String(number);
  if (Number.isInteger(number)) return thousands(number);
  const size = Math.abs(number);
  return size >= 1000 ? thousands(Math.round(number)) : String(Number(number.toPrecision(size < 1e-4 ? 3 : 4)));
}
