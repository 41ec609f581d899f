// What canvases show: images in the page's colours, plots of z, and strokes. Each canvas
// remembers how it is painted, and is painted again when the colours change.

const painted = new Map();
let colours = {}; // by name, as far as they are known

// Show grey values 0 to 1, [side²]: "given" as ink, "made" in the model's colour. Without
// values the canvas is empty.
export function showImage(canvas, values, side, kind) {
  paint(canvas, (context, colour) => {
    if (canvas.width !== side) canvas.width = canvas.height = side;
    context.clearRect(0, 0, side, side);
    if (!values) return;
    const image = context.createImageData(side, side);
    const [red, green, blue] = colour(kind);
    for (let i = 0, at = 0; i < side * side; i++) {
      image.data[at++] = red;
      image.data[at++] = green;
      image.data[at++] = blue;
      image.data[at++] = 255 * values[i];
    }
    context.putImageData(image, 0, 0);
  });
}

// Show strokes, arrays of points in the unit square, and the keyboard's pen if it is used.
export function showStrokes(canvas, strokes, pen) {
  paint(canvas, (context, colour) => {
    const size = canvas.width;
    context.clearRect(0, 0, size, size);
    context.strokeStyle = css(colour("given"));
    context.lineWidth = size / 13;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of strokes) {
      context.beginPath();
      stroke.forEach(([x, y]) => context.lineTo(x * size, y * size));
      if (stroke.length === 1) context.lineTo(stroke[0][0] * size, stroke[0][1] * size);
      context.stroke();
    }
    if (!pen) return;
    context.strokeStyle = css(colour("accent"));
    context.lineWidth = size / 140;
    context.beginPath();
    context.arc(pen.x * size, pen.y * size, size / (pen.isDown ? 26 : 18), 0, 2 * Math.PI);
    context.stroke();
  });
}

// Show the pad: the prior's rings, the examples' points, and the chosen point, in units of
// `range` standard deviations.
export function showPad(canvas, point, others, range) {
  paint(canvas, (context, colour) => {
    const size = canvas.width, middle = size / 2, unit = size / (2 * range);
    context.clearRect(0, 0, size, size);
    context.strokeStyle = css(colour("line"));
    context.lineWidth = 2;
    for (const radius of [1, 2, 3]) circle(context, middle, middle, radius * unit).stroke();
    context.beginPath();
    context.moveTo(middle, 0);
    context.lineTo(middle, size);
    context.moveTo(0, middle);
    context.lineTo(size, middle);
    context.stroke();
    context.fillStyle = css(colour("faint"));
    for (const [x, y] of others) {
      circle(context, middle + x * unit, middle - y * unit, 5).fill();
    }
    const place = point.map((value) => Math.max(-range, Math.min(range, value)));
    context.fillStyle = css(colour("made"));
    context.strokeStyle = css(colour("paper"));
    context.lineWidth = 4;
    circle(context, middle + place[0] * unit, middle - place[1] * unit, 13).fill();
    context.stroke();
  });
}

// Show N(μ, diag σ²), a bar for each coordinate, and a draw z of it as dots.
export function showGaussian(canvas, gaussian, z) {
  paint(canvas, (context, colour) => {
    const { width, height } = canvas, range = 3.5;
    const y = (value) => (1 - Math.max(-range, Math.min(range, value)) / range) * height / 2;
    context.clearRect(0, 0, width, height);
    context.fillStyle = css(colour("line"));
    for (const value of [-2, 0, 2]) context.fillRect(0, y(value) - 1, width, 2);
    if (!gaussian) return;
    const { mean, logstd } = gaussian, step = width / mean.length;
    for (let j = 0; j < mean.length; j++) {
      const deviation = Math.exp(logstd[j]);
      const top = y(mean[j] + deviation), bottom = y(mean[j] - deviation);
      context.fillStyle = css(colour("faint"));
      context.fillRect((j + 0.2) * step, top, 0.6 * step, Math.max(bottom - top, 2));
      context.fillStyle = css(colour("made"));
      circle(context, (j + 0.5) * step, y(z[j]), Math.min(5, 0.35 * step)).fill();
    }
  });
}

// Paint everything again, in other colours.
export function repaint() {
  colours = {};
  for (const [canvas, how] of painted) {
    if (canvas.isConnected) how();
    else painted.delete(canvas);
  }
}

function paint(canvas, draw) {
  const how = () => draw(canvas.getContext("2d"), colourOf);
  painted.set(canvas, how);
  how();
}

function colourOf(name) {
  if (!colours[name]) {
    const text = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
    colours[name] = text.split(",").map(Number);
  }
  return colours[name];
}

function css(colour) {
  return `rgb(${colour.join(",")})`;
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  return context;
}
