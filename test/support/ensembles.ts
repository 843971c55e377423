import type { ModelFolder } from './model-folder.js';

/** A step of an ensemble that a test writes: its maps by name. */
export interface WrittenStep {
  readonly model: string;
  readonly version?: number;
  readonly in: Readonly<Record<string, string>>;
  readonly out: Readonly<Record<string, string>>;
}

/** Puts an ensemble into a repository. `io`: its `max_batch_size`, `input` and `output` as a config has them. */
export function writeEnsemble(folder: ModelFolder, name: string, io: string, steps: readonly WrittenStep[]): void {
  const map = (field: string, entries: Readonly<Record<string, string>>) =>
    Object.entries(entries)
      .map(([key, value]) => `${field} { key: "${key}" value: "${value}" }`)
      .join(' ');
  const written = steps.map(
    (step) =>
      `step { model_name: "${step.model}" model_version: ${step.version ?? -1} ${map('input_map', step.in)} ${map('output_map', step.out)} }`,
  );
  // Its version has a folder, and no file.
  folder.write(`${name}/1/.keep`, '');
  folder.write(`${name}/config.pbtxt`, `platform: "ensemble" ${io} ensemble_scheduling { ${written.join(' ')} }`);
}
