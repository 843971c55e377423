import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import type { OrtLibrary } from '../library.js';
import type { SessionSettings } from '../session-settings.js';

/** Everything that a compiled model depends on. Two loads share an entry only where all of it is equal. */
export interface CompiledFrom {
  /** SHA-256 of the model file, and of each file of external data by the name the model has for it. */
  readonly model: string;
  readonly external: readonly (readonly [string, string])[];
  readonly runtime: { readonly version: string; readonly build: string; readonly libraryBytes: number };
  readonly machine: { readonly platform: string; readonly cpu: string };
  /** Execution provider and device. */
  readonly provider: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Raised where the form of entries changes: older ones are not read any more. */
const FORMAT = 1;

/** Name of the entry: SHA-256 of what it was compiled from. */
export function cacheKey(from: CompiledFrom): string {
  return createHash('sha256').update(canonicalText(from)).digest('hex');
}

/** The same text for the same facts; kept in the entry and compared whole. */
export function canonicalText(from: CompiledFrom): string {
  const { model, external, runtime, machine, provider, settings } = from;
  const sorted = [...external].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    FORMAT,
    model,
    sorted,
    [runtime.version, runtime.build, runtime.libraryBytes],
    [machine.platform, machine.cpu],
    provider,
    Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}

/** The runtime's part of a key. The build text holds the commit; the size tells builds of one commit apart. */
export function runtimeFacts(library: OrtLibrary): CompiledFrom['runtime'] {
  const build = library.api.GetBuildInfoString() as unknown as string;
  return { version: library.version, build, libraryBytes: statSync(library.path).size };
}

/** A session's settings as a key holds them: all of them, whether they change the compiled form or not. */
export function settingsFacts(settings: SessionSettings): CompiledFrom['settings'] {
  const { sessionConfig, runConfig: _ofRuns, cudaOptions: _ofCuda, ...plain } = settings;
  return {
    ...Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, value ?? null])),
    sessionConfig: [...sessionConfig].sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

let machine: CompiledFrom['machine'] | undefined;

/** The machine's part of a key: the optimiser chooses operators and weight layouts for this CPU. */
export function machineFacts(): CompiledFrom['machine'] {
  machine ??= { platform: `${process.platform}-${process.arch}`, cpu: cpuText() };
  return machine;
}

const CPU_LINES =
  /^(?:vendor_id|cpu family|model|model name|stepping|flags|Features|CPU (?:implementer|architecture|variant|part|revision))\s*:.*$/gm;

/** Model and features of the CPUs, each distinct line once; outside Linux the model's name. */
function cpuText(): string {
  try {
    const lines = readFileSync('/proc/cpuinfo', 'utf8').match(CPU_LINES);
    if (lines !== null) return [...new Set(lines)].sort().join('\n');
  } catch {
    // No /proc: macOS.
  }
  return [...new Set(cpus().map((cpu) => cpu.model))].sort().join('\n');
}
