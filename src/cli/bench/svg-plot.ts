import type { ComparedFigure } from './comparison.js';
import { type HistogramData, LatencyHistogram } from './latency-histogram.js';

const COLOURS = ['#4477aa', '#cc6677'];
const WIDTH = 720;
const LABELS = 250;

/** Text as it may stand in HTML and SVG. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Ratios with their intervals, one line each, around the line of "equal". Inline SVG that needs no other file. */
export function ratioPlot(figures: readonly ComparedFigure[]): string {
  const reach = Math.max(0.1, ...figures.flatMap(({ estimate }) => [1 - estimate.low, estimate.high - 1]));
  const span = Math.min(1, reach) * 1.1;
  const x = (ratio: number) =>
    LABELS + ((clamp(ratio, 1 - span, 1 + span) - 1 + span) / (2 * span)) * (WIDTH - LABELS - 20);
  const height = figures.length * 20 + 40;
  const lines = figures.map(({ scenario, metric, estimate, verdict }, i) => {
    const y = 30 + i * 20;
    const colour = verdict === 'worse' ? '#bb0000' : verdict === 'better' ? '#007700' : '#555555';
    return (
      `<text x="${LABELS - 8}" y="${y + 4}" text-anchor="end">${escaped(`${scenario} ${metric}`)}</text>` +
      `<line x1="${px(x(estimate.low))}" x2="${px(x(estimate.high))}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"/>` +
      `<circle cx="${px(x(estimate.ratio))}" cy="${y}" r="4" fill="${colour}"/>`
    );
  });
  const ticks = [1 - span / 1.1, 1, 1 + span / 1.1].map(
    (ratio) =>
      `<line x1="${px(x(ratio))}" x2="${px(x(ratio))}" y1="20" y2="${height - 10}" stroke="#cccccc"/>` +
      `<text x="${px(x(ratio))}" y="14" text-anchor="middle">${ratio.toFixed(2)}</text>`,
  );
  return svg(height, [...ticks, ...lines]);
}

/** Latency by percentile of two runs, both axes logarithmic: 50 %, 90 %, 99 % and so on lie at even distances. */
export function latencyPlot(series: readonly { readonly name: string; readonly latency: HistogramData }[]): string {
  const height = 260;
  const curves = series.map(({ name, latency }) => ({ name, histogram: LatencyHistogram.of(latency) }));
  const nines = Math.max(1, ...curves.map(({ histogram }) => Math.log10(Math.max(10, histogram.count))));
  const low = Math.log10(Math.max(1, Math.min(...curves.map(({ histogram }) => histogram.quantileUs(0)))));
  const high = Math.log10(Math.max(10, ...curves.map(({ histogram }) => histogram.maxUs))) + 0.05;
  const x = (exponent: number) => 60 + (exponent / nines) * (WIDTH - 200);
  const y = (us: number) =>
    height - 30 - ((Math.log10(Math.max(1, us)) - low) / Math.max(0.1, high - low)) * (height - 50);
  const paths = curves.map(({ name, histogram }, i) => {
    const points = Array.from({ length: 61 }, (_, step) => {
      const exponent = (step / 60) * nines;
      return `${px(x(exponent))},${px(y(histogram.quantileUs(1 - 10 ** -exponent)))}`;
    });
    const colour = COLOURS[i % COLOURS.length];
    return (
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.join(' ')}"/>` +
      `<text x="${WIDTH - 130}" y="${30 + i * 18}" fill="${colour}">${escaped(name)}</text>`
    );
  });
  const columns = Array.from({ length: Math.floor(nines) + 1 }, (_, exponent) => {
    const label = exponent === 0 ? 'least' : `${100 - 100 * 10 ** -exponent} %`;
    return `<line x1="${px(x(exponent))}" x2="${px(x(exponent))}" y1="15" y2="${height - 30}" stroke="#dddddd"/><text x="${px(x(exponent))}" y="${height - 12}" text-anchor="middle">${label}</text>`;
  });
  const rows = Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => {
    const us = 10 ** (Math.ceil(low) + i);
    return `<line x1="60" x2="${WIDTH - 140}" y1="${px(y(us))}" y2="${px(y(us))}" stroke="#dddddd"/><text x="54" y="${px(y(us) + 4)}" text-anchor="end">${us >= 1000 ? `${us / 1000} ms` : `${us} us`}</text>`;
  });
  return svg(height, [...columns, ...rows, ...paths]);
}

function svg(height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">${parts.join('')}</svg>`;
}

function px(value: number): string {
  return (Number.isFinite(value) ? value : 0).toFixed(1);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
