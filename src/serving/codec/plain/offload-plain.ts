import type { OffloadTasks } from '../../../core/index.js';
import type { PlainBody } from './plain-body.js';
import { decodePlainJson } from './plain-json.js';

/** The worker's side of the `decodePlain` task. What it gives is plain data. Throws as `decodePlainJson`. */
export function decodePlain({ body, model }: OffloadTasks['decodePlain']['input']): PlainBody {
  return decodePlainJson(body, model);
}
