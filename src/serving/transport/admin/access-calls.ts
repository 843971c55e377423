import { type AdminRoute, adminRoute, wholeNumber } from './admin-route.js';

const MOST_ENTRIES = 1000;

/** Who may do what, and who did what. */
export const ACCESS_CALLS: readonly AdminRoute[] = [
  adminRoute({
    call: 'auditList',
    method: 'GET',
    pattern: '/v2/admin/audit',
    tag: 'access',
    summary: 'Calls that changed something or were refused, the newest first',
    query: { before: 'Only entries with a lower number', most: `Entries at most, 1 to ${MOST_ENTRIES}; default 100` },
    response: 'Audit',
    reasons: ['MALFORMED_REQUEST'],
    handle: ({ admin, query }) => ({
      content: admin.audit(
        wholeNumber('before', query('before'), Number.MAX_SAFE_INTEGER),
        wholeNumber('most', query('most'), MOST_ENTRIES) ?? 100,
      ),
    }),
  }),
  adminRoute({
    call: 'tokenList',
    method: 'GET',
    pattern: '/v2/admin/tokens',
    tag: 'access',
    summary: 'Names and scopes of the tokens that are known',
    response: 'Tokens',
    handle: ({ admin }) => ({ content: admin.tokens() }),
  }),
];
