import type { RolloutNotice } from '../delivery/index.js';

/** A CloudEvent 1.0 in its structured JSON form (github.com/cloudevents/spec, v1.0.2). */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: RolloutNotice;
}

/** Type of the events of rollouts; changes with the meaning of `data`. */
const MOVED = 'io.penstock.rollout.moved.v1';

/** The event of a move. Sent again it has the same id, so that a receiver can tell. */
export function cloudEvent(notice: RolloutNotice): CloudEvent {
  return {
    specversion: '1.0',
    id: `${notice.id}/${notice.number}/${notice.atMs}`,
    source: `/penstock/models/${encodeURIComponent(notice.model)}`,
    type: MOVED,
    subject: notice.id,
    time: new Date(notice.atMs).toISOString(),
    datacontenttype: 'application/json',
    data: notice,
  };
}
