import type { Log, OperatorRoutes, ReleaseStore } from '../core/index.js';
import type { RoutesKeeping } from './traffic.js';

/**
 * Keeps operators' routes in the store, from before they are in force. What cannot be read (another Penstock wrote it) is
 * reported and left where it is: the model serves by its file until it is set anew.
 */
export function routesKeeping(store: Pick<ReleaseStore, 'routes' | 'commit'>, log: Log): RoutesKeeping {
  const kept = new Map<string, OperatorRoutes>();
  for (const [model, text] of store.routes()) {
    const routes = read(text);
    if (routes === undefined)
      log.error('routes that were kept cannot be read: the file of the model counts', { model });
    else kept.set(model, routes);
  }
  return {
    kept,
    keep: (model, routes) => {
      const document = routes === undefined ? undefined : JSON.stringify(routes);
      store.commit({ routes: { model, document } });
    },
  };
}

function read(text: string): OperatorRoutes | undefined {
  try {
    const { document, flags, filters, labels } = JSON.parse(text) as Partial<OperatorRoutes>;
    const plain = document === undefined || typeof document === 'string';
    if (!plain || !switches(flags) || !switches(filters)) return undefined;
    // Absent where an older Penstock wrote it, or none are set.
    if (labels === undefined) return { document, flags, filters };
    return versions(labels) ? { document, flags, filters, labels } : undefined;
  } catch {
    return undefined;
  }
}

function versions(value: unknown): value is Readonly<Record<string, number>> {
  return typeof value === 'object' && value !== null && Object.values(value).every(Number.isSafeInteger);
}

function switches(value: unknown): value is Readonly<Record<string, boolean>> {
  return typeof value === 'object' && value !== null && Object.values(value).every((on) => typeof on === 'boolean');
}
