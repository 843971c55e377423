import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fp32, request, tensorSpec } from '../../../test/support/specs.js';
import { parseModelRoutes } from '../../config/index.js';
import { type InferenceRequest, serialiseBytes } from '../../core/index.js';
import { RoutingTable } from './index.js';

const PAGE = readFileSync(join(import.meta.dirname, 'ROUTES.md'), 'utf8');
const EXAMPLES = [...PAGE.matchAll(/```yaml\n(.*?)```(?:\n\n```routes\n(.*?)```)?/gs)].map(([, routes, runs]) => ({
  routes: routes as string,
  runs: (runs ?? '').split('\n').filter((line) => line !== ''),
}));

/** A request as the page writes it: parts with `;` between. */
function requestOf(text: string): InferenceRequest {
  const headers: Record<string, string> = {};
  let changes: Partial<InferenceRequest> = {};
  for (const part of text.split(';').map((one) => one.trim())) {
    const [, kind = '', rest = ''] = /^(header|json|tenant|version|x=|id=|nothing) ?(.*)$/.exec(part) ?? [];
    if (kind === 'header') headers[rest.split('=')[0] as string] = rest.slice(rest.indexOf('=') + 1);
    else if (kind === 'json') {
      const data = serialiseBytes([new TextEncoder().encode(rest)]);
      changes = { ...changes, inputs: [{ name: 'text', dataType: 'BYTES', shape: [1], data }] };
    } else if (kind === 'tenant') changes = { ...changes, tenantHeader: rest };
    else if (kind === 'version') changes = { ...changes, version: Number(rest) };
    else if (kind === 'x=') changes = { ...changes, inputs: [fp32('x', [1, 2], [Number(rest), 0])] };
    else if (kind === 'id=') changes = { ...changes, id: rest };
    else if (kind !== 'nothing') throw new Error(`what is ${JSON.stringify(part)}?`);
  }
  return request({ ...changes, caller: { headers, client: '127.0.0.1' } });
}

describe('the page of routes', () => {
  it('has examples', () => {
    expect(EXAMPLES.length).toBeGreaterThan(6);
    expect(EXAMPLES.flatMap(({ runs }) => runs).length).toBeGreaterThan(12);
  });

  it.each(EXAMPLES)('shows $routes', ({ routes, runs }) => {
    const parsed = parseModelRoutes(routes, 'ROUTES.md');
    parsed.refuseUnserved([1, 2, 3]);
    const entries = [1, 2, 3].map((version) => ({ version, target: version, inputs: [tensorSpec('x', 'FP32', [2])] }));
    const traffic = { routes: parsed.routes, release: undefined };
    const table = RoutingTable.empty<number>((one) => one.tenantHeader ?? '').with('m', entries, traffic);
    for (const run of runs) {
      const [before = '', after] = run.split(' -> ');
      const { primary, mark, filtered } = table.route(requestOf(before));
      const outcome = [primary, mark.route, ...(filtered === undefined ? [] : [filtered.kind])].join(' ');
      expect(`${before} -> ${outcome}`).toBe(`${before} -> ${after}`);
    }
  });
});
