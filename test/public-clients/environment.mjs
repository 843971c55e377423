// What the parts run with: a virtual environment of Python, and programs that no package manager puts where they can be started.
// All of it in a folder that this user keeps; nothing is installed on the machine.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const KEPT = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'penstock', 'public-clients');

/** The newest perf_analyzer that runs on glibc 2.36; later ones want 2.38. */
const PERF_WHEEL = 'tritonclient==2.41.1';
const PERF_LIBRARIES = ['nvidia-cuda-runtime-cu12==12.9.79'];
const PERF_DEBIAN = 'libb64-0d';

const SERVING_STUBS = 'tensorflow-serving-api==2.21.0';
const TENSORFLOW = 'tensorflow-cpu==2.21.0';

/**
 * The interpreter of a virtual environment with the packages of `FILE`, made where there is none yet or the file has changed.
 * @param {string} file
 */
export function pythonWith(file) {
  const wanted = readFileSync(join(HERE, file), 'utf8');
  const key = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
  const folder = join(KEPT, `${file.replace(/\.txt$/, '')}-${key}`);
  const python = join(folder, 'bin/python');
  if (existsSync(join(folder, 'installed'))) return python;
  mkdirSync(KEPT, { recursive: true });
  console.error(`installing the packages of ${file} in ${folder}`);
  run('python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', join(HERE, file)]);
  writeFileSync(join(folder, 'installed'), '');
  return python;
}

/**
 * The interpreter with the messages of TensorFlow and TensorFlow Serving, as their packages have them. TensorFlow itself is not installed: its
 * package is downloaded (270 MB), and the messages are all that is taken of it.
 */
export function withTensorflow() {
  const python = pythonWith('requirements-tensorflow.txt');
  const folder = join(python, '../..');
  if (existsSync(join(folder, 'messages'))) return python;
  const wheels = join(folder, 'wheels');
  run(python, ['-m', 'pip', 'install', '-q', '--no-deps', '--disable-pip-version-check', SERVING_STUBS]);
  run(python, ['-m', 'pip', 'download', '-q', '--no-deps', '--disable-pip-version-check', '-d', wheels, TENSORFLOW]);
  run(python, ['-c', TAKE_MESSAGES, wheels]);
  rmSync(wheels, { recursive: true });
  writeFileSync(join(folder, 'messages'), '');
  return python;
}

/** Unpacks the generated messages of the one wheel in a folder to where packages are imported from. */
const TAKE_MESSAGES = `
import glob, sys, sysconfig, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
names = [name for name in wheel.namelist() if name.endswith(("_pb2.py", "_pb2_grpc.py"))]
wheel.extractall(sysconfig.get_path("purelib"), names)
`;

/**
 * A starter of perf_analyzer with the libraries that it wants, or why there is none.
 * @param {string} python
 * @returns {{ path: string } | { missing: string }}
 */
export function perfAnalyzer(python) {
  const folder = join(KEPT, 'perf-analyzer');
  const starter = join(folder, 'perf_analyzer');
  if (existsSync(starter)) return { path: starter };
  if (process.platform !== 'linux' || process.arch !== 'x64') return { missing: 'perf_analyzer is for Linux on x64' };
  mkdirSync(folder, { recursive: true });
  try {
    run(python, [
      '-m',
      'pip',
      'download',
      '-q',
      '--no-deps',
      '--disable-pip-version-check',
      '-d',
      folder,
      PERF_WHEEL,
      ...PERF_LIBRARIES,
    ]);
    run('apt-get', ['download', PERF_DEBIAN], folder);
    for (const file of readdirSync(folder)) {
      if (file.endsWith('.whl')) run(python, ['-m', 'zipfile', '-e', file, '.'], folder);
      if (file.endsWith('.deb')) run('dpkg', ['-x', file, '.'], folder);
    }
  } catch (thrown) {
    return { missing: `perf_analyzer could not be had: ${String(thrown)}` };
  }
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const program = found.find((file) => file.endsWith('/bin/perf_analyzer'));
  const libraries = found.filter((file) => /\/lib(b64|cudart)\.so/.test(file)).map((file) => join(folder, file, '..'));
  if (program === undefined || libraries.length < 2)
    return { missing: 'the packages do not hold perf_analyzer and its libraries' };
  chmodSync(join(folder, program), 0o755);
  const path = [...new Set(libraries)].join(':');
  writeFileSync(starter, `#!/bin/sh\nLD_LIBRARY_PATH='${path}' exec '${join(folder, program)}' "$@"\n`);
  chmodSync(starter, 0o755);
  return { path: starter };
}

/**
 * The folder of NVIDIA's Python examples, or why there is none: they are not in a package.
 * @returns {{ path: string } | { missing: string }}
 */
export function tritonExamples() {
  const given = process.env.TRITON_CLIENT_EXAMPLES;
  if (given !== undefined) {
    if (existsSync(join(given, 'simple_http_infer_client.py'))) return { path: given };
    return { missing: `$TRITON_CLIENT_EXAMPLES (${given}) has no simple_http_infer_client.py` };
  }
  const folder = join(KEPT, 'triton-client');
  const examples = join(folder, 'src/python/examples');
  if (existsSync(examples)) return { path: examples };
  mkdirSync(KEPT, { recursive: true });
  const source = 'https://github.com/triton-inference-server/client';
  const cloned = spawnSync('git', ['clone', '-q', '--depth', '1', source, folder], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (cloned.status === 0) return { path: examples };
  return {
    missing: `they are in no package: clone ${source} and name its src/python/examples in $TRITON_CLIENT_EXAMPLES`,
  };
}

/** @param {string} program @param {readonly string[]} words @param {string} [cwd] */
function run(program, words, cwd) {
  const done = spawnSync(program, words, { cwd, encoding: 'utf8' });
  if (done.status !== 0)
    throw new Error(`${program} ${words[0]}: ${(done.stderr ?? String(done.error)).trim().split('\n').at(-1)}`);
}
