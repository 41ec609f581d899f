// The page: what is shown, and what happens when a person writes, clicks or slides.
import { Client, oneAtATime } from "./client.js";
import { bitsOf, normalized } from "./ink.js";
import { logLikelihoods, normals } from "./likelihood.js";
import { repaint, showGaussian, showImage, showPad } from "./picture.js";
import { ARROWS, Sketch } from "./sketch.js";

const RANGE = 3; // of sliders and pad, in standard deviations of the prior
const SLIDERS = 6; // that are not folded away
const ROWS_SHOWN = 3; // of one style each
const STEPS = 9; // of the path between two images
const COUNTS = "zero one two three four five six seven eight nine ten".split(" ");

const $ = (id) => document.getElementById(id);
const page = JSON.parse($("page").textContent);
const { run, classes, settings, shapes, directions, examples } = page;
const { side, x_dim: pixels, z_dim: d } = settings;
const [axes, divergences] = directions;
const labels = classes.map((_, label) => label);
const random = normals(20210501);
let client;

const state = {
  bits: null, // x
  summary: null, // of its estimates
  chosen: null, // the class whose numbers are shown; null for the most probable
  label: 0, z: new Float32Array(d), // the point that is explored
  rows: [], // one z each
  kept: [null, null], // two z
  isFollowing: false, // what is written, until a person explores
  eps: draw(), // of the draw of q in the strip
};

// ---------------------------------------------------------------- what is on the page

function build() {
  const digits = classes.join("") === "0123456789";
  const all = classes.length === 2 ? "both" : `all ${COUNTS[classes.length] || classes.length}`;
  $("title").textContent = `${digits ? "Write a digit" : "Draw one"}, and the model `
    + `${digits ? "writes" : "draws"} ${all} in your hand`;
  $("all-words").textContent = `${all[0].toUpperCase()}${all.slice(1)} in your hand`;
  $("run").textContent = run;
  const size = shapes.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const network = settings.network === "conv" ? "residual convolutions" : "dense layers";
  $("facts").textContent = `${network} with ${size.toLocaleString("en")} weights,`
    + ` K\u00a0=\u00a0${classes.length} classes, d\u00a0=\u00a0${d}.`;
  $("log-k").textContent = Math.log(classes.length).toFixed(3);
  for (const id of ["given", "reconstruction", "image", "flow-given", "flow-made"]) {
    showImage($(id), null, side);
  }
  for (const canvas of document.querySelectorAll(".kept canvas")) showImage(canvas, null, side);
  const longest = Math.max(...classes.map((name) => name.length));
  document.body.classList.toggle("many", classes.length > 12);
  document.body.classList.toggle("named", longest > 3);
  $("bars").style.setProperty("--name", `${Math.min(longest, 12)}ch`);
  buildBars();
  buildTiles("tiles", (label) => explore(label, shownClass().mean));
  buildTiles("classes", (label) => explore(label, state.z));
  buildExamples();
  buildSliders();
  for (let row = 0; row < ROWS_SHOWN; row++) buildRow(row);
  for (let step = 0; step < STEPS; step++) {
    const button = element("button", { type: "button", className: "tile" }, $("path"));
    const share = percent(step / (STEPS - 1));
    button.setAttribute("aria-label", `${share} of the way from A to B`);
    showImage(element("canvas", {}, button), null, side);
    button.addEventListener("click", () => walk(step / (STEPS - 1)));
  }
  showNumbers();
  showSpace();
  showGaussian($("flow-z"), null, null);
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

function buildTiles(id, take) {
  labels.forEach((label) => {
    const tile = element("button", { type: "button", className: "tile" }, $(id));
    showImage(element("canvas", {}, tile), null, side);
    element("span", { textContent: classes[label] }, tile);
    tile.addEventListener("click", () => take(label));
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

function buildSliders() {
  const names = divergences ? "directions" : "coordinates";
  $("directions-words").textContent = divergences
    ? "Its principal directions, by their KL" : "Its coordinates";
  $("more").hidden = axes.length <= SLIDERS;
  $("more").querySelector("summary").textContent = `${axes.length - SLIDERS} more ${names}`;
  $("pad").setAttribute("aria-label", `The first two ${names} of z`);
  axes.forEach((_, j) => {
    const parent = $(j < SLIDERS ? "sliders" : "more-sliders");
    const label = element("label", { className: "slider" }, parent);
    element("span", { textContent: String(j + 1) }, label);
    const range = { type: "range", min: -RANGE, max: RANGE, step: 0.05, value: 0 };
    const input = element("input", range, label);
    const name = divergences ? "Direction" : "Coordinate";
    input.setAttribute("aria-label", `${name} ${j + 1} of z`);
    element("output", { textContent: "0.00" }, label);
    if (divergences) {
      const textContent = `${divergences[j].toFixed(2)} nats`;
      element("span", { className: "quiet", textContent }, label);
    }
    input.addEventListener("input", () => move([[j, Number(input.value)]]));
  });
}

function buildRow(row) {
  const button = element("button", { type: "button", className: "row" }, $("rows"));
  button.setAttribute("aria-label", `Explore the style of row ${row + 1}`);
  labels.forEach(() => showImage(element("canvas", {}, button), null, side));
  button.addEventListener("click", () => explore(state.label, state.rows[row]));
}

// ---------------------------------------------------------------- what is written

const sketch = new Sketch($("sketch"), (strokes) => {
  $("hint").hidden = strokes.length > 0;
  take(strokes.length ? bitsOf(normalized(strokes, side)) : null);
});

// Take bits as x, or nothing.
function take(bits) {
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
  report(await client.call("estimate", [bits], report));
}

function mostProbable() {
  const shares = state.summary.classes.map(({ probability }) => probability);
  return shares.indexOf(Math.max(...shares));
}

function shownLabel() {
  return state.chosen === null ? mostProbable() : state.chosen;
}

function shownClass() {
  return state.summary ? state.summary.classes[shownLabel()] : { mean: state.z };
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

// All classes with the style of x, its reconstruction, and the strip with a draw of z.
const showStyle = oneAtATime(async () => {
  if (!state.summary) {
    for (const id of ["reconstruction", "flow-made"]) showImage($(id), null, side);
    for (const canvas of $("tiles").querySelectorAll("canvas")) showImage(canvas, null, side);
    showGaussian($("flow-z"), null, null);
    showDraw("–");
    return;
  }
  const { bits } = state.summary, { mean, logstd } = shownClass(), label = shownLabel();
  const z = mean.map((m, j) => m + Math.exp(logstd[j]) * state.eps[j]);
  const [tiles, made] = await Promise.all([
    client.call("means", [labels, repeated(mean, labels.length)]),
    client.call("decode", [[label], z]),
  ]);
  showImages($("tiles"), tiles, label);
  showImage($("reconstruction"), imageOf(tiles, label), side, "made");
  showImage($("flow-made"), made.map((a) => 1 / (1 + Math.exp(-a))), side, "made");
  showGaussian($("flow-z"), { mean, logstd }, z);
  showDraw(nats(logLikelihoods(bits, made)[0]));
});

function showDraw(text) {
  document.querySelector("[data-number=draw]").textContent = text;
}

// ---------------------------------------------------------------- what is explored

function explore(label, z, isFollowing = false) {
  const isOther = label !== state.label;
  state.isFollowing = isFollowing;
  state.label = label;
  state.z = Float32Array.from(z);
  if (isOther) showPath();
  showSpace();
  showPoint();
}

// Give z other coordinates along some of the directions.
function move(targets) {
  const z = state.z.slice();
  for (const [j, target] of targets) {
    const change = target - along(axes[j], state.z);
    axes[j].forEach((part, i) => {
      z[i] += change * part;
    });
  }
  explore(state.label, z);
}

function showSpace() {
  document.querySelectorAll(".slider").forEach((label, j) => {
    const value = along(axes[j], state.z);
    const input = label.querySelector("input");
    // A slider that a person moves is already there, but for its step.
    if (Math.abs(input.value - value) > 0.03) input.value = value;
    label.querySelector("output").textContent = signed(value);
  });
  const point = axes.slice(0, 2).map((axis) => along(axis, state.z));
  if (point.length < 2) point.push(...Array(2 - point.length).fill(0));
  const others = (examples.means || []).map(
    (mean) => axes.slice(0, 2).map((axis) => along(axis, mean)),
  );
  showPad($("pad"), point, others, RANGE + 0.25);
  $("pad").setAttribute("aria-valuetext", point.map(signed).join(", "));
}

const showPoint = oneAtATime(async () => {
  const { label, z } = state;
  const means = await client.call("means", [labels, repeated(z, labels.length)]);
  showImages($("classes"), means, label);
  showImage($("image"), shown(imageOf(means, label)), side, "made");
});

const showRows = oneAtATime(async () => {
  for (const [row, z] of state.rows.entries()) {
    const means = await client.call("means", [labels, repeated(z, labels.length)]);
    showImages($("rows").children[row], means);
  }
});

const showPath = oneAtATime(async () => {
  const { label, kept } = state;
  const path = [...Array(STEPS).keys()].flatMap((step) => [...between(step / (STEPS - 1))]);
  const z = Float32Array.from([...path, ...kept[0], ...kept[1]]);
  const means = await client.call("means", [Array(STEPS + 2).fill(label), z]);
  showImages($("path"), means);
  kept.forEach((_, i) => {
    const canvas = $(`keep-${i}`).querySelector("canvas");
    showImage(canvas, shown(imageOf(means, STEPS + i)), side, "made");
  });
});

// The point so far along the straight line from the first kept image to the second.
function between(share) {
  const [start, end] = state.kept;
  return start.map((value, j) => (1 - share) * value + share * end[j]);
}

function walk(share) {
  $("share").value = share;
  explore(state.label, between(share));
}

function newRows() {
  state.rows = Array.from({ length: ROWS_SHOWN }, draw);
  showRows();
}

// ---------------------------------------------------------------- small parts

function showImages(container, means, chosen) {
  container.querySelectorAll("canvas").forEach((canvas, i) => {
    showImage(canvas, shown(imageOf(means, i)), side, "made");
    if (chosen !== undefined) {
      canvas.parentElement.setAttribute("aria-pressed", String(i === chosen));
    }
  });
}

// Pixel means as they are, or bits drawn from them.
function shown(means) {
  return $("bits").checked ? means.map((mean) => (Math.random() < mean ? 1 : 0)) : means;
}

function imageOf(means, i) {
  return means.subarray(i * pixels, (i + 1) * pixels);
}

function draw() {
  return Float32Array.from({ length: d }, random);
}

function repeated(z, times) {
  const all = new Float32Array(times * d);
  for (let i = 0; i < times; i++) all.set(z, i * d);
  return all;
}

function along(axis, z) {
  return axis.reduce((sum, part, j) => sum + part * z[j], 0);
}

function element(name, properties, parent) {
  const made = Object.assign(document.createElement(name), properties);
  parent.append(made);
  return made;
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function nats(value) {
  return value.toFixed(2).replace("-", "−");
}

function signed(value) {
  return (value < -0.005 ? "−" : " ") + Math.abs(value).toFixed(2);
}

function percent(share) {
  return share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

// ---------------------------------------------------------------- controls

function listen() {
  $("undo").addEventListener("click", () => sketch.undo());
  $("clear").addEventListener("click", () => sketch.clear());
  $("prior").addEventListener("click", () => explore(state.label, draw()));
  $("zero").addEventListener("click", () => explore(state.label, new Float32Array(d)));
  $("back").addEventListener("click", () => {
    if (state.summary) explore(shownLabel(), shownClass().mean);
  });
  $("bits").addEventListener("change", () => {
    for (const show of [showPoint, showRows, showPath, showStyle]) show();
  });
  $("new-rows").addEventListener("click", newRows);
  $("share").addEventListener("input", ({ target }) => {
    explore(state.label, between(Number(target.value)));
  });
  $("again").addEventListener("click", () => {
    state.eps = draw();
    showStyle();
  });
  state.kept.forEach((_, i) => $(`keep-${i}`).addEventListener("click", () => {
    state.kept[i] = state.z.slice();
    showPath();
  }));
  listenToPad();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

function listenToPad() {
  const pad = $("pad");
  const moveTo = (values) => move(values.slice(0, axes.length).map((value, j) => [
    j, Math.max(-RANGE, Math.min(RANGE, value)),
  ]));
  const follow = (event) => {
    const box = pad.getBoundingClientRect(), range = RANGE + 0.25;
    moveTo([
      (2 * (event.clientX - box.left) / box.width - 1) * range,
      (1 - 2 * (event.clientY - box.top) / box.height) * range,
    ]);
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    follow(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) follow(event);
  });
  pad.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const change = [0.1 * step[0], -0.1 * step[1]]; // upwards is more
    moveTo(axes.slice(0, 2).map((axis, j) => along(axis, state.z) + change[j]));
  });
}

// The worker and the weights come after this script in the page.
async function start() {
  try {
    client = new Client($("worker").textContent, (calls) => {
      document.documentElement.dataset.state = calls ? "busy" : "idle";
    });
    await client.call("load", [settings, shapes, $("weights").textContent]);
    if (examples.images.length) {
      const bits = Uint8Array.from(examples.images.flatMap((image) => [...image]));
      const { mean } = await client.call("encode", [bits, examples.labels]);
      examples.means = examples.labels.map((_, i) => mean.subarray(i * d, (i + 1) * d));
    }
    state.kept = [draw(), draw()];
    newRows();
    showPath();
    explore(0, state.z);
    if (examples.images.length) take(examples.images[0]);
  } catch (error) {
    $("fault").textContent = `The model cannot run in this browser: ${error.message}`;
    $("fault").hidden = false;
  }
}

build();
listen();
document.documentElement.classList.remove("building");
document.addEventListener("DOMContentLoaded", start);
