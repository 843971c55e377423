import { ERRORS, GRPC_CODE_NUMBERS } from '../../core/index.js';

/** Why a server refused a request: it has no room for it, or it could not answer it in time. */
export type Refusal = 'room' | 'time';

const ROOM = [ERRORS.OVERLOADED, ERRORS.RATE_LIMITED];
const TIME = [ERRORS.DEADLINE_EXCEEDED];
const HTTP = table((facts) => facts.http);
const GRPC = table((facts) => GRPC_CODE_NUMBERS[facts.grpc]);

/** The refusal that an HTTP status is; undefined where it is none. */
export function refusalOverHttp(status: number): Refusal | undefined {
  return HTTP.get(status);
}

/** The refusal that a gRPC status is; undefined where it is none. */
export function refusalOverGrpc(code: number): Refusal | undefined {
  return GRPC.get(code);
}

function table(number: (facts: (typeof ROOM)[number]) => number): ReadonlyMap<number, Refusal> {
  const rows = [
    ...ROOM.map((facts) => [number(facts), 'room'] as const),
    ...TIME.map((facts) => [number(facts), 'time'] as const),
  ];
  return new Map(rows);
}
