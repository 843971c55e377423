import type { DataType } from '../../core/index.js';
import { MAX_RANK, MAX_TENSORS } from './checked-tensor.js';

const DATA_TYPE_NAMES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'BF16',
  'FP32',
  'FP64',
  'BYTES',
] as const satisfies readonly DataType[];

const parameters = {
  type: 'object',
  description: 'Integers may use all 64 bits.',
  additionalProperties: { type: ['boolean', 'number', 'string'] },
} as const;

const shape = {
  type: 'array',
  items: { type: 'integer', minimum: 0 },
  maxItems: MAX_RANK,
} as const;

const datatype = { type: 'string', enum: DATA_TYPE_NAMES } as const;

const data = {
  type: 'array',
  description: 'Elements in row-major order: flat, or nested as the shape has it. FP16 and BF16 have no JSON form.',
  items: {},
} as const;

const inferRequest = {
  type: 'object',
  required: ['inputs'],
  properties: {
    id: { type: 'string', description: 'Echoed in the answer.' },
    parameters: {
      ...parameters,
      properties: {
        priority: { type: 'integer', minimum: 0, description: '0 = the default level of the model, 1 = the highest.' },
        timeout: { type: 'integer', minimum: 0, description: 'Longest wait in the queue, in microseconds.' },
        binary_data_output: { type: 'boolean', description: 'Outputs as binary data unless they say otherwise.' },
      },
    },
    inputs: {
      type: 'array',
      maxItems: MAX_TENSORS,
      items: {
        type: 'object',
        required: ['name', 'shape', 'datatype'],
        properties: {
          name: { type: 'string' },
          shape,
          datatype,
          parameters: {
            type: 'object',
            properties: {
              binary_data_size: { type: 'integer', minimum: 0, description: 'Bytes of this input behind the JSON.' },
            },
          },
          data,
        },
      },
    },
    outputs: {
      type: 'array',
      maxItems: MAX_TENSORS,
      description: 'Absent: all outputs.',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          parameters: {
            type: 'object',
            properties: {
              binary_data: { type: 'boolean' },
              classification: { type: 'integer', minimum: 0, description: 'The k highest as "value:index[:label]".' },
            },
          },
        },
      },
    },
  },
} as const;

const inferResponse = {
  type: 'object',
  required: ['model_name', 'model_version', 'outputs'],
  properties: {
    model_name: { type: 'string' },
    model_version: { type: 'string' },
    id: { type: 'string' },
    parameters,
    outputs: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'datatype', 'shape'],
        properties: {
          name: { type: 'string' },
          datatype,
          shape,
          parameters: { type: 'object', properties: { binary_data_size: { type: 'integer', minimum: 0 } } },
          data: { ...data, description: 'Elements in row-major order, flat.' },
        },
      },
    },
  },
} as const;

const error = {
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'string', description: 'What was expected, what came, and where.' } },
} as const;

/** JSON Schemas (2020-12, as OpenAPI 3.1 has them) of the bodies this room reads and writes, by component name. */
export const V2_REST_SCHEMAS = { InferRequest: inferRequest, InferResponse: inferResponse, Error: error } as const;
