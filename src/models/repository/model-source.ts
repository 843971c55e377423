import { type BesideModel, type LoadParameters, ServingError, whyUncopied } from '../../core/index.js';
import { isEnsemble } from '../completion/ensemble-steps.js';
import { adoptedPlace } from './adopted-place.js';
import type { BackendFamily } from './backend-choice.js';
import { candidateFamilies } from './backend-choice.js';
import { listModel, type ModelPlace, modelFileOf, placeOf } from './folders.js';
import { type FoundConfig, overridingConfig, overridingPolicy, readModelConfig } from './model-config-file.js';
import { OverrideFolder } from './override-folder.js';
import { readRolloutFile } from './rollout-file.js';
import { readRoutesFile } from './routes-file.js';
import { readSloFile } from './slo-file.js';
import { pickVersions, type VersionPick } from './version-policy.js';

/** A model as one load finds it: its config, the versions to serve, and how to get at its files. */
export interface ModelSource extends BesideModel {
  readonly name: string;
  readonly place: ModelPlace;
  readonly found: FoundConfig;
  readonly versions: VersionPick;
  /** The model file of a version and the backends that serve it. Throws MODEL_INVALID. */
  modelFile(version: number): Promise<ModelFile>;
  /** Files of a load request live until every holder released them; elsewhere these two do nothing. */
  hold(): void;
  release(): Promise<void>;
}

export interface ModelFile {
  /** Real path. */
  readonly path: string;
  /** Name in the version's folder. */
  readonly file: string;
  readonly family: BackendFamily;
}

/** Where models are looked for. Roots are real paths. */
export interface SourcePlaces {
  readonly roots: readonly string[];
  /** Versions of a model that count in the place of its version policy. */
  readonly versions: ReadonlyMap<string, readonly number[]>;
  readonly families: readonly BackendFamily[];
  /** Folders of models that no repository has, by their names; each lies in `adoptFrom`. */
  readonly adopted: ReadonlyMap<string, string>;
  readonly adoptFrom: string;
  /** Of `configs/NAME.pbtxt`; undefined: a model's config is the one in its folder. */
  readonly configName: string | undefined;
  readonly temporaryRoot: string;
}

const NO_HOLD = { hold: () => {}, release: () => Promise.resolve() };

/**
 * Finds a model as it lies on disk now, or as a load request gives it. Throws MODEL_NOT_FOUND where no repository has it,
 * MODEL_INVALID where it is in several, or its config is wrong.
 */
export async function findSource(places: SourcePlaces, name: string, load: LoadParameters): Promise<ModelSource> {
  if (load.files.size > 0) return overrideSource(places, name, load);
  const adopted = places.adopted.get(name);
  if (adopted !== undefined)
    return folderSource(places, name, await adoptedPlace(places.adoptFrom, adopted, name), load);
  const found: ModelPlace[] = [];
  for (const root of places.roots) {
    const place = await placeOf(root, name);
    if (place !== undefined) found.push(place);
  }
  if (found.length > 1) {
    throw new ServingError('MODEL_INVALID', `model '${name}' is not unique: several repositories have it`);
  }
  const [place] = found;
  if (place !== undefined) return folderSource(places, name, place, load);
  throw new ServingError('MODEL_NOT_FOUND', `failed to load '${name}', failed to poll from model repository`);
}

async function folderSource(
  places: SourcePlaces,
  name: string,
  place: ModelPlace,
  load: LoadParameters,
): Promise<ModelSource> {
  const { versions, files } = await listModel(place, name);
  const found =
    load.config === undefined
      ? await readModelConfig(place, name, files, places.configName)
      : overridingConfig(load.config, name);
  const policy =
    load.versionPolicy === undefined ? policyOf(places, name, found) : overridingPolicy(load.versionPolicy, name);
  const source = inFolder(places, name, place, found, pickVersions(policy, versions));
  const { model_transaction_policy: transactions, sequence_batching: sequences } = found.config;
  const uncopied = () =>
    whyUncopied({
      ...(transactions?.decoupled === true ? { decoupled: true } : {}),
      ...(sequences === undefined ? {} : { sequences: true }),
    });
  const routes = await readRoutesFile(place, name, files, source.versions.wanted, { uncopied });
  const rollout = await readRolloutFile(place, name, files);
  const slos = await readSloFile(place, name, files);
  return { ...source, routes, rollout, slos, ...NO_HOLD };
}

async function overrideSource(places: SourcePlaces, name: string, load: LoadParameters): Promise<ModelSource> {
  if (load.config === undefined) {
    throw new ServingError(
      'MODEL_INVALID',
      `load request for '${name}': files need the parameter 'config' beside them`,
    );
  }
  const found = overridingConfig(load.config, name);
  const folder = await OverrideFolder.create(places.temporaryRoot, load.files);
  try {
    const { versions } = await listModel(folder.place, name);
    return {
      ...inFolder(places, name, folder.place, found, pickVersions(policyOf(places, name, found), versions)),
      // A load request that brings its own files has none of these.
      routes: undefined,
      rollout: undefined,
      slos: [],
      hold: () => folder.hold(),
      release: () => folder.release(),
    };
  } catch (thrown) {
    await folder.release();
    throw thrown;
  }
}

function inFolder(
  places: SourcePlaces,
  name: string,
  place: ModelPlace,
  found: FoundConfig,
  versions: VersionPick,
): Omit<ModelSource, keyof BesideModel | 'hold' | 'release'> {
  // An ensemble has no file.
  const candidates = isEnsemble(found.config) ? [] : candidateFamilies(places.families, found.config);
  const names = candidates.flatMap(({ files }) => files);
  return {
    name,
    place,
    found,
    versions,
    modelFile: async (version) => {
      const { path, file } = await modelFileOf(place, name, version, names);
      const { family } = candidates.find(({ files }) => files.includes(file)) as (typeof candidates)[number];
      return { path, file, family };
    },
  };
}

function policyOf({ versions }: SourcePlaces, name: string, found: FoundConfig): Parameters<typeof pickVersions>[0] {
  const told = versions.get(name);
  return told === undefined ? found.config.version_policy : { specific: { versions: [...told] } };
}
