import { ServingError } from '../../../core/index.js';
import { Exchange } from './exchange.js';
import type { Guard } from './guarded-app.js';
import type { HttpState } from './http-options.js';

/**
 * Lets pass who showed a certificate, others get 401. The library checks a certificate that is shown, by the authorities that it
 * was given, and ends the handshake of a wrong one; but it takes clients that show none
 * (https://github.com/uNetworking/uWebSockets.js/issues/1058), so that each request has to be asked.
 */
export function clientCertificateGuard(state: HttpState): Guard {
  return (response, request) => {
    // In PEM; empty where none was shown.
    if ((response.getX509Certificate() as string) !== '') return true;
    const exchange = new Exchange(state, response, request.getMethod() === 'head');
    exchange.watchCall(request);
    exchange.refuseFraming(NO_CERTIFICATE);
    return false;
  };
}

const NO_CERTIFICATE = new ServingError(
  'UNAUTHENTICATED',
  'this port takes clients with a certificate only (mutual TLS)',
);
