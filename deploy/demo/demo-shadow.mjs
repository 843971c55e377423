/** The baseline's latency with copies of every request to another version, beside without, by turns under the same load. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDemoGateway } from './demo-gateway.mjs';
import { startDemoLoad } from './demo-load.mjs';
import { digitRequests, writeGood } from './demo-models.mjs';

const PAIRS = 8;
const STRETCH_MS = 2000;
/** Copies may make p99 no worse than this, at the median of the pairs; the noise of one pair is more. */
const MOST_RATIO = 1.25;

const ROUTES = `default: 1
flags:
  copies: false
shadows:
  - name: all
    to: 2
    percent: 100
    flag: copies
`;

export async function shadowingBeside({ perSecond, say }) {
  say('\nshadow: copies of all requests to version 2, on and off by turns');
  const gateway = await startDemoGateway((repository) => {
    writeGood(repository);
    writeFileSync(join(repository, 'digits/routes.yaml'), ROUTES);
  });
  let load;
  try {
    load = startDemoLoad({ port: gateway.http, model: 'digits', samples: digitRequests(), perSecond });
    await sleep(STRETCH_MS);
    const ratios = { p50: [], p99: [] };
    for (let pair = 0; pair < PAIRS; pair++) {
      // Who goes first changes, so that a drift of the machine cancels out.
      const stretches = new Map();
      for (const on of pair % 2 === 0 ? [false, true] : [true, false]) {
        await gateway.setFlag('digits', 'copies', on);
        await sleep(200);
        const from = performance.now();
        await sleep(STRETCH_MS);
        stretches.set(on, [from, performance.now()]);
      }
      await sleep(200);
      for (const [name, share] of [
        ['p50', 0.5],
        ['p99', 0.99],
      ]) {
        const of = (on) => quantile(load.timesOf('1', ...stretches.get(on)), share);
        ratios[name].push(of(true) / of(false));
      }
    }
    await load.stop();
    const [p50, p99] = [ratios.p50, ratios.p99].map((of) => quantile(of, 0.5));
    const faults = [];
    if (load.seen.wrong + load.seen.lost + load.seen.failed > 0) faults.push('not every request got its right answer');
    if (p99 > MOST_RATIO) faults.push(`p99 with copies is ${p99.toFixed(2)} times that without`);
    say(
      `  with copies beside without, medians of ${PAIRS} pairs: p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)} ` +
        `(${quantile(ratios.p99, 0.1).toFixed(2)} to ${quantile(ratios.p99, 0.9).toFixed(2)}); ${load.seen.sent} requests, ${load.seen.wrong} wrong, ${load.seen.lost} lost`,
    );
    for (const fault of faults) say(`  NOT AS IT HAS TO BE: ${fault}`);
    return { ratios, p50, p99, faults };
  } finally {
    await load?.stop();
    await gateway.stop();
  }
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
