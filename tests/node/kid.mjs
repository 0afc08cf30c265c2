// SPDX-License-Identifier: MIT
// kid.mjs: another Node process, to be killed or to end in one way or another; started by harness.mjs.
//
//   kid.mjs hold REGION NAME     publish three frames and stay
//   kid.mjs push REGION NAME     push a hundred items and stay
//   kid.mjs leave REGION HOW     take an end, and end: by itself, by process.exit(), with a wait pending, ...
//   kid.mjs maps REGION          open, close, forget: say what stays mapped
import { readFileSync, readdirSync } from 'node:fs';
import { openRegion } from '../../wasm/node/index.mjs';
import { fill } from './harness.mjs';

const [command, name, what] = process.argv.slice(2);
const say = (answer) => { console.log(JSON.stringify(answer)); };
const mapped = () => readFileSync('/proc/self/maps', 'utf8').split('\n').filter((line) => line.includes(name)).length;
const descriptors = () => readdirSync('/proc/self/fd').length;

/** Garbage is found, and its finalizers have run. */
async function collect() {
  for (let i = 0; i < 10; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
}

const commands = {
  hold() {
    const writer = openRegion(name).tripleWriter(what);
    for (let n = 1; n <= 3; n++) {
      fill(writer.back, n);
      writer.publish();
    }
    globalThis.kept = writer;
    setInterval(() => {}, 1000);
    console.log('ready');
  },

  push() {
    const producer = openRegion(name).ringProducer(what);
    globalThis.kept = producer;
    producer.tryPush(new Uint8Array(BigUint64Array.from({ length: 100 }, (_, i) => BigInt(i)).buffer));
    setInterval(() => {}, 1000);
    console.log('ready');
  },

  async leave() {
    const region = openRegion(name);
    globalThis.kept = region.ringConsumer('items');
    console.log('ready');
    const wait = what.includes('waiting') ? globalThis.kept.popAsync(new Uint8Array(8)) : Promise.resolve();
    wait.catch((error) => { say({ code: error.code }); });
    if (what.includes('exit')) setTimeout(() => { say({ code: 'exit' }); process.exit(0); }, 30);
    else if (what.includes('close')) setTimeout(() => { region.close(); }, 30);
    else say({ code: 'end' });
  },

  async maps() {
    console.log('ready');
    const before = descriptors();
    let region = openRegion(name);
    const buffer = { kept: region.buffer };
    const open = mapped();
    region = undefined;
    await collect();
    const withBuffer = [mapped(), new Uint8Array(buffer.kept)[0]];   // the bytes "TERN"
    buffer.kept = undefined;
    await collect();
    const forgotten = mapped();
    for (let i = 0; i < 200; i++) {
      const again = openRegion(name);
      again.ringConsumer('items');
      const pending = i % 10 === 0 ? again.wait(4096, 0).catch(() => {}) : undefined;
      await again.close();
      await pending;
    }
    const closed = mapped();
    let kept = openRegion(name).ringConsumer('items');               // the end keeps the region
    await collect();
    const withEnd = [mapped(), kept.tryPop(new Uint8Array(8))];
    kept = undefined;
    await collect();
    say({ open, withBuffer, forgotten, closed, withEnd, after: mapped(), descriptors: descriptors() - before });
  },
};

await commands[command]();
