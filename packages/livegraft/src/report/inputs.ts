/** What it was made of, and how anybody makes the same again: provenance of the units, the glue, the exact inputs, how to sign. */
import type { Manifest } from '../bundle/manifest.ts';
import { type Content, type Html, html } from './html.ts';

export function provenanceSection({ units, verified }: Manifest): Html {
  const apart = (functions: Readonly<Record<string, string>>, state: string): Content => {
    const names = Object.keys(functions).filter((name) => functions[name] === state);
    return names.map((name, i) => html`${i > 0 && ', '}<code>${name}</code>`);
  };
  const row = ({ source, object, proved: { equal, compared, functions = {} } }: Manifest['units'][number]): Html =>
    html`<tr><th scope="row"><code>${source}</code></th><td><code>${object}</code></td><td class="number">${equal}</td><td class="number">${compared}</td><td>${apart(functions, 'overridden')}</td><td>${apart(functions, 'start-up')}</td></tr>`;
  const checked =
    verified === undefined
      ? html`<p class="outcome bad">The finished module was not checked by the independent checker: this kernel has no BTF.</p>`
      : html`<p>The finished module was checked by code that did not make it: ${verified.instructions} instructions and ${verified.references} references of ${verified.functions} new functions mean what the patched source does${verified.undecided > 0 ? `; ${verified.undecided} references are left to the builder’s word` : ''}.</p>`;
  return html`<section id="provenance" aria-labelledby="provenance-heading"><h2 id="provenance-heading">Provenance</h2>
<p>Each file was compiled as shipped and compared with the shipped code, every function of it: all bytes outside of relocated fields, and what each field refers to. What another file overrides, and what runs only at start-up, stands apart.</p>${checked}
<div class="wide" role="region" aria-label="Files and their provenance" tabindex="0"><table class="list"><thead><tr><th scope="col">File</th><th scope="col">Object</th><th scope="col" class="number">Equal</th><th scope="col" class="number">Compared</th><th scope="col">Overridden</th><th scope="col">Start-up</th></tr></thead><tbody>${units.map(row)}</tbody></table></div></section>`;
}

export function glueSection(glue: string): Html {
  return html`<section id="glue" aria-labelledby="glue-heading"><h2 id="glue-heading">Glue</h2><p>The C that was compiled around the new code: what replaces what.</p><details class="inner"><summary><code>glue.c</code></summary><pre>${glue}</pre></details></section>`;
}

export function inputsSection(manifest: Manifest): Html {
  const { kernel, toolchain, patches, module, livegraft, name, replace, targets } = manifest;
  const patch = (each: Manifest['patches'][number]): Html =>
    html`<li><code>${each.name}</code>${each.size !== undefined && `, ${each.size} bytes`}, sha256 <code class="hash">${each.sha256}</code></li>`;
  const build = [
    `livegraft kernel fetch ${kernel.name}`,
    `livegraft build patch.diff --kernel ${kernel.name} --name ${name}${replace ? ' --replace' : ''}`,
    `livegraft verify ${name}`,
  ];
  const target = ({ object, buildId }: Manifest['targets'][number]): Html =>
    html`<li><code>${object}</code>, build-id <code class="hash">${buildId === '' ? 'none' : buildId}</code></li>`;
  return html`<section id="inputs" aria-labelledby="inputs-heading"><h2 id="inputs-heading">Inputs</h2>
<p>The same inputs give the same module and the same report, byte for byte, on any machine: <code>livegraft verify ${name}</code> builds from them again and compares.</p>
<dl class="facts"><dt>Kernel</dt><dd><code>${kernel.banner}</code></dd><dt>Build-id</dt><dd><code class="hash">${kernel.buildId}</code></dd><dt>Configuration</dt><dd>sha256 <code class="hash">${kernel.configHash}</code></dd>
<dt>Vermagic</dt><dd><code>${kernel.vermagic}</code></dd><dt>Targets</dt><dd><ul>${targets.map(target)}</ul></dd><dt>Compiler</dt><dd><code>${toolchain.compiler}</code></dd><dt>Linker</dt><dd><code>${toolchain.linker}</code></dd><dt>livegraft</dt><dd>${livegraft}</dd>
<dt>Patches</dt><dd><ul>${patches.map(patch)}</ul></dd><dt>Module</dt><dd><code>${module.file}</code>, ${module.size} bytes, build-id <code class="hash">${module.buildId}</code>, sha256 <code class="hash">${module.sha256}</code></dd>
<dt>Way</dt><dd>${replace ? 'replaces all livepatches that are loaded (atomic replace)' : 'goes on top of what is loaded'}</dd></dl>
<pre>${build.join('\n')}</pre></section>`;
}

export function signSection({ name }: Manifest): Html {
  return html`<section id="sign" aria-labelledby="sign-heading"><h2 id="sign-heading">Sign</h2>
<p>Who answers for it says so. The sign-off is about this report and every other file of the bundle, by one digest; any later change makes it stale, a new trial as well. <code>livegraft load --require-sign-off</code> refuses what nobody signed as it is.</p>
<pre>livegraft sign-off ${name} --by "Name &lt;mail&gt;" --verdict approved
livegraft sign-off ${name} --by "Name &lt;mail&gt;" --verdict rejected --comment "why"</pre></section>`;
}
