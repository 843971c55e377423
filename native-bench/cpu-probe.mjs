/**
 * Preloaded into the gateways that the bench starts (`node --import`): tells the CPU time of the process in microseconds when
 * asked by IPC ('cpu'; what /proc tells is in ticks of 10 ms), and with BENCH_GC=1 its garbage collections so far ('gc').
 * Ends the gateway when the bench is gone.
 */
import { PerformanceObserver } from 'node:perf_hooks';

const collections = { count: 0, ms: 0 };

if (process.env.BENCH_GC === '1') {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      collections.count++;
      collections.ms += duration;
    }
  }).observe({ entryTypes: ['gc'] });
}

process.on('message', (asked) => {
  if (asked !== 'cpu' && asked !== 'gc') return;
  const { user, system } = process.cpuUsage();
  process.send?.(asked === 'gc' ? collections : user + system);
});
process.channel?.unref();
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
