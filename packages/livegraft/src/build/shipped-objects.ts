/** The shipped side of a build: vmlinux and the modules that a patch touches, each read once. */
import { readElf } from '@livegraft/binfmt/elf/read';
import { FormatError } from '@livegraft/binfmt/format-error';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { moduleCorrupt } from '../diagnostics/kernel.ts';
import { type KernelImage, readImage } from '../kernel/image.ts';
import { readBuiltins, readModule, readModuleIndex, resolveModules } from '../kernel/modules.ts';
import type { Kernel, ModuleInfo } from '../kernel/types.ts';
import type { SymbolSpace } from '../klp/resolve.ts';
import { type ShippedObject, shippedModule, shippedVmlinux } from '../provenance/shipped.ts';

export class ShippedObjects {
  readonly image: KernelImage;
  readonly vmlinux: ShippedObject;
  readonly modules: readonly ModuleInfo[];
  readonly #kernel: Kernel;
  readonly #builtins: ReadonlySet<string>;
  readonly #read = new Map<string, Promise<ShippedObject>>();

  static async open(kernel: Kernel): Promise<ShippedObjects> {
    const [image, index, builtins] = await Promise.all([
      readImage(kernel),
      readModuleIndex(kernel),
      readBuiltins(kernel),
    ]);
    return new ShippedObjects(kernel, image, index, builtins);
  }

  private constructor(
    kernel: Kernel,
    image: KernelImage,
    modules: readonly ModuleInfo[],
    builtins: ReadonlySet<string>,
  ) {
    this.#kernel = kernel;
    this.image = image;
    this.vmlinux = shippedVmlinux(image);
    this.modules = modules;
    this.#builtins = builtins;
  }

  /** A klp object by name. Throws `module-unknown`, `module-corrupt`. */
  object(name: string): Promise<ShippedObject> {
    if (name === 'vmlinux') return Promise.resolve(this.vmlinux);
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const reading = this.#readModule(name);
    this.#read.set(name, reading);
    return reading;
  }

  async #readModule(name: string): Promise<ShippedObject> {
    const bytes = await readModule(this.#kernel, name);
    try {
      return shippedModule(name, readElf(bytes));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new LivegraftError(moduleCorrupt({ path: `${name}.ko of ${this.#kernel.name}`, problem: error.message }));
    }
  }

  buildIdOf(name: string): string {
    if (name === 'vmlinux') return this.image.buildId;
    return this.modules.find((module) => module.name === name)?.buildId ?? '';
  }

  /** True for names that a module of this kernel, loadable or built in, has already. */
  hasModule(name: string): boolean {
    return this.#builtins.has(name) || this.modules.some((module) => module.name === name);
  }

  /** Where code of a klp object finds what it does not bring along. */
  async spaceFor(name: string): Promise<SymbolSpace> {
    const needed = name === 'vmlinux' ? [] : resolveModules(this.#kernel.name, this.modules, this.#builtins, [name]);
    return {
      vmlinux: this.vmlinux,
      own: await this.object(name),
      exports: this.image.exports,
      module: (other) =>
        this.modules.some((module) => module.name === other) ? this.object(other) : Promise.resolve(undefined),
      dependencies: new Set(needed.map((module) => module.name)),
    };
  }
}
