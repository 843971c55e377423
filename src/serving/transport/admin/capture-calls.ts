import { type AdminRoute, adminRoute } from './admin-route.js';

/** Sampled requests and answers, kept in files. */
export const CAPTURE_CALLS: readonly AdminRoute[] = [
  adminRoute({
    call: 'captureStatus',
    method: 'GET',
    pattern: '/v2/admin/capture',
    tag: 'capture',
    summary: 'Which requests are captured, and what became of them',
    response: 'Capture',
    handle: ({ admin }) => ({ content: admin.capture() }),
  }),
  adminRoute({
    call: 'captureSet',
    method: 'PUT',
    pattern: '/v2/admin/capture/:model',
    tag: 'capture',
    summary: 'Capture so many percent of the requests of a model (* = of those not named), until the next start',
    request: 'CapturePercent',
    response: 'Capture',
    reasons: ['MALFORMED_REQUEST', 'UNSUPPORTED'],
    handle: async ({ admin, path, body, caller }) => ({
      content: await admin.setCapture(path('model'), body, caller),
    }),
  }),
];
