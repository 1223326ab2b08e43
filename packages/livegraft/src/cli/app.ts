/** The commands, by name. Each is loaded when it is called. */
import { buildApplication, buildRouteMap } from '@stricli/core';
import { version } from '../version.ts';
import { blockers } from './commands/blockers.ts';
import { boot } from './commands/boot.ts';
import { buildBundle } from './commands/build.ts';
import { demo } from './commands/demo.ts';
import { diff } from './commands/diff.ts';
import { doctor } from './commands/doctor.ts';
import { disable, enable } from './commands/enable.ts';
import { journal } from './commands/journal.ts';
import { kernelAdd, kernelBank, kernelFetch, kernelList, kernelRemove, kernelShow } from './commands/kernel.ts';
import { load } from './commands/load.ts';
import { metrics } from './commands/metrics.ts';
import { quarantine } from './commands/quarantine.ts';
import { revert, unload } from './commands/revert.ts';
import { review } from './commands/review.ts';
import { signOff } from './commands/sign-off.ts';
import { list, status } from './commands/status.ts';
import { tryBundles } from './commands/try.ts';
import { verify } from './commands/verify.ts';
import { vm } from './commands/vm.ts';
import { wake } from './commands/wake.ts';
import { watch } from './commands/watch.ts';
import type { Context } from './context.ts';

const kernel = buildRouteMap<string, Context>({
  routes: {
    fetch: kernelFetch,
    add: kernelAdd,
    list: kernelList,
    show: kernelShow,
    bank: kernelBank,
    remove: kernelRemove,
  },
  docs: {
    brief: 'Kernels to build for: fetch, add, list, show, remove',
    fullDescription:
      'livegraft builds for kernels in its cache ($XDG_CACHE_HOME/livegraft): the shipped image, headers, modules and the exact source.\n\nExample: livegraft kernel fetch 6.1.0-55-amd64',
  },
});

export const app = buildApplication<Context>(
  buildRouteMap<string, Context>({
    routes: {
      kernel,
      build: buildBundle,
      diff,
      review,
      'sign-off': signOff,
      verify,
      try: tryBundles,
      vm,
      demo,
      doctor,
      load,
      revert,
      unload,
      enable,
      disable,
      boot,
      journal,
      quarantine,
      status,
      list,
      watch,
      blockers,
      wake,
      metrics,
    },
    docs: {
      brief: 'Fix a running Linux kernel without a reboot',
      fullDescription:
        'Turns a source patch into a livepatch module for the kernel that runs, proves it on that kernel in a virtual machine, and takes it back when asked.\n\nExample: livegraft kernel fetch 6.1.0-55-amd64\n         livegraft build fix.patch --kernel 6.1.0-55-amd64\n         livegraft try livegraft_fix',
    },
  }),
  {
    name: 'livegraft',
    versionInfo: { currentVersion: version },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
    documentation: { useAliasInUsageLine: false, disableAnsiColor: process.env['NO_COLOR'] !== undefined },
  },
);
