import type { InferenceResponse, ModelSpec } from '../../../core/index.js';
import type { ReplyRoom } from '../reply-room.js';
import { classifiedRows, regressedRows } from '../tf-serving/method-results.js';
import { writeJsonElements } from '../v2-rest/data-text.js';
import { JsonWriter, quoted } from '../v2-rest/json-writer.js';

const writer = new JsonWriter();

/** `{"result": [[["label", score], ...], ...]}`: of each example its classes. Throws as `classifiedRows`. */
export function encodeClassifyReply(response: InferenceResponse, spec: ModelSpec, room: ReplyRoom): Buffer {
  const { rows, classes, scores, label } = classifiedRows(response, spec);
  writer.reset();
  writeJsonElements(writer, scores, true);
  const numbers = writer.bytes.toString('latin1', 0, writer.at).split(',');
  writer.reset();
  writer.text('{"result":[');
  for (let row = 0; row < rows; row++) {
    writer.text(row === 0 ? '[' : ',[');
    for (let place = 0; place < classes; place++)
      writer.text(`${place === 0 ? '' : ','}[${quoted(label(row, place))},${numbers[row * classes + place]}]`);
    writer.text(']');
  }
  writer.text(']}');
  return writer.take(0, room);
}

/** `{"result": [value, ...]}`: of each example one. Throws as `regressedRows`. */
export function encodeRegressReply(response: InferenceResponse, room: ReplyRoom): Buffer {
  const values = regressedRows(response);
  writer.reset();
  writer.text('{"result":[');
  writeJsonElements(writer, values, true);
  writer.text(']}');
  return writer.take(0, room);
}
