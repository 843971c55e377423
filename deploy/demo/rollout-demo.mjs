#!/usr/bin/env node
/**
 * Releases under load: a good candidate is promoted by itself, a slow, an erroring and a less accurate one are rolled back by
 * themselves. Every answer is checked. `npm run demo:rollout -- --help`
 */
import { parseArgs } from 'node:util';
import { CASES, LABEL_DELAY_MS } from './demo-cases.mjs';
import { startDemoGateway } from './demo-gateway.mjs';
import { outputsOf, sameOutputs, startDemoLoad } from './demo-load.mjs';
import { digitRequests, imageRequests, writePlan } from './demo-models.mjs';
import { shadowingBeside } from './demo-shadow.mjs';

const HELP = `npm run demo:rollout -- [options]

Starts a gateway on the example models for each release, sends it requests, adds a candidate and starts its plan. Prints
how each release ended, after how many requests of the candidate, and whether every request got its one right answer;
then the baseline's p99 with copies of all requests beside without.

  --only LIST      of ${CASES.map(({ name }) => name).join(', ')}, shadow (default: all)
  --rate R         requests a second (default 150)
  --minutes M      longest time of one release (default 5)
  --json           print JSON

Exit code 0: every release ended as it has to.`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rate: { type: 'string', default: '150' },
    minutes: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const names = [...CASES.map(({ name }) => name), 'shadow'];
const only = options.only?.split(',') ?? names;
const [perSecond, minutes] = [Number(options.rate), Number(options.minutes)];
if (options.help || only.some((name) => !names.includes(name)) || !(perSecond > 0) || !(minutes > 0)) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}
const say = (line) => (options.json ? console.error : console.log)(line);
const ENDED = ['promoted', 'rolled-back'];
const LOOK_EVERY_MS = 500;

async function release(one) {
  say(`\n${one.name}: ${one.what}`);
  const gateway = await startDemoGateway((repository) => writePlan(repository, one.plan));
  let load;
  try {
    const samples = one.model === 'digits' ? digitRequests() : imageRequests();
    const labels = { delayMs: LABEL_DELAY_MS, post: (items) => gateway.feedback(items) };
    const labelled = one.model === 'digits' ? { labels } : {};
    load = startDemoLoad({ port: gateway.http, model: one.model, samples, perSecond, ...labelled });
    await sleep(1000);
    // The plan lies beside the model: the new version gets no request that the plan does not give it.
    one.write(gateway.repository);
    await gateway.load(one.model);
    const startedAt = performance.now();
    const status = await untilEnded(gateway, one.model, startedAt + minutes * 60_000);
    const seconds = (performance.now() - startedAt) / 1000;
    const atEnd = new Map(load.seen.byVersion);
    await sleep(2000);
    await load.stop();
    await compareWithOwn(gateway, one.model, samples, load);
    return verdictOf(one, status, load, atEnd, seconds);
  } finally {
    await load?.stop();
    await gateway.stop();
  }
}

/** Holds the answers that callers got against what each version says when it is asked by its number. */
async function compareWithOwn(gateway, model, samples, { answers, seen }) {
  for (const [version, first] of answers)
    for (const [index, outputs] of first)
      if (!sameOutputs(outputs, await ownAnswer(gateway, model, version, samples[index].body))) seen.wrong++;
}

/** A failing candidate fails here too, now and then. */
async function ownAnswer(gateway, model, version, body) {
  for (let attempt = 0; attempt < 5; attempt++) {
    const outputs = outputsOf(await gateway.ask(model, version, body));
    if (outputs !== undefined) return outputs;
  }
  throw new Error(`version ${version} of ${model} gives no answer`);
}

/** Where the rollout stands once it has ended, or when its time is over. */
async function untilEnded(gateway, model, lastMs) {
  let before = '';
  for (;;) {
    const { code, json, err } = await gateway.command('rollout', 'status', model);
    if (code !== 0) throw new Error(`no status: ${err}`);
    const line = `  ${json.state}, step ${json.step + 1} of ${json.steps}: ${json.why}`;
    if (line !== before) say(line);
    before = line;
    if (ENDED.includes(json.state) || performance.now() > lastMs) return json;
    await sleep(LOOK_EVERY_MS);
  }
}

/** What was seen beside what has to be. */
function verdictOf(one, status, { seen }, atEnd, seconds) {
  const candidateAnswers = seen.byVersion.get('2') ?? 0;
  const after = (version) => (seen.byVersion.get(version) ?? 0) - (atEnd.get(version) ?? 0);
  // Who was on the way when the release ended may still come from the other version.
  const strayed = one.ends === 'promoted' ? after('1') : after('2');
  const failedElsewhere = seen.failed - (seen.failuresByVersion.get('2') ?? 0);
  const guard = status.guards.find(({ verdict }) => verdict === 'fail')?.name;
  const faults = [];
  if (status.state !== one.ends) faults.push(`ended ${status.state}, expected ${one.ends}`);
  if (one.by !== undefined && guard !== one.by) faults.push(`stopped by ${guard ?? 'no guard'}, expected ${one.by}`);
  if (seen.lost > 0) faults.push(`${seen.lost} requests without an answer`);
  if (seen.wrong > 0) faults.push(`${seen.wrong} wrong answers`);
  if (failedElsewhere > 0) faults.push(`${failedElsewhere} requests failed that the candidate did not have`);
  if (strayed > perSecond / 10) faults.push(`${strayed} answers of the wrong version after the end`);
  const figures = {
    name: one.name,
    state: status.state,
    why: status.why,
    guard,
    seconds: Math.round(seconds * 10) / 10,
    requests: seen.sent,
    candidateRequests: candidateAnswers + (seen.failuresByVersion.get('2') ?? 0),
    candidateRequestsToVerdict: status.totals.candidate,
    copiesCompared: status.totals.compared,
    failedByCandidate: seen.failuresByVersion.get('2') ?? 0,
    wrong: seen.wrong,
    lost: seen.lost,
    faults,
  };
  say(
    `  ${status.state} after ${figures.candidateRequestsToVerdict} requests of the candidate (${figures.copiesCompared} copies before), ` +
      `${figures.seconds} s, ${seen.sent} requests in all: ${seen.wrong} wrong, ${seen.lost} lost, ${figures.failedByCandidate} failed by the candidate`,
  );
  for (const fault of faults) say(`  NOT AS IT HAS TO BE: ${fault}`);
  return figures;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const results = [];
for (const one of CASES) if (only.includes(one.name)) results.push(await release(one));
const shadow = only.includes('shadow') ? await shadowingBeside({ perSecond, say }) : undefined;
if (options.json) console.log(JSON.stringify({ releases: results, shadow }, undefined, 2));
process.exit(results.some(({ faults }) => faults.length > 0) || (shadow?.faults.length ?? 0) > 0 ? 1 : 0);
