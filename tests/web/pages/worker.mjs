// SPDX-License-Identifier: MIT
// A worker that answers with what diagnose() says in it, after it has added one to what memory it was sent.
onmessage = async ({ data }) => {
  if (data) {
    const words = new Int32Array(data);
    Atomics.add(words, 0, 1);
    Atomics.notify(words, 0);
  }
  const { diagnose } = await import('/src/diagnose.mjs');
  postMessage({ isolated: crossOriginIsolated, diagnosis: await diagnose() });
};
