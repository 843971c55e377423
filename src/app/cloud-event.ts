import type { BudgetNotice, Slo, SloState } from '../core/index.js';
import type { RolloutNotice } from '../delivery/index.js';

/** A CloudEvent 1.0 in its structured JSON form (github.com/cloudevents/spec, v1.0.2). */
export interface CloudEvent<Data = RolloutNotice | SloNotice | BudgetNotice> {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: Data;
}

/** An SLO began to burn its error budget too fast, goes on so with another severity, or ended. */
export interface SloNotice {
  readonly slo: string;
  readonly objective: Slo['objective'];
  readonly target: number;
  readonly model?: string | undefined;
  readonly from: SloState;
  readonly to: SloState;
  readonly why: string;
  readonly runbook?: string | undefined;
  readonly labels: Slo['labels'];
  /** Wall clock. */
  readonly atMs: number;
}

/** Type of the events of rollouts, of SLOs and of budgets; changes with the meaning of `data`. */
const ROLLOUT_MOVED = 'io.penstock.rollout.moved.v1';
const SLO_MOVED = 'io.penstock.slo.moved.v1';
const BUDGET_USED = 'io.penstock.budget.used.v1';

/** The event of a move. Sent again it has the same id, so that a receiver can tell. */
export function cloudEvent(notice: RolloutNotice): CloudEvent {
  return {
    specversion: '1.0',
    id: `${notice.id}/${notice.number}/${notice.atMs}`,
    source: `/penstock/models/${encodeURIComponent(notice.model)}`,
    type: ROLLOUT_MOVED,
    subject: notice.id,
    time: new Date(notice.atMs).toISOString(),
    datacontenttype: 'application/json',
    data: notice,
  };
}

/** The same of an SLO. */
export function sloEvent(notice: SloNotice): CloudEvent {
  return {
    specversion: '1.0',
    id: `slo/${notice.slo}/${notice.to}/${notice.atMs}`,
    source: `/penstock/slos/${encodeURIComponent(notice.slo)}`,
    type: SLO_MOVED,
    subject: notice.slo,
    time: new Date(notice.atMs).toISOString(),
    datacontenttype: 'application/json',
    data: notice,
  };
}

/** The event of a budget that is used to a threshold. The same threshold of the same period has the same id. */
export function budgetEvent(notice: BudgetNotice): CloudEvent {
  return {
    specversion: '1.0',
    id: `budget/${notice.budget}/${notice.periodMs}/${notice.threshold}`,
    source: `/penstock/budgets/${encodeURIComponent(notice.budget)}`,
    type: BUDGET_USED,
    subject: notice.budget,
    time: new Date(notice.atMs).toISOString(),
    datacontenttype: 'application/json',
    data: notice,
  };
}
