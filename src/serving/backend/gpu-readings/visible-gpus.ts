import type { PhysicalGpu } from './physical-gpu.js';

/**
 * The GPUs as CUDA numbers them, by `CUDA_VISIBLE_DEVICES`: the place in the list is the number. Numbers and UUIDs (or
 * their unique beginnings) are understood; as in CUDA, the list ends at the first word that names no GPU, and a MIG slice
 * is none. Without the variable all of them, in the order of the bus, which is CUDA's where they are alike.
 */
export function visibleGpus<Gpu extends PhysicalGpu>(gpus: readonly Gpu[], variable: string | undefined): Gpu[] {
  if (variable === undefined) return [...gpus];
  const visible: Gpu[] = [];
  for (const word of variable.split(',').map((text) => text.trim())) {
    const gpu = named(gpus, word);
    if (gpu === undefined || visible.includes(gpu)) break;
    visible.push(gpu);
  }
  return visible;
}

function named<Gpu extends PhysicalGpu>(gpus: readonly Gpu[], word: string): Gpu | undefined {
  if (/^\d+$/.test(word)) return gpus[Number(word)];
  if (!word.startsWith('GPU-')) return undefined;
  const found = gpus.filter(({ uuid }) => uuid.startsWith(word));
  return found.length === 1 ? found[0] : undefined;
}

/** Whether two bus ids name one place: CUDA writes the domain with 4 digits, NVML with 8. */
export function samePlace(a: string, b: string): boolean {
  const short = (id: string) => id.toLowerCase().replace(/^0{4}(?=[0-9a-f]{4}:)/, '');
  return short(a) === short(b);
}
