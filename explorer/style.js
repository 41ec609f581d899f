// Parts 2 and 4: the style of what is written, for all classes, and an image's way through
// the networks.
import { oneAtATime } from "./client.js";
import {
  $, call, draw, imageOf, labels, nats, repeated, showImages, side, state,
} from "./common.js";
import { logLikelihoods } from "./likelihood.js";
import { showGaussian, showImage } from "./picture.js";

export function buildStyle() {
  showGaussian($("flow-z"), null, null);
  $("again").addEventListener("click", () => {
    state.eps = draw();
    showStyle();
  });
}

// All classes with the style of x, its reconstruction, and the strip with a draw of z.
export const showStyle = oneAtATime(async () => {
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
    call("means", [labels, repeated(mean, labels.length)]),
    call("decode", [[label], z]),
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

export function mostProbable() {
  const shares = state.summary.classes.map(({ probability }) => probability);
  return shares.indexOf(Math.max(...shares));
}

export function shownLabel() {
  return state.chosen === null ? mostProbable() : state.chosen;
}

export function shownClass() {
  return state.summary ? state.summary.classes[shownLabel()] : { mean: state.z };
}
