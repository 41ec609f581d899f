// Part 3: the point that is explored, rows of one style each, and the path between two
// images.
import { oneAtATime } from "./client.js";
import {
  $, along, call, d, directions, draw, element, examples, imageOf, labels, percent,
  repeated, showImages, shown, side, signed, state,
} from "./common.js";
import { showImage, showPad } from "./picture.js";
import { ARROWS, leaveTouchToPointers } from "./sketch.js";

const RANGE = 3; // of sliders and pad, in standard deviations of the prior
const SLIDERS = 6; // that are not folded away
const ROWS_SHOWN = 3; // of one style each
const STEPS = 9; // of the path between two images
const [axes, divergences] = directions;

export function buildExploring() {
  buildSliders();
  for (let row = 0; row < ROWS_SHOWN; row++) buildRow(row);
  for (let step = 0; step < STEPS; step++) buildStep(step / (STEPS - 1));
  showSpace();
  $("prior").addEventListener("click", () => explore(state.label, draw()));
  $("zero").addEventListener("click", () => explore(state.label, new Float32Array(d)));
  $("new-rows").addEventListener("click", newRows);
  $("share").addEventListener("input", ({ target }) => {
    explore(state.label, between(Number(target.value)));
  });
  state.kept.forEach((_, i) => $(`keep-${i}`).addEventListener("click", () => {
    state.kept[i] = state.z.slice();
    showPath();
  }));
  listenToPad();
}

export function explore(label, z, isFollowing = false) {
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

export const showPoint = oneAtATime(async () => {
  const { label, z } = state;
  const means = await call("means", [labels, repeated(z, labels.length)]);
  showImages($("classes"), means, label);
  showImage($("image"), shown(imageOf(means, label)), side, "made");
});

export const showRows = oneAtATime(async () => {
  for (const [row, z] of state.rows.entries()) {
    const means = await call("means", [labels, repeated(z, labels.length)]);
    showImages($("rows").children[row], means);
  }
});

export const showPath = oneAtATime(async () => {
  const { label, kept } = state;
  const path = [...Array(STEPS).keys()].flatMap((step) => [...between(step / (STEPS - 1))]);
  const z = Float32Array.from([...path, ...kept[0], ...kept[1]]);
  const means = await call("means", [Array(STEPS + 2).fill(label), z]);
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

export function newRows() {
  state.rows = Array.from({ length: ROWS_SHOWN }, draw);
  showRows();
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

function buildStep(share) {
  const button = element("button", { type: "button", className: "tile" }, $("path"));
  button.setAttribute("aria-label", `${percent(share)} of the way from A to B`);
  showImage(element("canvas", {}, button), null, side);
  button.addEventListener("click", () => walk(share));
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
  leaveTouchToPointers(pad);
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
