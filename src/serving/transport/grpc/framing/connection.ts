import type { ServerHttp2Session } from 'node:http2';
import type { Clock, ClockTimer } from '../../../../core/index.js';

/** Milliseconds; undefined or 0 = none. */
export interface ConnectionOptions {
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly maxAgeMs: number | undefined;
  readonly maxAgeGraceMs: number | undefined;
}

/**
 * The life of one HTTP/2 connection: a client that never finishes its handshake or does not answer a ping is cut; one that
 * has grown old is told to go away and come back.
 */
export class Connection {
  readonly #session: ServerHttp2Session;
  readonly #clock: Clock;
  readonly #options: ConnectionOptions;
  readonly #timers = new Map<string, ClockTimer>();

  constructor(session: ServerHttp2Session, clock: Clock, options: ConnectionOptions, onClosed: () => void) {
    this.#session = session;
    this.#clock = clock;
    this.#options = options;
    // A broken connection ends its calls, which tell of it.
    session.on('error', () => {});
    session.once('close', () => {
      for (const timer of this.#timers.values()) timer.clear();
      this.#timers.clear();
      onClosed();
    });
    this.#after('handshake', options.keepaliveTimeoutMs, () => session.destroy());
    session.once('remoteSettings', () => this.#forget('handshake'));
    this.#keepAlive();
    this.#grow();
  }

  /** Tells the client to send no more calls (GOAWAY); the connection closes when those it has sent have ended. */
  leave(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  #keepAlive(): void {
    const { keepaliveTimeMs, keepaliveTimeoutMs } = this.#options;
    this.#after('keepalive', keepaliveTimeMs, () => {
      // Destroyed, and its close not told yet: a ping would throw.
      if (this.#session.destroyed) return;
      this.#after('pong', keepaliveTimeoutMs, () => this.#session.destroy());
      const sent = this.#session.ping((error) => {
        this.#forget('pong');
        if (error === null) this.#keepAlive();
      });
      if (!sent) this.#session.destroy();
    });
  }

  /** A tenth more or less, so that connections that came together do not leave together. */
  #grow(): void {
    const { maxAgeMs, maxAgeGraceMs } = this.#options;
    if (maxAgeMs === undefined) return;
    this.#after('age', maxAgeMs * (0.9 + 0.2 * Math.random()), () => {
      this.leave();
      this.#after('grace', maxAgeGraceMs, () => this.#session.destroy());
    });
  }

  #after(name: string, ms: number | undefined, act: () => void): void {
    if (!ms || this.#session.destroyed) return;
    this.#forget(name);
    const fire = () => {
      // Destroyed, but not closed yet: a ping would throw.
      if (!this.#session.destroyed) act();
    };
    this.#timers.set(name, this.#clock.setTimer(this.#clock.nowNs() + ms * 1e6, fire));
  }

  #forget(name: string): void {
    this.#timers.get(name)?.clear();
    this.#timers.delete(name);
  }
}
