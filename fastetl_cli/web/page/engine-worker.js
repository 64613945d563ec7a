// The exported model in this browser. Only a static folder holds the two files that this needs.

import * as ort from "./ort.wasm.bundle.min.js";

ort.env.wasm.numThreads = 1; // more need headers that few web hosts send
// The bundle holds its own loader; a path as text would make it look for that in a file.
ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", import.meta.url).href };

const session = ort.InferenceSession.create(new URL("kana.onnx", import.meta.url).href, {
  executionProviders: ["wasm"],
});

self.onmessage = async ({ data: { number, pictures, side } }) => {
  let fatal = true;
  try {
    const network = await session;
    fatal = false;
    const count = pictures.length / side ** 2;
    const image = new ort.Tensor("uint8", pictures, [count, 1, side, side]);
    const { probabilities: tensor } = await network.run({ image }, ["probabilities"]);
    const probabilities = Float32Array.from(tensor.data);
    self.postMessage({ number, probabilities }, [probabilities.buffer]);
  } catch (error) {
    self.postMessage({ number, error: String(error?.message ?? error), fatal });
  }
};
