/**
 * A regression on purpose, preloaded into a gateway by the bench harness (`node --import`): every HTTP request costs BENCH_BURN_US
 * microseconds more on the sockets' thread. It wraps the route handlers of uWebSockets.js as that library is loaded; the
 * gateway's own code knows nothing of it.
 */
const BURN_MS = Number(process.env.BENCH_BURN_US) / 1000;
const ROUTES = ['get', 'post', 'put', 'del', 'any'];

function burn() {
  for (const end = performance.now() + BURN_MS; performance.now() < end; );
}

function burning(app) {
  for (const route of ROUTES) {
    const add = app[route].bind(app);
    app[route] = (pattern, handler) => {
      add(pattern, (response, request) => {
        burn();
        return handler(response, request);
      });
      return app;
    };
  }
  return app;
}

const load = process.dlopen;
process.dlopen = (module, ...rest) => {
  load.call(process, module, ...rest);
  const { App } = module.exports;
  if (typeof App === 'function') module.exports.App = (...options) => burning(App(...options));
};
