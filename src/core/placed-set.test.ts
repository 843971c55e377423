import { expect, it } from 'vitest';
import { seeded } from '../../test/support/seeded-random.js';
import { type Placed, PlacedSet } from './placed-set.js';

class Member implements Placed {
  place = -1;
}

it('holds what a Set holds, whatever comes and goes', () => {
  const random = seeded(5);
  const members = Array.from({ length: 40 }, () => new Member());
  const placed = new PlacedSet<Member>();
  const set = new Set<Member>();
  for (let i = 0; i < 20_000; i++) {
    const member = members[Math.floor(random() * members.length)] as Member;
    if (set.has(member)) expect(placed.delete(member)).toBe(set.delete(member));
    else {
      expect(placed.delete(member)).toBe(false);
      placed.add(member);
      set.add(member);
    }
    expect(placed.size).toBe(set.size);
    expect(placed.has(member)).toBe(set.has(member));
    if (i % 100 === 0) expect(new Set(placed.all())).toEqual(set);
  }
});

it('knows the members of another set as none of its own', () => {
  const [one, other, member] = [new PlacedSet<Member>(), new PlacedSet<Member>(), new Member()];
  other.add(new Member());
  one.add(member);
  expect(other.has(member)).toBe(false);
  expect(other.delete(member)).toBe(false);
  expect(one.all()).toEqual([member]);
});
