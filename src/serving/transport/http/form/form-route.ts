import type { Route } from '../routes.js';

type FormLine = Extract<Route, { readonly kind: 'form' }>;

/** A route of inferences in a form of their own: open to all, restricted with the group of inferences. */
export function formRoute(line: Omit<FormLine, 'kind' | 'method' | 'tag' | 'right' | 'group'>): Route {
  return { kind: 'form', method: 'POST', tag: 'inference', right: 'open', group: 'inference', ...line };
}
