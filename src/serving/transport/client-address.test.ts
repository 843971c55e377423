import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOfPeer, addressText } from './client-address.js';

describe('addresses of clients', () => {
  it('are written alike, however they come', () => {
    const v6 = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
    expect(addressText(Uint8Array.of(127, 0, 0, 1))).toBe('127.0.0.1');
    expect(addressText(v6(0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001))).toBe('10.0.0.1');
    expect(addressText(v6(0, 0, 0, 0, 0, 0, 0, 1))).toBe('::1');
    expect(addressText(v6(0, 0, 0, 0, 0, 0, 0, 0))).toBe('::');
    expect(addressText(v6(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1))).toBe('2001:db8:0:1::1');
    expect(addressText(v6(0x2001, 0xdb8, 0, 0, 1, 0, 0, 0))).toBe('2001:db8:0:0:1::');
    expect(addressText(v6(1, 0, 2, 3, 4, 5, 6, 7))).toBe('1:0:2:3:4:5:6:7');
    expect(addressText(new Uint8Array(0))).toBe('');
    expect([addressOfPeer('::1:4711'), addressOfPeer('::ffff:10.0.0.1:80'), addressOfPeer('unknown')]).toEqual([
      '::1',
      '10.0.0.1',
      '',
    ]);
  });

  it('of IPv6 are what the URL parser makes of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const full = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
        fc.pre(!full.slice(0, 5).every((group) => group === '0'));
        expect(`[${addressText(bytes)}]`).toBe(new URL(`http://[${full.join(':')}]/`).hostname);
      }),
    );
  });
});
