/** Goodput against offered load as an SVG that needs no other file. */
const COLOURS = ['#004488', '#bb5566', '#ddaa33', '#228833', '#66ccee', '#aa3377', '#777777', '#000000', '#997700'];
const [WIDTH, HEIGHT] = [760, 380];
const [LEFT, RIGHT, TOP, BOTTOM] = [60, 150, 40, 50];
const OFFERED = [0.1, 0.2, 0.5, 1, 2, 5, 10];
const IN_TIME = [0, 0.2, 0.4, 0.6, 0.8, 1];

const x = (share) =>
  LEFT + (Math.log10(Math.min(12, Math.max(0.08, share)) / 0.08) / Math.log10(12 / 0.08)) * (WIDTH - LEFT - RIGHT);
const y = (share) => HEIGHT - BOTTOM - (Math.min(1.1, share) / 1.1) * (HEIGHT - TOP - BOTTOM);
const px = (value) => value.toFixed(1);

/** Both axes in shares of the fluid bound, the one of load logarithmic; runs at about one rate are one point, their mean. */
export function goodputPlot(cell) {
  const bound = cell.boundPerSecond;
  const model = Array.isArray(cell.curve)
    ? `L(b) = ${cell.curve[0]} + ${cell.curve[1]} b ms`
    : cell.name.split('-d')[0];
  const title = `${model}, ${cell.instances} instance${cell.instances === 1 ? '' : 's'}, SLO ${cell.sloMs.toFixed(0)} ms, ${cell.arrivals}`;
  const grid = [
    ...OFFERED.map(
      (share) =>
        `<line x1="${px(x(share))}" x2="${px(x(share))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#dddddd"/>` +
        `<text x="${px(x(share))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${share}</text>`,
    ),
    ...IN_TIME.map(
      (share) =>
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y(share))}" y2="${px(y(share))}" stroke="#dddddd"/>` +
        `<text x="${LEFT - 8}" y="${px(y(share) + 4)}" text-anchor="end">${share}</text>`,
    ),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">offered load, as a share of the fluid bound (${Math.round(bound)}/s)</text>`,
    `<text x="16" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 ${HEIGHT / 2})">answered in time, as a share of it</text>`,
    `<text x="${LEFT}" y="20" font-weight="bold">${title}</text>`,
  ];
  const lines = cell.sides.map((side, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const points = together([...side.points, ...side.confirmed, ...side.overload], bound);
    const path = points.map(([offered, inTime]) => `${px(x(offered))},${px(y(inTime))}`).join(' ');
    const dots = points.map(
      ([offered, inTime]) => `<circle cx="${px(x(offered))}" cy="${px(y(inTime))}" r="2.5" fill="${colour}"/>`,
    );
    const at = TOP + 14 + i * 18;
    return (
      `<polyline fill="none" stroke="${colour}" stroke-width="1.8" points="${path}"/>${dots.join('')}` +
      `<line x1="${WIDTH - RIGHT + 12}" x2="${WIDTH - RIGHT + 32}" y1="${at - 4}" y2="${at - 4}" stroke="${colour}" stroke-width="3"/>` +
      `<text x="${WIDTH - RIGHT + 38}" y="${at}">${side.name}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>${grid.join('')}${lines.join('')}</svg>\n`;
}

/** Offered and in time, ascending; neighbours within 3 % of each other are one. */
function together(points, bound) {
  const groups = [];
  for (const { offeredPerSecond, inTimePerSecond } of [...points].sort(
    (a, b) => a.offeredPerSecond - b.offeredPerSecond,
  )) {
    const last = groups.at(-1);
    const [offered, inTime] = [offeredPerSecond / bound, inTimePerSecond / bound];
    if (last !== undefined && offered < last.offered[0] * 1.03) {
      last.offered.push(offered);
      last.inTime.push(inTime);
    } else groups.push({ offered: [offered], inTime: [inTime] });
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return groups.map(({ offered, inTime }) => [mean(offered), mean(inTime)]);
}
