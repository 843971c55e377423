import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Tests that need worker threads, koffi or sockets run against the compiled dist/ (src/decisions/0003).
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          // Not `auto`: which sockets are tried must not hang on the machine's cores.
          env: { PENSTOCK_TEST_FLAGS: '--ingress-threads=0' },
        },
      },
      {
        // What a gateway promises holds wherever its sockets are.
        extends: true,
        test: {
          name: 'ingress threads',
          include: ['test/e2e/*.test.ts'],
          exclude: [
            'test/e2e/{client-readme,copies,docs-examples,model-cache,ingress-threads,rollout-kills,rollout-tour,tune}.test.ts',
          ],
          env: { PENSTOCK_TEST_FLAGS: '--ingress-threads=2' },
        },
      },
    ],
  },
});
