import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS, GRPC_CODE_NUMBERS, REASONS } from '../../src/core/index.js';
import { exampleRepository, RunningGateway } from '../support/running-gateway.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROTOCOLS = 'src/serving/transport/PROTOCOLS.md';
const ADMIN = 'src/serving/transport/ADMIN.md';
const TOKEN = 'the-token-of-the-examples';

interface Example {
  readonly where: string;
  readonly code: string;
  readonly language: 'bash' | 'js';
  /** The HTTP status that it shows; undefined = success. */
  readonly status?: string | undefined;
  /** The answer that stands behind it. */
  readonly answer?: unknown;
}

/** Fenced blocks of a page that can be run. */
function fenced(page: string): Example[] {
  const text = readFileSync(`${ROOT}${page}`, 'utf8');
  return [...text.matchAll(/^```(bash|js)([^\n]*)\n(.*?)^```\n(?:\n```json\n(.*?)^```)?/gms)].map((match) => ({
    where: `${page}:${text.slice(0, match.index).split('\n').length}`,
    language: match[1] as Example['language'],
    code: match[3] as string,
    status: /status=(\d+)/.exec(match[2] as string)?.[1],
    ...(match[4] === undefined ? {} : { answer: JSON.parse(match[4]) }),
  }));
}

/** Indented `curl` lines of a page, with the lines that they go on in. */
function indented(page: string): Example[] {
  const text = readFileSync(`${ROOT}${page}`, 'utf8');
  return [...text.matchAll(/^ {4}(?:\$ )?(curl (?:.*\\\n)*.*)$/gm)].map((match) => ({
    where: `${page}:${text.slice(0, match.index).split('\n').length}`,
    language: 'bash',
    code: match[1] as string,
  }));
}

const EXAMPLES = [
  ...fenced(PROTOCOLS),
  ...fenced(ADMIN),
  ...fenced('src/serving/transport/MIGRATING.md'),
  ...['README.md', 'src/serving/executor/SCRIPT-MODELS.md'].flatMap(indented),
];

let gateway: RunningGateway;

beforeAll(async () => {
  const models = exampleRepository();
  const tokenFile = models.write('token', TOKEN);
  const flags = [
    '--model-control-mode',
    'explicit',
    '--load-model',
    '*',
    '--admin-port=0',
    '--admin-token-file',
    tokenFile,
  ];
  gateway = await RunningGateway.start(models, flags);
});

afterAll(async () => {
  expect(await gateway?.stop()).toBe(0);
});

/** Runs an example in the folder of the project; what it printed. Rejects where it fails. */
function run({ code, language, status }: Example): Promise<string> {
  const ports: Record<string, number> = {
    8000: gateway.httpPort,
    8001: gateway.grpcPort,
    8002: gateway.metricsPort,
    8003: gateway.adminPort,
  };
  const own = code.replace(/(127\.0\.0\.1|localhost):(800[0-3])/g, (_, host, port) => `${host}:${ports[port]}`);
  // curl counts an HTTP error as success unless it is told otherwise.
  const told = status === undefined ? '--fail-with-body' : `-w '\\n%{http_code}'`;
  const script =
    language === 'js'
      ? own
      : `set -euo pipefail\ncurl() { command curl ${told} "$@"; }\npenstock() { node dist/cli/penstock.cjs "$@"; }\n${own}`;
  const [program, args] = language === 'js' ? [process.execPath, ['--input-type=module', '-']] : ['bash', ['-s']];
  return new Promise((resolve, reject) => {
    const env = {
      ...process.env,
      PENSTOCK_TOKEN: TOKEN,
      PENSTOCK_ADMIN_URL: `http://127.0.0.1:${gateway.adminPort}`,
    };
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject);
    child.once('close', (exit) =>
      exit === 0 ? resolve(out) : reject(new Error(`exit ${exit}\n${out}\n${err}\n${script}`)),
    );
    child.stdin.end(script);
  });
}

describe('the examples of the documentation', () => {
  it('are there', () => {
    expect(EXAMPLES.length).toBeGreaterThan(15);
    expect(EXAMPLES.filter(({ language }) => language === 'js')).toHaveLength(2);
  });

  it.each(EXAMPLES.map((example) => [example.where, example] as const))(
    'run: %s',
    { timeout: 60_000 },
    async (_, example) => {
      const out = await run(example);
      if (example.status !== undefined) {
        expect(out.trim().split('\n').at(-1)).toBe(example.status);
        expect(JSON.parse(out.trim().split('\n')[0] as string)).toEqual({ error: expect.any(String) });
      }
      if (example.answer !== undefined) expect(JSON.parse(out)).toEqual(example.answer);
      if (example.language === 'js') expect(out).toMatch(/(binary|unary): \d/);
    },
  );
});

it('the table of errors is that of the code', () => {
  const rows = REASONS.map((reason) => {
    const { http, grpc, retry } = ERRORS[reason];
    return `| ${reason} | ${http} | ${grpc} (${GRPC_CODE_NUMBERS[grpc]}) | ${retry} |`;
  });
  const table = ['| reason | HTTP | gRPC | retry |', '|---|---|---|---|', ...rows].join('\n');
  const page = readFileSync(`${ROOT}${PROTOCOLS}`, 'utf8');
  expect(page).toContain(`<!-- errors -->\n${table}\n<!-- /errors -->`);
});

it('links of the page lead somewhere', () => {
  const page = readFileSync(`${ROOT}${PROTOCOLS}`, 'utf8');
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] as string).toLowerCase().replaceAll(' ', '-'),
  );
  for (const [, target = ''] of page.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) expect(headings).toContain(target.slice(1));
    else expect(existsSync(new URL(target, new URL(`../../${PROTOCOLS}`, import.meta.url))), target).toBe(true);
  }
});
