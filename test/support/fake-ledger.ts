import type { CostKey, CostLedgerSource, CostLine, IdleLine, LedgerSnapshot } from '../../src/core/index.js';

interface Device {
  readonly device: string;
  readonly pricePerHour: number;
  elapsedSeconds: number;
  busySeconds: number;
}

/** What a line is booked under; what is not said is empty. */
export type BookedUnder = Partial<CostKey> & { readonly model: string };

/** A ledger that spends what a test says. All idle time of a device is paid by `idleOf`, else by nobody. */
export class FakeLedger implements CostLedgerSource {
  atMs: number;
  readonly currency: string;
  readonly #sinceMs: number;
  readonly #devices: Device[];
  readonly #lines = new Map<string, { -readonly [Name in keyof CostLine]: CostLine[Name] }>();
  readonly #idleOf: { readonly model: string; readonly version: number };

  constructor(
    atMs: number,
    prices: Readonly<Record<string, number>> = { cpu: 3.6 },
    { currency = 'USD', idleOf = { model: '', version: 0 } } = {},
  ) {
    this.atMs = atMs;
    this.#sinceMs = atMs;
    this.currency = currency;
    this.#idleOf = idleOf;
    this.#devices = Object.entries(prices).map(([device, pricePerHour]) => ({
      device,
      pricePerHour,
      elapsedSeconds: 0,
      busySeconds: 0,
    }));
  }

  /** Time passes on all devices; `busy`: what they did meanwhile, in seconds. */
  pass(
    seconds: number,
    busy: readonly (readonly [
      BookedUnder,
      number,
      { requests?: number; rows?: number; aloneSeconds?: number }?,
    ])[] = [],
  ): void {
    this.atMs += seconds * 1000;
    for (const device of this.#devices) device.elapsedSeconds += seconds;
    for (const [key, busySeconds, { requests = 0, rows = requests, aloneSeconds = 0 } = {}] of busy) {
      const whole: CostKey = { device: 'cpu', version: 1, tenant: '', route: '', kind: 'direct', ...key };
      const device = this.#devices.find((one) => one.device === whole.device)!;
      const name = JSON.stringify([whole.device, whole.model, whole.version, whole.tenant, whole.route, whole.kind]);
      const line = this.#lines.get(name) ?? {
        ...whole,
        deviceSeconds: 0,
        amount: 0,
        requests: 0,
        rows: 0,
        aloneSeconds: 0,
      };
      device.busySeconds += busySeconds;
      line.deviceSeconds += busySeconds;
      line.amount = (line.deviceSeconds / 3600) * device.pricePerHour;
      line.requests += requests;
      line.rows += rows;
      line.aloneSeconds += aloneSeconds;
      this.#lines.set(name, line);
    }
  }

  snapshot(): LedgerSnapshot {
    const lines = [...this.#lines.values()].map((line) => ({ ...line }));
    const idle: IdleLine[] = this.#devices.map(({ device, pricePerHour, elapsedSeconds, busySeconds }) => ({
      device,
      ...this.#idleOf,
      seconds: elapsedSeconds - busySeconds,
      amount: ((elapsedSeconds - busySeconds) / 3600) * pricePerHour,
    }));
    const devices = this.#devices.map(({ device, pricePerHour, elapsedSeconds, busySeconds }) => {
      const own = lines.filter((line) => line.device === device);
      const sum = (direct: boolean) =>
        own.filter(({ kind }) => (kind === 'direct') === direct).reduce((total, { amount }) => total + amount, 0);
      return {
        device,
        pricePerHour,
        priceKind: 'market' as const,
        elapsedSeconds,
        busySeconds,
        runningSeconds: 0,
        conservationError: 0,
        amount: (elapsedSeconds / 3600) * pricePerHour,
        direct: sum(true),
        waste: sum(false),
        idle: ((elapsedSeconds - busySeconds) / 3600) * pricePerHour,
      };
    });
    return { sinceMs: this.#sinceMs, atMs: this.atMs, currency: this.currency, devices, lines, idle };
  }
}
