/**
 * An address in binary form as text: 4 bytes as IPv4, 16 as IPv6 in its canonical form (RFC 5952), or as the IPv4 address that is
 * mapped into it. Empty for any other length.
 */
export function addressText(bytes: Uint8Array): string {
  if (bytes.byteLength === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.byteLength !== 16) return '';
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16),
  );
  const zeros = longestZeros(groups);
  if (zeros.count < 2) return groups.join(':');
  return `${groups.slice(0, zeros.at).join(':')}::${groups.slice(zeros.at + zeros.count).join(':')}`;
}

/** The address of a peer as Node has it, `address:port`; empty where it is not known. */
export function addressOfPeer(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? '' : peer.slice(0, colon).replace(/^::ffff:(?=\d+\.)/i, '');
}

function longestZeros(groups: readonly string[]): { readonly at: number; readonly count: number } {
  let best = { at: 0, count: 0 };
  for (let at = 0; at < groups.length; at++) {
    let count = 0;
    while (groups[at + count] === '0') count++;
    if (count > best.count) best = { at, count };
  }
  return best;
}
