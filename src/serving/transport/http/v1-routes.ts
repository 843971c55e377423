import { ServingError } from '../../../core/index.js';
import { GROUPS, RIGHTS } from '../../controlplane/index.js';
import { mapped } from '../ports.js';
import type { InferForm } from './form/infer-form.js';
import { predictForm } from './form/predict-form.js';
import type { Route } from './routes.js';
import type { WholeAnswer } from './whole-call.js';

/**
 * What KServe V1 and TensorFlow Serving's REST API have under `/v1/models`. They share its paths: an answer has what either of them
 * has, and where they disagree PROTOCOLS.md says who is followed.
 */
export const V1_ROUTES: readonly Route[] = [
  {
    kind: 'control',
    method: 'GET',
    pattern: '/v1/models',
    tag: 'metadata',
    right: RIGHTS.repositoryIndex,
    group: GROUPS.repositoryIndex,
    summary: 'Names of the models that take requests (KServe V1)',
    response: 'V1Models',
    handle: ({ server }) => mapped(server.control.repositoryIndex({ ready: true }), namesOf),
  },
  {
    kind: 'control',
    method: 'GET',
    pattern: '/v1/models/:model',
    tag: 'metadata',
    right: RIGHTS.modelReady,
    group: GROUPS.modelReady,
    summary: 'Whether a model takes requests (KServe V1; 503 where not)',
    response: 'V1ModelReady',
    handle: ({ server, path }) =>
      mapped(server.control.modelReady(path.model, undefined), (content) => ({
        content,
        status: content.ready ? 200 : server.notReadyStatus,
      })),
  },
  {
    kind: 'form',
    method: 'POST',
    pattern: '/v1/models/:model:predict',
    tag: 'inference',
    right: 'open',
    group: 'inference',
    summary: 'Run an inference: rows ("instances") or columns ("inputs") of KServe V1 and TensorFlow Serving',
    request: 'V1Predict',
    response: 'V1Predictions',
    form: predictForm,
  },
  {
    kind: 'form',
    method: 'POST',
    pattern: '/v1/models/:model:explain',
    tag: 'inference',
    right: 'open',
    group: 'inference',
    summary: 'Explanations (KServe V1): not served, 501',
    request: 'V1Predict',
    response: 'Error',
    form: explainForm,
  },
];

/** The models of an index, each once: of `/v1/models` and of KServe's `/v2/models`. */
export function namesOf(index: readonly { readonly name: string }[]): WholeAnswer {
  return { content: { models: [...new Set(index.map(({ name }) => name))] } };
}

function explainForm(): InferForm {
  return {
    decode: (_, { model }) => {
      throw new ServingError('UNSUPPORTED', `explanations are not served; send the request to ${model}:predict`);
    },
  };
}
