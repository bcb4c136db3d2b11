// What the browser loads:  node make.mjs PYODIDE SOURCES LIBRARIES OUT "TOPIC ..."
// SOURCES: book/, theory_jax/ and constants.json. LIBRARIES: SymPy and what else is imported. TOPIC: see packing.py.
import { pathToFileURL } from "url";
import fs from "fs";
import path from "path";
import zlib from "zlib";

const [folder, sources, libraries, out] = process.argv.slice(2, 6).map((name) => path.resolve(name));
const topics = process.argv[6];
const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")));

function copied(py, from, to) {
  py.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) copied(py, source, target);
    else py.FS.writeFile(target, new Uint8Array(fs.readFileSync(source)));
  }
}

const compiler = await loadPyodide({ indexURL: folder + "/" });
copied(compiler, path.join(sources, "book"), "/start/book");
copied(compiler, sources, "/sources");
copied(compiler, libraries, "/libraries");
compiler.runPython(`
import sys
sys.path.append("/start")
from book.in_the_page.packing import pack
pack("/sources", "/libraries")
`);

const py = await loadPyodide({ indexURL: folder + "/", _makeSnapshot: true });
fs.mkdirSync(path.join(out, "lectures"));
py.FS.mkdirTree("/lectures");
for (const name of ["packages.zip", ...compiler.FS.readdir("/lectures").filter((name) => name.endsWith(".zip")).map((name) => `lectures/${name}`)]) {
  const archive = compiler.FS.readFile(`/${name}`);
  fs.writeFileSync(path.join(out, name), archive);
  if (name !== "packages.zip") py.FS.writeFile(`/${name}`, archive);
}
py.unpackArchive(new Uint8Array(fs.readFileSync(path.join(out, "packages.zip"))), "zip", { extractDir: "/packages" });
py.globals.set("topics", topics);
py.runPython(`
import sys
sys.path.append("/packages")
from book.in_the_page import packing
packing.prepare(topics)
from book.in_the_page import runner
`);
const snapshot = py.makeMemorySnapshot();
fs.writeFileSync(path.join(out, "snapshot.bin"), zlib.gzipSync(snapshot, { level: 9 }));
