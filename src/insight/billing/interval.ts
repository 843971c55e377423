import type {
  CostLine,
  DeviceBalance,
  IdleLine,
  LedgerSnapshot,
  RollupDevice,
  RollupKey,
  RollupLine,
} from '../../core/index.js';
import type { DeviceEnergy } from './energy-meter.js';

/** What was spent between two instants of one ledger. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
  readonly lines: readonly RollupLine[];
  readonly devices: readonly RollupDevice[];
}

/**
 * The difference of two snapshots; `before` undefined: all since the ledger began. It ends at the later one's wall clock and is as long
 * as the devices say, so that a wall clock that was set moves no money into hours that nobody lived.
 */
export function intervalBetween(
  before: LedgerSnapshot | undefined,
  now: LedgerSnapshot,
  energyOf: (devices: readonly RollupDevice[]) => ReadonlyMap<string, DeviceEnergy>,
): Interval {
  const bare = deviceDifferences(before?.devices ?? [], now.devices);
  const energy = energyOf(bare);
  const devices = bare.map((device) => ({ ...device, energyJoules: energy.get(device.device)?.joules }));
  const lines = [
    ...lineDifferences(before?.lines ?? [], now.lines, keyOfLine, differenceOfLines),
    ...lineDifferences(before?.idle ?? [], now.idle, keyOfIdle, differenceOfIdle),
  ];
  const seconds = Math.max(0, ...devices.map(({ elapsedSeconds }) => elapsedSeconds));
  return {
    fromMs: now.atMs - seconds * 1000,
    toMs: now.atMs,
    lines: energy.size === 0 ? lines : sharedEnergy(lines, energy),
    devices,
  };
}

/** One text for a key; names have no NUL. */
export function textOfKey({ device, model, version, tenant, route, kind }: RollupKey): string {
  return `${device}\0${model}\0${version}\0${tenant}\0${route}\0${kind}`;
}

const NO_ENERGY = { energyJoules: undefined, carbonGrams: undefined };

function deviceDifferences(before: readonly DeviceBalance[], now: readonly DeviceBalance[]): RollupDevice[] {
  const earlier = new Map(before.map((balance) => [balance.device, balance]));
  return now.map((balance) => {
    const from = earlier.get(balance.device);
    const since = (name: 'elapsedSeconds' | 'busySeconds' | 'amount' | 'direct' | 'waste' | 'idle') =>
      balance[name] - (from?.[name] ?? 0);
    return {
      device: balance.device,
      elapsedSeconds: since('elapsedSeconds'),
      busySeconds: since('busySeconds'),
      amount: since('amount'),
      direct: since('direct'),
      waste: since('waste'),
      idle: since('idle'),
      ...NO_ENERGY,
    };
  });
}

function lineDifferences<Line>(
  before: readonly Line[],
  now: readonly Line[],
  keyOf: (line: Line) => string,
  difference: (line: Line, from: Line | undefined) => RollupLine,
): RollupLine[] {
  const earlier = new Map(before.map((line) => [keyOf(line), line]));
  const lines: RollupLine[] = [];
  for (const line of now) {
    const since = difference(line, earlier.get(keyOf(line)));
    if (since.deviceSeconds !== 0 || since.amount !== 0 || since.requests !== 0) lines.push(since);
  }
  return lines;
}

function differenceOfLines(line: CostLine, from: CostLine | undefined): RollupLine {
  return {
    ...line,
    deviceSeconds: line.deviceSeconds - (from?.deviceSeconds ?? 0),
    amount: line.amount - (from?.amount ?? 0),
    requests: line.requests - (from?.requests ?? 0),
    rows: line.rows - (from?.rows ?? 0),
    aloneSeconds: line.aloneSeconds - (from?.aloneSeconds ?? 0),
    ...NO_ENERGY,
  };
}

function differenceOfIdle(line: IdleLine, from: IdleLine | undefined): RollupLine {
  return {
    ...idleKey(line),
    deviceSeconds: line.seconds - (from?.seconds ?? 0),
    amount: line.amount - (from?.amount ?? 0),
    requests: 0,
    rows: 0,
    aloneSeconds: 0,
    ...NO_ENERGY,
  };
}

const keyOfLine = (line: CostLine) => textOfKey(line);
const keyOfIdle = (line: IdleLine) => textOfKey(idleKey(line));

function idleKey({ device, model, version }: IdleLine): RollupKey {
  return { device, model, version, tenant: '', route: '', kind: 'idle' };
}

/** Energy goes to lines as time does: of the work to what worked, of the idle time to what pays for it. */
function sharedEnergy(lines: readonly RollupLine[], energy: ReadonlyMap<string, DeviceEnergy>): RollupLine[] {
  const seconds = new Map<string, { busy: number; idle: number }>();
  for (const { device, kind, deviceSeconds } of lines) {
    const sums = seconds.get(device) ?? { busy: 0, idle: 0 };
    sums[kind === 'idle' ? 'idle' : 'busy'] += deviceSeconds;
    seconds.set(device, sums);
  }
  return lines.map((line) => {
    const of = energy.get(line.device);
    if (of === undefined) return line;
    const { busy, idle } = seconds.get(line.device)!;
    // Where nothing was done or nothing was idle, the other side has all of it.
    const [whole, joules] =
      line.kind === 'idle'
        ? [idle, busy === 0 ? of.joules : of.idleJoules]
        : [busy, idle === 0 ? of.joules : of.joules - of.idleJoules];
    return { ...line, energyJoules: whole === 0 ? 0 : (joules * line.deviceSeconds) / whole };
  });
}
