/** Figures of a goodput run as lines, tables and plots. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { median } from '../../dist/cli/bench/statistics.js';
import { goodputOf } from './goodput-of.mjs';
import { goodputPlot } from './plot.mjs';

const percent = (share, digits = 1) => (100 * share).toFixed(digits);

/** One run in one line. */
export function reportLine(point, { boundPerSecond }) {
  const {
    offeredPerSecond,
    requests,
    inTime,
    late,
    refused,
    failed,
    p99Ms,
    refusalP99Ms,
    generatorLateP99Ms,
    firstError,
  } = point;
  const offered = `${Math.round(offeredPerSecond)}/s (${percent(offeredPerSecond / boundPerSecond, 0)} % of the bound)`;
  const refusal = refused === 0 ? '' : ` (p99 after ${refusalP99Ms.toFixed(1)} ms)`;
  const error = firstError === undefined ? '' : ` (${firstError})`;
  return `${offered}: ${percent(inTime / requests, 2)} % in time, ${late} late, ${refused} refused${refusal}, ${failed} failed${error}, p99 ${p99Ms.toFixed(1)} ms, generator late p99 ${generatorLateP99Ms.toFixed(2)} ms`;
}

/** Of those the server took, the share answered in time, over all runs at about this share of the bound. */
function keptPromises(side, bound, low, high) {
  const points = [...side.points, ...side.confirmed].filter(
    ({ offeredPerSecond }) => offeredPerSecond >= low * bound && offeredPerSecond <= high * bound,
  );
  const sum = (of) => points.reduce((total, point) => total + of(point), 0);
  const taken = sum(({ requests, refused, outOfTime, failed }) => requests - (refused - outOfTime) - failed);
  return taken === 0 ? undefined : sum(({ inTime }) => inTime) / taken;
}

function row(cell, side) {
  const { boundPerSecond, scale, slo, arrivals, name } = cell;
  const goodput = goodputOf(side.points);
  const most = Math.max(...[...side.points, ...side.overload].map(({ inTimePerSecond }) => inTimePerSecond));
  const overloaded = side.overload.find(({ offeredPerSecond }) => offeredPerSecond > 7 * boundPerSecond);
  const confirmed = side.confirmed.map(({ inTime, requests }) => inTime / requests);
  const kept = keptPromises(side, boundPerSecond, 0.7, 0.9);
  return [
    name.split('-d')[0],
    String(slo),
    `x${scale}`,
    arrivals,
    side.name,
    goodput.toFixed(0),
    percent(goodput / boundPerSecond),
    confirmed.length === 0 ? '-' : `${percent(median(confirmed), 2)} (${percent(Math.min(...confirmed), 2)})`,
    kept === undefined ? '-' : percent(kept, 2),
    overloaded === undefined ? '-' : percent(overloaded.inTimePerSecond / most, 0),
    overloaded === undefined || overloaded.refused === 0 ? '-' : overloaded.refusalP99Ms.toFixed(1),
  ];
}

const HEADER = [
  'L(b) ms',
  'D/L(1)',
  'slowed',
  'arrivals',
  'policy',
  'goodput/s',
  '% of G*',
  'confirmed % in time: median (least)',
  '% of admitted in time at 70-90 % of G*',
  '% of best at 10 G*',
  'refusal p99 ms at 10 G*',
];

/** A Markdown table of all cells; with `file`, written there with a plot of each cell beside it. */
export function goodputReport(result, file) {
  const rows = result.cells.flatMap((cell) => cell.sides.map((side) => row(cell, side)));
  const table = [HEADER, HEADER.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const { machine, versions, date, commit } = result;
  const head = `${machine.cpu}, ${machine.cores} cores, Node ${versions.node}, ${date.slice(0, 10)}, commit ${commit}`;
  if (file === undefined) return `${head}\n\n${table}`;
  const plots = result.cells.map((cell) => {
    const name = `goodput-${cell.name.replaceAll('+.', '-')}-x${cell.scale}-${cell.arrivals}.svg`;
    writeFileSync(join(dirname(file), name), goodputPlot(cell));
    return `![${cell.name}, ${cell.arrivals}](${name})`;
  });
  const text = `${head}\n\n${table}\n\n${plots.join('\n\n')}\n`;
  writeFileSync(file, text);
  return text;
}
