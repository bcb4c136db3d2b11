// Python in a worker, so that the page stays alive, and an endless computation can be stopped.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const at = (name) => new URL(name, import.meta.url).href;
const topic = new URL(import.meta.url).searchParams.get("topic");
const lecture = `lectures/${topic.replace("/", "_")}.zip`;
const PAGE_OF_WASM = 65536, AIR = 8 * 2 ** 20;

async function bytes(name) {
  const answer = await fetch(at(name));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

async function unpacked(name) {
  const stream = (await bytes(name)).body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Pyodide copies a snapshot into a memory that it has not grown to the snapshot's size, and fails: it is grown here
function growTo(size) {
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const own = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await own.apply(WebAssembly, given);
      const memory = (made.instance ?? made).exports?.memory;
      const lacking = memory ? size + AIR - memory.buffer.byteLength : 0;
      if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_OF_WASM));
      return made;
    };
  }
}

let python, stopping;

const ready = (async () => {
  const [snapshot, modules] = await Promise.all([
    unpacked("snapshot.bin"), bytes(lecture).then((answer) => answer.arrayBuffer()),
  ]);
  growTo(snapshot.length);
  python = await loadPyodide({ indexURL: at("pyodide/"), packageBaseUrl: at("pyodide/"), _loadSnapshot: snapshot });
  python.FS.mkdirTree("/lectures");
  python.FS.writeFile(`/${lecture}`, new Uint8Array(modules));
  const packing = python.pyimport("book.in_the_page.packing");
  packing.add(topic);
  // for a module that the snapshot lacks, in the middle of an import
  packing.late.fetch = () => {
    const request = new XMLHttpRequest();
    request.open("GET", at("packages.zip"), false);
    request.responseType = "arraybuffer";
    request.send();
    python.unpackArchive(request.response, "zip", { extractDir: "/packages" });
  };
  if (stopping) python.setInterruptBuffer(stopping);
  return python.pyimport("book.in_the_page.runner");
})();

self.onmessage = async ({ data: { number, what, given, interrupt } }) => {
  if (interrupt) {
    stopping = interrupt;
    if (python) python.setInterruptBuffer(stopping);
    return;
  }
  try {
    const runner = await ready;
    const answer = runner[what](...given);
    postMessage({ number, answer, memory: python._module.HEAPU8.length });
  } catch (error) {
    postMessage({ number, error: String(error).trim().split("\n").pop() });
  }
};
