import { z } from 'zod';
import { modelConfigSchema } from './model/schema.js';
import { routesSchema } from './routes/schema.js';
import { serverConfigSchema } from './server/schema.js';

/** JSON Schemas (draft 2020-12) of `penstock.yaml`, `config.yaml` and `routes.yaml`, for editors. */
export function jsonSchema(): { readonly server: object; readonly model: object; readonly routes: object } {
  return {
    server: written(serverConfigSchema, 'penstock.yaml'),
    model: written(modelConfigSchema, 'config.yaml'),
    routes: written(routesSchema, 'routes.yaml'),
  };
}

function written(schema: z.ZodType, title: string): object {
  return { title, ...z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }) };
}
