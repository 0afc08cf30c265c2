// SPDX-License-Identifier: MIT
// package_use_node.ts: the same as package_use_page.ts of what only Node has.
import { TernError, openRegion } from 'tern-shm/node';
import type { Region, TripleReader } from 'tern-shm/node';
import { serve } from 'tern-shm/serve';

async function native(): Promise<void> {
  const region: Region = openRegion('camera', { domain: 'server' });
  const frames: TripleReader = region.tripleReader('frames');
  for await (const frame of frames) console.log(frame.length satisfies number);
  const commands = region.ringProducer('commands', { itemSizeBytes: 4 });
  await commands.pushAsync(Uint8Array.of(1, 0, 0, 0), 100);
  // @ts-expect-error items are bytes here
  await commands.pushAsync([1, 2]);
  // @ts-expect-error a region has a name
  openRegion();
  await region.close();
}

async function server(): Promise<string> {
  const { url, close } = await serve({ folder: '.', coep: 'credentialless' });
  // @ts-expect-error no such policy
  await serve({ folder: '.', coep: 'none' });
  // @ts-expect-error a folder is needed
  await serve({ port: 8080 });
  await close();
  return url;
}

native().catch((error) => { if (!(error instanceof TernError)) throw error; });
void server();
