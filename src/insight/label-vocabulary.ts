import {
  BURN_WINDOW_MINUTES,
  COST_KINDS,
  minutesText,
  PRICE_KINDS,
  PROTOCOL_STATES,
  REASONS,
  ROUTE_EVENTS,
  SLO_OBJECTIVES,
  SLO_SEVERITIES,
} from '../core/index.js';
import { PRIORITY_PLACES, ROUTE_PLACES, STAGES } from './request-figures.js';

/** A label of a metric: what its values are, and how many there can be. */
export interface LabelFacts {
  readonly meaning: string;
  /** Most values at once, as an operator reads it. */
  readonly bound: string;
}

const fixed = (meaning: string, values: readonly string[]): LabelFacts => ({ meaning, bound: String(values.length) });

/**
 * Every label that a metric of Penstock has. What a caller sends is never a value as it is: names of models, tenants and
 * routes count once they are known, and within their bound.
 */
export const LABELS = {
  model: { meaning: 'Name of a model that the repository has', bound: 'models of the repository' },
  version: { meaning: 'Version of the model', bound: 'versions that are loaded; of costs, that ever were' },
  outcome: { meaning: 'What became of it', bound: '8' },
  reason: fixed('OK, or why it failed', ['OK', ...REASONS]),
  route: { meaning: 'Name of a rule, split or label of the routes of the model', bound: `${ROUTE_PLACES} a model` },
  tenant: {
    meaning: 'Tenant; empty: nobody is charged; `(others)`: beyond the bound',
    bound: '`cost.maxTenants`, 100, and those of budgets',
  },
  kind: fixed('What time was spent on; of a price, which one it is', [...COST_KINDS, ...PRICE_KINDS]),
  budget: { meaning: 'Name of a budget in the configuration', bound: 'budgets of the configuration' },
  currency: { meaning: 'ISO 4217', bound: '1' },
  priority: { meaning: 'Level of priority; the last is that and all below', bound: String(PRIORITY_PLACES) },
  event: fixed('What happened on the way by routes', ROUTE_EVENTS),
  stage: fixed('Stage of the data path', STAGES),
  le: { meaning: 'Upper bound of a bucket', bound: '22' },
  thread: { meaning: '`control` or an ingress thread', bound: 'threads (`ingress.threads`), 65' },
  state: fixed('State that it is in', Object.keys(PROTOCOL_STATES)),
  device: { meaning: '`cpu`, `cuda:0` ...', bound: 'devices of the machine' },
  fault: fixed('What failed', ['memory', 'lost']),
  provider: { meaning: 'Execution provider of ONNX Runtime', bound: '2' },
  carrier: { meaning: 'How runs are carried', bound: '4' },
  rollout: { meaning: 'Id of a rollout that has not ended', bound: 'models of the repository' },
  webhook: { meaning: 'Name of a webhook in the configuration', bound: 'webhooks of the configuration' },
  slo: { meaning: 'Name of an SLO; of one beside a model MODEL/NAME', bound: 'SLOs that are configured' },
  objective: fixed('What an SLO promises', SLO_OBJECTIVES),
  severity: fixed('How urgent an alert of an SLO is', SLO_SEVERITIES),
  window: fixed('Time that a burn rate is of', BURN_WINDOW_MINUTES.map(minutesText)),
  sink: { meaning: 'Name of a sink of the payload log', bound: 'sinks of the configuration, 24' },
  kept_for: { meaning: 'Why a trace was kept', bound: '3' },
  cause: { meaning: 'Why', bound: '8' },
  product: { meaning: 'Name of the product', bound: 'devices of the machine' },
  uuid: { meaning: 'Name of this very piece, as its driver has it', bound: 'devices of the machine' },
  gpu_uuid: { meaning: "The same under Triton's name", bound: 'devices of the machine' },
} as const satisfies Readonly<Record<string, LabelFacts>>;

export type LabelName = keyof typeof LABELS;
