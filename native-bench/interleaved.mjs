/** Two gateways measured by turns: what the machine does meanwhile happens to both. */
import { LatencyHistogram } from '../dist/cli/bench/latency-histogram.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { requestsFor, targetOf } from './requests.mjs';

const WARM_UP_MS = 1500;

/**
 * `rounds` pairs of rounds of one scenario, A B then B A, so that neither is always first.
 * @returns {Promise<{ name, rounds, latency }[]>} the scenario's result for A and for B
 */
export async function interleaved(scenario, gateways, generator, { rounds, ms }) {
  const { name, model, protocol, concurrency, format } = scenario;
  const sides = gateways.map((gateway) => {
    const target = targetOf(protocol, gateway.ports, model);
    const requests = requestsFor(model, target, { format });
    const job = (length) => ({ target, requests, load: { kind: 'closed', concurrency, ms: length } });
    return { gateway, job, rounds: [], latency: new LatencyHistogram() };
  });
  for (const { job } of sides) await generator.run(job(WARM_UP_MS));
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const { figures, result } = await measureRound(generator, side.job(ms), side.gateway.cpuUs);
      side.rounds.push(figures);
      side.latency.add(result.latency);
      if (result.firstError !== undefined) console.error(`${name}: ${result.firstError}`);
    }
  }
  return sides.map((side) => ({ name, rounds: side.rounds, latency: side.latency.data() }));
}
