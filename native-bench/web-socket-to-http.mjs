/** The same requests over WebSocket and over HTTP, by turns, in one process: what a frame costs to what a request costs. */
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { median } from '../dist/cli/bench/statistics.js';
import { requestsFor, targetOf } from './requests.mjs';

const LEVELS = [1, 8, 32];
const LEAST_PAIRS = 7;
const WARM_UP_MS = 800;

/** For each concurrency the median of pairs: CPU time of the gateway for a request, and requests a second. */
export async function webSocketToHttp({ gateway, generator, rounds, ms }) {
  const sides = ['http', 'ws'].map((protocol) => {
    const target = targetOf(protocol, gateway.ports, 'mlp');
    const requests = requestsFor('mlp', target);
    return (concurrency, length) => ({ target, requests, load: { kind: 'closed', concurrency, ms: length } });
  });
  for (const side of sides) await generator.run(side(8, WARM_UP_MS));
  const found = { scenario: 'web-socket-to-http' };
  let errors = 0;
  for (const level of LEVELS) {
    const pairs = [];
    for (let pair = 0; pair < Math.max(rounds, LEAST_PAIRS); pair++) {
      const seen = [];
      for (const side of pair % 2 === 0 ? [0, 1] : [1, 0])
        seen[side] = (await measureRound(generator, sides[side](level, ms / 2), gateway.cpuUs)).figures;
      errors += seen[0].errors + seen[1].errors;
      pairs.push(seen);
    }
    const ratio = (key) => Number(median(pairs.map(([http, ws]) => ws[key] / http[key])).toFixed(3));
    found[`cpuToHttpC${level}`] = ratio('cpuUsPerRequest');
    found[`rateToHttpC${level}`] = ratio('perSecond');
  }
  return { ...found, errors };
}
