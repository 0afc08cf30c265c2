// SPDX-License-Identifier: MIT
// package_use_page.ts: what a page or a worker takes from tern-shm, for the compiler alone (js_package.test.mjs): every
// export is used rightly, and what stands behind @ts-expect-error is wrong.
import {
  Bell, LAYOUT_HASH, LAYOUT_VERSION, Memory, Pool, Region, Ring, Runtime, STATUS, STATUS_TEXT, StartError, Stream,
  TernError, Triple, TripleReader, TripleWriter, Views, canBlock, diagnose, handleGeneration, handleIndex, lowestBit,
  packHandle, statusName, statusText, unpackHandle, writeHandle,
} from 'tern-shm';
import type {
  BellDesc, Diagnosis, MemorySource, PoolDesc, Recovery, RegionDesc, RingConsumer, RingDesc, RingProducer,
  RuntimeOptions, RuntimeWorker, StreamConsumer, StreamDesc, StreamProducer, TripleDesc, WorkerScope,
} from 'tern-shm';
import { isolationHeaders } from 'tern-shm/headers';
import { isolate, unisolate } from 'tern-shm/isolate';

const buffer: MemorySource = new SharedArrayBuffer(1 << 20);
const memory: Memory = Memory.of(buffer);

async function ring(): Promise<number> {
  const desc: RingDesc = { itemSizeBytes: 8, capacityItems: 1024, waitable: true };
  const bytes: number = Ring.size(desc);
  Ring.format(new ArrayBuffer(bytes), 0, desc);
  const producer: RingProducer = Ring.producer(buffer, 0, { type: Float64Array });
  const pushed: boolean = producer.tryPush([1]) && producer.pushWait([2], 10) && await producer.pushAsync([3]);
  const consumer: RingConsumer = Ring.consumer(memory, 0, { type: Float64Array });
  let sum = 0;
  for await (const item of consumer) sum += item[0] ?? 0;
  producer.close();
  // @ts-expect-error items are numbers
  producer.tryPush('text');
  // @ts-expect-error a description has an item size
  Ring.size({ capacityItems: 8 });
  // @ts-expect-error BigInts are no elements
  Ring.consumer(buffer, 0, { type: BigInt64Array });
  // @ts-expect-error a promise, not a boolean
  const done: boolean = producer.pushAsync([1]);
  // @ts-expect-error a consumer does not push
  consumer.tryPush([1]);
  return pushed && done ? sum : producer.status;
}

async function stream(): Promise<string> {
  const desc: StreamDesc = { capacityBytes: 1 << 16 };
  Stream.format(memory, 0, desc);
  const producer: StreamProducer = Stream.producer(memory);
  producer.trySend(1, 'text');
  const consumer: StreamConsumer = Stream.consumer(memory);
  for await (const { kind, bytes } of consumer) if (kind === 1 && bytes.length > 0) break;
  // @ts-expect-error a kind is a number
  producer.trySend('kind', 'text');
  // @ts-expect-error there may be no record
  consumer.peekWait(10).text();
  return consumer.peek()?.text() ?? '';
}

async function triple(region: Region): Promise<Views | null> {
  const desc: TripleDesc = { bufferSizeBytes: 4096 };
  const writer: TripleWriter = Triple.openWriter(region, 'frames', desc);
  writer.back.f32.fill(1);
  const wasUnread: boolean = writer.publish();
  const reader: TripleReader = Triple.openReader(region, 'frames');
  if (wasUnread && reader.update()) for await (const frame of reader) return frame satisfies Views;
  // @ts-expect-error the reader's end does not publish
  reader.publish();
  // @ts-expect-error of a writer
  writer.front;
  return [writer, reader].some((end) => end instanceof TripleReader || end instanceof TripleWriter) ? null
    : new Views(memory, 0, 8);
}

function pool(region: Region, words: Uint32Array): bigint {
  const desc: PoolDesc = { itemSizeBytes: 16 };
  const items: Pool = Pool.open(region, 'items', desc);
  const item: Views | null = items.alloc();
  if (item) item.f64[0] = 0.5;
  writeHandle(words, 0, items.index, items.generation);
  // @ts-expect-error a handle is two numbers
  items.pin(items.index);
  // @ts-expect-error null if it is gone
  items.pin(1, 2).u8;
  const { index, generation } = unpackHandle(packHandle(handleIndex(words, 0), handleGeneration(words, 0)));
  items.free(index, generation);
  return packHandle(index, generation);
}

function bell(): number {
  const desc: BellDesc = { sources: 8 };
  Bell.format(memory, 0, desc);
  Ring.producer(memory).bind(Bell.ringer(memory), 3);
  // @ts-expect-error a bell is bound, not a ring
  Ring.producer(memory).bind(Ring.producer(memory), 3);
  return Bell.collector(memory).wait(10) ? lowestBit(8) : 0;
}

async function runtime(): Promise<void> {
  const region: RegionDesc = { sizeBytes: 1 << 20 };
  const options: RuntimeOptions = { script: './worker.mjs', workers: 2, region, mode: 'auto' };
  const running: Runtime = await Runtime.start(options);
  const worker: RuntimeWorker | undefined = running.workers[0];
  const answer: unknown = await worker?.call('sum', { to: 10 });
  const mode: 'threads' | 'single' = running.mode;
  // @ts-expect-error no such mode
  await Runtime.start({ script: './worker.mjs', mode: 'fast' });
  // @ts-expect-error a script is needed
  await Runtime.start({ workers: 2 });
  const recovery: Recovery | null | undefined = (await worker?.end())?.recovery;
  console.log(answer, mode, recovery?.pins);
}

export default function script(worker: WorkerScope): { ask: () => boolean } {
  worker.loop(() => 10);
  // @ts-expect-error only the runtime ends workers
  worker.end();
  return { ask: () => worker.canBlock && canBlock.valueOf() };
}

async function other(): Promise<string> {
  const diagnosis: Diagnosis = await diagnose({ worker: 'worker.mjs' });
  // @ts-expect-error no such cause
  if (diagnosis.causes.some(({ code }) => code === 'nothing')) return '';
  try {
    await Promise.all([ring(), stream(), runtime()]);
  } catch (error) {
    if (error instanceof StartError) return error.stage satisfies 'thread' | 'import' | 'setup';
    if (error instanceof TernError && error.status === STATUS.ERR_CLOSED) return error.code;
  }
  // @ts-expect-error no such status
  STATUS.ERR_NOTHING;
  const headers: Record<string, string> = isolationHeaders({ coep: 'credentialless' });
  // @ts-expect-error no such policy
  isolationHeaders({ coep: 'none' });
  const { isolated } = await isolate();
  const region = Region.attach(memory);
  console.log(headers, isolated, await unisolate(), await triple(region), pool(region, new Uint32Array(2)), bell());
  return statusName(-1) + statusText(-1) + STATUS_TEXT[-1] + LAYOUT_HASH.toFixed() + LAYOUT_VERSION.toFixed();
}

void other();
