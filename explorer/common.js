// What the parts of the page share: what it is made of, its state, and small functions.
import { Client } from "./client.js";
import { normals } from "./likelihood.js";
import { showImage } from "./picture.js";

export const $ = (id) => document.getElementById(id);
export const page = JSON.parse($("page").textContent);
export const { classes, settings, directions, examples } = page;
export const { side, x_dim: pixels, z_dim: d } = settings;
export const labels = classes.map((_, label) => label);
const random = normals(20210501);
let client;

export const state = {
  bits: null, // x
  summary: null, // of its estimates
  chosen: null, // the class whose numbers are shown; null for the most probable
  label: 0, z: new Float32Array(d), // the point that is explored
  rows: [], // one z each
  kept: [null, null], // two z
  isFollowing: false, // what is written, until a person explores
  eps: draw(), // of the draw of q in the strip
};

// Start the worker, whose script and weights come after this one in the page.
export async function startWorker() {
  client = new Client($("worker").textContent, (calls) => {
    document.documentElement.dataset.state = calls ? "busy" : "idle";
  });
  await client.call("load", [settings, page.shapes, $("weights").textContent]);
}

// Return a promise of what the worker's function `name` returns, see client.js.
export function call(name, values, report) {
  return client.call(name, values, report);
}

export function showImages(container, means, chosen) {
  container.querySelectorAll("canvas").forEach((canvas, i) => {
    showImage(canvas, shown(imageOf(means, i)), side, "made");
    if (chosen !== undefined) {
      canvas.parentElement.setAttribute("aria-pressed", String(i === chosen));
    }
  });
}

// Pixel means as they are, or bits drawn from them.
export function shown(means) {
  return $("bits").checked ? means.map((mean) => (Math.random() < mean ? 1 : 0)) : means;
}

export function imageOf(means, i) {
  return means.subarray(i * pixels, (i + 1) * pixels);
}

export function draw() {
  return Float32Array.from({ length: d }, random);
}

export function repeated(z, times) {
  const all = new Float32Array(times * d);
  for (let i = 0; i < times; i++) all.set(z, i * d);
  return all;
}

export function along(axis, z) {
  return axis.reduce((sum, part, j) => sum + part * z[j], 0);
}

// Add a tile for each class, which gives its label to `take`.
export function buildTiles(id, take) {
  labels.forEach((label) => {
    const tile = element("button", { type: "button", className: "tile" }, $(id));
    showImage(element("canvas", {}, tile), null, side);
    element("span", { textContent: classes[label] }, tile);
    tile.addEventListener("click", () => take(label));
  });
}

export function element(name, properties, parent) {
  const made = Object.assign(document.createElement(name), properties);
  parent.append(made);
  return made;
}

export function nats(value) {
  return value.toFixed(2).replace("-", "−");
}

export function signed(value) {
  return (value < -0.005 ? "−" : " ") + Math.abs(value).toFixed(2);
}

export function percent(share) {
  return share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}
