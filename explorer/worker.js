// The worker: everything slow. A message {id, call, values} is answered by {id, value} or
// {id, error}; an image's estimates are answered many times, as they grow.
import { Estimates, FIRST, MOST, weigh } from "./likelihood.js";
import { Network } from "./network.js";

const PATIENCE = 25; // milliseconds of work after which other messages have their turn
const REPORT = 100; // milliseconds between reports, at least: each is painted
let network = null;
let newest = 0; // the estimate that is asked for

const CALLS = {
  load(settings, shapes, weights, simd) {
    const text = atob(weights), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    network = new Network(settings, shapes, new Uint16Array(bytes.buffer), simd);
    return network.arena.kernel !== null;
  },
  encode: (bits, labels) => network.encode(bits, labels),
  decode: (labels, z) => network.decode(labels, z),
  means(labels, z) {
    return network.decode(labels, z).map((a) => 1 / (1 + Math.exp(-a)));
  },
  weigh(bits, label, eps) {
    return weigh(network, bits, label, network.encode(bits, [label]), eps);
  },
  async estimate(bits, report) {
    const mine = ++newest;
    // Whoever writes sends bits faster than they are estimated: only the last ones count.
    await otherMessages();
    if (mine !== newest) return null;
    const estimates = new Estimates(network, bits);
    let size = FIRST, started = performance.now(), reported = 0, next;
    while ((next = estimates.next())) {
      const isFirst = next.count < FIRST;
      const before = performance.now();
      estimates.add(next, isFirst ? FIRST : Math.min(size, MOST - next.count));
      // As many particles at a time as the patience allows.
      if (performance.now() - before < PATIENCE / 4) size = Math.min(2 * size, 80);
      if (performance.now() - started < PATIENCE) continue;
      await otherMessages();
      if (mine !== newest) return null;
      started = performance.now();
      const isShown = estimates.classes.every(({ count }) => count >= FIRST);
      if (!isShown || started - reported < REPORT) continue;
      report(estimates.summary());
      reported = started;
    }
    return estimates.summary();
  },
};

// Return a promise that is kept after the messages that have come by now.
function otherMessages() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

onmessage = async ({ data: { id, call, values } }) => {
  try {
    const report = (value) => postMessage({ id, value, isPartial: true });
    postMessage({ id, value: await CALLS[call](...values, report) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};
