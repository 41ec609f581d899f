// Strokes as an image like MNIST's: scaled to a box of 20 x 20 pixels, and moved so that
// the centre of mass is in the middle of 28 x 28; other sides are in proportion.
import { uniforms } from "./likelihood.js";

const BOX = 20 / 28; // of the side
const PEN = 1.3 / 28; // radius of the pen in the image, as thick as most of MNIST's

// Return the grey values 0 to 1, [side²], of strokes: arrays of points [x, y].
export function normalized(strokes, side) {
  const points = strokes.flat();
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const low = [Math.min(...xs), Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
  const radius = PEN * side;
  const extent = Math.max(high[0] - low[0], high[1] - low[1]);
  // A dot is not blown up: a stroke shorter than a twentieth of the page stays small.
  const scale = (BOX * side - 2 * radius) / Math.max(extent, 0.05);
  const placed = (shift) => strokes.map((stroke) => stroke.map((point) => point.map(
    (value, axis) => (value - (low[axis] + high[axis]) / 2) * scale + side / 2 + shift[axis],
  )));
  const center = centerOfMass(drawn(placed([0, 0]), side, radius), side);
  return drawn(placed(center.map((value) => side / 2 - value)), side, radius);
}

// Draw one bit of each pixel, which is 1 with the probability of its grey value. The draws
// are the same at each call, so that an image keeps its bits.
export function bitsOf(greys) {
  const uniform = uniforms(1);
  return Uint8Array.from(greys, (grey) => (uniform() < grey ? 1 : 0));
}

function drawn(strokes, side, radius) {
  const greys = new Float32Array(side * side);
  for (const stroke of strokes) {
    stroke.forEach((end, i) => {
      const start = stroke[Math.max(i - 1, 0)];
      const reach = radius + 1;
      const [left, top] = start.map(
        (value, axis) => clamp(Math.floor(Math.min(value, end[axis]) - reach), side),
      );
      const [right, bottom] = start.map(
        (value, axis) => clamp(Math.ceil(Math.max(value, end[axis]) + reach), side),
      );
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const cover = radius + 0.5 - distance([x + 0.5, y + 0.5], start, end);
          const at = y * side + x;
          greys[at] = Math.max(greys[at], Math.min(cover, 1));
        }
      }
    });
  }
  return greys;
}

function clamp(value, side) {
  return Math.min(Math.max(value, 0), side);
}

// The distance of a point from the segment between two others.
function distance([x, y], [x0, y0], [x1, y1]) {
  const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
  const along = length ? ((x - x0) * dx + (y - y0) * dy) / length : 0;
  const share = Math.min(Math.max(along, 0), 1);
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}

function centerOfMass(greys, side) {
  let mass = 0, x = 0, y = 0;
  greys.forEach((grey, i) => {
    mass += grey;
    x += grey * ((i % side) + 0.5);
    y += grey * (Math.floor(i / side) + 0.5);
  });
  return mass ? [x / mass, y / mass] : [side / 2, side / 2];
}
