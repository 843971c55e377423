import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/running-gateway.js';

/** Path of a program that `run.mjs` found; the name of the program where a part is run by itself. */
export function tool(name: 'prometheus' | 'promtool' | 'alertmanager' | 'amtool'): string {
  return process.env[name.toUpperCase()] ?? name;
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server of somebody else's, with a folder of its own; it ends with the test. */
export class ForeignServer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #log = '';

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-20_000);
      });
  }

  /** Resolves when `/-/ready` answers. `files`: written into its folder, which `flags` is told. */
  static async start(
    program: string,
    files: Readonly<Record<string, string>>,
    flags: (folder: string, port: number) => readonly string[],
  ): Promise<ForeignServer> {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-foreign-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const port = await freePort();
    const child = spawn(program, flags(folder, port), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new ForeignServer(child, folder, port);
    const exited = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${program} ended with ${code}:\n${server.#log}`)));
    });
    exited.catch(() => {});
    const ready = eventually(
      async () => (await fetch(`${server.url}/-/ready`).catch(() => undefined))?.ok === true,
      `${program} is ready`,
      60_000,
      100,
    );
    await Promise.race([ready, exited]);
    return server;
  }

  /** The `data` of an answer of Prometheus' API; throws what it says where it refuses. */
  async api<T>(path: string, values: Readonly<Record<string, string>> = {}): Promise<T> {
    const answer = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(values)}`);
    const { data, error } = (await answer.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return data;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => {
      this.#child.once('exit', resolve);
    });
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Prometheus over gateways, with rules and where its alerts go. */
export function startPrometheus(options: {
  readonly targets: readonly number[];
  readonly scrapeInterval: string;
  readonly rules?: string;
  readonly alertmanager?: string;
}): Promise<ForeignServer> {
  const { targets, scrapeInterval, rules, alertmanager } = options;
  const config = {
    global: { scrape_interval: scrapeInterval, evaluation_interval: scrapeInterval },
    ...(rules !== undefined && { rule_files: ['rules.yml'] }),
    ...(alertmanager !== undefined && {
      alerting: { alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanager).host] }] }] },
    }),
    scrape_configs: [
      { job_name: 'penstock', static_configs: [{ targets: targets.map((port) => `127.0.0.1:${port}`) }] },
    ],
  };
  const files = { 'prometheus.yml': JSON.stringify(config), ...(rules !== undefined && { 'rules.yml': rules }) };
  return ForeignServer.start(tool('prometheus'), files, (folder, port) => [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ]);
}

/** Alertmanager with that configuration. */
export function startAlertmanager(config: object): Promise<ForeignServer> {
  return ForeignServer.start(tool('alertmanager'), { 'alertmanager.yml': JSON.stringify(config) }, (folder, port) => [
    `--config.file=${folder}/alertmanager.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
    '--log.level=warn',
  ]);
}
