export { checkOnnxFile } from './check-model-file.js';
