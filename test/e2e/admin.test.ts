import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_ROUTES } from '../../src/serving/transport/admin/admin-routes.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

const TOKENS = { feedback: 'pst_feedback', rollout: 'pst_rollout', cost: 'pst_cost', admin: 'pst_admin' } as const;
const ADMIN_FILE_TOKEN = 'the-admin-token-of-the-file';

let folder: string;
let gateway: RunningGateway;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function flags(): string[] {
  return [
    '--admin-port=0',
    '--model-control-mode=explicit',
    '--load-model=*',
    `--state-dir=${join(folder, 'state')}`,
    `--tokens-file=${join(folder, 'tokens.yaml')}`,
    `--admin-token-file=${join(folder, 'admin-token')}`,
  ];
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-admin-'));
  const rows = Object.entries(TOKENS).map(([scope, token]) => ({
    name: `the-${scope}`,
    scopes: [scope],
    sha256: sha256(token),
  }));
  writeFileSync(join(folder, 'tokens.yaml'), JSON.stringify({ tokens: rows }));
  writeFileSync(join(folder, 'admin-token'), ADMIN_FILE_TOKEN);
  gateway = await RunningGateway.start(repositoryOf({ identity: 'identity_fp32' }), flags());
});
afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  readonly body: any;
}

/** Not by fetch: it would tidy the path. */
function call(method: string, path: string, token?: string, body?: string, port = gateway.adminPort): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    };
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      reply.on('end', () => {
        const json = text !== '' && reply.headers['content-type'] === 'application/json';
        resolve({ status: reply.statusCode ?? 0, body: json ? JSON.parse(text) : text });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

// First: refused calls are written down at a bounded rate, and the tables below make many.
describe('the audit', () => {
  it('has who was refused and who loaded what, over all ports, and survives the process', async () => {
    await call('GET', '/v2/admin/audit', TOKENS.rollout);
    await call('POST', '/v2/repository/models/identity/load', undefined, '{}', gateway.httpPort);
    await call('POST', '/v2/repository/models/identity/load', TOKENS.admin, '{}', gateway.httpPort);
    await call('POST', '/v2/repository/models/identity/unload', TOKENS.feedback, '{}', gateway.httpPort);
    await call('POST', '/v2/repository/models/nothing/load', TOKENS.admin, '{}', gateway.httpPort);
    const entries = (await call('GET', '/v2/admin/audit?most=5', TOKENS.admin)).body.entries as Record<
      string,
      unknown
    >[];
    const facts = entries.map(({ who, call, target, outcome, from }) => [who, call, target, outcome, from]);
    expect(facts).toEqual([
      ['the-admin', 'repositoryLoad', 'nothing', 'MODEL_NOT_FOUND', '127.0.0.1'],
      ['the-feedback', 'repositoryUnload', 'identity', 'FORBIDDEN', '127.0.0.1'],
      ['the-admin', 'repositoryLoad', 'identity', 'done', '127.0.0.1'],
      ['this machine', 'repositoryLoad', 'identity', 'done', '127.0.0.1'],
      ['the-rollout', 'auditList', '', 'FORBIDDEN', '127.0.0.1'],
    ]);
    expect(gateway.log).toMatch(/the-feedback.*call refused/);
    process.kill(gateway.pid, 'SIGKILL');
    await gateway.exited;
    gateway.models.remove();
    gateway = await RunningGateway.start(repositoryOf({ identity: 'identity_fp32' }), flags());
    const after = (await call('GET', '/v2/admin/audit?most=5', TOKENS.admin)).body.entries as Record<string, unknown>[];
    expect(after).toEqual(entries);
  });

  it('is read in parts, and refuses questions that make no sense', async () => {
    const { entries, next } = (await call('GET', '/v2/admin/audit?most=2', TOKENS.admin)).body;
    const more = (await call('GET', `/v2/admin/audit?most=2&before=${next}`, TOKENS.admin)).body.entries;
    expect(more[0].number).toBe(entries[1].number - 1);
    for (const query of ['most=0', 'most=1001', 'most=x', 'before=-1'])
      expect((await call('GET', `/v2/admin/audit?${query}`, TOKENS.admin)).status).toBe(400);
  });
});

describe('rights on the admin port', () => {
  it.each(ADMIN_ROUTES.map((route) => [route.method, route.pattern, route] as const))(
    '%s %s is for its scope alone',
    async (method, pattern, { right }) => {
      const path = pattern.replaceAll(/:[a-z]+/g, 'nothing');
      const may = (scope: string) => right === 'open' || scope === right || scope === 'admin';
      const body = method === 'GET' ? undefined : '';
      for (const [scope, token] of Object.entries(TOKENS)) {
        const { status } = await call(method, path, token, body);
        if (may(scope)) expect([401, 403]).not.toContain(status);
        else expect([scope, status]).toEqual([scope, 403]);
      }
      if (right === 'open') return;
      expect((await call(method, path, undefined, body)).status).toBe(401);
      expect((await call(method, path, 'pst_guess', body)).status).toBe(403);
      expect((await call(method, path, sha256(TOKENS.admin), body)).status).toBe(403);
      // Whatever a router might take for the same path: refused, or no such call.
      for (const other of [
        `${path}/`,
        path.toUpperCase(),
        path.replace('/admin/', '/admin//'),
        path.replace('/admin/', '%2fadmin/'),
        `/v2/../v2${path.slice(3)}`,
      ])
        expect([401, 404]).toContain((await call(method, other, undefined, body)).status);
    },
  );

  it('has nothing of it on the port of inferences', async () => {
    for (const { method, pattern } of ADMIN_ROUTES) {
      const path = pattern.replaceAll(/:[a-z]+/g, 'nothing');
      const { status } = await call(method, path, TOKENS.admin, '', gateway.httpPort);
      expect([method, pattern, status]).toEqual([method, pattern, 404]);
    }
  });

  it('takes the token of the admin token file', async () => {
    expect(
      (await call('GET', '/v2/admin/tokens', ADMIN_FILE_TOKEN)).body.tokens.map((row: { name: string }) => row.name),
    ).toEqual(['admin-token', 'the-feedback', 'the-rollout', 'the-cost', 'the-admin']);
  });

  it('shows neither tokens nor hashes', async () => {
    const text = JSON.stringify((await call('GET', '/v2/admin/tokens', TOKENS.admin)).body) + gateway.log;
    for (const token of [...Object.values(TOKENS), ADMIN_FILE_TOKEN]) {
      expect(text).not.toContain(token);
      expect(text).not.toContain(sha256(token));
    }
  });
});

describe('the admin API', () => {
  it('documents every call, for nobody in particular', async () => {
    const { status, body } = await call('GET', '/v2/admin/docs/openapi.json');
    expect(status).toBe(200);
    for (const { method, pattern } of ADMIN_ROUTES)
      expect(body.paths[pattern.replaceAll(/:([a-z]+)/g, '{$1}')]?.[method.toLowerCase()]).toBeDefined();
    expect((await call('GET', '/v2/admin/docs')).body).toContain('Needs a token with the scope admin');
  });

  it('names the methods of a path', async () => {
    expect((await call('DELETE', '/v2/admin/audit', TOKENS.admin)).status).toBe(405);
    expect((await call('GET', '/v2/models/identity', TOKENS.admin)).status).toBe(404);
  });

  it('does not listen unless it is asked for, and then nothing is kept', async () => {
    const other = await RunningGateway.start(repositoryOf({ identity: 'identity_fp32' }));
    expect(other.adminPort).toBeNaN();
    await other.stop();
  });

  it('refuses a second gateway on the same state', async () => {
    const models = repositoryOf({ identity: 'identity_fp32' });
    await expect(RunningGateway.start(models, flags())).rejects.toThrow(/in use by another gateway: stop that one/);
    models.remove();
    expect(existsSync(join(folder, 'state', 'state.db'))).toBe(true);
  });
});
