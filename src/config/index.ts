export { type ModelConfig, modelConfigSchema } from './model/schema.js';
