import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** Files of the package's `protos/` folder that the server speaks; imports come along. */
const FILES = [
  'grpc_service.proto',
  'health.proto',
  'reflection_v1.proto',
  'reflection_v1alpha.proto',
  'tensorflow_serving.proto',
  'tei.proto',
];

let root: protobuf.Root | undefined;

/** The messages and services of `protos/`, field names as the files have them. Read once, at the first call (10 ms). */
export function protoRoot(): protobuf.Root {
  root ??= load();
  return root;
}

function load(): protobuf.Root {
  // The package's folder, or the copy that the build leaves in `dist/` for where the program is taken along alone.
  const own = new URL('../../../../protos/', import.meta.url);
  const folder = existsSync(own) ? own : new URL('../../../protos/', import.meta.url);
  const loaded = new protobuf.Root();
  loaded.resolvePath = (_origin, target) => fileURLToPath(new URL(target, folder));
  loaded.loadSync(FILES, { keepCase: true });
  loaded.resolveAll();
  return loaded;
}
