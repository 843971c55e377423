/** Open-loop load on a model over HTTP that checks every answer, and posts labels for them some time later. */
import { Agent, request } from 'node:http';

/** As with many callers: who waits for an answer does not keep others from asking. */
const CONNECTIONS = 64;

/**
 * Sends requests at `perSecond`, exponential gaps, until `stop` is called. `samples`: `{ body, label }`. A version's answer to
 * a sample has to be the same each time; `answers` has the first ones. `labels.post` gets labels of answers `labels.delayMs` after them.
 */
export function startDemoLoad({ port, model, samples, perSecond, labels, random = Math.random }) {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const seen = {
    sent: 0,
    answered: 0,
    failed: 0,
    wrong: 0,
    lost: 0,
    byVersion: new Map(),
    failuresByVersion: new Map(),
  };
  /** By version, then by the sample's index. */
  const answers = new Map();
  const times = [];
  const pending = new Set();
  let labelled = [];
  let running = true;
  let due = performance.now();
  let timer;

  const one = (index) => {
    const sample = samples[index];
    const id = `${model}-${seen.sent++}`;
    const startMs = performance.now();
    const answer = send(agent, port, model, id, sample.body).then(
      ({ status, version, text }) => {
        times.push({ startMs, ms: performance.now() - startMs, version });
        if (status !== 200) {
          seen.failed++;
          count(seen.failuresByVersion, version);
          return;
        }
        seen.answered++;
        count(seen.byVersion, version);
        if (!answers.has(version)) answers.set(version, new Map());
        const first = answers.get(version);
        const outputs = outputsOf(text);
        if (!first.has(index)) first.set(index, outputs);
        else if (!sameOutputs(first.get(index), outputs)) seen.wrong++;
        if (labels !== undefined) labelled.push({ atMs: performance.now() + labels.delayMs, id, label: sample.label });
      },
      () => {
        seen.lost++;
      },
    );
    pending.add(answer);
    void answer.finally(() => pending.delete(answer));
  };

  const turn = () => {
    if (!running) return;
    const now = performance.now();
    for (; due <= now; due += (-Math.log(1 - random()) * 1000) / perSecond) one(Math.floor(random() * samples.length));
    timer = setTimeout(turn, Math.max(due - performance.now(), 0));
  };
  const post = async () => {
    const now = performance.now();
    const ready = labelled.filter(({ atMs }) => atMs <= now);
    labelled = labelled.filter(({ atMs }) => atMs > now);
    if (ready.length > 0) await labels.post(ready.map(({ id, label }) => ({ id, model, label })));
  };
  turn();
  let posting = Promise.resolve();
  const poster = labels && setInterval(() => (posting = posting.then(post)), 250);

  return {
    seen,
    answers,
    /** Milliseconds of the requests that began from `fromMs` to `toMs` (`performance.now()`) and that `version` answered. */
    timesOf: (version, fromMs, toMs) =>
      times.filter((one) => one.version === version && one.startMs >= fromMs && one.startMs < toMs).map(({ ms }) => ms),
    /** No more requests; resolves when each has its answer. */
    async stop() {
      running = false;
      clearTimeout(timer);
      clearInterval(poster);
      await Promise.all(pending);
      await posting;
      agent.destroy();
    },
  };
}

/** One inference; resolves for every answer, rejects where the connection broke without one. */
function send(agent, port, model, id, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify({ id, ...body });
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: `/v2/models/${model}/infer`,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      (reply) => {
        let answer = '';
        reply.setEncoding('utf8');
        reply.on('data', (chunk) => (answer += chunk));
        reply.on('error', reject);
        reply.on('end', () =>
          resolve({ status: reply.statusCode, version: reply.headers['x-penstock-version'] ?? '?', text: answer }),
        );
      },
    );
    // A connection that was kept may be closed just as it is used again; then nothing of the request was read.
    sent.on('error', (error) => {
      if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(send(agent, port, model, id, body));
      else reject(error);
    });
    sent.end(text);
  });
}

/** Names, shapes and values of an answer; undefined for an error. */
export function outputsOf(text) {
  return JSON.parse(text).outputs;
}

/** Batches of different sizes may round the last digits differently. */
const TOLERANCE = 1e-4;

export function sameOutputs(one, other) {
  return (
    one?.length === other?.length &&
    one.every(({ name, shape, data }, i) => {
      const beside = other[i];
      return (
        beside.name === name &&
        String(beside.shape) === String(shape) &&
        data.every((value, k) => Math.abs(value - beside.data[k]) <= TOLERANCE * (1 + Math.abs(value)))
      );
    })
  );
}

function count(map, key) {
  map.set(key, (map.get(key) ?? 0) + 1);
}
