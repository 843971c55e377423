import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, ClockTimer, Log } from '../../../core/index.js';
import type { GpuFigures, GpuSource } from './physical-gpu.js';

/** What is asked of it; power in W, memory in MiB, utilisation in percent. It has no field for energy. */
const FIELDS = [
  'uuid',
  'pci.bus_id',
  'name',
  'power.draw',
  'enforced.power.limit',
  'memory.used',
  'memory.total',
  'utilization.gpu',
  'temperature.gpu',
] as const;
const FLAGS = [`--query-gpu=${FIELDS.join()}`, '--format=csv,noheader,nounits', '-l', '1'];

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Rows are told once a second; one that is older is not told any more. */
const STALE_NS = 10e9;
/** The longest line that is no row. */
const LONGEST_LINE = 4096;
const MIB = 1024 * 1024;

export interface NvidiaSmiOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Default: `nvidia-smi` of the PATH. */
  readonly program?: string;
}

/**
 * The GPUs by one long-lived `nvidia-smi`, which tells a row a GPU and second. One that ends is started again after a
 * growing pause; where there is no such program nothing is told.
 */
export class NvidiaSmi implements GpuSource {
  readonly #options: NvidiaSmiOptions;
  readonly #rows = new Map<string, { readonly figures: GpuFigures; readonly atNs: number }>();
  #child: ChildProcess | undefined;
  #again: ClockTimer | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #closed = false;
  readonly #atExit = () => this.#child?.kill('SIGKILL');

  constructor(options: NvidiaSmiOptions) {
    this.#options = options;
    process.once('exit', this.#atExit);
    this.#start();
  }

  figures(): readonly GpuFigures[] {
    const nowNs = this.#options.clock.nowNs();
    return [...this.#rows.values()].filter(({ atNs }) => nowNs - atNs < STALE_NS).map(({ figures }) => figures);
  }

  close(): void {
    this.#closed = true;
    this.#again?.clear();
    this.#child?.kill('SIGKILL');
    process.off('exit', this.#atExit);
  }

  #start(): void {
    const { clock, program = 'nvidia-smi' } = this.#options;
    const child = spawn(program, FLAGS, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    child.unref();
    let rest = '';
    const { stdout } = child;
    // A pipe is a socket: it must not keep the process.
    (stdout as typeof stdout & { unref?(): void }).unref?.();
    stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() as string).slice(-LONGEST_LINE);
      for (const line of lines) {
        const figures = readGpuRow(line);
        if (figures === undefined) continue;
        this.#pauseMs = FIRST_PAUSE_MS;
        this.#rows.set(figures.uuid, { figures, atNs: clock.nowNs() });
      }
    });
    child.once('error', (error) => this.#ended(error));
    child.once('exit', (code) => this.#ended(code));
  }

  #ended(how: Error | number | null): void {
    if (this.#closed || this.#child === undefined) return;
    this.#child = undefined;
    const { clock, log } = this.#options;
    if (how instanceof Error) {
      log.debug('no figures of GPUs: nvidia-smi does not start', { cause: how });
      return;
    }
    log.debug('nvidia-smi ended and is started again', { code: how, afterMs: this.#pauseMs });
    this.#again = clock.setTimer(clock.nowNs() + this.#pauseMs * 1e6, () => this.#start());
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One row; undefined where it is none. */
export function readGpuRow(line: string): GpuFigures | undefined {
  const cells = line.split(',').map((cell) => cell.trim());
  const [uuid, busId, product] = cells;
  if (cells.length !== FIELDS.length || !uuid?.startsWith('GPU-') || !busId) return undefined;
  const number = (at: number, unit: number) => {
    const value = Number.parseFloat(cells[at] as string);
    return Number.isFinite(value) ? value * unit : undefined;
  };
  return {
    uuid,
    busId,
    product,
    energyJoules: undefined,
    powerWatts: number(3, 1),
    powerLimitWatts: number(4, 1),
    memoryUsedBytes: number(5, MIB),
    memoryTotalBytes: number(6, MIB),
    utilisation: number(7, 0.01),
    temperatureCelsius: number(8, 1),
  };
}
