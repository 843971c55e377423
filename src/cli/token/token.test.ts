import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cliRun } from '../../../test/support/cli-run.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { openTokens } from '../../app/tokens.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-token-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (line: string) => cliRun(line, folder);
const file = () => join(folder, 'tokens.yaml');

it('prints a token once, writes its hash for its user alone, and the gateway knows it', async () => {
  const { code, out, err } = await run('token create --name ci --scope rollout --scope feedback');
  expect(code).toBe(0);
  const token = out.trim();
  expect(token).toMatch(/^pst_[A-Za-z0-9_-]{32}$/);
  expect(err).toContain('--tokens-file tokens.yaml');
  expect(readFileSync(file(), 'utf8')).not.toContain(token);
  expect(statSync(file()).mode & 0o077).toBe(0);
  const tokens = openTokens({ tokensFile: file() }, new SilentLog());
  expect(tokens.identify(token)).toMatchObject({ name: 'ci', scopes: ['rollout', 'feedback'] });
  expect(tokens.identify(`${token}x`)).toBeUndefined();
});

it('lists and revokes, and a gateway that runs hears of it with the next call', async () => {
  const made = JSON.parse((await run('token create --name ci --scope admin --json')).out) as { token: string };
  await run('token create --name labels --scope feedback');
  const tokens = openTokens({ tokensFile: file() }, new SilentLog());
  expect(tokens.list().map(({ name }) => name)).toEqual(['admin-token', 'ci', 'labels']);
  expect((await run('token list')).out).toMatch(/NAME +SCOPES +CREATED\nci +admin/);
  expect(JSON.parse((await run('token list --json')).out).tokens).toMatchObject([
    { name: 'ci' },
    { name: 'labels', scopes: ['feedback'] },
  ]);
  expect(await run('token revoke ci')).toMatchObject({ code: 0, out: 'revoked ci\n' });
  expect(tokens.identify(made.token)).toBeUndefined();
  expect((await run('token list')).out).not.toContain('ci ');
});

it.each([
  ['token create --name ci --scope rollout', 1, /has a token 'ci' already: revoke that first/],
  ['token create --name a/b --scope rollout', 2, /expected 1 to 64 letters/],
  ['token create --name x --scope root', 2, /Allowed choices are feedback, rollout, cost, admin/],
  ['token create --name x', 2, /--scope/],
  ['token revoke co', 1, /has no token 'co', did you mean 'ci'\?/],
  ['token list --file nowhere.yaml', 2, /no such file; penstock token create makes it/],
])('says what to do next: %s', async (line, code, message) => {
  await run('token create --name ci --scope rollout');
  const result = await run(line);
  expect(result.code).toBe(code);
  expect(result.err).toMatch(message);
});

it('gives no tokens while the file is faulty or gone, says so once, and takes it up again', async () => {
  const { token } = JSON.parse((await run('token create --name ci --scope rollout --json')).out) as { token: string };
  const log = new SilentLog();
  const tokens = openTokens({ tokensFile: file() }, log);
  const right = readFileSync(file(), 'utf8');
  writeFileSync(file(), 'tokens: [');
  expect([tokens.identify(token), tokens.identify(token)]).toEqual([undefined, undefined]);
  expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  writeFileSync(file(), right);
  expect(tokens.identify(token)?.name).toBe('ci');
  rmSync(file());
  expect(tokens.identify(token)).toBeUndefined();
  writeFileSync(file(), right);
  expect(tokens.identify(token)?.name).toBe('ci');
});

it('refuses to start with a file that is wrong or not there', () => {
  expect(() => openTokens({ tokensFile: file() }, new SilentLog())).toThrow(
    /cannot be read \(ENOENT\); make one with penstock token create/,
  );
  writeFileSync(file(), 'tokens: [{}]');
  expect(() => openTokens({ tokensFile: file() }, new SilentLog())).toThrow(/tokens\.yaml:1: /);
});
