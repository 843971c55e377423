/**
 * Work on purpose, preloaded into a gateway by the bench harness (`node --import`), to prove that its gates see it. Each HTTP request turns
 * a loop BENCH_BURN_TURNS times, allocates an object of BENCH_ALLOCATE_BYTES, and copies each chunk of its body BENCH_COPIES times; with
 * BENCH_INTO=ws each WebSocket frame instead. It wraps the handlers of uWebSockets.js as that library is loaded; the gateway's own code knows
 * nothing of it.
 */
const numberOf = (name) => Number(process.env[name] ?? 0);
const BURN_TURNS = numberOf('BENCH_BURN_TURNS');
/** A field takes 8 bytes in an array; its head takes two more. */
const FIELDS = Math.max(0, numberOf('BENCH_ALLOCATE_BYTES') / 8 - 2);
const COPIES = numberOf('BENCH_COPIES');
const INTO = process.env.BENCH_INTO ?? 'http';
const ROUTES = ['get', 'post', 'put', 'del', 'any'];

/** Read by nothing; a compiler cannot know that. */
export const sink = { value: 1, object: undefined };

/** Of `burn` on x64, as callgrind counts them. */
export const INSTRUCTIONS_A_TURN = 11;

/** Turns that take about as long everywhere on one machine, and that many instructions each. */
export function burn(turns) {
  let value = sink.value;
  for (let turn = 0; turn < turns; turn++) value = (Math.imul(value, 1664525) + 1013904223) | 0;
  sink.value = value;
}

function copy(chunk) {
  for (let i = 0; i < COPIES; i++) {
    sink.object = new Uint8Array(chunk.byteLength);
    sink.object.set(new Uint8Array(chunk));
  }
}

function burnAndAllocate() {
  if (BURN_TURNS > 0) burn(BURN_TURNS);
  if (FIELDS > 0) sink.object = new Array(FIELDS).fill(0);
}

function copying(response) {
  const listen = response.onData;
  response.onData = (take) =>
    listen.call(response, (chunk, isLast) => {
      copy(chunk);
      take(chunk, isLast);
    });
}

function intoRequests(app) {
  for (const route of ROUTES) {
    const add = app[route].bind(app);
    app[route] = (pattern, handler) => {
      add(pattern, (response, request) => {
        burnAndAllocate();
        if (COPIES > 0) copying(response);
        return handler(response, request);
      });
      return app;
    };
  }
  return app;
}

function intoFrames(app) {
  const add = app.ws.bind(app);
  app.ws = (pattern, behaviour) => {
    const message = (socket, frame, isBinary) => {
      burnAndAllocate();
      copy(frame);
      return behaviour.message(socket, frame, isBinary);
    };
    add(pattern, { ...behaviour, message });
    return app;
  };
  return app;
}

const injecting = INTO === 'ws' ? intoFrames : intoRequests;

const load = process.dlopen;
process.dlopen = (module, ...rest) => {
  load.call(process, module, ...rest);
  const { App } = module.exports;
  if (typeof App === 'function') module.exports.App = (...options) => injecting(App(...options));
};
