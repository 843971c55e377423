import { afterEach, expect } from 'vitest';
import type { HttpOptions } from '../../src/serving/transport/index.js';
import { type HttpFixture, startFixture } from './http-server.js';

/** The server of the test that runs. */
export interface HttpOfEachTest {
  /** Starts it; once a test. */
  start(options?: Partial<HttpOptions>): Promise<HttpFixture>;
  /** Throws where the test has started none. */
  readonly fixture: HttpFixture;
}

/** A server for each test of a file that starts one: what is held is answered at its end, it is closed, and has to hold no memory then. */
export function httpOfEachTest(): HttpOfEachTest {
  let fixture: HttpFixture | undefined;
  afterEach(async () => {
    for (const call of [...(fixture?.inference.held ?? [])]) call.answer();
    await fixture?.server.close();
    expect(fixture?.memory.leases ?? 0).toBe(0);
    fixture = undefined;
  });
  return {
    async start(options = {}) {
      fixture = await startFixture(options);
      return fixture;
    },
    get fixture() {
      if (fixture === undefined) throw new Error('the test has started no server');
      return fixture;
    },
  };
}
