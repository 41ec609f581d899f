// What an image is worth under the model: importance weights, the bound and Bayes' rule,
// all in nats. Importance weights are w = p(x, z | y) / q(z | x, y) of draws of z from q.

export const FIRST = 10; // particles of each class before anything is shown
export const MOST = 320; // particles of a class
const MARGIN = 15; // nats behind the best class at which a class gets no more particles

// Return log p(x | y, z) of bits [pixels], which all n rows of logits [n, pixels] share.
export function logLikelihoods(bits, logits) {
  const pixels = bits.length, found = new Float64Array(logits.length / pixels);
  for (let i = 0; i < logits.length; i++) {
    const a = logits[i];
    found[Math.floor(i / pixels)] +=
      bits[i % pixels] * a - Math.max(a, 0) - Math.log1p(Math.exp(-Math.abs(a)));
  }
  return found;
}

// Return KL(q(z | x, y) || p(z)) of one image, in closed form.
function divergence({ mean, logstd }) {
  return mean.reduce(
    (sum, m, j) => sum + (m * m + Math.exp(2 * logstd[j]) - 1) / 2 - logstd[j], 0,
  );
}

// Return log p(x | y, z) and log w of the z that standard normal draws eps [n, d] make.
export function weigh(network, bits, label, { mean, logstd }, eps) {
  const d = mean.length, n = eps.length / d, z = new Float32Array(eps.length);
  const labels = new Uint16Array(n).fill(label);
  for (let i = 0; i < z.length; i++) {
    z[i] = mean[i % d] + Math.exp(logstd[i % d]) * eps[i];
  }
  const reconstruction = logLikelihoods(bits, network.decode(labels, z));
  const logWeights = reconstruction.slice();
  for (let i = 0; i < z.length; i++) {
    logWeights[Math.floor(i / d)] += (eps[i] ** 2 - z[i] ** 2) / 2 + logstd[i % d];
  }
  return { reconstruction, logWeights };
}

// Estimates of log p(x | y) of one image for all classes, which grow with the particles.
export class Estimates {
  constructor(network, bits) {
    const { n_classes: classes } = network.settings;
    this.network = network;
    this.bits = bits;
    this.classes = Array.from({ length: classes }, (_, label) => ({
      label, random: normals(label + 1), gaussian: null, // q(z | x, y)
      count: 0, top: -Infinity, sum: 0, squares: 0, bound: 0, reconstruction: 0,
    }));
  }

  // Return the class that needs particles most, or undefined if none does.
  next() {
    const fresh = this.classes.find(({ count }) => count < FIRST);
    if (fresh) return fresh;
    const best = Math.max(...this.classes.map(logMean));
    const near = this.classes.filter((c) => c.count < MOST && logMean(c) >= best - MARGIN);
    return near.sort((one, other) => one.count - other.count)[0];
  }

  // Give the class so many more particles.
  add(found, particles) {
    found.gaussian = found.gaussian || this.network.encode(this.bits, [found.label]);
    const eps = Float32Array.from(
      { length: particles * found.gaussian.mean.length }, found.random,
    );
    const { reconstruction, logWeights } = weigh(
      this.network, this.bits, found.label, found.gaussian, eps,
    );
    const top = Math.max(found.top, ...logWeights), shrink = Math.exp(found.top - top);
    found.sum *= shrink;
    found.squares *= shrink ** 2;
    logWeights.forEach((logWeight, i) => {
      const weight = Math.exp(logWeight - top);
      found.sum += weight;
      found.squares += weight ** 2;
      found.bound += logWeight;
      found.reconstruction += reconstruction[i];
    });
    found.top = top;
    found.count += particles;
  }

  // Return everything that the page shows, class by class, and log p(x), once each class
  // has particles.
  summary() {
    const logs = this.classes.map(logMean), top = Math.max(...logs);
    const total = logs.reduce((sum, value) => sum + Math.exp(value - top), 0);
    return {
      logMarginal: top + Math.log(total / logs.length),
      isDone: this.next() === undefined,
      classes: this.classes.map((c, label) => ({
        probability: Math.exp(logs[label] - top) / total,
        logLikelihood: logs[label],
        particles: c.count,
        ess: c.sum ** 2 / c.squares,
        bound: c.bound / c.count,
        reconstruction: c.reconstruction / c.count,
        divergence: divergence(c.gaussian),
        mean: c.gaussian.mean,
        logstd: c.gaussian.logstd,
      })),
    };
  }
}

function logMean({ top, sum, count }) {
  return top + Math.log(sum / count);
}

// Return a source of standard normal draws (Box & Muller 1958), the same for one seed.
export function normals(seed) {
  const uniform = uniforms(seed);
  let kept = null;
  return () => {
    if (kept !== null) {
      const value = kept;
      kept = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

// Return a source of uniform draws from [0, 1), the same for one seed: an integer that
// grows by an odd constant, whose bits the finalizer of MurmurHash3 mixes.
export function uniforms(seed) {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
