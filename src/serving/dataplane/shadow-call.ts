import {
  type BatchMember,
  CRITICALITIES,
  type Criticality,
  NO_DEADLINE,
  type RequestOrigin,
  SHADOW,
  SHADOW_COPY,
  type Tenant,
} from '../../core/index.js';
import type { MemberOutcome, QueueItem } from '../batcher/index.js';
import type { Admitted } from './admission.js';

/** What is done last and refused first. */
const LEAST: Criticality = CRITICALITIES.length - 1;

/** A copy of a request, as an item of its candidate's queue for copies. Nobody waits for it, so it has no deadline. */
export class ShadowCall implements QueueItem {
  readonly member: BatchMember;
  readonly key: string;
  readonly length: number;
  readonly priority = 0;
  readonly timeoutUs = 0;
  readonly deadlineNs = NO_DEADLINE;
  readonly enqueuedNs: number;
  readonly tenant: Tenant = SHADOW;
  readonly criticality: Criticality = LEAST;
  readonly charge = SHADOW_COPY;
  acceptedAs: unknown = undefined;
  readonly origin: RequestOrigin;
  readonly settle: (outcome: MemberOutcome) => void;

  constructor(
    { member, batchKey }: Pick<Admitted, 'member' | 'batchKey'>,
    origin: RequestOrigin,
    enqueuedNs: number,
    settle: (outcome: MemberOutcome) => void,
  ) {
    this.member = member;
    this.key = batchKey.key;
    this.length = batchKey.length;
    this.origin = origin;
    this.enqueuedNs = enqueuedNs;
    this.settle = settle;
  }
}
