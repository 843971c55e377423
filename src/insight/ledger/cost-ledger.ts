import {
  type Clock,
  type CostLedgerSource,
  type CostLine,
  type CostMeter,
  type CostSplit,
  type DeviceBalance,
  type IdleLine,
  type LedgerSnapshot,
  type ModelVersionId,
  versionKey,
} from '../../core/index.js';
import { BoundedNames, OTHERS_NAME } from './bounded-names.js';
import { DeviceClock } from './device-clock.js';
import { type IdlePolicy, IdleSplit, type Resident } from './idle-split.js';
import type { DevicePrice } from './price-table.js';
import { type Account, type AccountLimits, FIELDS, VersionAccounts } from './version-accounts.js';

export interface CostLedgerOptions {
  readonly clock: Clock;
  readonly currency: string;
  readonly split: CostSplit;
  readonly idle: IdlePolicy;
  /** Tenants, and routes, that are told apart since the ledger began. */
  readonly maxTenants: number;
  /** Tenants that are told apart beside those. */
  readonly namedTenants?: readonly string[];
  readonly maxRoutes: number;
  readonly priceOf: (device: string) => DevicePrice;
  /** Devices whose time counts from the beginning, whatever runs there. */
  readonly devices?: readonly string[];
}

/** Versions that have accounts of their own since the ledger began; those that come later share one. */
const MOST_VERSIONS = 4096;
/** Accounts of one version. */
const MOST_ACCOUNTS = 2048;

interface Device {
  readonly clock: DeviceClock;
  readonly idle: IdleSplit;
}

/**
 * Whose the time of the devices is. Executions are booked by whoever runs them, on the accounts of their versions; what is not
 * booked is idle. Sums only ever grow: versions that are unloaded keep theirs.
 */
export class CostLedger implements CostLedgerSource {
  readonly #options: CostLedgerOptions;
  readonly #limits: AccountLimits;
  readonly #devices = new Map<string, Device>();
  readonly #versions = new Map<string, VersionAccounts>();
  readonly #startNs: number;
  readonly #sinceMs: number;

  constructor(options: CostLedgerOptions) {
    const { clock, split, maxTenants, maxRoutes } = options;
    this.#options = options;
    this.#startNs = clock.nowNs();
    this.#sinceMs = clock.wallMs();
    const names = { tenants: new BoundedNames(maxTenants, options.namedTenants), routes: new BoundedNames(maxRoutes) };
    this.#limits = { split, ...names, maxAccounts: MOST_ACCOUNTS };
    for (const name of options.devices ?? []) this.#device(name);
  }

  /** What measures a device, by the name that executors have for it (`cpu:0`, `cuda:1`). */
  meterOf(device: string): DeviceClock {
    return this.#device(device).clock;
  }

  /** Where the executions of a version are booked: the same each time it is loaded. */
  meter(id: ModelVersionId): CostMeter {
    return this.#accountsOf(id);
  }

  /** A version is loaded on these devices, with so many bytes on each; what is given back says that it is not any more. */
  resident(id: ModelVersionId, devices: readonly string[], bytes: number): () => void {
    const { clock } = this.#options;
    const accounts = this.#accountsOf(id);
    const places = devices.map((name) => {
      const device = this.#device(name);
      const directNs = () => directNsOn(accounts, device.clock.index);
      const resident: Resident = { id: accounts.id, bytes, directNs };
      device.idle.join(resident, device.clock.timesAt(clock.nowNs()).idleNs);
      return { device, resident };
    });
    return () => {
      for (const { device, resident } of places)
        device.idle.leave(resident, device.clock.timesAt(clock.nowNs()).idleNs);
    };
  }

  snapshot(): LedgerSnapshot {
    const { clock, currency } = this.#options;
    const nowNs = clock.nowNs();
    const lines: CostLine[] = [];
    const idle: IdleLine[] = [];
    const devices: DeviceBalance[] = [];
    for (const device of this.#devices.values()) {
      const own = this.#linesOf(device.clock);
      const ownIdle = idleLines(device, nowNs);
      devices.push(balance(device.clock, own, ownIdle, nowNs));
      lines.push(...own);
      idle.push(...ownIdle);
    }
    return Object.freeze({
      sinceMs: this.#sinceMs,
      atMs: clock.wallMs(),
      currency,
      devices: Object.freeze(devices),
      lines: Object.freeze(lines),
      idle: Object.freeze(idle),
    });
  }

  #linesOf({ name, index, price }: DeviceClock): CostLine[] {
    const lines: CostLine[] = [];
    for (const accounts of this.#versions.values())
      for (const account of accounts.all()) {
        const line = lineOf(account, accounts.id, name, index, price.perHour);
        if (line !== undefined) lines.push(line);
      }
    return lines;
  }

  #device(given: string): Device {
    const name = given === 'cpu:0' ? 'cpu' : given;
    let device = this.#devices.get(name);
    if (device === undefined) {
      const price = this.#options.priceOf(name);
      const clock = new DeviceClock(name, this.#devices.size, price, this.#startNs);
      device = { clock, idle: new IdleSplit(this.#options.idle) };
      this.#devices.set(name, device);
    }
    return device;
  }

  #accountsOf({ model, version }: ModelVersionId): VersionAccounts {
    const known = this.#versions.get(versionKey({ model, version }));
    if (known !== undefined) return known;
    const id = this.#versions.size < MOST_VERSIONS ? { model, version } : { model: OTHERS_NAME, version: 0 };
    const accounts = this.#versions.get(versionKey(id)) ?? new VersionAccounts(id, this.#limits);
    this.#versions.set(versionKey(id), accounts);
    return accounts;
  }
}

function directNsOn(accounts: VersionAccounts, device: number): number {
  let ns = 0;
  for (const { kind, sums } of accounts.all()) if (kind === 'direct') ns += sums[device * FIELDS] ?? 0;
  return ns;
}

/** Undefined: nothing was booked on that device. */
function lineOf(
  { sums, tenant, route, kind }: Account,
  { model, version }: ModelVersionId,
  device: string,
  index: number,
  pricePerHour: number,
): CostLine | undefined {
  const [ns = 0, requests = 0, rows = 0, aloneNs = 0] = sums.subarray(index * FIELDS, (index + 1) * FIELDS);
  if (ns === 0 && requests === 0) return undefined;
  const deviceSeconds = ns / 1e9;
  const amount = (deviceSeconds / 3600) * pricePerHour;
  const key = { device, model, version, tenant, route, kind };
  return Object.freeze({ ...key, deviceSeconds, amount, requests, rows, aloneSeconds: aloneNs / 1e9 });
}

function idleLines({ clock, idle }: Device, nowNs: number): IdleLine[] {
  idle.divide(clock.timesAt(nowNs).idleNs);
  const lines: IdleLine[] = [];
  for (const { id, ns } of idle.parts()) {
    const seconds = ns / 1e9;
    const amount = (seconds / 3600) * clock.price.perHour;
    if (ns > 0) lines.push(Object.freeze({ device: clock.name, ...id, seconds, amount }));
  }
  return lines;
}

/** The balance of a device; both sides are summed on ways of their own, so that they differ where something was not booked. */
function balance(
  clock: DeviceClock,
  lines: readonly CostLine[],
  idleOf: readonly IdleLine[],
  nowNs: number,
): DeviceBalance {
  const { elapsedNs, idleNs, runningNs } = clock.timesAt(nowNs);
  const { kind: priceKind, perHour: pricePerHour } = clock.price;
  const elapsedSeconds = (elapsedNs - runningNs) / 1e9;
  const busySeconds = sum(lines.map(({ deviceSeconds }) => deviceSeconds));
  const amountOf = (which: (line: CostLine) => boolean) => sum(lines.filter(which).map(({ amount }) => amount));
  const counted = busySeconds + sum(idleOf.map(({ seconds }) => seconds));
  return Object.freeze({
    device: clock.name,
    pricePerHour,
    priceKind,
    elapsedSeconds,
    busySeconds,
    runningSeconds: runningNs / 1e9,
    conservationError: elapsedNs === 0 ? 0 : Math.abs(counted - elapsedSeconds) / (elapsedNs / 1e9),
    amount: (elapsedSeconds / 3600) * pricePerHour,
    direct: amountOf(({ kind }) => kind === 'direct'),
    waste: amountOf(({ kind }) => kind !== 'direct'),
    idle: (idleNs / 3600e9) * pricePerHour,
  });
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
