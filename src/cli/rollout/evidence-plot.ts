import { escaped } from '../bench/svg-plot.js';

/** Values over time; what is not a finite number is left out. */
export interface PlottedSeries {
  readonly name: string;
  readonly points: readonly (readonly [atMs: number, value: number])[];
}

export interface EvidencePlot {
  readonly title: string;
  readonly y: string;
  readonly lines: readonly PlottedSeries[];
  /** Filled between two series, as an interval over time. */
  readonly band?: readonly (readonly [atMs: number, lower: number, upper: number])[];
  /** Level that something is proven at. */
  readonly limit?: { readonly name: string; readonly value: number };
  /** Moves, named below the axis. */
  readonly marks: readonly { readonly atMs: number; readonly name: string }[];
}

const COLOURS = ['#4477aa', '#cc6677', '#228833', '#aa3377', '#66ccee', '#ccbb44', '#555555'];
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 260, 70, 170, 30, 60];

/** Lines, and a band, over time, below and above nought, as inline SVG that needs no other file. */
export function evidencePlot({ title, y, lines, band = [], limit, marks }: EvidencePlot): string {
  const finite = lines.map(({ name, points }) => ({
    name,
    points: points.filter(([, value]) => Number.isFinite(value)),
  }));
  const bounded = band.filter(([, lower, upper]) => Number.isFinite(lower) && Number.isFinite(upper));
  const times = [...finite.flatMap(({ points }) => points.map(([at]) => at)), ...bounded.map(([at]) => at)];
  const values = [
    0,
    ...(limit === undefined ? [] : [limit.value]),
    ...finite.flatMap(({ points }) => points.map(([, value]) => value)),
    ...bounded.flatMap(([, lower, upper]) => [lower, upper]),
  ];
  const [from, to] = [least(times), most(times)];
  const [low, high] = [least(values), most(values)];
  const step = stepOf(high - low);
  const atX = (atMs: number) => LEFT + ((atMs - from) / Math.max(to - from, 1)) * (WIDTH - LEFT - RIGHT);
  const [bottom, top] = [
    Math.floor(low / step) * step,
    Math.max(Math.ceil(high / step), Math.floor(low / step) + 1) * step,
  ];
  const atY = (value: number) => HEIGHT - BOTTOM - ((value - bottom) / (top - bottom)) * (HEIGHT - BOTTOM - TOP);
  const parts = [
    text(LEFT, 16, title, 'font-weight="bold"'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, 'seconds since the baseline was measured', 'text-anchor="middle"'),
    text(14, HEIGHT / 2, y, `text-anchor="middle" transform="rotate(-90 14 ${HEIGHT / 2})"`),
  ];
  for (let i = 0; bottom + i * step <= top * (1 + 1e-9) + 1e-12; i++) {
    const value = bottom + i * step;
    parts.push(line(LEFT, atY(value), WIDTH - RIGHT, atY(value), '#dddddd'));
    parts.push(text(LEFT - 6, atY(value) + 4, label(value), 'text-anchor="end"'));
  }
  const seconds = stepOf((to - from) / 1000);
  for (let at = 0; at <= (to - from) / 1000; at += seconds)
    parts.push(text(atX(from + at * 1000), HEIGHT - BOTTOM + 16, label(at), 'text-anchor="middle"'));
  for (const { atMs, name } of marks.filter((mark) => mark.atMs >= from && mark.atMs <= to)) {
    parts.push(line(atX(atMs), TOP, atX(atMs), HEIGHT - BOTTOM, '#999999', 'stroke-dasharray="2 3"'));
    parts.push(text(atX(atMs), HEIGHT - BOTTOM + 32, name, 'text-anchor="middle" fill="#666666" font-size="10"'));
  }
  if (bounded.length > 1) {
    const way = [
      ...bounded.map(([at, , upper]) => `${px(atX(at))},${px(atY(upper))}`),
      ...bounded.toReversed().map(([at, lower]) => `${px(atX(at))},${px(atY(lower))}`),
    ];
    parts.push(`<polygon points="${way.join(' ')}" fill="#4477aa" fill-opacity="0.2"/>`);
  }
  if (limit !== undefined) {
    parts.push(line(LEFT, atY(limit.value), WIDTH - RIGHT, atY(limit.value), '#cc3311', 'stroke-dasharray="6 3"'));
    parts.push(text(WIDTH - RIGHT + 10, atY(limit.value) + 4, limit.name, 'fill="#cc3311"'));
  }
  finite.forEach(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const way = points.map(([at, value]) => `${px(atX(at))},${px(atY(value))}`).join(' ');
    parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${way}"/>`);
    parts.push(text(WIDTH - RIGHT + 10, TOP + 12 + i * 18, name, `fill="${colour}"`));
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">${parts.join('')}</svg>`;
}

function least(values: readonly number[]): number {
  return values.reduce((best, value) => Math.min(best, value), values[0] ?? 0);
}

function most(values: readonly number[]): number {
  return values.reduce((best, value) => Math.max(best, value), values[0] ?? 0);
}

/** A round step that makes four to ten of a span. */
function stepOf(span: number): number {
  if (!(span > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(span));
  const times = span / power;
  return times > 5 ? power : times > 2 ? power / 2 : power / 5;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, more = ''): string {
  return `<line x1="${px(x1)}" x2="${px(x2)}" y1="${px(y1)}" y2="${px(y2)}" stroke="${colour}" ${more}/>`;
}

function text(x: number, y: number, what: string, more: string): string {
  return `<text x="${px(x)}" y="${px(y)}" ${more}>${escaped(what)}</text>`;
}

function label(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

function px(value: number): string {
  return value.toFixed(1);
}
