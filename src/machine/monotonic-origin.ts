/**
 * When this thread's `performance.now()` began, in the system's monotonic nanoseconds, which all threads share; exact to the
 * time between two readings (below a microsecond).
 */
export function monotonicOriginNs(): number {
  let origin = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const before = performance.now() * 1e6;
    origin = Math.min(origin, Number(process.hrtime.bigint()) - before);
  }
  return origin;
}
