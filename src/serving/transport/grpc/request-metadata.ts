import type { IncomingHttpHeaders } from 'node:http2';

/**
 * What the metadata of a call say of its requests: tenant (by the key that names it; empty = none does) and criticality. A key
 * that comes twice is both texts with a comma between, which is nobody's name.
 */
export function callerIn(headers: IncomingHttpHeaders, tenantHeader: string) {
  return {
    tenantHeader: tenantHeader === '' ? undefined : textOf(headers[tenantHeader]),
    criticalityHeader: textOf(headers['x-penstock-criticality']),
  };
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
