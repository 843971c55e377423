import { describe, expect, it } from 'vitest';
import { ServingError } from '../../core/index.js';
import { parseModelConfig } from './parse.js';

const START = '{ name: "S" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] }';
const STATE = 'input_name: "in" output_name: "out" data_type: TYPE_FP32 dims: [ 2 ]';
const problem = (text: string): string => {
  try {
    parseModelConfig(text, 'pbtxt', 'm/config.pbtxt');
  } catch (thrown) {
    if (thrown instanceof ServingError) return thrown.message;
    throw thrown;
  }
  return 'taken';
};
const sequences = (text: string, rest = '') => problem(`max_batch_size: 8 ${rest} sequence_batching { ${text} }`);

describe('sequence_batching', () => {
  it.each([
    '',
    'direct { }',
    'oldest { max_candidate_sequences: 4 preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }',
    `control_input [ ${START} ] direct { max_queue_delay_microseconds: 500 minimum_slot_utilization: 0.5 }`,
    'control_input [ { name: "R" control [ { kind: CONTROL_SEQUENCE_READY fp32_false_true: [ 0, 1 ] } ] } ]',
    'control_input [ { name: "I" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING } ] } ]',
    `state [ { ${STATE} initial_state { name: "i" data_type: TYPE_FP32 dims: [ 2 ] zero_data: true } } ]`,
  ])('takes %s', (text) => {
    expect(sequences(text)).toBe('taken');
  });

  it.each([
    ['direct { } oldest { }', 'strategy_choice: multiple values'],
    [
      'direct { minimum_slot_utilization: 1.5 }',
      'direct.minimum_slot_utilization: expected a share from 0 to 1, got 1.5',
    ],
    ['oldest { max_candidate_sequences: -1 }', 'oldest.max_candidate_sequences: expected a count from 0, got -1'],
    ['oldest { preferred_batch_size: [ 4, 16 ] }', 'preferred batch size 16 is above max_batch_size 8'],
    [
      'control_input [ { control [ { bool_false_true: [ false, true ] } ] } ]',
      'control_input[0].name: expected the name',
    ],
    ['control_input [ { name: "S" } ]', 'control_input[0].control: expected one control, got 0'],
    [`control_input [ ${START}, ${START.replace('"S"', '"T"')} ]`, 'CONTROL_SEQUENCE_START is told by another input'],
    [`control_input [ ${START.replace('[ 0, 1 ]', '[ 1 ]')} ]`, 'the value for false and that for true, got 1 values'],
    [
      'control_input [ { name: "S" control [ { kind: CONTROL_SEQUENCE_END } ] } ]',
      'CONTROL_SEQUENCE_END: expected one of int32_false_true, fp32_false_true, bool_false_true, got none',
    ],
    [
      'control_input [ { name: "I" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 } ] } ]',
      'expected one of TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32, TYPE_STRING, got TYPE_FP32',
    ],
    ['state [ { input_name: "a" } ]', 'state[0].output_name: expected the name of an output of the model'],
    [`state [ { ${STATE} }, { ${STATE} } ]`, "state[1].input_name: 'in' is an input of a state already"],
    [
      `state [ { ${STATE} initial_state { name: "i" data_type: TYPE_FP32 dims: [ 3 ] zero_data: true } } ]`,
      'initial_state[0].dims: expected a shape that fits that of the state [2], got [3]',
    ],
    [
      `state [ { ${STATE} initial_state { name: "i" data_type: TYPE_FP32 dims: [ 2 ] } } ]`,
      'initial_state[0]: expected zero_data or data_file, got none',
    ],
    [
      `state [ { ${STATE} initial_state { name: "i" data_type: TYPE_FP32 dims: [ 2 ] data_file: "../x" } } ]`,
      'a file name must not leave its folder',
    ],
    ['iterative_sequence: true oldest { preserve_ordering: true }', 'requests end as they end'],
  ])('refuses %s', (text, message) => {
    expect(sequences(text)).toContain(message);
  });

  it('does not go with what fills or splits batches, nor with an input that clients send', () => {
    expect(
      sequences('direct { }', 'parameters { key: "penstock.split_large_requests" value { string_value: "true" } }'),
    ).toContain('split_large_requests does not go with sequence_batching');
    expect(sequences('direct { }', 'response_cache { enable: true }')).toContain(
      'response_cache does not go with sequence_batching',
    );
    expect(sequences(`control_input [ ${START} ]`, 'input { name: "S" }')).toContain(
      "'S' is an input of clients already",
    );
    expect(sequences('direct { }', 'dynamic_batching { }')).toContain('scheduling_choice: multiple values');
  });
});
