import type { CriticalityName, Reason, TextUse, WatchedProtocol } from '../../core/index.js';

/** Why a trace is kept. */
export const KEPT_FOR = ['head', 'error', 'latency'] as const;
export type KeptFor = (typeof KEPT_FOR)[number];

/** An execution as its members know it; monotonic nanoseconds of the control thread's clock. */
export interface RunRecord {
  readonly model: string;
  readonly version: number;
  /** From 1, counted by the version while it is loaded. */
  readonly execution: number;
  readonly takenNs: number;
  readonly gatheredNs: number;
  readonly startedNs: number;
  readonly finishedNs: number;
  /** 0 for a model without a batch axis, and where its end was not seen. */
  readonly rows: number;
  readonly paddingShare: number;
  /** Kept or not. */
  readonly requests: number;
  /** Empty = not known. */
  readonly device: string;
  /** False: the member failed before the end or by it; `finishedNs` is when that was, and nothing is known of what lies between. */
  readonly whole: boolean;
  /** Of an ensemble, which is in no execution itself: what its steps were part of. */
  readonly steps?: readonly StepRecord[] | undefined;
}

/** A step of an ensemble that ran. */
export interface StepRecord {
  /** Place in the ensemble's config, from 0. */
  readonly step: number;
  readonly enqueuedNs: number;
  readonly run: RunRecord;
}

/** What spans of one request are made of. Plain data: it goes to the thread that exports. Empty texts: not known, or none. */
export interface RequestRecord {
  readonly kind: 'request';
  readonly traceId: string;
  readonly spanId: string;
  /** Of the caller. */
  readonly parentId: string;
  readonly traceState: string;
  readonly keptFor: KeptFor;
  readonly protocol: WatchedProtocol;
  readonly userAgent: string;
  readonly requestId: string;
  readonly model: string;
  /** Undefined: the policy or routes were to pick. */
  readonly requestedVersion: number | undefined;
  /** Undefined: it came to none. */
  readonly version: number | undefined;
  readonly route: string;
  readonly tenant: string;
  readonly criticality: CriticalityName | '';
  readonly priority: number;
  /** From its beginning; infinite where there is none. */
  readonly deadlineMs: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** Undefined: it was answered. */
  readonly reason: Reason | undefined;
  readonly message: string;
  readonly receivedNs: number;
  /** 0: it came not so far. */
  readonly decodedNs: number;
  readonly enqueuedNs: number;
  /** When its answer was begun to be encoded. */
  readonly answeredNs: number;
  readonly endedNs: number;
  readonly run: RunRecord | undefined;
  /** Absent: it was no call of texts. */
  readonly texts?: TextUse;
}

/** A copy of a request for a candidate, as a trace of its own. */
export interface CopyRecord {
  readonly kind: 'copy';
  readonly traceId: string;
  /** The request that it is a copy of. */
  readonly originTraceId: string;
  readonly originSpanId: string;
  readonly model: string;
  readonly version: number;
  readonly reason: Reason | undefined;
  readonly enqueuedNs: number;
  readonly endedNs: number;
  readonly run: RunRecord | undefined;
}

export type TraceRecord = RequestRecord | CopyRecord;
