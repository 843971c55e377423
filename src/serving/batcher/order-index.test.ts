import { describe, expect, it } from 'vitest';
import { seeded } from '../../../test/support/seeded-random.js';
import { policy } from '../../../test/support/specs.js';
import { NO_DEADLINE, NOBODY } from '../../core/index.js';
import { Entry } from './entry.js';
import { TenantAccount } from './tenant-account.js';
import { TenantLine } from './tenant-line.js';
import { Levels } from './wait-limits.js';

const level = new Levels(policy()).of(0);
const account = new TenantAccount(NOBODY);

function entryWanted(deadlineNs: number, rows: number): Entry {
  const item = { member: { inputs: [], rows }, key: '', priority: 0, timeoutUs: 0, deadlineNs, enqueuedNs: 0 };
  const limits = { expiresNs: NO_DEADLINE, deadlineNs, answerByNs: deadlineNs, orderNs: deadlineNs };
  return new Entry({ ...item, settle() {} }, account, level, limits);
}

const walk = (line: TenantLine) => {
  const entries: Entry[] = [];
  for (let link = line.head; link !== undefined; link = link.next) entries.push(link.entry);
  return entries;
};

describe('a line in the order of deadlines', () => {
  it('stands as a sort would have it, and counts rows, whatever comes and goes', () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seeded(seed);
      const line = new TenantLine(account);
      let model: Entry[] = [];
      const spread = [3, 200, 1e6][seed % 3] as number;
      const growing = 0.5 + random() * 0.4;
      for (let step = 0; step < 400; step++) {
        if (random() < growing || model.length === 0) {
          const entry = entryWanted(Math.floor(random() * spread), 1 + Math.floor(random() * 3));
          line.insert(entry.inLine);
          const at = model.findIndex((one) => one.orderNs > entry.orderNs);
          model.splice(at < 0 ? model.length : at, 0, entry);
        } else {
          const at = random() < 0.5 ? 0 : Math.floor(random() * model.length);
          const [gone] = model.splice(at, 1);
          line.remove((gone as Entry).inLine);
        }
        if (random() < 0.1) {
          const orderNs = Math.floor(random() * spread);
          const after = model.reduce((rows, one) => (one.orderNs > orderNs ? rows + one.rows : rows), 0);
          if (line.rowsAfter(orderNs) !== after) expect(line.rowsAfter(orderNs), `seed ${seed}`).toBe(after);
        }
      }
      expect(walk(line), `seed ${seed}`).toEqual(model);
      for (const entry of model) line.remove(entry.inLine);
      model = [];
      expect(line.head ?? line.tail).toBeUndefined();
    }
  });

  it('finds a place in a deep line without walking it', () => {
    const line = new TenantLine(account);
    let looked = 0;
    const watched = (entry: Entry) => {
      const { orderNs } = entry;
      Object.defineProperty(entry, 'orderNs', {
        get: () => {
          looked++;
          return orderNs;
        },
      });
      return entry;
    };
    const random = seeded(1);
    const depth = 2 ** 14;
    for (let i = 0; i < depth; i++) line.insert(watched(entryWanted(random() * 1e9, 1)).inLine);
    looked = 0;
    for (let i = 0; i < 100; i++) line.insert(entryWanted(random() * 1e9, 1).inLine);
    // A treap is about 2 ln(n) = 19 deep on average; a walk would look at thousands.
    expect(looked / 100).toBeLessThan(60);
  });
});
