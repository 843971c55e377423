import { expect } from 'vitest';

const MONEY = /^(DIRECT|PADDING|FAILED|RETRIED|WARM-UP|CANARY|SHADOW|IDLE|TOTAL [A-Z]{3})$/;
const units = (text: string) => BigInt(text.replace('.', ''));
const sum = (values: readonly bigint[]) => values.reduce((total, one) => total + one, 0n);

/**
 * Expects of what `penstock cost` printed that columns add up to the last line, rows to their totals, and devices to the last
 * line as well, digit by digit. Returns the heads of its columns of money.
 */
export function expectAddsUp(printed: string): string[] {
  const lines = printed.split('\n');
  const [header, ...rows] = lines.slice(2, lines.indexOf('', 2)).map((line) => line.split(/ {2,}/));
  // From the end: labels of the last line are fewer.
  const heads = header!.toReversed();
  const cells = (row: readonly string[]) => new Map(heads.map((head, i) => [head, row.at(-1 - i)!]));
  const last = cells(rows.pop()!);
  const money = header!.filter((head) => MONEY.test(head));
  const total = money.at(-1)!;
  for (const head of [...money, 'REQUESTS', 'ROWS'])
    expect(sum(rows.map((row) => units(cells(row).get(head)!))), head).toBe(units(last.get(head)!));
  for (const row of [...rows.map(cells), last])
    expect(sum(money.slice(0, -1).map((head) => units(row.get(head)!)))).toBe(units(row.get(total)!));
  const devices = lines
    .filter((line) => line.startsWith('device '))
    .map((line) => / = ([\d.]+) [A-Z]{3}: direct ([\d.]+), waste ([\d.]+), idle ([\d.]+)/.exec(line)!.slice(1));
  for (const [whole, ...parts] of devices) expect(sum(parts.map(units))).toBe(units(whole!));
  const ofDevices = (place: number) => sum(devices.map((parts) => units(parts[place]!)));
  expect([ofDevices(0), ofDevices(1), ofDevices(3)]).toEqual(
    [total, 'DIRECT', 'IDLE'].map((head) => units(last.get(head)!)),
  );
  expect(printed).toMatch(/^price x time = .*less than 1e-9 of it$/m);
  return money;
}
