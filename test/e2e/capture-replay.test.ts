import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCaptureFile, type StoredRow } from '../../src/capture/index.js';
import { PROGRAM } from '../support/gateway-process.js';
import { GrpcClient } from '../support/grpc-server.js';
import { ModelFolder } from '../support/model-folder.js';
import { RunningGateway } from '../support/running-gateway.js';
import { scalingModel } from '../support/scaling-model.js';

const CONFIG = 'backend: "script" max_batch_size: 8 instance_group [ { count: 1, kind: KIND_CPU } ]';
const REQUESTS = 40;

function modelsOf(versions: Readonly<Record<number, string>>): ModelFolder {
  const models = new ModelFolder();
  models.write('scores/config.pbtxt', CONFIG);
  for (const [version, script] of Object.entries(versions)) models.write(`scores/${version}/model.mjs`, script);
  return models;
}

const inputs = (...data: number[]) => [{ name: 'x', datatype: 'FP32', shape: [1, 4], data }];

let folder: string;
let written: StoredRow[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-capture-'));
  const models = modelsOf({ 1: scalingModel(2) });
  models.write(
    'penstock.yaml',
    'capture:\n  percent: { scores: 100 }\n  redact: { scores: { maskParameters: [user] } }\n  tenant: hash\n',
  );
  const flags = ['--config', join(models.path, 'penstock.yaml'), '--capture-folder', folder];
  const gateway = await RunningGateway.start(models, flags);
  for (let i = 0; i < REQUESTS; i++) {
    const body = { id: `http-${i}`, inputs: inputs(i, 1, 2, 3), parameters: { user: 'me', top: true } };
    const answer = await gateway.post('/v2/models/scores/infer', body, { 'x-penstock-tenant': 'acme' });
    expect(answer.json().outputs[0].data).toEqual([2 * i, 2, 4, 6]);
  }
  const grpc = new GrpcClient(gateway.grpcPort);
  await grpc.unary('ModelInfer', {
    model_name: 'scores',
    id: 'grpc',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 4], contents: { fp32_contents: new Array(8).fill(1) } }],
  });
  await gateway.post('/v2/models/scores/infer', { id: 'wrong', inputs: [] });
  grpc.close();
  expect(await gateway.stop()).toBe(0);
  written = [];
  for (const file of readdirSync(folder))
    for await (const row of readCaptureFile(join(folder, file))) written.push(row);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a capture', () => {
  it('has every sampled request with its answer, whatever the protocol, redacted', () => {
    expect(written).toHaveLength(REQUESTS + 2);
    const first = written.find(({ id }) => id === 'http-0') as StoredRow;
    expect(first).toMatchObject({
      model: 'scores',
      version: 1,
      requestedVersion: undefined,
      parameters: { user: '***', top: true },
      error: undefined,
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], bytes: 16 }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 4], bytes: 16 }],
    });
    expect([...new Float32Array(new Uint8Array(first.outputData).buffer)]).toEqual([0, 2, 4, 6]);
    expect(first.tenant).toMatch(/^hmac-sha256:/);
    expect(new Set(written.filter(({ id }) => id.startsWith('http')).map(({ tenant }) => tenant)).size).toBe(1);
    expect(written.find(({ id }) => id === 'grpc')).toMatchObject({ inputs: [{ shape: [2, 4] }] });
    expect(written.find(({ id }) => id === 'wrong')).toMatchObject({ error: 'MISSING_INPUT', outputs: [] });
  });
});

describe('captures of a running gateway', () => {
  it('are switched on and off by the admin API, and counted', async () => {
    const own = mkdtempSync(join(tmpdir(), 'penstock-capture-'));
    const models = modelsOf({ 1: scalingModel(2) });
    models.write('.token', 'the-token-of-the-administrator');
    const gateway = await RunningGateway.start(models, [
      '--admin-port=0',
      `--admin-token-file=${join(models.path, '.token')}`,
      `--capture-folder=${own}`,
    ]);
    const ask = () => gateway.post('/v2/models/scores/infer', { inputs: inputs(1, 2, 3, 4) });
    const cli = async (...words: string[]) => {
      const admin = `http://127.0.0.1:${gateway.adminPort}`;
      const args = [
        PROGRAM,
        'capture',
        ...words,
        '--url',
        admin,
        '--token',
        'the-token-of-the-administrator',
        '--json',
      ];
      const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      return stderr === '' ? JSON.parse(stdout) : stderr;
    };
    await ask();
    expect(await cli('scores', '100')).toMatchObject({ folder: own, percent: { scores: 100 } });
    for (let i = 0; i < 5; i++) await ask();
    await cli('scores', '0');
    await ask();
    expect(await cli()).toMatchObject({ percent: { scores: 0 }, figures: { dropped: { busy: 0, rate: 0 } } });
    expect(await cli('scores', '200')).toMatch(/expected a number from 0 to 100/);
    const refused = await fetch(`http://127.0.0.1:${gateway.adminPort}/v2/admin/capture`);
    expect(refused.status).toBe(401);
    expect(await gateway.metric('penstock_capture_dropped_total', { cause: 'busy' })).toBe(0);
    expect(await gateway.stop()).toBe(0);
    const rows: StoredRow[] = [];
    for (const file of readdirSync(own)) for await (const row of readCaptureFile(join(own, file))) rows.push(row);
    expect(rows).toHaveLength(5);
    rmSync(own, { recursive: true });
  }, 90_000);
});

describe('penstock replay', () => {
  const replay = (models: ModelFolder, ...words: string[]) => {
    const args = [PROGRAM, 'replay', '--capture', folder, ...words];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: models.path });
    return { status, stdout, stderr };
  };

  it('finds no difference to an equal candidate, and says which and how large to another one', () => {
    const models = modelsOf({ 1: scalingModel(2), 2: scalingModel(2), 3: scalingModel(2.5) });
    const equal = replay(models, '--candidate=2', '--baseline=1', '--json', models.path);
    expect(equal).toMatchObject({ status: 0 });
    expect(JSON.parse(equal.stdout)).toMatchObject({
      model: 'scores',
      replayed: REQUESTS + 1,
      skipped: { not_answered: 1 },
      compared: REQUESTS + 1,
      agreed: REQUESTS + 1,
      maxAbsoluteError: 0,
      differences: [],
      latencyMs: { captured: { p50: expect.any(Number) }, baseline: { p99: expect.any(Number) } },
      passed: true,
    });
    const other = replay(models, '--candidate=3', models.path);
    expect(other.status).toBe(1);
    expect(other.stdout).toMatch(/0 of 41 answers agree .* at least 100 % have to/);
    expect(other.stdout).toMatch(/differs: row 0 of .*\.parquet, id http-0: by at most 1\.5,/);
    expect(replay(models, '--candidate=3', '--min-agreement=0', models.path).status).toBe(0);
    models.remove();
  }, 120_000);

  it('takes another folder of models for a candidate, or a gateway that runs', async () => {
    const models = modelsOf({ 7: scalingModel(2) });
    expect(replay(models, '--candidate', models.path)).toMatchObject({ status: 0 });
    const gateway = await RunningGateway.start(models);
    const running = replay(models, '--candidate=7', `--server=${gateway.url}`, '--json');
    expect(JSON.parse(running.stdout)).toMatchObject({ passed: true, compared: REQUESTS + 1 });
    expect(replay(models, '--candidate=8', `--server=${gateway.url}`)).toMatchObject({ status: 1 });
    expect(await gateway.stop()).toBe(0);
  }, 120_000);

  it('says what is wrong with its command line', () => {
    const models = modelsOf({ 1: scalingModel(2) });
    expect(replay(models, '--candidate=none')).toMatchObject({ status: 2 });
    expect(spawnSync(process.execPath, [PROGRAM, 'replay', '--capture', PROGRAM, '--candidate', '1']).status).toBe(2);
    models.remove();
  }, 60_000);
});
