import { defaultModelGates, type ModelGates, parseModelGates } from '../config/index.js';
import {
  type Clock,
  type GateReport,
  type GoldenLimits,
  type Log,
  type ModelFiles,
  type ModelVersionId,
  type ProbeTarget,
  ServingError,
  toServingError,
  type VersionGate,
  versionKey,
} from '../core/index.js';
import { goldenNames } from './golden/golden-case.js';
import { type GoldenSet, runGoldenSet } from './golden/golden-run.js';
import { asksForServing, goldenFaults } from './golden/golden-verdict.js';
import { missingFields, readModelCard } from './model-card.js';
import type { MinisignKey } from './signature/minisign.js';
import { verifyVersion } from './signature/version-signature.js';

/** What the operator of a server asks of every version, whatever its model says. */
export interface GatePolicy {
  readonly requireGolden: boolean;
  readonly requireModelCard: boolean;
  readonly modelCardFields: readonly string[];
  readonly requireSignature: boolean;
  /** Keys whose signatures count; none: signatures are not looked at. */
  readonly keys: readonly MinisignKey[];
}

export interface GatesOptions {
  readonly policy: GatePolicy;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reports that are kept; older ones go. */
const MOST_REPORTS = 1024;
const GATES_FILE = 'gates.yaml';
const MOST_GATES_BYTES = 1024 * 1024;

/** The gates that every version passes on its way to serve, and what they found. */
export class Gates implements VersionGate {
  readonly #options: GatesOptions;
  readonly #reports = new Map<string, GateReport>();

  constructor(options: GatesOptions) {
    this.#options = options;
  }

  /** What was found of a version when it came last; undefined: it did not come. */
  report(id: ModelVersionId): GateReport | undefined {
    return this.#reports.get(versionKey(id));
  }

  async beforeOpening(id: ModelVersionId, files: ModelFiles): Promise<void> {
    const signature = await this.#signature(id, files);
    const card = await this.#card(id, files);
    const faults = [...signature.faults, ...card.faults];
    const passed = faults.length === 0;
    const report = { ...EMPTY, model: id.model, version: id.version, ...signature, ...card, faults, passed };
    this.#keep(report);
    refuse(report);
  }

  async beforeServing(files: ModelFiles, candidate: ProbeTarget, serving: ProbeTarget | undefined): Promise<void> {
    const { id } = candidate.spec;
    const before = this.report(id) ?? { ...EMPTY, model: id.model, version: id.version };
    const found = await this.#golden(files, candidate, serving, undefined);
    const report = { ...before, ...found };
    this.#keep(report);
    if (report.golden !== undefined) {
      const { cases, right, slowestMs, deviceMs } = report.golden.candidate;
      this.#options.log.info('golden set', { ...id, cases, right, slowestMs, deviceMs, passed: report.passed });
    }
    refuse(report);
  }

  /**
   * The gates for a version that is loaded, beside another one; `limits` stand for those of the model's own file. Never
   * rejects: what could not be found out is against it.
   */
  async compare(
    files: ModelFiles,
    candidate: ProbeTarget,
    serving: ProbeTarget | undefined,
    limits?: GoldenLimits,
  ): Promise<GateReport> {
    const { id } = candidate.spec;
    const report: GateReport = { ...EMPTY, model: id.model, version: id.version };
    const card = await this.#card(id, files);
    const golden = await this.#golden(files, candidate, serving, limits);
    const faults = [...card.faults, ...(golden.faults ?? [])];
    // Its signature was looked at before it was opened: what is loaded is what was signed, whatever lies there now.
    const signature = this.report(id)?.signature ?? report.signature;
    return { ...report, ...card, ...golden, signature, faults, passed: faults.length === 0 };
  }

  async #signature(id: ModelVersionId, files: ModelFiles): Promise<Pick<GateReport, 'signature' | 'faults'>> {
    const { requireSignature, keys } = this.#options.policy;
    if (keys.length === 0) return { signature: 'not looked at', faults: [] };
    try {
      const found = await verifyVersion(id, files, keys);
      if (found.kind === 'invalid')
        return { signature: 'invalid', faults: [`its signature does not count: ${found.why}`] };
      const missing = found.kind === 'none' && requireSignature;
      return { signature: found.kind, faults: missing ? ['it is not signed, and this server asks for it'] : [] };
    } catch (thrown) {
      return { signature: 'invalid', faults: [toServingError(thrown).message] };
    }
  }

  async #card(id: ModelVersionId, files: ModelFiles): Promise<Pick<GateReport, 'card' | 'faults'>> {
    const { requireModelCard, modelCardFields } = this.#options.policy;
    try {
      const card = await readModelCard(id, files);
      const missing = missingFields(card, modelCardFields);
      const state = card.kind === 'none' ? 'none' : missing.length > 0 ? 'incomplete' : 'complete';
      if (!requireModelCard || state === 'complete') return { card: state, faults: [] };
      const why =
        card.kind === 'none'
          ? 'it has no model card (MODEL_CARD.md or model-card.yaml), and this server asks for one'
          : `its model card ${card.path} lacks ${missing.join(', ')}`;
      return { card: state, faults: [why] };
    } catch (thrown) {
      return { card: 'incomplete', faults: requireModelCard ? [toServingError(thrown).message] : [] };
    }
  }

  async #golden(
    files: ModelFiles,
    candidate: ProbeTarget,
    serving: ProbeTarget | undefined,
    given: GoldenLimits | undefined,
  ): Promise<Partial<GateReport>> {
    try {
      const { golden: settings } = await readGates(files, candidate.spec.id.model);
      const set = await this.#setOf(files, settings.folder, candidate.spec.id.version);
      if (set === undefined) {
        if (!this.#options.policy.requireGolden) return {};
        return { faults: ['it has no golden set, and this server asks for one'], passed: false };
      }
      const limits = given ?? settings.limits;
      const { clock } = this.#options;
      const figures = await runGoldenSet(set, candidate, settings, clock);
      const beside =
        serving !== undefined && asksForServing(limits) ? await runGoldenSet(set, serving, settings, clock) : undefined;
      const faults = goldenFaults(figures, beside, limits);
      return { golden: { candidate: figures, serving: beside }, faults, passed: faults.length === 0 };
    } catch (thrown) {
      return { faults: [toServingError(thrown).message], passed: false };
    }
  }

  async #setOf(files: ModelFiles, pattern: string, version: number): Promise<GoldenSet | undefined> {
    const folder = pattern.replaceAll('VERSION', String(version));
    const names = await goldenNames(files, folder);
    return names === undefined || names.length === 0 ? undefined : { files, folder, names };
  }

  #keep(report: GateReport): void {
    const key = versionKey(report);
    this.#reports.delete(key);
    this.#reports.set(key, report);
    for (const oldest of this.#reports.keys()) {
      if (this.#reports.size <= MOST_REPORTS) return;
      this.#reports.delete(oldest);
    }
  }
}

const EMPTY: Omit<GateReport, 'model' | 'version'> = {
  passed: true,
  faults: [],
  golden: undefined,
  card: 'none',
  signature: 'not looked at',
};

async function readGates(files: ModelFiles, model: string): Promise<ModelGates> {
  const there = await files.list('.');
  if (there?.some(({ name }) => name === GATES_FILE) !== true) return defaultModelGates();
  const text = new TextDecoder().decode(await files.read(GATES_FILE, MOST_GATES_BYTES));
  return parseModelGates(text, `${model}/${GATES_FILE}`);
}

/** Throws MODEL_INVALID with all that is against a version. */
function refuse({ passed, faults }: GateReport): void {
  if (!passed) throw new ServingError('MODEL_INVALID', `refused by its gates: ${faults.join('; ')}`);
}
