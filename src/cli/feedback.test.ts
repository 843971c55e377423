import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cliRun } from '../../test/support/cli-run.js';
import { type HttpFixture, startFixture } from '../../test/support/http-server.js';

let fixture: HttpFixture;
let folder: string;
beforeAll(async () => {
  fixture = await startFixture();
  folder = mkdtempSync(join(tmpdir(), 'penstock-feedback-'));
});
beforeEach(() => {
  fixture.feedback.items.length = 0;
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await fixture.server.close();
});

const line = (id: string, rest: object = { correct: true }) => JSON.stringify({ id, model: 'm', ...rest });

describe('penstock feedback', () => {
  it('sends the lines of a file, and says what became of them', async () => {
    writeFileSync(join(folder, 'labels.ndjson'), `${line('a')}\n\n${line('unknown')}\n`);
    const { code, out } = await cliRun(`feedback labels.ndjson --token secret --url ${fixture.url}`, folder);
    expect({ code, out }).toEqual({ code: 0, out: 'accepted 1, unknown 1, duplicate 0, late 0, refused 0\n' });
  });

  it('takes any number of lines from standard input, in calls that a gateway takes', async () => {
    const lines = Array.from({ length: 2_501 }, (_, i) => line(`r${i}`)).join('\n');
    const { out } = await cliRun(`feedback --json --token secret --url ${fixture.url}`, folder, lines);
    expect(JSON.parse(out)).toMatchObject({ accepted: 2_501, refused: 0 });
    expect(fixture.feedback.items.map((item) => item.requestId).at(-1)).toBe('r2500');
  });

  it('names the lines that are refused, and fails', async () => {
    const text = `${line('a')}\n\n${line('b', { correct: 1 })}\nnonsense\n`;
    const { code, out, err } = await cliRun(`feedback - --token secret --url ${fixture.url}`, folder, text);
    expect(code).toBe(1);
    expect(out).toContain('accepted 1, unknown 0, duplicate 0, late 0, refused 2');
    expect(err).toMatch(/line 3: "correct" is a number.*\n.*line 4: not JSON: "nonsense"/);
  });

  it('says which file it cannot read', async () => {
    expect(await cliRun(`feedback none.ndjson --token secret --url ${fixture.url}`, folder)).toMatchObject({
      code: 2,
      err: 'penstock: none.ndjson: cannot be read (ENOENT)\n',
    });
  });
});
