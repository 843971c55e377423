import { defineConfig } from 'vitest/config';

/** One part of `npm run test:observability` at a time (`run.mjs`). */
export default defineConfig({
  test: {
    include: ['test/observability/*.part.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 110_000,
    hookTimeout: 60_000,
    env: { PENSTOCK_TEST_FLAGS: '--ingress-threads=0' },
  },
});
