// The product of two matrices, which takes nearly all of the networks' time.
//
// Plain loops over typed arrays reach 1.5 billion multiplications a second. WebAssembly's
// vectors of four floats reach 10 billion, so that ten decodes take as long as one slider
// step may. Its kernel is one block of code, which `assemble` writes below.

// A single block of memory that holds the weights at its start and a pass's values after
// them. The values are freed all at once, by setting `used` back.
export class Arena {
  constructor(size, simd = true) {
    this.kernel = null;
    this.used = 0;
    let buffer;
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * size) / 65536) });
      const module = new WebAssembly.Module(assemble());
      if (simd) {
        this.kernel = new WebAssembly.Instance(module, { js: { memory } }).exports.product;
      }
      buffer = memory.buffer;
    } catch (error) {
      // WebAssembly or its vectors are missing, or switched off.
      buffer = new ArrayBuffer(4 * size);
    }
    this.floats = new Float32Array(buffer);
  }

  allocate(size) {
    const start = this.used;
    this.used += size;
    if (this.used > this.floats.length) {
      throw new RangeError("the network needs more memory than this page has");
    }
    return this.floats.subarray(start, this.used);
  }

  // Return a [m, k] times b [k, n], as [m, n].
  product(a, b, m, k, n) {
    // The kernel computes four rows at a time, so that fewer are padded to four.
    const out = this.allocate(Math.max(m, 4) * n);
    if (this.kernel && n >= 4) {
      const rows = Math.max(m, 4);
      this.kernel(a.byteOffset, b.byteOffset, out.byteOffset, rows, k, n);
    } else {
      plainProduct(a, b, out, m, k, n);
    }
    return out;
  }
}

// Blocks of four rows and two columns, whose eight sums stay in registers. Indices after
// the last row or column repeat it: the same sum is stored again.
function plainProduct(a, b, out, m, k, n) {
  for (let i = 0; i < m; i += 4) {
    const rows = [0, 1, 2, 3].map((r) => Math.min(i + r, m - 1));
    const [a0, a1, a2, a3] = rows.map((row) => row * k);
    const [o0, o1, o2, o3] = rows.map((row) => row * n);
    for (let j = 0; j < n; j += 2) {
      const next = Math.min(j + 1, n - 1);
      let s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
      for (let p = 0, at = 0; p < k; p++, at += n) {
        const left = b[at + j], right = b[at + next];
        s00 += a[a0 + p] * left;
        s01 += a[a0 + p] * right;
        s10 += a[a1 + p] * left;
        s11 += a[a1 + p] * right;
        s20 += a[a2 + p] * left;
        s21 += a[a2 + p] * right;
        s30 += a[a3 + p] * left;
        s31 += a[a3 + p] * right;
      }
      out[o0 + j] = s00;
      out[o0 + next] = s01;
      out[o1 + j] = s10;
      out[o1 + next] = s11;
      out[o2 + j] = s20;
      out[o2 + next] = s21;
      out[o3 + j] = s30;
      out[o3 + next] = s31;
    }
  }
}

// Return the WebAssembly module of
//
//   product(a, b, out, m, k, n):       // addresses in bytes; m and n at least 4
//     for (i = 0; i < m; i += 4)
//       for (j = 0; j < n; j += 4)
//         row = min(i, m - 4), column = min(j, n - 4)   // the last blocks overlap
//         sum0..sum3 = 0
//         for (left = k; left > 0; left--)
//           right = four floats of b
//           sum0..sum3 += one float of each of four rows of a, times right
//         store sum0..sum3
function assemble() {
  const [a, b, out, m, k, n, i, j, left, fromA, fromB, to] = Array(12).keys();
  const widthA = 12, widthB = 13; // bytes of a row
  const right = 14, sum = 15; // vectors, the second of four

  const number = (value) => {
    const bytes = [];
    for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
    return [...bytes, value];
  };
  const get = (local) => [0x20, local];
  const set = (local) => [0x21, local];
  const constant = (value) => [0x41, value]; // up to 63
  const add = [0x6a], subtract = [0x6b], multiply = [0x6c], isBelow = [0x48];
  const select = [0x1b];
  const load = [0xfd, 0x00, 0, 0], loadIntoAll = [0xfd, 0x09, 2, 0];
  const store = [0xfd, 0x0b, 0, 0];
  const zeros = [0xfd, 0x0c, ...Array(16).fill(0)];
  const addVectors = [0xfd, 0xe4, 0x01], multiplyVectors = [0xfd, 0xe6, 0x01];
  // Repeat the body while its last value is not zero.
  const loop = (...body) => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b];
  const times4 = [...constant(4), ...multiply];
  const step = (local, amount) => [...get(local), ...amount, ...add, ...set(local)];
  const smaller = (x, y) => [...x, ...y, ...x, ...y, ...isBelow, ...select];
  // The address of row r after `start`.
  const rowOf = (start, width, r) => [
    ...get(start), ...Array(r).fill([...get(width), ...add]).flat(),
  ];
  const four = (code) => [0, 1, 2, 3].flatMap(code);
  const less4 = (local) => [...get(local), ...constant(4), ...subtract];
  const row = smaller(get(i), less4(m)), column = smaller(get(j), less4(n));

  const body = [
    ...get(k), ...times4, ...set(widthA),
    ...get(n), ...times4, ...set(widthB),
    ...loop(
      constant(0), set(j),
      loop(
        get(a), row, get(widthA), multiply, add, set(fromA),
        get(b), column, times4, add, set(fromB),
        get(out), row, get(widthB), multiply, add, column, times4, add, set(to),
        four((r) => [...zeros, ...set(sum + r)]),
        get(k), set(left),
        loop(
          get(fromB), load, set(right),
          four((r) => [
            ...rowOf(fromA, widthA, r), ...loadIntoAll, ...get(right), ...multiplyVectors,
            ...get(sum + r), ...addVectors, ...set(sum + r),
          ]),
          step(fromA, constant(4)), step(fromB, get(widthB)),
          get(left), constant(1), subtract, set(left), get(left),
        ),
        four((r) => [...rowOf(to, widthB, r), ...get(sum + r), ...store]),
        step(j, constant(4)), get(j), get(n), isBelow,
      ),
      step(i, constant(4)), get(i), get(m), isBelow,
    ),
    0x0b,
  ];
  const integer = 0x7f, vector = 0x7b;
  const code = [2, 8, integer, 5, vector, ...body]; // locals after the six arguments
  const text = (word) => [word.length, ...new TextEncoder().encode(word)];
  const section = (id, ...bytes) => [id, ...number(bytes.flat().length), ...bytes.flat()];
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
    ...section(1, [1, 0x60, 6, ...Array(6).fill(integer), 0]), // the function's type
    ...section(2, [1, ...text("js"), ...text("memory"), 2, 0, 1]), // a page of memory
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("product"), 0, 0]),
    ...section(10, [1, ...number(code.length), ...code]),
  ]);
}
