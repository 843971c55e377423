/** The baseline's latency with copies of every request to another version, beside without, by turns under the same load. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDemoGateway } from './demo-gateway.mjs';
import { startDemoLoad } from './demo-load.mjs';
import { digitRequests, writeGood } from './demo-models.mjs';

const PAIRS = 8;
const STRETCH_MS = 2000;
/** Copies may make p99 no worse than this: some 40 requests decide it on either side, and two runs on two cores said 0.9 and 1.7. */
const MOST_RATIO = 2.5;

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
    const times = { on: [], off: [] };
    for (let pair = 0; pair < PAIRS; pair++) {
      // Who goes first changes, so that a drift of the machine cancels out.
      for (const side of pair % 2 === 0 ? ['off', 'on'] : ['on', 'off']) {
        await gateway.setFlag('digits', 'copies', side === 'on');
        await sleep(200);
        const from = performance.now();
        await sleep(STRETCH_MS);
        const to = performance.now();
        await sleep(200);
        times[side].push(...load.timesOf('1', from, to));
      }
    }
    await load.stop();
    const ratio = (share) => quantile(times.on, share) / quantile(times.off, share);
    const [p50, p99] = [ratio(0.5), ratio(0.99)];
    const faults = [];
    if (load.seen.wrong + load.seen.lost + load.seen.failed > 0) faults.push('not every request got its right answer');
    if (p99 > MOST_RATIO) faults.push(`p99 with copies is ${p99.toFixed(2)} times that without`);
    const inMs = (side, share) => quantile(times[side], share).toFixed(2);
    say(
      `  without and with copies, ms: p50 ${inMs('off', 0.5)} and ${inMs('on', 0.5)}, p99 ${inMs('off', 0.99)} and ${inMs('on', 0.99)}; ` +
        `${load.seen.sent} requests, ${load.seen.wrong} wrong, ${load.seen.lost} lost`,
    );
    for (const fault of faults) say(`  NOT AS IT HAS TO BE: ${fault}`);
    return { requests: times.on.length + times.off.length, p50, p99, faults };
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
