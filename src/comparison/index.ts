export { compareOutputs, type Look, type Tolerances } from './compare-outputs.js';
export { keptOutputs } from './kept-outputs.js';
export { summarise } from './summarise.js';
