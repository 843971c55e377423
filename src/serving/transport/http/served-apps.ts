import { type Clock, ServingError } from '../../../core/index.js';
import type { TlsSource } from '../tls/tls-source.js';
import type { TemplatedApp, Uws } from '../uws/uws-types.js';

/** The app that is to listen, and whatever serves what it accepts. */
export interface ServedApps {
  readonly listening: TemplatedApp;
  /** Ends all connections. */
  close(): void;
}

/** One app for both. */
export function plainApps(uws: Uws, register: (app: TemplatedApp) => void): ServedApps {
  const app = uws.App();
  register(app);
  return { listening: app, close: () => app.close() };
}

/**
 * Apps that speak TLS. An app has its certificate for good: so one accepts, and hands each connection to another, the youngest,
 * made when the files change. Older ones stay until their last connection has ended. Throws MALFORMED_REQUEST where the library
 * does not take the files.
 */
export function tlsApps(uws: Uws, source: TlsSource, clock: Clock, register: (app: TemplatedApp) => void): ServedApps {
  const made = new Set<ServingApp>();
  const open = (): ServingApp => {
    const app = secureApp(uws, source) as HandingApp;
    const serving: ServingApp = { app, descriptor: app.getDescriptor(), connections: 0, retired: false };
    register(app);
    // biome-ignore lint/suspicious/useIterableCallbackReturn: not an array; told of each connection that opens or closes
    app.filter((_, change) => {
      serving.connections += Number(change);
      if (serving.retired) setImmediate(() => closeIfIdle(serving));
    });
    made.add(serving);
    return serving;
  };
  const closeIfIdle = (serving: ServingApp): void => {
    if (serving.connections > 0 || !made.delete(serving)) return;
    serving.app.close();
  };
  const acceptor = secureApp(uws, source) as HandingApp;
  let youngest = open();
  acceptor.addChildAppDescriptor(youngest.descriptor);
  source.follow(() => {
    const before = youngest;
    youngest = open();
    acceptor.addChildAppDescriptor(youngest.descriptor);
    acceptor.removeChildAppDescriptor(before.descriptor);
    // Later: connections that were handed to it in this turn are yet to open.
    clock.setTimer(clock.nowNs() + HANDED_OVER_NS, () => {
      before.retired = true;
      closeIfIdle(before);
    });
  });
  return {
    listening: acceptor,
    close: () => {
      source.close();
      acceptor.close();
      for (const { app } of made) app.close();
      made.clear();
    },
  };
}

interface ServingApp {
  readonly app: TemplatedApp;
  readonly descriptor: unknown;
  connections: number;
  retired: boolean;
}

/** In the library, though its type declaration leaves them out. */
interface HandingApp extends TemplatedApp {
  getDescriptor(): unknown;
  addChildAppDescriptor(descriptor: unknown): unknown;
  removeChildAppDescriptor(descriptor: unknown): unknown;
}

const HANDED_OVER_NS = 1e9;

function secureApp(uws: Uws, { files: { cert, key, clientCa } }: TlsSource): TemplatedApp {
  try {
    return uws.SSLApp({
      cert_file_name: cert.path,
      key_file_name: key.path,
      ...(clientCa === undefined ? {} : { ca_file_name: clientCa.path }),
    });
  } catch (cause) {
    const message = `${cert.setting}, ${key.setting}: the TLS library does not take '${cert.path}' with '${key.path}': is the key of a kind that TLS uses (RSA, ECDSA, Ed25519)?`;
    throw new ServingError('MALFORMED_REQUEST', message, { cause });
  }
}
