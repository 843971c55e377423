import { escaped } from '../bench/svg-plot.js';

export interface LineSeries {
  readonly name: string;
  /** Ascending in x; both above 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly LineSeries[];
  /** Axis of x in powers of two, for sizes of batches; else even. */
  readonly doubling: boolean;
}

const COLOURS = ['#4477aa', '#cc6677', '#228833', '#aa3377', '#66ccee', '#ccbb44', '#555555'];
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [720, 280, 70, 40, 30, 180];

/** Lines over one axis from zero, as inline SVG that needs no other file. */
export function linePlot({ title, x, y, series, doubling }: LinePlot): string {
  const all = series.flatMap(({ points }) => points);
  const place = (value: number) => (doubling ? Math.log2(value) : value);
  const mostX = Math.max(...all.map(([at]) => place(at)), 1e-9);
  const step = stepOf(Math.max(...all.map(([, at]) => at), 1e-9));
  const mostY = Math.ceil(Math.max(...all.map(([, at]) => at), 1e-9) / step) * step;
  const atX = (value: number) => LEFT + (place(value) / mostX) * (WIDTH - LEFT - RIGHT);
  const atY = (value: number) => HEIGHT - BOTTOM - (value / mostY) * (HEIGHT - BOTTOM - TOP);
  const parts = [
    `<text x="${LEFT}" y="16" font-weight="bold">${escaped(title)}</text>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(x)}</text>`,
    `<text x="14" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 ${HEIGHT / 2})">${escaped(y)}</text>`,
  ];
  for (let value = 0; value <= mostY * (1 + 1e-9); value += step)
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(atY(value))}" y2="${px(atY(value))}" stroke="#dddddd"/>`,
      `<text x="${LEFT - 6}" y="${px(atY(value) + 4)}" text-anchor="end">${label(value)}</text>`,
    );
  for (const value of ticks(mostX, doubling))
    parts.push(
      `<line x1="${px(atX(value))}" x2="${px(atX(value))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#eeeeee"/>`,
      `<text x="${px(atX(value))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${label(value)}</text>`,
    );
  series.forEach(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const line = points.map(([px0, py0]) => `${px(atX(px0))},${px(atY(py0))}`);
    parts.push(
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${line.join(' ')}"/>`,
      ...line.map(
        (point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="3" fill="${colour}"/>`,
      ),
      `<text x="${WIDTH - RIGHT + 10}" y="${TOP + 12 + i * 18}" fill="${colour}">${escaped(name)}</text>`,
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">${parts.join('')}</svg>`;
}

/** A round step that makes four to ten of `most`. */
function stepOf(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  const times = most / power;
  return times > 5 ? power : times > 2 ? power / 2 : power / 5;
}

function ticks(most: number, doubling: boolean): number[] {
  if (doubling) return Array.from({ length: Math.floor(most + 1e-9) + 1 }, (_, i) => 2 ** i);
  const step = stepOf(most);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

function label(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en-US');
}

function px(value: number): string {
  return value.toFixed(1);
}
