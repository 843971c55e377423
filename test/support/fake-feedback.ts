import type { Feedback, FeedbackIntake, FeedbackOutcome } from '../../src/core/index.js';

/** Takes feedback and keeps it; ids that begin with `unknown` are unknown. */
export class FakeFeedback implements FeedbackIntake {
  readonly items: Feedback[] = [];

  accept(feedback: Feedback): FeedbackOutcome {
    this.items.push(feedback);
    return { kind: feedback.requestId.startsWith('unknown') ? 'unknown' : 'joined' };
  }
}
