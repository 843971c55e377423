import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { type Agent, Agent as HttpAgent, type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GatewayProcess, gatewayProcess, PROGRAM } from './gateway-process.js';
import { ModelFolder } from './model-folder.js';
import { fixturePath } from './onnx-fixtures.js';

const SCRIPTS = fileURLToPath(new URL('../fixtures/scripts/', import.meta.url));

/** Flags that every gateway of this run of the tests gets: the same suites are run with several (`vitest.config.ts`). */
const ALWAYS = (process.env.PENSTOCK_TEST_FLAGS ?? '').split(' ').filter((flag) => flag !== '');

/** What a repository of a test holds under one name. */
export interface ServedModel {
  /** Name of `test/fixtures/models` for every version, or one a version. A file of `test/fixtures/scripts` with its ending is a script. */
  readonly fixture: string | Readonly<Record<number, string>>;
  /** Text of `config.pbtxt`. */
  readonly config?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** Puts a fixture where version `version` of `model` has its file. */
export function placeVersion(folder: ModelFolder, model: string, version: number, fixture: string): void {
  const place = join(folder.path, model, String(version));
  mkdirSync(place, { recursive: true });
  if (/\.(js|mjs|cjs)$/.test(fixture)) {
    copyFileSync(join(SCRIPTS, fixture), join(place, `model${fixture.endsWith('.mjs') ? '.mjs' : '.js'}`));
  } else copyFileSync(fixturePath(fixture), join(place, 'model.onnx'));
}

/** A repository in Triton's layout, over the fixtures. */
export function repositoryOf(models: Readonly<Record<string, string | ServedModel>>): ModelFolder {
  const folder = new ModelFolder();
  for (const [name, given] of Object.entries(models)) {
    const { fixture, config, files }: ServedModel = typeof given === 'string' ? { fixture: given } : given;
    const versions = typeof fixture === 'string' ? { 1: fixture } : fixture;
    for (const [version, file] of Object.entries(versions)) placeVersion(folder, name, Number(version), file);
    if (config !== undefined) folder.write(`${name}/config.pbtxt`, config);
    for (const [file, text] of Object.entries(files ?? {})) folder.write(`${name}/${file}`, text);
  }
  return folder;
}

/** A copy of the example models that `npm start` serves. */
export function exampleRepository(): ModelFolder {
  return copyOf('models');
}

/** A copy of the examples that answer in several parts. */
export function streamingRepository(): ModelFolder {
  return copyOf('streaming');
}

function copyOf(examples: string): ModelFolder {
  const folder = new ModelFolder();
  const from = fileURLToPath(new URL(`../../deploy/examples/${examples}/`, import.meta.url));
  cpSync(from, folder.path, { recursive: true });
  return folder;
}

export interface HttpCall {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body's JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  json(): any;
}

/** A real gateway: the compiled program as a process of its own, on free ports of this machine. */
export class RunningGateway {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  /** NaN where the admin API does not listen. */
  readonly adminPort: number;
  readonly models: ModelFolder;
  readonly exited: Promise<number | null>;
  readonly #process: GatewayProcess;
  readonly #log: string[];
  readonly #agent = new HttpAgent({ keepAlive: true, maxSockets: 64 });

  private constructor(child: GatewayProcess, models: ModelFolder, log: string[], ports: readonly number[]) {
    this.#process = child;
    this.#log = log;
    this.models = models;
    [this.httpPort, this.grpcPort, this.metricsPort, this.adminPort] = ports as [number, number, number, number];
    this.exited = new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
    });
  }

  /**
   * Resolves when every model is loaded or has failed to load. Takes `models` along: `stop` removes the folder.
   * `probe`: a module that its process loads before the program and that answers `ask`.
   */
  static async start(models: ModelFolder, flags: readonly string[] = [], probe?: URL): Promise<RunningGateway> {
    if (!existsSync(PROGRAM)) throw new Error('the program is not built: npm run build');
    const nameOf = (flag: string) => flag.split('=')[0];
    // No state: these folders are never seen again.
    const given = ['--http-port=0', '--grpc-port=0', '--metrics-port=0', '--state-dir=off', ...ALWAYS].filter(
      (flag) => !flags.some((own) => nameOf(own) === nameOf(flag)),
    );
    const child = gatewayProcess(models.path, [...given, ...flags], probe === undefined ? [] : [probe]);
    const log: string[] = [];
    const { stdout, stderr } = child;
    stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
    const text = await new Promise<string>((resolve, reject) => {
      let out = '';
      stdout.setEncoding('utf8').on('data', (chunk: string) => {
        out += chunk;
        // The last line of the list of listeners; printed when the models are loaded.
        if (/Metrics +http.*\n/.test(out)) resolve(out);
      });
      child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}:\n${log.join('')}`)));
      child.once('error', reject);
    });
    return new RunningGateway(child, models, log, portsOf(text));
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get url(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  /** What the gateway wrote to its standard error. */
  get log(): string {
    return this.#log.join('');
  }

  /** Resident memory, told by the kernel; in bytes. */
  rssBytes(): number {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(line?.[1]) * 1024;
  }

  /** Files and sockets that it has open. */
  openFiles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Processor time of all its threads so far, in milliseconds. */
  cpuMs(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') as string[];
    // utime and stime in ticks of 10 ms (USER_HZ is 100 on every Linux that Node runs on).
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** One HTTP call; the path goes out as it is. Rejects where the connection ends without an answer. */
  call(path: string, options: HttpCall = {}): Promise<HttpAnswer> {
    const { body, headers = {}, signal } = options;
    const method = options.method ?? (body === undefined ? 'GET' : 'POST');
    return new Promise((resolve, reject) => {
      const sent = request({
        host: '127.0.0.1',
        port: this.httpPort,
        path,
        method,
        headers:
          body === undefined || headers['transfer-encoding'] !== undefined
            ? headers
            : { 'content-length': Buffer.byteLength(body), ...headers },
        agent: options.agent ?? this.#agent,
        ...(signal === undefined ? {} : { signal }),
      });
      sent.once('error', reject);
      sent.once('response', (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () => {
          const whole = Buffer.concat(chunks);
          const { statusCode: status = 0, headers: got } = answer;
          resolve({ status, headers: got, body: whole, json: () => JSON.parse(whole.toString()) });
        });
      });
      sent.end(body);
    });
  }

  /** `POST` of a JSON value. */
  post(path: string, value: unknown = {}, headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
    return this.call(path, { body: JSON.stringify(value), headers });
  }

  /** The text of `/metrics`. */
  async scrape(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
  }

  /** The value of one sample, its labels in any order; undefined where it is not there. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
    return sampleOf(await this.scrape(), name, labels);
  }

  /** What the probe says. */
  ask(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#process.once('message', resolve);
      this.#process.send('probe');
    });
  }

  /** Ends the process as an operator does and waits for it; its exit code. */
  async stop(): Promise<number | null> {
    this.#agent.destroy();
    this.#process.kill('SIGTERM');
    const code = await this.exited;
    this.models.remove();
    return code;
  }
}

/** The value of a sample in a scrape; undefined where there is none with these labels. */
export function sampleOf(text: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    const found = Object.fromEntries(
      [...(match[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((label) => [label[1], label[2]]),
    );
    if (Object.entries(labels).every(([label, value]) => found[label] === value)) return Number(match[3]);
  }
  return undefined;
}

function portsOf(text: string): number[] {
  return ['HTTP and WebSocket +https?://[^:]+', 'gRPC +[^:]+', 'Metrics +http://[^:]+', 'Admin +http://[^:]+'].map(
    (listener) => Number(new RegExp(`${listener}:(\\d+)`).exec(text)?.[1]),
  );
}

/**
 * Resolves when `holds` does; asks again after `everyMs`, because what it asks about is in another process and sends no
 * word. Rejects after `limitMs`.
 */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 10_000,
  everyMs = 20,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, everyMs);
    });
  }
}
