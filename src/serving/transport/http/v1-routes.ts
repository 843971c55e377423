import { ERRORS } from '../../../core/index.js';
import { GROUPS, type GroupedCall, RIGHTS } from '../../controlplane/index.js';
import { type Awaitable, chained, mapped } from '../ports.js';
import { modelMetadata } from '../tf-serving/model-metadata.js';
import { modelStatus } from '../tf-serving/model-status.js';
import type { ControlCallInput, ControlRoute } from './control-exchange.js';
import { formRoute } from './form/form-route.js';
import type { FormServer, InferForm } from './form/infer-form.js';
import { classifyForm, explainForm, predictForm, regressForm } from './form/predict-form.js';
import { PLAIN_MEDIA } from './plain/plain-form.js';
import type { Route } from './routes.js';
import { openAiModel } from './texts/openai-models.js';

/** Of the version that requests get, of one, and of what a label stands for. */
const PREFIXES = ['/v1/models/:model', '/v1/models/:model/versions/:version', '/v1/models/:model/labels/:label'];

/**
 * What KServe V1 and TensorFlow Serving's REST API have under `/v1/models`. They share its paths: an answer has what either of them
 * has, and where they disagree PROTOCOLS.md says who is followed.
 */
export const V1_ROUTES: readonly Route[] = [
  told(
    '/v1/models',
    'V1Models',
    'Models that take requests (KServe V1: their names in models; OpenAI: data)',
    'repositoryIndex',
    ({ server }) =>
      mapped(server.control.repositoryIndex({ ready: true }), (index) => {
        const { models } = namesOf(index).content;
        const data = models.map((name) => openAiModel(name, server.startedSeconds));
        return { content: { object: 'list', data, models } };
      }),
  ),
  told(
    PREFIXES[0] as string,
    'V1ModelStatus',
    'Whether a model takes requests (KServe V1; 503 where not), and how its versions stand (TensorFlow Serving)',
    'modelReady',
    ({ server, path }) =>
      mapped(modelStatus(server.control, path.model, undefined), (versions) => {
        const ready = versions.some(({ state }) => state === 'AVAILABLE');
        return {
          content: {
            name: path.model,
            ready,
            model_version_status: versions,
            ...openAiModel(path.model, server.startedSeconds),
          },
          status: ready ? 200 : ERRORS.VERSION_NOT_READY.http,
        };
      }),
  ),
  ...PREFIXES.slice(1).map((pattern) =>
    told(pattern, 'V1VersionStatus', 'How a version stands (TensorFlow Serving)', 'modelReady', (input) =>
      chained(versionIn(input), (version) =>
        mapped(modelStatus(input.server.control, input.path.model, version), (versions) => ({
          content: { model_version_status: versions },
        })),
      ),
    ),
  ),
  ...PREFIXES.map((pattern) =>
    told(
      `${pattern}/metadata`,
      'V1Metadata',
      'Inputs and outputs of a model as the one signature it has (TensorFlow Serving)',
      'modelMetadata',
      (input) =>
        chained(versionIn(input), (version) =>
          mapped(input.server.specs.specOf(input.path.model, version), (spec) => ({ content: modelMetadata(spec) })),
        ),
    ),
  ),
  ...PREFIXES.flatMap((pattern) => [
    method(
      `${pattern}:predict`,
      predictForm,
      'V1Predict',
      'V1Predictions',
      'Run an inference: rows ("instances") or columns ("inputs") of KServe V1 and TensorFlow Serving; else a plain body',
    ),
    method(
      `${pattern}:classify`,
      classifyForm,
      'V1Examples',
      'V1Classes',
      'Classify examples (TensorFlow Serving): labels and scores',
    ),
    method(
      `${pattern}:regress`,
      regressForm,
      'V1Examples',
      'V1Values',
      'Regress examples (TensorFlow Serving): a value for each',
    ),
  ]),
  method(
    `${PREFIXES[0]}:explain`,
    explainForm,
    'V1Predict',
    'V1Explanations',
    'Explanations (KServe V1), by the model that the config names as explainer; 501 where it names none',
  ),
];

/** The models of an index, each once: of `/v1/models` and of KServe's `/v2/models`. */
export function namesOf(index: readonly { readonly name: string }[]): {
  readonly content: { readonly models: readonly string[] };
} {
  return { content: { models: [...new Set(index.map(({ name }) => name))] } };
}

function told(
  pattern: string,
  response: string,
  summary: string,
  call: GroupedCall,
  handle: ControlRoute['handle'],
): Route {
  return {
    kind: 'control',
    method: 'GET',
    pattern,
    tag: 'metadata',
    right: RIGHTS[call],
    group: GROUPS[call],
    summary,
    response,
    handle,
  };
}

function method(
  pattern: string,
  form: (server: FormServer) => InferForm,
  request: string,
  response: string,
  summary: string,
): Route {
  const plain = form === predictForm ? { media: PLAIN_MEDIA, events: true } : {};
  return formRoute({ pattern, summary, request, response, form, ...plain });
}

/** The version that a path names, by number or label. */
function versionIn({ server, path }: ControlCallInput): Awaitable<number | undefined> {
  const { model, version, label } = path;
  return label === undefined ? version : server.specs.versionOf(model, label);
}
