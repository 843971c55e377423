// Gives the CUDA provider beside LIBRARIES every option of the gateway's table, and some that it must refuse. One JSON line
// each, then "end". Started by check-options.mjs, with the loader's path set.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [libraries, built] = process.argv.slice(2);
const from = (file) => import(pathToFileURL(join(built, file)).href);
const { loadOrtLibrary } = await from('library.js');
const { CUDA_OPTIONS, readCudaOptions } = await from('cuda-options.js');
const { createCudaOptions, updateCudaOptions } = await from('cuda-provider.js');

const library = loadOrtLibrary(join(libraries, 'libonnxruntime.so.1'));

function attempt(name, value, expected) {
  const options = createCudaOptions(library);
  let said = '';
  try {
    updateCudaOptions(library, options, { [name]: value });
  } catch (error) {
    said = error.message;
  } finally {
    library.api.ReleaseCUDAProviderOptions(options);
  }
  process.stdout.write(`${JSON.stringify({ name, value, expected, taken: said === '', said })}\n`);
}

const SAMPLES = { bytes: ['1', '18446744073709551615'], count: ['0', '100'], flag: ['true', 'false'] };
for (const [name, values] of Object.entries(CUDA_OPTIONS)) {
  for (const value of SAMPLES[values] ?? values) attempt(name, readCudaOptions({ [name]: value })[name], true);
  attempt(name, 'banana', false);
}
// What the gateway sets by itself; `device_id` asks the driver, so it takes a GPU.
attempt('enable_cuda_graph', '1', true);
attempt('no_such_option', '1', false);
process.stdout.write('end\n');
