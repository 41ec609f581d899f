// The page: put together of its parts, and started.
import {
  $, buildTiles, call, classes, d, draw, examples, page, settings, side, startWorker, state,
} from "./common.js";
import { buildExploring, explore, newRows, showPath, showPoint, showRows } from "./explore.js";
import { repaint, showImage } from "./picture.js";
import { buildStyle, shownClass, shownLabel, showStyle } from "./style.js";
import { buildWriting, take } from "./write.js";

const COUNTS = "zero one two three four five six seven eight nine ten".split(" ");

function build() {
  const digits = classes.join("") === "0123456789";
  const all = classes.length === 2 ? "both" : `all ${COUNTS[classes.length] || classes.length}`;
  $("title").textContent = `${digits ? "Write a digit" : "Draw one"}, and the model `
    + `${digits ? "writes" : "draws"} ${all} in your hand`;
  $("all-words").textContent = `${all[0].toUpperCase()}${all.slice(1)} in your hand`;
  $("run").textContent = page.run;
  const size = page.shapes.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
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
  buildWriting();
  buildTiles("tiles", (label) => explore(label, shownClass().mean));
  buildTiles("classes", (label) => explore(label, state.z));
  buildStyle();
  buildExploring();
}

function listen() {
  $("back").addEventListener("click", () => {
    if (state.summary) explore(shownLabel(), shownClass().mean);
  });
  $("bits").addEventListener("change", () => {
    for (const show of [showPoint, showRows, showPath, showStyle]) show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

async function start() {
  try {
    await startWorker();
    if (examples.images.length) {
      const bits = Uint8Array.from(examples.images.flatMap((image) => [...image]));
      const { mean } = await call("encode", [bits, examples.labels]);
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
