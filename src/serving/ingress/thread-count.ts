import { ServingError } from '../../core/index.js';

/**
 * How many ingress threads a configuration asks for. `auto`: none where the cores are few, for then threads take from the
 * models what they give to the sockets; never one, which does less than none for small bodies (figures in decisions/0010);
 * at most four, which one control thread can feed; and none but on Linux, where alone the system shares
 * out the connections of a port. Throws `UNSUPPORTED` for several elsewhere.
 */
export function ingressThreads(threads: number | 'auto', cores: number, platform: string): number {
  if (threads !== 'auto') {
    if (threads <= 1 || platform === 'linux') return threads;
    throw new ServingError(
      'UNSUPPORTED',
      `--ingress-threads ${threads}: only Linux shares a port among threads; at most 1 here`,
    );
  }
  if (platform !== 'linux' || cores <= 4) return 0;
  return Math.min(4, Math.max(2, Math.floor(cores / 4)));
}
