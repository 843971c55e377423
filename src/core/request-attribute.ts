/**
 * One value of a request that routes, filters and sticky keys may look at. `name` of a header is in lower case. `json`: the
 * first element of a BYTES input, read as JSON, at `path`. `input`: the element of a tensor at the flat index `index`, of
 * the first row. `client`: the address of the caller's end of the connection.
 */
export type RequestAttribute =
  | { readonly from: 'header'; readonly name: string }
  | { readonly from: 'cookie'; readonly name: string }
  | { readonly from: 'parameter'; readonly name: string }
  | { readonly from: 'json'; readonly input: string; readonly path: readonly (string | number)[] }
  | { readonly from: 'input'; readonly name: string; readonly index: number }
  | { readonly from: 'client' }
  | { readonly from: 'tenant' }
  | { readonly from: 'request-id' };
