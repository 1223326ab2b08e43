/** What is known of a kernel, read from its own files, and the proof that these files belong together. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '@livegraft/binfmt/format-error';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { imageCorrupt, kernelMixed } from '../diagnostics/kernel.ts';
import { type Banner, parseBanner } from './banner.ts';
import { type KernelImage, parseImage } from './image.ts';
import { parseConfig } from './prepare.ts';
import type { KernelFacts, KernelPaths, ModuleInfo } from './types.ts';

/** What the image alone tells. */
export interface ImageFacts {
  readonly banner: Banner;
  readonly buildId: string;
}

/** Reads banner and build-id. Throws `image-corrupt` (exit 4). */
export async function readImageFacts(vmlinux: string): Promise<ImageFacts> {
  const image = parseImage(await readFile(vmlinux), vmlinux, new Map());
  try {
    return { banner: bannerOf(image), buildId: image.buildId };
  } catch (error) {
    if (error instanceof FormatError) throw new LivegraftError(imageCorrupt({ path: vmlinux, problem: error.message }));
    throw error;
  }
}

function bannerOf(image: KernelImage): Banner {
  const banner = parseBanner(image.banner);
  if (banner === undefined)
    throw new FormatError('image-banner', `Its banner is ${JSON.stringify(image.banner)}, not "Linux version …"`);
  return banner;
}

interface Parts {
  readonly name: string;
  readonly origin: KernelFacts['origin'];
  readonly image: ImageFacts;
  /** Version string of the boot header. */
  readonly bootVersion: string;
  readonly paths: KernelPaths;
  readonly modules: readonly ModuleInfo[];
  /** Another configuration file of this kernel, less complete (the image package's), to be checked against `paths.config`. */
  readonly imageConfig?: string;
  /** vermagic of the build tree. */
  readonly vermagic: string;
  /** See `KernelFacts`. */
  readonly toolchain?: string;
}

/** Puts the facts together. Throws `kernel-mixed` (exit 5) when a part is of another kernel. */
export async function establishFacts({
  name,
  origin,
  image,
  bootVersion,
  paths,
  modules,
  imageConfig,
  vermagic,
  toolchain,
}: Parts): Promise<KernelFacts> {
  const { banner, buildId } = image;
  const { release, compiler, linker } = banner;
  const expect = (what: string, found: string, expected: string, source: string): void => {
    if (found !== expected) throw new LivegraftError(kernelMixed({ what, found, expected, source }));
  };
  expect('The release in the boot header', bootVersion.split(' ')[0]!, release, 'the image inside');
  if (origin.kind === 'debian') {
    expect('The release of the package', name, release, "the image's banner");
    if (!banner.build.includes(`Debian ${origin.version} `))
      expect('The package version', origin.version, banner.build, "the image's banner");
  }
  const configText = await readFile(paths.config);
  const config = parseConfig(configText.toString());
  const words = config.get('CONFIG_CC_VERSION_TEXT');
  if (words !== undefined)
    expect('CONFIG_CC_VERSION_TEXT of the configuration', words.replaceAll('"', ''), compiler, "the image's banner");
  if (imageConfig !== undefined) {
    for (const [option, value] of parseConfig(await readFile(imageConfig, 'utf8'))) {
      expect(`${option} of the configuration`, config.get(option) ?? 'n', value, "the image package's configuration");
    }
  }
  const [version = '', patchlevel = ''] = release.split(/[.+-]/);
  const makefile = (await readFile(join(paths.source, 'Makefile'), 'utf8')).slice(0, 2000);
  const field = (key: string): string => new RegExp(`^${key} = *(.*)$`, 'm').exec(makefile)?.[1]?.trim() ?? '';
  expect(
    'The version of the source',
    `${field('VERSION')}.${field('PATCHLEVEL')}`,
    `${version}.${patchlevel}`,
    'the release of the image',
  );
  for (const module of modules) {
    expect(`vermagic of module ${module.name}`, module.vermagic.split(' ')[0]!, release, "the image's banner");
    expect(`vermagic of module ${module.name}`, module.vermagic, vermagic, 'the prepared build tree');
  }
  return {
    schema: 1,
    name,
    release,
    origin,
    banner: banner.text,
    buildId,
    configHash: createHash('sha256').update(configText).digest('hex'),
    compiler,
    linker,
    ...(toolchain === undefined ? {} : { toolchain }),
    vermagic,
    added: new Date().toISOString(),
  };
}
