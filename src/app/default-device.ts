import { cudaPresence } from '../serving/backend/index.js';

/** Device of models that do not name one, where the configuration does not either: the GPU where CUDA can be had. */
export function defaultDevice(): 'cpu' | 'cuda' {
  const { driverMark, missingFiles } = cudaPresence();
  return driverMark !== undefined && missingFiles.length === 0 ? 'cuda' : 'cpu';
}
