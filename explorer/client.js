// The page's end of the worker.

export class Client {
  // `source` is the worker's script, which needs no file: the page is the only one.
  // `onWork` is told the number of calls that are not yet answered.
  constructor(source, onWork) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(url);
    this.waiting = new Map();
    this.count = 0;
    this.onWork = onWork;
    this.worker.onmessage = ({ data: { id, value, error, isPartial } }) => {
      const { resolve, reject, report } = this.waiting.get(id);
      if (isPartial) {
        report(value);
        return;
      }
      this.waiting.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(error));
      // Whoever waits for the answer may call again first.
      setTimeout(() => this.onWork(this.waiting.size));
    };
  }

  // Return a promise of what the worker's function `name` returns. Parts of it that come
  // before go to `report`.
  call(name, values, report = () => {}) {
    this.count += 1;
    const id = this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, report });
      this.onWork(this.waiting.size);
      this.worker.postMessage({ id, call: name, values });
    });
  }
}

// Return `task`, a function of no arguments, as one that runs once at a time: what is asked
// for while it runs is one more run after it.
export function oneAtATime(task) {
  let isRunning = false, isAsked = false;
  return async () => {
    isAsked = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isAsked) {
        isAsked = false;
        await task();
      }
    } finally {
      isRunning = false;
    }
  };
}
