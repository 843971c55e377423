import { docsPage } from '../http/docs-page.js';
import { type OpenApiDocument, openApiDocument } from '../http/openapi.js';
import { ACCESS_CALLS } from './access-calls.js';
import { type AdminInput, type AdminRoute, adminRoute } from './admin-route.js';
import { ADMIN_SCHEMAS } from './admin-schemas.js';
import { CAPTURE_CALLS } from './capture-calls.js';
import { COST_CALLS } from './cost-calls.js';
import { ROLLOUT_CALLS } from './rollout-calls.js';
import { ROUTES_CALLS } from './routes-calls.js';

/** Every call of the admin API. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  ...ROUTES_CALLS,
  ...ROLLOUT_CALLS,
  ...ACCESS_CALLS,
  ...CAPTURE_CALLS,
  ...COST_CALLS,
  documentation('/v2/admin/docs', 'This documentation as a page', 'text/html; charset=utf-8', (document) =>
    docsPage(document, '/v2/admin/docs'),
  ),
  documentation('/v2/admin/docs/openapi.json', 'This documentation as OpenAPI 3.1', 'application/json', (document) =>
    JSON.stringify(document),
  ),
];

function documentation(
  pattern: string,
  summary: string,
  contentType: string,
  render: (document: OpenApiDocument) => string,
): AdminRoute {
  const handle = ({ admin }: AdminInput) => {
    const { name, version } = admin.server;
    const api = {
      description: 'Admin API: what is served to whom, and who may change it. Errors are {"error"}.',
      schemas: ADMIN_SCHEMAS,
    };
    return { content: render(openApiDocument(ADMIN_ROUTES, { name, version, models: [] }, api)), contentType };
  };
  return adminRoute({
    call: 'adminDocs',
    method: 'GET',
    pattern,
    tag: 'documentation',
    summary,
    response: 'Document',
    handle,
  });
}
