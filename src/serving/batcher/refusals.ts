import { CRITICALITIES, type ModelSpec, NO_DEADLINE, ServingError, versionKey } from '../../core/index.js';
import type { Entry } from './entry.js';
import type { QueueItem } from './queue-item.js';
import type { Why } from './scheduling-view.js';

/** The version takes no more requests. */
export function draining(spec: ModelSpec): ServingError {
  return new ServingError('DRAINING', `${versionKey(spec.id)} takes no more requests: it is being unloaded`);
}

/** The drain's time was up. */
export function cutOff(spec: ModelSpec): ServingError {
  return new ServingError('DRAINING', `${versionKey(spec.id)} was unloaded before the request was answered`);
}

/** A queue that has no place, and whose it is. */
export interface FullQueue {
  readonly used: number;
  readonly bound: number;
  /** Undefined: the bound is over all levels. */
  readonly level: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The caller's, where it shares the queue with others; `shared`: with those of other names too. */
  readonly tenant: { readonly name: string; readonly shared: boolean } | undefined;
}

/** No place, and nobody who waits has less of a claim to his. */
export function queueFull({ used, bound, level, retryAfterMs, tenant }: FullQueue): ServingError {
  const of = level === undefined || level === 0 ? '' : ` of priority level ${level}`;
  const whose = tenant?.shared ? 'the tenants that are not known have' : tenantText(tenant?.name);
  const message = `the queue${of} is full: ${used} requests wait, at most ${bound} may${whose === '' ? '' : `; ${whose} their share of it`}`;
  return new ServingError('QUEUE_FULL', message, retryAfterMs === undefined ? {} : { retryAfterMs });
}

function tenantText(name: string | undefined): string {
  if (name === undefined) return '';
  return name === '' ? 'requests without a tenant have' : `requests of tenant '${name}' have`;
}

/** Shed in the queue for the sake of a newcomer. */
export function displaced(
  entry: Entry,
  why: Why,
  nowNs: number,
  used: number,
  retryAfterMs: number | undefined,
): ServingError {
  const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
  const reason = why === 'gave its time to one that matters more' ? 'OVERLOADED' : 'QUEUE_FULL';
  const level = CRITICALITIES[entry.criticality] as string;
  const message = `refused in the queue after ${inMs(nowNs - entry.enqueuedNs)} ms: it ${why} (criticality ${level}, ${used} requests wait)`;
  return new ServingError(reason, message, retry);
}

/** Its deadline had passed before it could be queued. */
export function lateOnArrival(item: QueueItem): ServingError {
  const late = inMs(item.enqueuedNs - item.deadlineNs);
  return new ServingError('DEADLINE_EXCEEDED', `the deadline had passed ${late} ms before the request could be queued`);
}

/** No load would matter: an execution alone takes longer than is left. */
export function tooShort(leftNs: number, needNs: number): ServingError {
  return new ServingError(
    'DEADLINE_EXCEEDED',
    `refused at admission: an execution takes up to ${inMs(needNs)} ms, ${inMs(leftNs)} ms are left to the deadline`,
  );
}

/** What waits before it leaves no room in time, or none without giving up others; `roomNs` from now there is some. */
export function noRoomInTime(leftNs: number, roomNs: number, rowsAhead: number, overload: boolean): ServingError {
  const message = overload
    ? `refused at admission: more requests come than can be answered in time, and ${rowsAhead} rows waiting before it fill the next execution`
    : `refused at admission: with ${rowsAhead} rows waiting before it, it cannot be answered within the ${inMs(leftNs)} ms left to its deadline`;
  return new ServingError('OVERLOADED', message, { retryAfterMs: Math.max(Math.ceil(roomNs / 1e6), 1) });
}

/** Given up in the queue, before its deadline: it would have been late, or would have made others late. */
export function dropped(entry: Entry, why: Why, nowNs: number, needNs: number | undefined): ServingError {
  const need = needNs === undefined ? '' : `, an execution takes up to ${inMs(needNs)} ms`;
  return new ServingError(
    'DEADLINE_EXCEEDED',
    `refused in the queue after ${inMs(nowNs - entry.enqueuedNs)} ms: ${why} (${inMs(entry.deadlineNs - nowNs)} ms are left of ${inMs(entry.deadlineNs - entry.enqueuedNs)}${need})`,
  );
}

/** The policy's queue time-out, with action REJECT. */
export function expired(entry: Entry, waitedNs: number): ServingError {
  const limit = inMs(entry.expiresNs - entry.enqueuedNs);
  return new ServingError(
    'DEADLINE_EXCEEDED',
    `the request timed out in the queue after ${inMs(waitedNs)} ms (queue time-out ${limit} ms)`,
  );
}

/** The caller's deadline, in the queue or while the model ran. */
export function deadlinePassed(entry: Entry, waitedNs: number): ServingError {
  const where = entry.state === 'waiting' ? 'in the queue' : 'in compute';
  const limit = entry.deadlineNs === NO_DEADLINE ? '' : ` (${inMs(entry.deadlineNs - entry.enqueuedNs)} ms were left)`;
  const what = entry.state === 'waiting' && entry.answerByNs > entry.deadlineNs ? "the model's SLO" : 'the deadline';
  return new ServingError('DEADLINE_EXCEEDED', `${what} passed ${where} after ${inMs(waitedNs)} ms${limit}`);
}

/** The client went away. */
export function cancelled(): ServingError {
  return new ServingError('CLIENT_CANCELLED', 'the client cancelled the request');
}

function inMs(ns: number): string {
  return String(Math.round(ns / 1e3) / 1e3);
}
