import { type Reason, ServingError } from '../../../core/index.js';
import { type AdminPlane, type Caller, type ControlCall, RIGHTS, type Right } from '../../controlplane/index.js';
import type { WholeAnswer } from '../http/whole-call.js';
import type { Awaitable } from '../ports.js';

/** What the handler of a call is given; its caller has the right that the call needs. */
export interface AdminInput {
  readonly admin: AdminPlane;
  readonly caller: Caller;
  /** The segment of the path that the pattern calls `:name`, percent-decoded once and not checked further. Throws MALFORMED_REQUEST. */
  readonly path: (name: string) => string;
  /** Undefined where the query does not have it. */
  readonly query: (name: string) => string | undefined;
  /** The body as text; empty where there was none. */
  readonly body: string;
}

interface Described {
  readonly call: ControlCall;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly pattern: string;
  readonly tag: 'routes' | 'rollouts' | 'capture' | 'cost' | 'access' | 'documentation';
  readonly summary: string;
  /** Name of the body's schema; undefined = no body. */
  readonly request?: string;
  /** Whether the body may be YAML as well as JSON. */
  readonly yaml?: boolean;
  readonly response: string;
  /** Query parameters with what they mean. */
  readonly query?: Readonly<Record<string, string>>;
  /** Of errors, beside those that follow from the rest. */
  readonly reasons?: readonly Reason[];
  readonly handle: (input: AdminInput) => Awaitable<WholeAnswer>;
}

/** One line of the table that the server registers and the documentation is generated from. */
export interface AdminRoute extends Described {
  readonly kind: 'admin';
  readonly right: Right;
}

/** A line of the table; its right is the one of its call. */
export function adminRoute(described: Described): AdminRoute {
  return { ...described, kind: 'admin', right: RIGHTS[described.call] };
}

/** A whole number of the query, within bounds. Throws MALFORMED_REQUEST. */
export function wholeNumber(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `"${name}" is '${text.slice(0, 32)}', expected a whole number from 1 to ${most}`,
  );
}
