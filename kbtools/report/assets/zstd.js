// Unpacking Zstandard (RFC 8878), which finds what repeats over megabytes where a browser's own deflate looks back 32 kB.
// One frame of known size, as rows.py writes it.

// ---- literals ----

/** Huffman's table from the weights of the symbols, the last of which follows from the others. */
function huffman(weights) {
  const sum = weights.reduce((total, weight) => total + (weight && 1 << (weight - 1)), 0);
  const most = 32 - Math.clz32(sum);
  weights.push(32 - Math.clz32((1 << most) - sum));
  const [symbols, bits] = [new Uint8Array(1 << most), new Uint8Array(1 << most)];
  let place = 0;
  for (let weight = 1; weight <= most; weight++) {
    weights.forEach((found, symbol) => {
      if (found !== weight) return;
      symbols.fill(symbol, place, place + (1 << (weight - 1)));
      bits.fill(most + 1 - weight, place, (place += 1 << (weight - 1)));
    });
  }
  return { symbols, bits, most };
}

function readHuffman(bytes, start) {
  const head = bytes[start];
  const weights = [];
  if (head < 128) {
    const { table, end } = readTable(bytes, start + 1);
    readWeights(new Bits(bytes, end, start + 1 + head), table, weights);
    return { table: huffman(weights), end: start + 1 + head };
  }
  for (let number = 0; number < head - 127; number++) {
    const pair = bytes[start + 1 + (number >> 1)];
    weights.push(number & 1 ? pair & 15 : pair >> 4);
  }
  return { table: huffman(weights), end: start + 1 + ((head - 126) >> 1) };
}

/** Two states take turns until the bits are used up; the other state's symbol is the last. */
function readWeights(bits, table, weights) {
  let [state, other] = [bits.take(table.accuracy), bits.take(table.accuracy)];
  while (true) {
    weights.push(table.symbols[state]);
    const following = table.base[state] + bits.take(table.bits[state]);
    if (bits.left < 0) return weights.push(table.symbols[other]);
    [state, other] = [other, following];
  }
}

function readStream(bits, table, target, start, end) {
  for (let place = start; place < end; place++) {
    const found = bits.peek(table.most);
    target[place] = table.symbols[found];
    bits.left -= table.bits[found];
  }
}

/** The literals of a block: as they are, one byte again and again, or by Huffman in one or four streams. */
function readLiterals(bytes, start, known) {
  const kind = bytes[start] & 3;
  const form = (bytes[start] >> 2) & 3;
  const head = bytes.subarray(start, start + 5).reduceRight((number, byte) => number * 256 + byte, 0);
  if (kind < 2) {
    const size = [1, 2, 1, 3][form];
    const count = form & 1 ? Math.floor(head / 16) % 2 ** (size * 8 - 4) : bytes[start] >> 3;
    const from = start + size;
    if (kind === 1) return { literals: new Uint8Array(count).fill(bytes[from]), end: from + 1, table: known };
    return { literals: bytes.subarray(from, from + count), end: from + count, table: known };
  }
  const width = [10, 10, 14, 18][form];
  const from = start + [3, 3, 4, 5][form];
  const literals = new Uint8Array(Math.floor(head / 16) % 2 ** width);
  const end = from + (Math.floor(head / 2 ** (4 + width)) % 2 ** width);
  const { table, end: first } = kind === 2 ? readHuffman(bytes, from) : { table: known, end: from };
  if (form === 0) readStream(new Bits(bytes, first, end), table, literals, 0, literals.length);
  else readFour(bytes, first, end, table, literals);
  return { literals, end, table };
}

function readFour(bytes, first, end, table, literals) {
  const quarter = (literals.length + 3) >> 2;
  let from = first + 6;
  for (let number = 0; number < 4; number++) {
    const size = bytes[first + 2 * number] | (bytes[first + 2 * number + 1] << 8);
    const until = number < 3 ? from + size : end;
    const last = number < 3 ? quarter * (number + 1) : literals.length;
    readStream(new Bits(bytes, from, until), table, literals, quarter * number, last);
    from = until;
  }
}

// ---- sequences ----

/** How many sequences a block has, and the three tables: of literals' lengths, offsets, and matches' lengths. */
function readSequenceHead(bytes, start, known) {
  let place = start;
  let count = bytes[place++];
  if (count === 255) [count, place] = [0x7f00 + bytes[place] + bytes[place + 1] * 256, place + 2];
  else if (count > 127) count = (count - 128) * 256 + bytes[place++];
  if (count === 0) return { count, tables: known, place };
  const modes = bytes[place++];
  const tables = [6, 4, 2].map((shift, which) => {
    const mode = (modes >> shift) & 3;
    if (mode === 0) return USUAL[which];
    if (mode === 1) return oneSymbol(bytes[place++]);
    if (mode === 3) return known[which];
    const { table, end } = readTable(bytes, place);
    place = end;
    return table;
  });
  return { count, tables, place };
}

/** Blocks put their literals and matches behind what is there; tables and the last offsets outlive a block. */
class Output {
  constructor(size) {
    this.bytes = new Uint8Array(size);
    this.place = 0;
    this.offsets = [1, 4, 8];
    this.huffman = null;
    this.tables = USUAL;
  }

  write(bytes) {
    this.bytes.set(bytes, this.place);
    this.place += bytes.length;
  }

  block(bytes, start, end) {
    const { literals, end: behind, table } = readLiterals(bytes, start, this.huffman);
    this.huffman = table;
    const { count, tables, place } = readSequenceHead(bytes, behind, this.tables);
    this.tables = tables;
    const used = count ? this.sequences(new Bits(bytes, place, end), count, literals) : 0;
    this.write(literals.subarray(used));
  }

  /** Some literals and a match, again and again; returns how many literals that took. */
  sequences(bits, count, literals) {
    const [lengths, offsets, matches] = this.tables;
    let [length, offset, match] = this.tables.map((table) => bits.take(table.accuracy));
    let used = 0;
    for (let number = 0; number < count; number++) {
      const distance = 2 ** offsets.symbols[offset] + bits.take(offsets.symbols[offset]);
      const matched = valueOf(MATCH_LENGTHS, matches.symbols[match], bits);
      const plain = valueOf(LITERAL_LENGTHS, lengths.symbols[length], bits);
      this.write(literals.subarray(used, (used += plain)));
      this.repeat(this.distance(distance, plain), matched);
      length = lengths.base[length] + bits.take(lengths.bits[length]);
      match = matches.base[match] + bits.take(matches.bits[match]);
      offset = offsets.base[offset] + bits.take(offsets.bits[offset]);
    }
    return used;
  }

  /** 1 to 3 name one of the last offsets, the first of which cannot follow itself at once. */
  distance(value, plain) {
    const recent = value > 3 ? 3 : value - 1 + (plain === 0);
    const found = value > 3 ? value - 3 : recent === 3 ? this.offsets[0] - 1 : this.offsets[recent];
    if (recent) this.offsets = [found, this.offsets[0], this.offsets[recent === 1 ? 2 : 1]];
    return found;
  }

  repeat(distance, count) {
    const { bytes, place } = this;
    if (distance >= count) bytes.copyWithin(place, place - distance, place - distance + count);
    else for (let step = 0; step < count; step++) bytes[place + step] = bytes[place + step - distance];
    this.place += count;
  }
}

const valueOf = (codes, code, bits) => codes.base[code] + bits.take(codes.extra[code]);

/** How many bytes come out, and where the blocks begin. */
function frameHead(bytes) {
  const flags = bytes[4];
  const single = flags & 32;
  const start = 5 + (single ? 0 : 1) + [0, 1, 2, 4][flags & 3];
  const width = [single ? 1 : 0, 2, 4, 8][flags >> 6];
  const size = bytes.subarray(start, start + width).reduceRight((number, byte) => number * 256 + byte, 0);
  return { size: size + (width === 2 ? 256 : 0), start: start + width };
}

/** The bytes that a frame holds. */
function unzstd(bytes) {
  const { size, start } = frameHead(bytes);
  let place = start;
  const output = new Output(size);
  for (let last = 0; !last; ) {
    const head = bytes[place] | (bytes[place + 1] << 8) | (bytes[place + 2] << 16);
    const [kind, count] = [(head >> 1) & 3, head >> 3];
    place += 3;
    if (kind === 1) output.write(new Uint8Array(count).fill(bytes[place]));
    else if (kind === 0) output.write(bytes.subarray(place, place + count));
    else output.block(bytes, place, place + count);
    place += kind === 1 ? 1 : count;
    last = head & 1;
  }
  if (output.place !== size) throw new Error(`${output.place} bytes came out instead of ${size}`);
  return output.bytes;
}
