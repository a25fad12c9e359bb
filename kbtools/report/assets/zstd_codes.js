// Codes of Zstandard (RFC 8878): bits read backwards, as the format wants it, and the tables that turn them into symbols.

/** Numbers of some bits from the end of bytes to their beginning; the last byte's highest one marks where they end. */
class Bits {
  constructor(bytes, start, end) {
    this.bytes = bytes;
    this.start = start;
    this.left = (end - start) * 8 - (Math.clz32(bytes[end - 1]) - 23);
  }

  /** The next bits without taking them, at most 25; beyond the beginning there are zeros. */
  peek(count) {
    const from = this.left - count;
    if (from < 0) return this.left > 0 ? this.at(0, this.left) << -from : 0;
    return this.at(from, count);
  }

  at(from, count) {
    const { bytes } = this;
    const place = this.start + (from >> 3);
    const four = bytes[place] | (bytes[place + 1] << 8) | (bytes[place + 2] << 16) | (bytes[place + 3] << 24);
    return (four >>> (from & 7)) & ((1 << count) - 1);
  }

  take(count) {
    if (count > 25) return this.take(count - 16) * 65536 + this.take(16);
    const found = this.peek(count);
    this.left -= count;
    return found;
  }
}

// ---- tables ----

const filled = (count, value) => new Array(count).fill(value);
const upTo = (first, last) => Array.from({ length: last - first + 1 }, (_, step) => first + step);

/** Codes of lengths: how many bits follow a code, and from which length on these count. */
function lengthCodes(first, extra) {
  let next = first;
  const base = extra.map((bits) => {
    const found = next;
    next += 2 ** bits;
    return found;
  });
  return { extra, base };
}

const LITERAL_LENGTHS = lengthCodes(0, [...filled(16, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, ...upTo(6, 16)]);
const MATCH_LENGTHS = lengthCodes(3, [...filled(32, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, ...upTo(7, 16)]);

/** A decoding table of 2**accuracy states: the symbol of each, and the bits and base that lead to the next. */
function stateTable(shares, accuracy) {
  const size = 1 << accuracy;
  const symbols = new Uint8Array(size);
  const next = shares.map((share) => Math.abs(share));
  let last = size - 1;
  shares.forEach((share, symbol) => share < 0 && (symbols[last--] = symbol));
  spread(symbols, shares, last);
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const count = next[symbols[state]]++;
    bits[state] = accuracy - (31 - Math.clz32(count));
    base[state] = (count << bits[state]) - size;
  }
  return { symbols, bits, base, accuracy };
}

/** Symbols stand in as many states as their share says, far from each other. */
function spread(symbols, shares, last) {
  const size = symbols.length;
  let place = 0;
  shares.forEach((share, symbol) => {
    for (let count = 0; count < share; count++) {
      symbols[place] = symbol;
      do place = (place + (size >> 1) + (size >> 3) + 3) & (size - 1);
      while (place > last);
    }
  });
}

const oneSymbol = (symbol) => ({ symbols: [symbol], bits: [0], base: [0], accuracy: 0 });

const LITERAL_SHARES = [4, 3, ...filled(11, 2), 1, 1, 1, ...filled(9, 2), 3, 2, ...filled(5, 1), ...filled(4, -1)];
const OFFSET_SHARES = [...filled(6, 1), 2, 2, 2, ...filled(15, 1), ...filled(5, -1)];
const MATCH_SHARES = [1, 4, 3, ...filled(6, 2), ...filled(37, 1), ...filled(7, -1)];
const USUAL = [stateTable(LITERAL_SHARES, 6), stateTable(OFFSET_SHARES, 5), stateTable(MATCH_SHARES, 6)];

/** The shares of symbols as the stream describes them, read forwards: the table, and the place behind it. */
function readTable(bytes, start) {
  let place = start * 8;
  const forward = (count) => {
    let found = 0;
    for (let bit = 0; bit < count; bit++, place++) found |= ((bytes[place >> 3] >> (place & 7)) & 1) << bit;
    return found;
  };
  const accuracy = forward(4) + 5;
  const shares = [];
  let left = 1 << accuracy;
  while (left > 0) {
    const share = readShare(left, forward) - 1;
    left -= Math.abs(share);
    shares.push(share);
    if (share === 0) for (let more = 3; more === 3; ) shares.push(...filled((more = forward(2)), 0));
  }
  return { table: stateTable(shares, accuracy), end: (place + 7) >> 3 };
}

/** A number from 0 to left + 1 in as few bits as that range needs: the smaller ones have one bit less. */
function readShare(left, forward) {
  const bits = 32 - Math.clz32(left + 1);
  const short = (1 << bits) - 2 - left;
  const low = forward(bits - 1);
  if (low < short) return low;
  return forward(1) ? low + (1 << (bits - 1)) - short : low;
}
