import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { ModelFolder } from '../support/model-folder.js';
import { RunningGateway } from '../support/running-gateway.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/penstock.cjs', import.meta.url));
const CONFIG = `
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { }
parameters { key: "penstock.slo_ms" value { string_value: "2000" } }
`;

/** Takes hundreds in an execution. */
const WIDE = `
max_batch_size: 256
input [ { name: "x" data_type: TYPE_FP32 dims: [ 256 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 256 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
dynamic_batching { }
`;

const started: RunningGateway[] = [];
afterAll(() => Promise.all(started.map((gateway) => gateway.stop())));

async function gatewayWith(...flags: string[]): Promise<RunningGateway> {
  const folder = new ModelFolder();
  folder.write('device/config.pbtxt', CONFIG);
  folder.write('device/1/curve.txt', '20,1\n');
  folder.write('wide/config.pbtxt', WIDE);
  folder.write('wide/1/curve.txt', '5,0.01\n');
  const gateway = await RunningGateway.start(folder, flags);
  started.push(gateway);
  return gateway;
}

/** Asks up to `times` times where it is refused. */
async function ask(gateway: RunningGateway, values: readonly [number, number], times: number) {
  const body = jsonBody({ model: 'device', inputs: [tensor('x', 'FP32', [1, 2], Float32Array.from(values))] });
  for (let asked = 1; ; asked++) {
    const answer = await gateway.call('/v2/models/device/infer', { body });
    if (answer.status !== 504 || asked === times) return answer;
  }
}

describe('a model that is a curve', () => {
  it.each(['penstock', 'pull', 'pull-drop', 'aimd', 'symphony'])(
    'answers each request with what it sent, scheduled by %s',
    async (policy) => {
      const gateway = await gatewayWith('--scheduling-policy', policy);
      const began = performance.now();
      const values = Array.from({ length: 24 }, (_, i) => [i, -i] as const);
      // Who starts at the last instant is too late on a machine that stood still.
      const times = policy === 'symphony' ? 10 : 1;
      const answers = await Promise.all(values.map((pair) => ask(gateway, pair, times)));
      expect(answers.map(({ status }) => status)).toEqual(values.map(() => 200));
      expect(answers.map((answer) => answer.json().outputs[0].data)).toEqual(values.map((pair) => [...pair]));
      // 24 rows in executions of at most 8, two at a time.
      expect(performance.now() - began).toBeGreaterThan(40);
      const [counted] = (await gateway.call('/v2/models/device/stats')).json().model_stats;
      expect(counted.inference_count).toBe(24);
      const { policy: inForce, curve } = (await gateway.call('/v2/models/device/scheduler')).json();
      expect(inForce).toBe(policy === 'pull' || policy === 'aimd' ? 'knobs' : 'deadlines');
      expect(curve.mean_ms[0]).toBeGreaterThan(20);
    },
    60_000,
  );

  it('gives each of hundreds its own rows', async () => {
    const gateway = await gatewayWith();
    const values = Array.from({ length: 600 }, (_, i) => Float32Array.from({ length: 256 }, (_, at) => i * 1000 + at));
    const answers = await Promise.all(
      values.map((row) => {
        const body = jsonBody({ model: 'wide', inputs: [tensor('x', 'FP32', [1, 256], row)] });
        return gateway.call('/v2/models/wide/infer', { body });
      }),
    );
    const wrong = answers.findIndex((answer, i) => `${answer.json().outputs?.[0].data}` !== `${values[i]}`);
    expect(wrong).toBe(-1);
    const [counted] = (await gateway.call('/v2/models/wide/stats')).json().model_stats;
    expect(counted.inference_count).toBe(600);
    expect(counted.execution_count).toBeLessThan(300);
  }, 60_000);

  it('has a goodput that the bench finds', async () => {
    const gateway = await gatewayWith();
    const words = ['bench', 'goodput', '--url', gateway.url, '--model', 'device', '--slo-ms', '1000', '--from', '40'];
    const { code, out } = await new Promise<{ code: number; out: string }>((resolve) => {
      const flags = ['--to', '60', '--seconds', '0.5', '--share', '0.5', '--overload', '2', '--json', 'out.json'];
      execFile(process.execPath, [PROGRAM, ...words, ...flags], { cwd: gateway.models.path }, (error, stdout) => {
        resolve({ code: error === null ? 0 : Number(error.code), out: stdout });
      });
    });
    expect(code, out).toBe(0);
    expect(out).toMatch(/^60 requests\/s with 50 % of all within 1000 ms\nOFFERED\/S/);
    const { goodputPerSecond, points } = JSON.parse(readFileSync(join(gateway.models.path, 'out.json'), 'utf8'));
    expect(goodputPerSecond).toBe(60);
    for (const { requests, inTime, late, refused, failed } of points) {
      expect(inTime + late + refused + failed).toBe(requests);
      expect(failed).toBe(0);
    }
  }, 60_000);
});
