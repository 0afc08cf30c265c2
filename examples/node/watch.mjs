// SPDX-License-Identifier: MIT
// watch.mjs: shows what simulate.c computes, and pushes the swing.
//
//   simulate & node watch.mjs
import { TernError, openRegion } from '../../wasm/node/index.mjs';

const PUSH = 1, STOP = 2;

/** The simulation may not have made it yet; after ten seconds it will not. */
async function whenThere(open) {
  for (let tries = 0; ; tries++) {
    try {
      return open();
    } catch (error) {
      const early = error instanceof TernError && ['TERN_ERR_NOT_FOUND', 'TERN_ERR_NOT_READY'].includes(error.code);
      if (!early || tries === 1000) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
  }
}

const region = await whenThere(() => openRegion('example-swing'));
const frames = await whenThere(() => region.tripleReader('frames'));
const commands = await whenThere(() => region.ringProducer('commands'));

/** A command is two doubles. */
const send = (what, value) => commands.pushAsync(new Uint8Array(Float64Array.of(what, value).buffer));

// Node does other things meanwhile: nothing below blocks it
let ticks = 0;
const timer = setInterval(() => { ticks++; }, 5);

let shown = 0, before = 0, pushed = false;
for await (const bytes of frames) {
  // a view on the shared bytes, whole and unchanged until the next turn of this loop
  const [step, angle, speed, energy] = new Float64Array(bytes.buffer, bytes.byteOffset, 4);
  if (step <= before) throw new Error(`step ${step} after ${before}`);
  before = step;
  if (shown++ % 50 === 0) {
    const degrees = (angle * 180 / Math.PI).toFixed(1);
    console.log(`step ${step}: ${degrees} degrees, speed ${speed.toFixed(2)}, energy ${energy.toFixed(3)}`);
  }
  if (shown === 100) await send(PUSH, 1.5);
  if (energy > 0.5) pushed = true;              // far more than it began with: our push has arrived
  if (shown >= 200 && pushed) await send(STOP, 0);
}
clearInterval(timer);
console.log(`watch: ${shown} frames shown, ${frames.dropped} dropped, the last is ${frames.frame}, ${ticks} ticks`);
if (frames.frame !== before || !pushed) process.exitCode = 1;
await region.close();
