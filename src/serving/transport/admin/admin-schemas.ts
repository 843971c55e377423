import { COST_DIMENSIONS, COST_KINDS, COST_PERIODS, ROLLOUT_MOVES, SCOPES } from '../../../core/index.js';
import { list, object } from '../http/schemas.js';

const TEXT = { type: 'string' };
const COUNT = { type: 'integer', minimum: 0 };

const MONEY = { type: 'number' };

const COST_FIGURES = {
  amount: { ...MONEY, description: 'direct + waste + idle' },
  direct: MONEY,
  waste: MONEY,
  idle: MONEY,
  kinds: { type: 'object', additionalProperties: MONEY, description: 'The amount by kind' },
  deviceSeconds: { ...MONEY, description: 'Time on devices, without idle time' },
  idleSeconds: MONEY,
  requests: COUNT,
  rows: COUNT,
  perThousandRequests: MONEY,
  perMillionRows: MONEY,
  energyJoules: { ...MONEY, description: 'Absent: no counter' },
  carbonGrams: { ...MONEY, description: 'Absent: no energy, or no grid intensity is configured' },
};
const COST_FIGURES_ABSENT = ['perThousandRequests', 'perMillionRows', 'energyJoules', 'carbonGrams'];

const INSTANT = { ...TEXT, format: 'date-time' };

const ROLLOUT_SUMMARY = {
  id: TEXT,
  model: TEXT,
  candidate: COUNT,
  baseline: COUNT,
  state: { enum: Object.keys(ROLLOUT_MOVES) },
  step: { ...COUNT, description: 'From 0' },
  steps: COUNT,
  why: TEXT,
  startedMs: { ...COUNT, description: 'Milliseconds since the epoch' },
  updatedMs: COUNT,
};

/** JSON Schemas (2020-12) of the admin API. */
export const ADMIN_SCHEMAS: Readonly<Record<string, unknown>> = {
  Error: object({ error: TEXT }),
  Empty: { type: 'object', properties: {} },
  Document: { description: 'The document itself' },
  RoutesDocument: { type: 'object', description: 'As routes.yaml beside a model: src/config/REFERENCE.md' },
  RoutesList: object({ routes: list({ $ref: '#/components/schemas/Routes' }) }),
  Routes: object(
    {
      model: TEXT,
      source: { enum: ['file', 'operator'], description: 'Of whom the document is' },
      document: { ...TEXT, description: 'What an operator set, as it came' },
      routes: { type: 'object', description: 'In force; flags and filters as they are switched' },
      table: {
        ...COUNT,
        description: 'Routing table that they are in, as answers name it; 0: the model does not serve',
      },
      leftOut: { ...list(TEXT), description: 'What could not be done with the versions that serve' },
    },
    ['document'],
  ),
  Switch: object({ on: { type: 'boolean' } }),
  Audit: object(
    {
      entries: list(
        object({
          number: COUNT,
          at: { ...TEXT, format: 'date-time' },
          who: { ...TEXT, description: 'Name of the token; this machine, nobody, unknown token' },
          from: { ...TEXT, description: 'Address of the caller' },
          call: TEXT,
          target: TEXT,
          outcome: {
            ...TEXT,
            description: 'done; begun: its end is not known; else the reason of the refusal or failure',
          },
          omitted: { ...COUNT, description: 'Refused calls before this one that are not listed' },
        }),
      ),
      next: { ...COUNT, description: 'What to give as "before" for earlier entries' },
    },
    ['next'],
  ),
  Capture: object(
    {
      folder: { ...TEXT, description: 'Absent: the configuration names none, so nothing is captured' },
      percent: { type: 'object', additionalProperties: { type: 'number' }, description: 'By model; * = all others' },
      figures: object({
        written: COUNT,
        dropped: { type: 'object', additionalProperties: COUNT, description: 'By cause' },
        files: COUNT,
        bytes: COUNT,
      }),
    },
    ['folder'],
  ),
  CapturePercent: object({ percent: { type: 'number', minimum: 0, maximum: 100 } }),
  CostReport: object(
    {
      currency: TEXT,
      from: INSTANT,
      to: INSTANT,
      by: { enum: COST_PERIODS },
      group: list({ enum: COST_DIMENSIONS }),
      live: { type: 'boolean', description: 'With what the running gateway has not written yet' },
      unpriced: { type: 'boolean', description: 'No price is known: amounts are 0' },
      rows: list(
        object(
          {
            from: INSTANT,
            to: INSTANT,
            model: { type: ['string', 'null'] },
            version: { type: ['integer', 'null'] },
            tenant: { type: ['string', 'null'], description: 'Null: of no tenant; empty: of requests that name none' },
            route: { type: ['string', 'null'] },
            kind: { enum: [...COST_KINDS, 'idle'] },
            device: TEXT,
            ...COST_FIGURES,
          },
          ['from', 'to', ...COST_DIMENSIONS, ...COST_FIGURES_ABSENT],
        ),
      ),
      total: object(COST_FIGURES, COST_FIGURES_ABSENT),
      devices: list(
        object(
          {
            device: TEXT,
            elapsedSeconds: MONEY,
            busySeconds: MONEY,
            pricePerHour: { ...MONEY, description: 'The mean, where it changed' },
            amount: { ...MONEY, description: 'Price x time' },
            direct: MONEY,
            waste: MONEY,
            idle: MONEY,
            energyJoules: MONEY,
            carbonGrams: MONEY,
          },
          ['energyJoules', 'carbonGrams'],
        ),
      ),
      conservationError: { ...MONEY, description: '|price x time - all rows| / (price x time)' },
      batching: object({ aloneSeconds: MONEY, actualSeconds: MONEY, savedSeconds: MONEY, savedAmount: MONEY }),
      shadowing: object({ amount: MONEY, ratio: MONEY }),
      canary: object({ amount: MONEY, ratio: MONEY }),
      forecast: object({ month: TEXT, spent: MONEY, expected: MONEY, low: MONEY, high: MONEY, days: COUNT }, [
        'low',
        'high',
      ]),
      budgets: list(
        object(
          {
            name: TEXT,
            tenant: TEXT,
            model: TEXT,
            per: { enum: ['day', 'month'] },
            amount: MONEY,
            used: MONEY,
            usedRatio: MONEY,
            action: { enum: ['alert', 'refuse'] },
            refusing: { type: 'boolean' },
            refusedRequests: COUNT,
            renews: INSTANT,
          },
          ['tenant', 'model'],
        ),
      ),
      otherCurrencies: list(TEXT),
    },
    ['forecast'],
  ),
  RolloutPlan: { type: 'object', description: 'Rollout plan: penstock config-reference' },
  Rollouts: object({ rollouts: list({ $ref: '#/components/schemas/RolloutSummary' }) }),
  RolloutSummary: object(ROLLOUT_SUMMARY),
  Rollout: object({
    ...ROLLOUT_SUMMARY,
    defaultVersion: { ...COUNT, description: 'Serves requests that name no version' },
    canaryPercent: { type: 'number' },
    shadowPercent: { type: 'number' },
    waitingFor: { ...list(TEXT), description: 'What the next move needs' },
    totals: object({ baseline: COUNT, candidate: COUNT, compared: COUNT }),
    guards: list({ type: 'object', description: 'Where a guard stands: verdict, evidence, intervals' }),
    plan: { $ref: '#/components/schemas/RolloutPlan' },
  }),
  RolloutLog: object(
    {
      lines: list(
        object({
          number: COUNT,
          atMs: { ...COUNT, description: 'Milliseconds since the epoch' },
          entry: { type: 'object', description: 'What was seen, decided or asked for' },
        }),
      ),
      next: { ...COUNT, description: 'What to give as "after" for later lines' },
    },
    ['next'],
  ),
  Tokens: object({
    tokens: list(object({ name: TEXT, scopes: list({ enum: SCOPES }), created: TEXT }, ['created'])),
  }),
};
