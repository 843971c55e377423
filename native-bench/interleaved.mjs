/**
 * Two gateways measured by turns: what the machine does meanwhile happens to both. And both anew for each sample: a process has its
 * luck (placement in memory, what was compiled when), which more rounds of the same two processes would only repeat.
 */
import { LatencyHistogram } from '../dist/cli/bench/latency-histogram.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { median } from '../dist/cli/bench/statistics.js';
import { startGateway } from './gateway-process.mjs';
import { requestsFor, targetOf } from './requests.mjs';

const WARM_UP_MS = 800;
const FIGURES = ['perSecond', 'p50Us', 'p90Us', 'p99Us', 'p999Us', 'maxUs', 'cpuUsPerRequest'];

/**
 * `starts` samples of every scenario for both of `launches` (options of `startGateway`). A sample is the median of `rounds`
 * rounds of `ms`, taken A B, B A, .., from one start of both.
 * @returns {Promise<{ name, rounds, latency }[][]>} for A and for B, the scenarios' results: `rounds` has one entry a start
 */
export async function interleaved(scenarios, launches, generator, { starts, rounds, ms }) {
  const sides = launches.map(() =>
    scenarios.map(({ name }) => ({ name, rounds: [], latency: new LatencyHistogram() })),
  );
  for (let start = 0; start < starts; start++) {
    const gateways = [];
    try {
      for (const launch of launches) gateways.push(await startGateway(launch));
      for (const [i, scenario] of scenarios.entries()) {
        const samples = await oneStart(scenario, gateways, generator, { rounds, ms, first: start % 2 });
        samples.forEach(({ figures, latencies }, side) => {
          sides[side][i].rounds.push(figures);
          for (const latency of latencies) sides[side][i].latency.add(latency);
        });
      }
    } finally {
      for (const gateway of gateways) await gateway.stop();
    }
  }
  return sides.map((side) => side.map(({ name, rounds, latency }) => ({ name, rounds, latency: latency.data() })));
}

async function oneStart(scenario, gateways, generator, { rounds, ms, first }) {
  const { name, model, protocol, concurrency, format } = scenario;
  const sides = gateways.map((gateway) => {
    const target = targetOf(protocol, gateway.ports, model);
    const requests = requestsFor(model, target, { format });
    const job = (length) => ({ target, requests, load: { kind: 'closed', concurrency, ms: length } });
    return { gateway, job, seen: [], latencies: [] };
  });
  for (const { job } of sides) await generator.run(job(WARM_UP_MS));
  for (let round = 0; round < rounds; round++) {
    for (const side of (round + first) % 2 === 0 ? sides : sides.toReversed()) {
      const { figures, result } = await measureRound(generator, side.job(ms), side.gateway.cpuUs);
      side.seen.push(figures);
      side.latencies.push(result.latency);
      if (result.firstError !== undefined) console.error(`${name}: ${result.firstError}`);
    }
  }
  return sides.map(({ seen, latencies }) => {
    const total = (key) => seen.reduce((sum, figures) => sum + figures[key], 0);
    const middle = FIGURES.map((key) => [key, median(seen.map((figures) => figures[key]))]);
    return {
      figures: { ...Object.fromEntries(middle), answers: total('answers'), errors: total('errors') },
      latencies,
    };
  });
}
