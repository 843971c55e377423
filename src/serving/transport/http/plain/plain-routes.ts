import { formRoute } from '../form/form-route.js';
import type { Route } from '../routes.js';
import { PLAIN_MEDIA, plainForm } from './plain-form.js';

/** Ordinary JSON, images, forms and CSV: as a service written for one model would take them. */
export const PLAIN_ROUTES: readonly Route[] = ['/predict/:model', '/predict/:model/versions/:version'].map((pattern) =>
  formRoute({
    pattern,
    summary: 'Run an inference: ordinary JSON, an image, a form or CSV in; ordinary JSON out',
    request: 'PlainRequest',
    media: PLAIN_MEDIA,
    events: true,
    response: 'PlainAnswer',
    form: plainForm,
  }),
);
