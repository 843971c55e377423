import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ServerConfig } from '../../config/index.js';
import { ServingError } from '../../core/index.js';
import { usableCores } from '../../machine/index.js';
import type { ModelRepository } from '../../models/index.js';
import { firstRow } from '../../serving/batcher/index.js';
import { parseShape } from '../bench/sample-inputs.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { modelNameOf, repositoryOfFiles } from '../repository-of-files.js';
import { readServeArguments, withRepository } from '../serve.js';
import { payingRowsOf } from './expectation.js';
import { measureSizes } from './measure-sizes.js';
import { type Setting, settingsToTry } from './settings.js';
import type { TuneOptions } from './tune.js';
import { configToMeasure, type ShownConfig } from './tuned-config.js';
import { type TunedVersion, TuningHost } from './tuning-host.js';
import type { MeasuredSetting } from './tuning-result.js';

/** What was found of a model, before anything is concluded from it. */
export interface Measurements {
  readonly model: string;
  readonly version: number;
  readonly from: string;
  /** Of its config; 0 = none. */
  readonly sloMs: number;
  readonly maxBatchSize: number;
  /** `KIND_CPU` or `KIND_GPU`. */
  readonly kind: string;
  readonly settings: readonly Omit<MeasuredSetting, 'bestPerSecond'>[];
  /** Undefined: it lies in no repository. */
  readonly modelFolder: string | undefined;
}

/** Opens a model here in one setting after the other and measures each. Fails with what is wrong and what to do. */
export async function measureHere(options: TuneOptions, io: CliIo): Promise<Measurements> {
  const isFile = /\.onnx$/i.test(options.model) && existsSync(resolve(io.cwd, options.model));
  const operands = [...(isFile ? [options.model] : []), ...options.repositories];
  const { config, files, notes } = readServeArguments(operands, io);
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const made = files.length === 0 ? undefined : await repositoryOfFiles(files);
  const model = isFile ? modelNameOf(resolve(io.cwd, options.model)) : options.model;
  // The measurement itself may have nothing that keeps the process alive: its threads are told of by memory.
  const alive = setInterval(() => {}, 1 << 30);
  try {
    const session = await Session.open(withRepository(config, made), model, options, io);
    try {
      return await session.measure();
    } finally {
      await session.close();
    }
  } finally {
    clearInterval(alive);
    await made?.remove();
  }
}

/** The repository with the one model in it that is measured. */
class Session {
  readonly #config: ServerConfig;
  readonly #model: string;
  readonly #options: TuneOptions;
  readonly #io: CliIo;
  readonly #repository: ModelRepository;
  readonly #host: TuningHost;

  static async open(config: ServerConfig, model: string, options: TuneOptions, io: CliIo): Promise<Session> {
    // What the person wants to know is in the report; the log tells what is wrong beyond it.
    const quiet = {
      ...config,
      log: { ...config.log, info: false },
      modelControlMode: 'explicit' as const,
      loadModels: [],
    };
    let host: TuningHost | undefined;
    const repository = io.openModels(quiet, (parts) => {
      host = new TuningHost(parts);
      return host;
    });
    const session = new Session(quiet, model, options, io, repository, host as unknown as TuningHost);
    await repository.start();
    return session;
  }

  constructor(
    config: ServerConfig,
    model: string,
    options: TuneOptions,
    io: CliIo,
    repository: ModelRepository,
    host: TuningHost,
  ) {
    this.#config = config;
    this.#model = model;
    this.#options = options;
    this.#io = io;
    this.#repository = repository;
    this.#host = host;
  }

  async close(): Promise<void> {
    await this.#repository.drain(10_000);
    this.#host.stop();
  }

  async measure(): Promise<Measurements> {
    const { version, shown, tuned } = await this.#find();
    const { spec } = tuned;
    const onGpu = tuned.plan.instances.some(({ device }) => device === 'cuda');
    const maxBatchSize = this.#maxBatchSize(spec.maxBatchSize);
    const settings = settingsToTry({
      cores: usableCores(),
      instances: this.#options.instances,
      threads: this.#options.threads,
      threaded: spec.backend === 'onnxruntime',
      onGpu,
    });
    await this.#repository.unload(this.#model, false);
    const measured: Omit<MeasuredSetting, 'bestPerSecond'>[] = [];
    for (const [index, setting] of settings.entries()) {
      const told = `setting ${index + 1} of ${settings.length}: ${nameOf(setting)}`;
      measured.push(await this.#measureSetting(shown, version, setting, maxBatchSize, settings.length, told));
    }
    this.#progress('');
    const modelFolder = this.#config.repositories
      .map((folder) => join(resolve(this.#io.cwd, folder), this.#model))
      .find((folder) => existsSync(folder));
    return {
      model: this.#model,
      version,
      from: 'here',
      sloMs: spec.batching.sloMs,
      maxBatchSize,
      kind: onGpu ? 'KIND_GPU' : 'KIND_CPU',
      settings: measured,
      modelFolder: /\.onnx$/i.test(this.#options.model) ? undefined : modelFolder,
    };
  }

  /** Loads the model as it is, to see what it is. */
  async #find(): Promise<{ version: number; shown: ShownConfig; tuned: TunedVersion }> {
    this.#progress(`loading ${this.#model}`);
    try {
      await this.#repository.load(this.#model, { config: undefined, files: new Map() });
    } catch (thrown) {
      if (!(thrown instanceof ServingError) || thrown.reason !== 'MODEL_NOT_FOUND') throw thrown;
      const names = this.#repository.index(false).map(({ name }) => name);
      const there = names.length === 0 ? 'no model is there' : `there are ${names.slice(0, 20).join(', ')}`;
      throw new CliError(
        `no model '${this.#model}' in ${this.#config.repositories.join(', ')}: ${there}`,
        EXIT_CODES.usage,
      );
    }
    const version = this.#options.version ?? Math.max(...this.#repository.readyVersions(this.#model));
    const shown = this.#options.version === undefined ? this.#repository.config(this.#model, version) : undefined;
    const tuned = this.#host.last as TunedVersion;
    return { version, shown: (shown ?? this.#repository.config(this.#model, undefined)) as ShownConfig, tuned };
  }

  #maxBatchSize(own: number): number {
    const { maxBatch } = this.#options;
    if (maxBatch === undefined) return own;
    if (own === 0)
      throw new CliError(
        `--max-batch: model '${this.#model}' has no batch axis (max_batch_size 0), so executions have one request each`,
        EXIT_CODES.usage,
      );
    return maxBatch;
  }

  async #measureSetting(
    shown: ShownConfig,
    version: number,
    setting: Setting,
    maxBatchSize: number,
    settings: number,
    told: string,
  ): Promise<Omit<MeasuredSetting, 'bestPerSecond'>> {
    const shapes = new Map(
      this.#options.shapes.map(parseShape).map(({ name, axes }) => [name, axes.map(([, high]) => high)] as const),
    );
    const config = configToMeasure(shown, { version, setting, maxBatchSize, shapes });
    this.#progress(`${told}: loading`);
    await this.#repository.load(this.#model, { config, files: new Map() });
    const { executor, opened, sample, spec } = this.#host.last as TunedVersion;
    if (sample === undefined) throw new Error('a version that was not warmed');
    const sizes = await measureSizes({
      executor,
      version: spec.id,
      member: maxBatchSize > 0 ? firstRow(sample) : sample,
      maxBatchSize: Math.max(maxBatchSize, 1),
      budgetMs: (this.#options.seconds * 1000) / settings,
      clock: this.#host.clock,
      onStretch: (rows, round, rounds) =>
        this.#progress(`${told}: ${round === 0 ? 'how far' : `round ${round} of ${rounds}`}, ${rows} rows`),
    });
    const use = opened.carriers?.()[0];
    const place = opened.placements?.[0];
    const result = {
      instances: setting.instances,
      ...(setting.threads === undefined ? {} : { threads: setting.threads }),
      device: place === undefined ? '' : `${place.device}:${place.deviceId}`,
      ...(use === undefined ? {} : { carrier: `${use.carrier} (${use.why})` }),
      sizes,
      payingRows: payingRowsOf(sizes),
    };
    await this.#repository.unload(this.#model, false);
    return result;
  }

  #shown = '';

  /** One line that changes on a terminal; in a pipe a line for each setting and step, but not for each size. */
  #progress(text: string): void {
    const { stderr, isTTY } = this.#io;
    if (isTTY) stderr.write(`\r\x1b[K${text}`);
    else {
      const line = text.replace(/, \d+ rows$/, '');
      if (line !== '' && line !== this.#shown) stderr.write(`penstock: ${line}\n`);
      this.#shown = line;
    }
  }
}

function nameOf({ instances, threads }: Setting): string {
  const plural = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
  return threads === undefined
    ? plural(instances, 'instance')
    : `${plural(instances, 'instance')} of ${plural(threads, 'thread')}`;
}
