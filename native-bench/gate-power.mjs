#!/usr/bin/env node
/**
 * What the gate is worth: how often it calls one and the same build worse (A/A), and how often it finds a regression put in on
 * purpose (`injected-work.mjs`) of 5, 10 and 20 % of the CPU time, or with `--counted` of the instructions, of a request. Same
 * interleaving, thresholds and judgement as `gate.mjs`. Samples (fresh starts of both) are independent, so that from those
 * measured many gates are drawn.
 *
 *   node native-bench/gate-power.mjs [--samples 24] [--starts 12] [--rounds 4] [--ms 250] [--scenario mlp-http-c8] [--percents 0,5,10,20]
 *       [--keep FILE]: samples are added to the file, so that they can be taken in several runs
 *   node native-bench/gate-power.mjs --counted --samples 6 --starts 3
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resultHead } from '../dist/cli/bench/bench-result.js';
import { compareResults } from '../dist/cli/bench/comparison.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { randomSource } from '../dist/cli/bench/random-source.js';
import { median } from '../dist/cli/bench/statistics.js';
import { readThresholds } from '../dist/cli/bench/thresholds.js';
import { countedStarts } from './counted-starts.mjs';
import { burn, INSTRUCTIONS_A_TURN } from './injected-work.mjs';
import { interleaved } from './interleaved.mjs';
import { SCENARIOS } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const DRAWN_GATES = 200;
const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '24' },
    starts: { type: 'string', default: '12' },
    rounds: { type: 'string', default: '4' },
    ms: { type: 'string', default: '250' },
    scenario: { type: 'string', default: 'mlp-http-c8' },
    percents: { type: 'string', default: '0,5,10,20' },
    counted: { type: 'boolean' },
    keep: { type: 'string' },
    thresholds: { type: 'string', default: join(HERE, 'gate-thresholds.json') },
  },
});
const scenario = SCENARIOS.find(({ name }) => name === options.scenario);
if (scenario?.protocol !== 'http') throw new Error('--scenario: one of scenarios.mjs over HTTP, where the burn is');
const thresholds = readThresholds(options.thresholds);
const starts = Number(options.starts);
/** Turns of the burn that cost one percent of a request, once measured. */
let turnsForOne;
const generator = startLoadGenerator();
const random = randomSource(11);

const METRICS = options.counted ? ['instructionsPerRequest'] : ['perSecond', 'p50Us', 'cpuUsPerRequest'];

/** Samples of a build and of itself with a burn; the burn is there in both, of no turn in the baseline. */
async function samples(burnTurns, count) {
  const launches = [0, burnTurns].map((turns) => ({
    preload: [join(HERE, 'injected-work.mjs')],
    env: { BENCH_BURN_TURNS: String(Math.round(turns)) },
  }));
  if (options.counted) {
    const sides = await countedStarts(launches, count, { allocated: [], instructed: [scenario.name] });
    return sides.map(([side]) => side.rounds);
  }
  const effort = { starts: count, rounds: Number(options.rounds), ms: Number(options.ms) };
  return (await interleaved([scenario], launches, generator, effort)).map(([side]) => side.rounds);
}

/** Turns of the burn that cost `percent` of a request. */
async function turnsFor(percent) {
  const [calibration] = await samples(0, options.counted ? 1 : 3);
  if (options.counted) {
    const { instructionsPerRequest } = calibration[0];
    return (instructionsPerRequest * percent) / 100 / INSTRUCTIONS_A_TURN;
  }
  const requestUs = median(calibration.map(({ cpuUsPerRequest }) => cpuUsPerRequest));
  console.log(`${scenario.name}: ${requestUs.toFixed(1)} us of CPU a request`);
  return (requestUs * percent) / 100 / burnUsATurn();
}

function burnUsATurn() {
  const turns = 2_000_000;
  const times = Array.from({ length: 9 }, () => {
    const before = process.cpuUsage();
    burn(turns);
    return process.cpuUsage(before).user / turns;
  });
  return median(times);
}

/** What the gate says of the samples with these numbers: the metrics that it calls worse. */
function judge([before, after], numbers) {
  const head = resultHead('power', HERE, {});
  const result = (rounds) => ({ ...head, scenarios: [{ name: scenario.name, rounds: numbers.map((i) => rounds[i]) }] });
  const { figures } = compareResults(result(before), result(after), thresholds, true);
  return figures.filter(({ verdict }) => verdict === 'worse').map(({ metric }) => metric);
}

/** As many samples as asked for; with `--keep` those of earlier runs count, and each is written down when it is there. */
async function keptSamples(percent) {
  const key = `${scenario.name} ${options.counted ? 'counted' : 'timed'}`;
  const kept = existsSync(options.keep ?? '')
    ? readFileSync(options.keep, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
  const pairs = kept.filter((one) => one.key === key && one.percent === percent);
  while (pairs.length < Number(options.samples)) {
    turnsForOne ??= kept.find((one) => one.key === key)?.turnsForOne ?? (await turnsFor(1));
    const [[before], [after]] = await samples(turnsForOne * percent, 1);
    pairs.push({ key, turnsForOne, percent, before, after });
    if (options.keep !== undefined) appendFileSync(options.keep, `${JSON.stringify(pairs.at(-1))}\n`);
  }
  return [pairs.map(({ before }) => before), pairs.map(({ after }) => after)];
}

function tell(title, pairs) {
  const count = pairs[0].length;
  const whole = Array.from({ length: Math.floor(count / starts) }, (_, gate) =>
    judge(
      pairs,
      Array.from({ length: starts }, (_, i) => gate * starts + i),
    ),
  );
  const draw = (size) =>
    Array.from({ length: DRAWN_GATES }, () =>
      judge(
        pairs,
        Array.from({ length: size }, () => random.integer(0, count - 1)),
      ),
    );
  const percent = (gates) =>
    `${((gates.filter((worse) => worse.length > 0).length / gates.length) * 100).toFixed(0)} %`;
  const drawn = draw(starts);
  const share = (metric) => (drawn.filter((worse) => worse.includes(metric)).length / DRAWN_GATES) * 100;
  const found = whole.filter((worse) => worse.length > 0).length;
  console.log(
    `${title}: called worse in ${found} of ${whole.length} gates; of gates drawn from ${count} samples in ${percent(drawn)}, with twice the starts in ${percent(draw(2 * starts))}, four times in ${percent(draw(4 * starts))}; load ${loadavg()[0].toFixed(2)}`,
  );
  for (const metric of METRICS) {
    const ratios = pairs[0].map((before, i) => pairs[1][i][metric] / before[metric]).sort((a, b) => a - b);
    const deviation = Math.sqrt(ratios.reduce((sum, r) => sum + (r - median(ratios)) ** 2, 0) / count);
    console.log(
      `    ${metric.padEnd(16)} worse in ${share(metric).toFixed(0).padStart(3)} %; sample ratios: median ${median(ratios).toFixed(3)}, deviation ${deviation.toFixed(3)}, ${ratios[0].toFixed(3)} .. ${ratios.at(-1).toFixed(3)}`,
    );
  }
}

try {
  console.log(
    options.counted
      ? `a gate is ${starts} counts under valgrind`
      : `a gate is ${starts} starts of ${options.rounds} rounds of ${options.ms} ms each`,
  );
  for (const percent of options.percents.split(',').map(Number)) tell(`+${percent} %`, await keptSamples(percent));
} finally {
  generator.end();
}
