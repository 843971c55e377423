import { z } from 'zod';
import { modelConfigSchema } from './model/schema.js';
import { rolloutPlanSchema } from './rollout/schema.js';
import { routesSchema } from './routes/schema.js';
import { serverConfigSchema } from './server/schema.js';
import { modelSlosSchema } from './slo/schema.js';

/** JSON Schemas (draft 2020-12) of `penstock.yaml`, `config.yaml`, `routes.yaml`, `rollout.yaml` and `slo.yaml`, for editors. */
export function jsonSchema(): Readonly<Record<'server' | 'model' | 'routes' | 'rollout' | 'slo', object>> {
  return {
    server: written(serverConfigSchema, 'penstock.yaml'),
    model: written(modelConfigSchema, 'config.yaml'),
    routes: written(routesSchema, 'routes.yaml'),
    rollout: written(rolloutPlanSchema, 'rollout.yaml'),
    slo: written(modelSlosSchema, 'slo.yaml'),
  };
}

function written(schema: z.ZodType, title: string): object {
  return { title, ...z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }) };
}
