// Whether ONNX Runtime's real CUDA provider takes every option that the gateway may pass to it. No GPU is needed: options
// are parsed before a driver is asked. Downloads about 770 MB of wheels once, to a folder outside the repository.
//
//   node deploy/gpu/check-options.mjs [--folder DIR]
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { folder: { type: 'string' } } });
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const folder = values.folder ?? join(cache, 'penstock', 'gpu-options');
const require = createRequire(import.meta.url);
const ortFolder = join(require.resolve('onnxruntime-node/package.json'), '..');
const version = JSON.parse(readFileSync(join(ortFolder, 'package.json'), 'utf8')).version;
const wheels = join(folder, `wheels-${version}`);
const libraries = join(folder, `lib-${version}`);

/** What the provider is linked to; what it opens later (cuDNN, cuFFT, NVRTC) takes no part in reading options. */
const PACKAGES = ['nvidia-cuda-runtime~=13.0', 'nvidia-cublas~=13.0', 'nvidia-curand~=10.0'];
/** Functions of the driver that the provider names: a library that has nothing else stands in where no driver is. */
const DRIVER_FUNCTIONS = ['cuTensorMapEncodeTiled'];

function end(message) {
  process.stderr.write(`gpu-options: ${message}\n`);
  process.exit(1);
}

function fetchLibraries() {
  if (existsSync(join(libraries, '.done'))) return;
  process.stderr.write(`gpu-options: fetching onnxruntime-gpu ${version} and CUDA libraries to ${folder}\n`);
  mkdirSync(wheels, { recursive: true });
  mkdirSync(libraries, { recursive: true });
  const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', '-d', wheels];
  const platform = [
    '--python-version',
    '3.12',
    '--platform',
    'manylinux_2_28_x86_64',
    '--platform',
    'manylinux_2_27_x86_64',
  ];
  execFileSync('python3', [...pip, ...platform, `onnxruntime-gpu==${version}`], { stdio: 'inherit' });
  execFileSync('python3', [...pip, ...PACKAGES], { stdio: 'inherit' });
  const unpack = `
import glob, re, sys, zipfile
for wheel in glob.glob(sys.argv[1] + '/*.whl'):
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        file = name.rsplit('/', 1)[-1]
        if re.match(r'lib(onnxruntime_providers_(cuda|shared)|cudart|cublas|cublasLt|curand)\\.so', file):
            open(sys.argv[2] + '/' + file, 'wb').write(archive.read(name))
`;
  execFileSync('python3', ['-c', unpack, wheels, libraries]);
  copyFileSync(join(ortFolder, 'bin/napi-v6/linux/x64/libonnxruntime.so.1'), join(libraries, 'libonnxruntime.so.1'));
  writeFileSync(join(libraries, '.done'), '');
}

/** A driver's library, or one that only lets the provider load. */
function standInDriver() {
  const known = spawnSync('ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? '';
  if (known.includes('libcuda.so.1')) return false;
  const source = join(folder, 'driver.c');
  // 34: CUDA_ERROR_STUB_LIBRARY.
  writeFileSync(source, DRIVER_FUNCTIONS.map((name) => `int ${name}(void) { return 34; }\n`).join(''));
  const built = spawnSync('cc', [
    '-shared',
    '-fPIC',
    '-Wl,-soname,libcuda.so.1',
    '-o',
    join(libraries, 'libcuda.so.1'),
    source,
  ]);
  if (built.status !== 0) end('no driver is here and no C compiler to stand in for it; install one of them');
  return true;
}

if (process.platform !== 'linux' || process.arch !== 'x64') end('the CUDA provider is built for Linux x64 only');
const built = join(import.meta.dirname, '../../dist/serving/backend/onnx');
if (!existsSync(built)) end('dist/ is missing: npm run build');
fetchLibraries();
const standIn = standInDriver();
for (const file of readdirSync(libraries)) {
  const [, bare] = /^(lib\w+\.so)\.\d+$/.exec(file) ?? [];
  if (bare !== undefined && !existsSync(join(libraries, bare))) symlinkSync(file, join(libraries, bare));
}
const child = spawnSync(process.execPath, [join(import.meta.dirname, 'try-options.mjs'), libraries, built], {
  env: { ...process.env, LD_LIBRARY_PATH: [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') },
  encoding: 'utf8',
});
// The provider's own teardown crashes where no driver is, so the child's report counts, not its end.
const lines = child.stdout.split('\n').filter((line) => line !== '');
if (lines.at(-1) !== 'end') end(`the provider could not be tried: ${child.stdout}${child.stderr}`);
const tried = lines.slice(0, -1).map((line) => JSON.parse(line));
const wrong = tried.filter((row) => row.taken !== row.expected);
for (const { name, value, said } of wrong)
  process.stderr.write(`gpu-options: ${name}=${value}: ${said || 'was taken'}\n`);
process.stdout.write(
  `onnxruntime-gpu ${version}${standIn ? ', no driver' : ''}: ${tried.length} options and values tried, ${wrong.length} not as expected\n`,
);
process.exit(wrong.length === 0 ? 0 : 1);
