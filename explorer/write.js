// Part 1: what is written, its class and its worth.
import {
  $, call, classes, element, examples, labels, nats, percent, pixels, side, state,
} from "./common.js";
import { explore } from "./explore.js";
import { bitsOf, normalized } from "./ink.js";
import { showImage } from "./picture.js";
import { Sketch } from "./sketch.js";
import { mostProbable, shownClass, shownLabel, showStyle } from "./style.js";

export function buildWriting() {
  const longest = Math.max(...classes.map((name) => name.length));
  $("bars").style.setProperty("--name", `${Math.min(longest, 12)}ch`);
  buildBars();
  buildExamples();
  showNumbers();
  $("undo").addEventListener("click", () => sketch.undo());
  $("clear").addEventListener("click", () => sketch.clear());
}

const sketch = new Sketch($("sketch"), (strokes) => {
  $("hint").hidden = strokes.length > 0;
  take(strokes.length ? bitsOf(normalized(strokes, side)) : null);
});

// Take bits as x, or nothing.
export function take(bits) {
  state.bits = bits;
  state.chosen = null;
  showImage($("given"), bits, side, "given");
  showImage($("flow-given"), bits, side, "given");
  if (bits) {
    $("progress").textContent = "counting …";
    estimate();
    return;
  }
  state.summary = null;
  showSummary();
  showStyle();
  $("progress").textContent = "Write something, or take an example.";
}

async function estimate() {
  const { bits } = state;
  const report = (summary) => {
    if (!summary || bits !== state.bits) return; // there are other bits by now
    const isFirst = !state.summary || state.summary.bits !== bits;
    const before = isFirst ? null : shownLabel();
    if (isFirst) state.isFollowing = true;
    state.summary = { ...summary, bits };
    showSummary();
    if (shownLabel() !== before) {
      showStyle();
      if (state.isFollowing) explore(shownLabel(), shownClass().mean, true);
    }
    if (summary.isDone) {
      const { probability } = summary.classes[mostProbable()];
      const name = classes[mostProbable()];
      $("status").textContent = `Most probable: ${name}, ${percent(probability)}`;
    }
  };
  report(await call("estimate", [bits], report));
}

function showSummary() {
  const { summary } = state;
  const most = Math.max(...(summary ? summary.classes.map((c) => c.particles) : [0]));
  [...$("bars").children].forEach((bar, label) => {
    const share = summary ? summary.classes[label].probability : 0;
    bar.querySelector(".fill").style.transform = `scaleX(${share})`;
    bar.querySelector(".share").textContent = summary ? percent(share) : "–";
    bar.setAttribute("aria-pressed", String(Boolean(summary) && label === shownLabel()));
  });
  if (summary) {
    $("progress").textContent = summary.isDone
      ? `${most} particles, fewer for classes far behind.` : `${most} particles so far …`;
  }
  showNumbers();
}

function showNumbers() {
  const { summary } = state;
  const found = summary && shownClass();
  const values = !found ? {} : {
    class: classes[shownLabel()],
    likelihood: nats(found.logLikelihood),
    marginal: nats(summary.logMarginal),
    probability: percent(found.probability),
    bound: nats(found.bound),
    reconstruction: nats(found.reconstruction),
    divergence: nats(found.divergence),
    ess: `${found.ess.toFixed(1)} of ${found.particles}`,
  };
  for (const place of document.querySelectorAll("[data-number]")) {
    const { number } = place.dataset;
    if (number !== "draw") place.textContent = values[number] || "–";
  }
}

function buildBars() {
  labels.forEach((label) => {
    const bar = element("button", { type: "button", className: "bar" }, $("bars"));
    element("span", { className: "name", textContent: classes[label] }, bar);
    element("span", { className: "fill" }, element("span", { className: "track" }, bar));
    element("span", { className: "share", textContent: "–" }, bar);
    bar.addEventListener("click", () => {
      state.chosen = state.chosen === label ? null : label;
      showSummary();
      showStyle();
    });
  });
}

function buildExamples() {
  const packed = fromBase64(examples.bits), length = Math.ceil(pixels / 8);
  $("examples").hidden = !examples.labels.length;
  $("pad-points").hidden = !examples.labels.length;
  examples.images = examples.labels.map((label, i) => {
    const bits = new Uint8Array(pixels);
    for (let p = 0; p < pixels; p++) {
      bits[p] = (packed[i * length + (p >> 3)] >> (7 - (p & 7))) & 1;
    }
    const button = element("button", { type: "button", className: "tile" }, $("strip"));
    button.setAttribute("aria-label", `Test image of class ${classes[label]}`);
    showImage(element("canvas", {}, button), bits, side, "given");
    button.addEventListener("click", () => {
      sketch.strokes = [];
      sketch.show();
      $("hint").hidden = true;
      take(bits);
    });
    return bits;
  });
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
