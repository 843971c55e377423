/** What releases are decided by, and who is told. */
import { z } from 'zod';
import { bytes } from './fields.js';

export const state = z.strictObject({
  folder: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of what outlives the gateway (rollouts and their decisions, routes of operators, audit), for one gateway at a time; off = memory only. Default: penstock/REPOSITORY in $XDG_STATE_HOME, else in ~/.local/state, made with the first release or where the admin API listens',
    ),
});

export const webhook = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected letters, digits, dots, dashes, underscores')
    .describe('As plans name it (`notify`)'),
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Gets a POST of a CloudEvent 1.0 at each move of a rollout, and where a budget is used to a threshold'),
  secretFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the secret that signs it (Standard Webhooks), at least 24 bytes; default: unsigned'),
});

export const feedback = z
  .strictObject({
    maxPredictions: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(200_000)
      .describe('Most predictions of rollouts that feedback may come for; the oldest go first. Some 300 bytes each'),
    keepSecs: z
      .int()
      .min(1)
      .max(31 * 86_400)
      .default(86_400)
      .describe('How long feedback may come after its prediction, in seconds'),
    maxEarly: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(20_000)
      .describe('Most items of feedback that wait for predictions that are not known yet'),
    earlySecs: z.int().min(0).max(86_400).default(60).describe('How long such an item waits, in seconds'),
    settleSecs: z
      .int()
      .min(0)
      .max(31 * 86_400)
      .default(0)
      .describe(
        'Labels count where they come within so many seconds of their prediction, and are handed on together then: fair where wrong predictions are noticed sooner, or later, than right ones. 0 = as they come',
      ),
  })
  .refine(({ keepSecs, settleSecs }) => settleSecs <= keepSecs, 'settleSecs is more than keepSecs');

export const gates = z.strictObject({
  requireGolden: z.boolean().default(false).describe('Refuse versions without a golden set'),
  requireModelCard: z
    .boolean()
    .default(false)
    .describe('Refuse versions without a model card (MODEL_CARD.md or model-card.yaml), or with fields missing'),
  modelCardFields: z
    .array(z.string().min(1).max(64))
    .max(64)
    .default(['license', 'description'])
    .describe('Fields that a model card must have, not empty'),
  requireSignature: z.boolean().default(false).describe('Refuse versions that are not signed by one of publicKeys'),
  publicKeys: z
    .array(z.string().min(1))
    .max(256)
    .default([])
    .describe(
      'Files of public keys (minisign). A signature of a version is looked at where there are some, and refuses it where it does not count',
    ),
});

export const shadows = z.strictObject({
  maxInFlight: z
    .int()
    .min(0)
    .max(4096)
    .default(16)
    .describe(
      'Most copies of requests for a candidate (shadow traffic) at once, of each thread that takes requests; those beyond are dropped. 0 = no copies',
    ),
  maxBytes: bytes()
    .default(16 * 1024 * 1024)
    .describe('Most bytes of requests and answers that are kept for them, of each such thread'),
  absoluteTolerance: z
    .number()
    .min(0)
    .max(1e6)
    .default(1e-5)
    .describe('Floats of two answers agree where they differ by at most this and the relative tolerance'),
  relativeTolerance: z.number().min(0).max(1).default(1e-3).describe('Relative to the answer of the baseline'),
});
