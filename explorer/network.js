// The package's networks (cvae/networks) as functions of typed arrays: the encoder
// NN_φ(x, y) and the decoder NN_θ(y, z), dense or of residual convolutions.
//
// An array of n rows may have more rows of memory than n; `Arena.product` says why.
import { Arena } from "./product.js";

const SCRATCH = 1 << 24; // floats for the values of a pass
const ROWS = 32; // images that go through a network together, at most

const ACTIVATIONS = {
  relu: (a) => (a > 0 ? a : 0),
  swish: (a) => a / (1 + Math.exp(-a)),
  tanh: Math.tanh,
};

export class Network {
  // `shapes` are pairs of a variable's name and shape, in the order in which their values
  // stand in `halves`, a Uint16Array of numbers in half precision.
  constructor(settings, shapes, halves, simd = true) {
    this.settings = settings;
    this.activation = ACTIVATIONS[settings.activation];
    this.arena = new Arena(halves.length + SCRATCH, simd);
    this.weights = {};
    let start = 0;
    for (const [name, shape] of shapes) {
      const size = shape.reduce((product, length) => product * length, 1);
      this.weights[name] = this.arena.allocate(size);
      fromHalves(halves.subarray(start, start + size), this.weights[name]);
      start += size;
    }
    this.base = this.arena.used;
  }

  // Return the mean and the log standard deviation of q(z | x, y), [n, d] each, of bits
  // [n, side²] and n labels.
  encode(bits, labels) {
    const { z_dim: d, x_dim: pixels } = this.settings;
    const mean = new Float32Array(labels.length * d), logstd = mean.slice();
    this.inParts(labels, (some, start) => {
      const part = bits.subarray(start * pixels, (start + some.length) * pixels);
      const heads = this.dense("q_net/z_heads", this.features(part, some), some.length, 2 * d);
      for (let i = 0; i < some.length; i++) {
        const row = heads.subarray(2 * d * i, 2 * d * (i + 1));
        mean.set(row.subarray(0, d), (start + i) * d);
        logstd.set(row.subarray(d), (start + i) * d);
      }
    });
    return { mean, logstd };
  }

  // Return NN_θ(y, z), the logits of x [n, side²], of n labels and z [n, d].
  decode(labels, z) {
    const { z_dim: d, x_dim: pixels } = this.settings;
    const logits = new Float32Array(labels.length * pixels);
    this.inParts(labels, (some, start) => {
      const part = z.subarray(start * d, (start + some.length) * d);
      const found = this.logits(part, some).subarray(0, some.length * pixels);
      logits.set(found, start * pixels);
    });
    return logits;
  }

  inParts(labels, pass) {
    for (let start = 0; start < labels.length; start += ROWS) {
      this.arena.used = this.base;
      pass(labels.slice(start, start + ROWS), start);
    }
  }

  features(bits, labels) {
    const { network, hidden, channels, side, padded } = this.settings;
    const n = labels.length;
    if (network !== "conv") {
      const x = this.arena.allocate(Math.max(n, 4) * bits.length / n);
      x.set(bits);
      return this.denseLayers("q_net", x, labels, hidden, false);
    }
    const before = (padded - side) >> 1;
    let h = this.arena.allocate(n * padded ** 2).fill(0);
    for (let row = 0; row < n * side; row++) {
      const image = Math.floor(row / side), i = row % side;
      const to = (image * padded + before + i) * padded + before;
      for (let j = 0; j < side; j++) h[to + j] = 2 * bits[row * side + j] - 1;
    }
    let size = padded, features = 1;
    channels.forEach((count, level) => {
      const name = `q_net/down_${level + 1}`;
      h = this.conv(`${name}/halve`, h, n, size, features, count, level ? 3 : 5, 2);
      size /= 2;
      features = count;
      h = this.blocks(name, h, labels, size, features);
    });
    return this.denseLayers("q_net", h, labels, hidden, false);
  }

  logits(z, labels) {
    const { network, hidden, channels, side, padded, x_dim: pixels } = this.settings;
    const n = labels.length, d = z.length / n;
    let h = this.arena.allocate(Math.max(n, 4) * d);
    h.set(z);
    h = this.denseLayers("gen", h, labels, [...hidden].reverse(), true);
    if (network !== "conv") return this.dense("gen/x_logits", h, n, pixels);
    let size = padded >> channels.length;
    h = this.dense("gen/unfold", h, n, size ** 2 * channels[channels.length - 1]);
    for (let level = channels.length; level > 0; level--) {
      const name = `gen/up_${level}`, count = channels[level - 1];
      const target = level > 1 ? channels[level - 2] : 1;
      h = this.activate(this.blocks(name, h, labels, size, count), n * size ** 2 * count);
      h = this.conv(`${name}/double`, h, n, size, count, 4 * target, 3, 1);
      h = this.depthToSpace(h, n, size, target);
      size *= 2;
    }
    return this.cropped(h, n, (padded - side) >> 1);
  }

  // Layers of `sizes` units; the class enters the first one's input, before or after h.
  denseLayers(scope, h, labels, sizes, isClassFirst) {
    const n = labels.length;
    sizes.forEach((units, i) => {
      const given = i ? null : labels;
      h = this.dense(`${scope}/hidden_${i + 1}`, h, n, units, given, isClassFirst);
      if (this.settings.film) this.film(`${scope}/class_${i + 1}`, h, labels, 1, units);
      h = this.activate(h, n * units);
    });
    return h;
  }

  // An affine layer. A one-hot class in its input adds one row of the kernel.
  dense(name, h, n, units, labels = null, isClassFirst = false) {
    const kernel = this.weights[`${name}/kernel`], bias = this.weights[`${name}/bias`];
    const classes = labels ? this.settings.n_classes : 0;
    const inputs = kernel.length / units - classes;
    const first = isClassFirst ? classes * units : 0;
    const out = this.arena.product(h, kernel.subarray(first), n, inputs, units);
    const rows = isClassFirst ? 0 : inputs * units;
    for (let i = 0, at = 0; i < n; i++) {
      const row = labels ? rows + labels[i] * units : -1;
      for (let j = 0; j < units; j++, at++) {
        out[at] += row < 0 ? bias[j] : bias[j] + kernel[row + j];
      }
    }
    return out;
  }

  // Scale and shift each feature of h [n, area, features] by the class (FiLM).
  film(name, h, labels, area, features) {
    const kernel = this.weights[`${name}/kernel`], bias = this.weights[`${name}/bias`];
    for (let i = 0, at = 0; i < labels.length; i++) {
      const scale = labels[i] * 2 * features, shift = scale + features;
      for (let pixel = 0; pixel < area; pixel++) {
        for (let j = 0; j < features; j++, at++) {
          h[at] = h[at] * (1 + kernel[scale + j] + bias[j])
            + kernel[shift + j] + bias[features + j];
        }
      }
    }
  }

  activate(h, size) {
    const { activation } = this, out = this.arena.allocate(h.length);
    for (let i = 0; i < size; i++) out[i] = activation(h[i]);
    return out;
  }

  // Residual blocks on h [n, side, side, channels].
  blocks(scope, h, labels, side, channels) {
    const n = labels.length, area = side ** 2;
    for (let number = 1; number <= this.settings.blocks; number++) {
      const name = `${scope}/block_${number}`;
      let r = this.activate(h, n * area * channels);
      r = this.conv(`${name}/conv_1`, r, n, side, channels, channels, 3, 1);
      this.film(`${name}/class`, r, labels, area, channels);
      r = this.activate(r, n * area * channels);
      r = this.conv(`${name}/conv_2`, r, n, side, channels, channels, 3, 1);
      for (let i = 0; i < n * area * channels; i++) r[i] += h[i];
      h = r;
    }
    return h;
  }

  // A convolution with squares of `size`, padded with zeros as TensorFlow's "SAME": the
  // product of all its patches, one a row, with the kernel.
  conv(name, h, n, side, inputs, outputs, size, stride) {
    const across = side / stride, row = size * inputs, patch = size * row;
    const before = Math.max((across - 1) * stride + size - side, 0) >> 1;
    const patches = this.arena.allocate(Math.max(n * across ** 2, 4) * patch);
    for (let image = 0, at = 0; image < n; image++) {
      for (let i = 0; i < across; i++) {
        for (let j = 0; j < across; j++) {
          const left = j * stride - before;
          const first = Math.max(left, 0), last = Math.min(left + size, side);
          for (let y = i * stride - before, end = y + size; y < end; y++, at += row) {
            if (y < 0 || y >= side) {
              patches.fill(0, at, at + row);
              continue;
            }
            let to = at;
            for (const stop = at + (first - left) * inputs; to < stop; to++) patches[to] = 0;
            let from = ((image * side + y) * side + first) * inputs;
            for (const stop = to + (last - first) * inputs; to < stop; to++, from++) {
              patches[to] = h[from];
            }
            for (; to < at + row; to++) patches[to] = 0;
          }
        }
      }
    }
    return this.dense(name, patches, n * across ** 2, outputs);
  }

  // Move blocks of 2 x 2 from the channels to the plane: [n, s, s, 4 c] to [n, 2s, 2s, c].
  depthToSpace(h, n, side, channels) {
    const out = this.arena.allocate(n * side ** 2 * 4 * channels);
    for (let line = 0, at = 0; line < n * side; line++) {
      for (let j = 0; j < side; j++) {
        for (let block = 0; block < 4; block++) {
          const i = 2 * line + (block >> 1), column = 2 * j + (block & 1);
          const to = (i * 2 * side + column) * channels;
          for (let c = 0; c < channels; c++, at++) out[to + c] = h[at];
        }
      }
    }
    return out;
  }

  // Return images [n, side²] out of padded ones, from `before` pixels on.
  cropped(h, n, before) {
    const { side, padded } = this.settings, out = this.arena.allocate(n * side ** 2);
    for (let row = 0; row < n * side; row++) {
      const i = Math.floor(row / side) * padded + before + (row % side);
      const from = i * padded + before;
      out.set(h.subarray(from, from + side), row * side);
    }
    return out;
  }
}

// Write numbers in half precision (IEEE 754) as floats.
function fromHalves(halves, floats) {
  for (let i = 0; i < halves.length; i++) {
    const exponent = (halves[i] >> 10) & 31, fraction = halves[i] & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    floats[i] = halves[i] & 0x8000 ? -size : size;
  }
}
