// SPDX-License-Identifier: MIT
// frames.test.mjs: triple buffers between a native process and Node, in both directions, and the death of either.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRegion } from '../../wasm/node/index.mjs';
import { HANG, TIMES, fails, fill, isWhole, kid, newName, newRegion, peer } from './harness.mjs';

const FRAMES = 100_000 * TIMES;
const FRAME = { bufferSizeBytes: 4096 };

/** See frames until the writer closes. */
async function see(reader) {
  let seen = 0, torn = 0, backwards = 0, last = 0;
  for await (const frame of reader) {
    seen++;
    if (reader.frame <= last) backwards++;
    last = reader.frame;
    if (!isWhole(frame, last)) torn++;
  }
  return { seen, torn, backwards, last };
}

test(`Node reads ${FRAMES} frames of a native writer, and its timers go on`, HANG, async (t) => {
  const region = newRegion(t);
  const reader = region.tripleReader('frames', FRAME);
  let ticks = 0, longest = 0, before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
    ticks++;
  }, 2);
  const began = performance.now();
  const writer = peer(t, 'write', region.name, 'frames', FRAMES);
  const { seen, torn, backwards, last } = await see(reader);
  clearInterval(timer);
  const { status, last: published } = await writer.answer;
  const took = Math.round(performance.now() - began);
  t.diagnostic(`${seen} seen, ${reader.dropped} dropped, ${ticks} ticks in ${took} ms, `
    + `at most ${longest.toFixed(1)} ms apart`);
  assert.deepEqual({ torn, backwards, status, published },
    { torn: 0, backwards: 0, status: 'TERN_OK', published: FRAMES });
  assert.equal(last, FRAMES);
  assert.equal(seen + reader.dropped, FRAMES);
  assert.ok(ticks > 10, `the timer came ${ticks} times while ${seen} frames were read`);
  assert.equal(reader.status(), 'TERN_ERR_CLOSED');
  assert.deepEqual(region.objects().map(({ name, type, status: state }) => [name, type, state]),
    [['frames', 'triple', 'TERN_OK']]);
});

test(`a native reader sees frames that Node writes, to the last of ${FRAMES}`, HANG, async (t) => {
  const region = newRegion(t);
  const writer = region.tripleWriter('frames', FRAME);
  const reader = peer(t, 'read', region.name, 'frames');
  await reader.ready;
  for (let n = 1; n <= FRAMES; n++) {
    fill(writer.back, n);
    writer.publish();
  }
  assert.equal(writer.frame, FRAMES);
  writer.close();
  const { status, count, wrong, last } = await reader.answer;
  t.diagnostic(`${count} of ${FRAMES} frames seen`);
  assert.deepEqual({ status, wrong, last }, { status: 'TERN_ERR_CLOSED', wrong: 0, last: FRAMES });
  assert.ok(count > 1, `${count} frames seen`);
});

test('timers tick while a wait is pending, and the wait ends with the frame', HANG, async (t) => {
  const region = newRegion(t);
  const writer = region.tripleWriter('frames', FRAME);
  const other = openRegion(region.name);
  const reader = other.tripleReader('frames');
  const wait = reader.nextFrame();
  await fails(() => reader.update(), 'TERN_ERR_STATE');
  await new Promise((resolve) => {
    let ticks = 0;
    const timer = setInterval(() => { if (++ticks === 100) { clearInterval(timer); resolve(); } }, 1);
  });
  const word = new Int32Array(region.buffer, region.objects()[0].offset + 128, 1);
  assert.equal(Atomics.load(word, 0) & 0x80, 0x80, 'SLEEP: it sleeps on the word and does not look again and again');
  fill(writer.back, 1);
  writer.publish();
  assert.ok(isWhole(await wait, 1));
  await fails(reader.nextFrame(20), 'TERN_ERR_TIMEOUT');
  assert.equal(reader.front[0], 1, 'a wait that ends without a frame leaves the one in front');
  await other.close();
});

test('a region that C made is opened, and looked at without being a peer', HANG, async (t) => {
  const name = newName();
  const maker = peer(t, 'make', name, 1 << 20);
  await maker.ready;
  const looking = openRegion(name, { readOnly: true });
  assert.equal(looking.peer, 0);
  assert.equal(looking.peers().length, 1);
  const [{ offset }] = looking.objects();
  await fails(() => looking.tripleReader('frames'), 'TERN_ERR_STATE');
  await fails(looking.wait(offset + 128, 0), 'TERN_ERR_STATE');
  const region = openRegion(name);
  const reader = region.tripleReader('frames');
  const front = await reader.nextFrame();
  assert.ok(isWhole(front, 1));
  assert.equal(front.buffer, region.buffer, 'no copy');
  // what is written where one only looks reaches nobody
  new Uint8Array(looking.buffer).fill(0xaa, front.byteOffset, front.byteOffset + front.length);
  assert.ok(isWhole(front, 1));
  await looking.close();
  await region.close();
  maker.say('end');
  assert.equal((await maker.answer).status, 'TERN_OK');
});

test('a native writer is killed: Node is told after the last frame, and reads its successor\'s', HANG, async (t) => {
  const region = newRegion(t);
  const reader = region.tripleReader('frames', FRAME);
  const writer = peer(t, 'hold', region.name, 'frames');
  let frame;
  do frame = await reader.nextFrame(); while (reader.frame < 3);
  assert.ok(isWhole(frame, 3));
  const wait = reader.nextFrame();
  await writer.kill();
  await fails(wait, 'TERN_ERR_PEER_DEAD', /frames/);
  assert.ok(isWhole(reader.front, 3));
  assert.equal(region.recover().outcome, 'repaired');
  const next = peer(t, 'write', region.name, 'frames', 5);
  // told once more if the successor has not opened its end yet
  for (;;) {
    try {
      await reader.nextFrame();
      if (reader.frame === 8) break;
    } catch (error) {
      assert.equal(error.code, 'TERN_ERR_PEER_DEAD');
    }
  }
  const { status, recovered } = await next.answer;
  assert.deepEqual({ status, recovered }, { status: 'TERN_OK', recovered: 1 });
  assert.ok(isWhole(reader.front, 8));
});

test('a Node writer is killed: the native reader is told, and Node takes the end over', HANG, async (t) => {
  const region = newRegion(t);
  region.tripleWriter('frames', FRAME).detach();
  const reader = peer(t, 'read', region.name, 'frames');
  const writer = kid(t, 'hold', region.name, 'frames');
  await writer.ready;
  await fails(() => region.tripleWriter('frames'), 'TERN_ERR_BUSY', /live process/);
  await writer.kill();
  const { status, wrong, last } = await reader.answer;
  assert.deepEqual({ status, wrong, last }, { status: 'TERN_ERR_PEER_DEAD', wrong: 0, last: 3 });
  const successor = region.tripleWriter('frames');
  assert.equal(successor.recovery.outcome, 'repaired');
  assert.equal(successor.frame, 3);
});
