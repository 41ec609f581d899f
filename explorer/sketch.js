// The writing area: strokes by mouse, pen, touch or keyboard.
import { showStrokes } from "./picture.js";

// Where the arrow keys point, in x and downwards in y.
export const ARROWS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
const STEP = 1 / 40; // of the area, that an arrow key moves the pen

// Let only pointer events come of touching an element. A browser makes gestures of touch
// events, too: it would take the end of a fast stroke for a fling, and a tap soon after
// it, on a button, for the end of the fling.
export function leaveTouchToPointers(element) {
  const prevent = (event) => event.preventDefault();
  element.addEventListener("touchstart", prevent, { passive: false });
}

export class Sketch {
  // `onChange` gets the strokes, arrays of points in the unit square.
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.strokes = [];
    this.pen = null; // the keyboard's
    leaveTouchToPointers(canvas);
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.pointer !== undefined) return;
      canvas.setPointerCapture(event.pointerId);
      this.pointer = event.pointerId;
      this.pen = null;
      this.strokes.push([this.place(event)]);
      this.changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.pointer) return;
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      const points = (events.length ? events : [event]).map((each) => this.place(each));
      this.strokes[this.strokes.length - 1].push(...points);
      this.changed();
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => {
        if (event.pointerId === this.pointer) this.pointer = undefined;
      });
    }
    canvas.addEventListener("keydown", (event) => this.press(event));
    canvas.addEventListener("blur", () => {
      this.pen = null;
      this.show();
    });
    this.show();
  }

  undo() {
    this.strokes.pop();
    this.lift();
  }

  clear() {
    this.strokes = [];
    this.lift();
  }

  lift() {
    this.pointer = undefined;
    if (this.pen) this.pen.isDown = false;
    this.changed();
  }

  press(event) {
    const move = ARROWS[event.key];
    if (event.key === "Backspace") this.undo();
    else if (event.key === "Delete") this.clear();
    else if (move || event.key === " ") {
      this.pen = this.pen || { x: 0.5, y: 0.3, isDown: false };
      const { pen } = this;
      if (move) {
        pen.x = Math.min(Math.max(pen.x + move[0] * STEP, 0), 1);
        pen.y = Math.min(Math.max(pen.y + move[1] * STEP, 0), 1);
        if (pen.isDown) this.strokes[this.strokes.length - 1].push([pen.x, pen.y]);
      } else {
        pen.isDown = !pen.isDown;
        if (pen.isDown) this.strokes.push([[pen.x, pen.y]]);
      }
      if (pen.isDown) this.changed();
      else this.show();
    } else return;
    event.preventDefault();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  changed() {
    this.show();
    this.onChange(this.strokes);
  }

  show() {
    showStrokes(this.canvas, this.strokes, this.pen);
  }
}
