import { formRoute } from './form/form-route.js';
import { generateForm, generateStreamForm } from './form/generate-form.js';
import type { Route } from './routes.js';

const PREFIXES = ['/v2/models/:model', '/v2/models/:model/versions/:version'];

/** Triton's routes for models of text, and for all whose inputs are values or flat lists. */
export const GENERATE_ROUTES: readonly Route[] = PREFIXES.flatMap((prefix) => [
  formRoute({
    pattern: `${prefix}/generate`,
    summary: 'Run an inference: inputs and outputs as keys of an object; the model gives exactly one response',
    request: 'GenerateRequest',
    response: 'GenerateResponse',
    form: generateForm,
  }),
  formRoute({
    pattern: `${prefix}/generate_stream`,
    summary: 'The same, every response as a server-sent event when it is there',
    request: 'GenerateRequest',
    response: 'GenerateEvents',
    form: generateStreamForm,
    streams: true,
  }),
]);
