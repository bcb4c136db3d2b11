// Buttons at the chains of a lecture's page. Python is loaded by a worker at the first click, and by nothing else.
"use strict";
(() => {
const { topic } = document.currentScript.dataset;
const HERE = new URL(".", document.currentScript.src);
const PATIENCE = 2000;  // ms, for a computation that was told to stop
if (location.protocol === "file:" || !window.Worker || !window.DecompressionStream) return;  // the page stays as it is

const make = (tag, of = {}, ...inside) => {
  const node = Object.assign(document.createElement(tag), of);
  node.append(...inside);
  return node;
};
const button = (words, onclick) => make("button", { type: "button", textContent: words, onclick });

// ------------------------------------------------------------------------------------------------ Python

let worker = null, interrupt = null, number = 0, known = null;
const waiting = new Map();

function ask(what, ...given) {
  return new Promise((resolve, reject) => {
    if (!worker) start();
    waiting.set(++number, { resolve, reject });
    worker.postMessage({ number, what, given });
  });
}

function start() {
  // from a blob: such a worker inherits the page's Content-Security-Policy, one from an address has only its own headers'
  const source = `import ${JSON.stringify(new URL(`worker.js?topic=${topic}`, HERE).href)};`;
  worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
  worker.onmessage = ({ data }) => {
    const one = waiting.get(data.number);
    waiting.delete(data.number);
    document.documentElement.dataset.pythonMiB = Math.round(data.memory / 2 ** 20);
    if (one) data.error ? one.reject(new Error(data.error)) : one.resolve(JSON.parse(data.answer));
  };
  worker.onerror = (event) => end(`Python has not started: ${event.message || "its files are not there"}`);
  if (window.crossOriginIsolated) {  // where the server's headers allow it, a computation stops without a new start
    interrupt = new Uint8Array(new SharedArrayBuffer(1));
    worker.postMessage({ interrupt });
  }
}

function stop() {
  if (!interrupt) return end("stopped");
  const last = number;
  interrupt[0] = 2;  // SIGINT
  setTimeout(() => { if (waiting.has(last)) end("stopped"); }, PATIENCE);
}

function end(words) {
  worker?.terminate();  // takes Python with it; the next run loads it from the browser's cache
  worker = interrupt = null;
  for (const { reject } of waiting.values()) reject(new Error(words));
  waiting.clear();
}

const chains = () => (known ??= ask("chains", topic).catch((error) => { known = null; throw error; }));

// ------------------------------------------------------------------------------------------------ a chain

function shown(verdict, line) {
  const held = line.passed;
  return make("p", { className: `verdict ${held ? "held" : "failed"}`, innerHTML: `<b>${held ? "✓" : "✗"}</b> ${line.words}` });
}

function failure(answer) {
  return make("p", { className: "verdict failed", innerHTML: `<b>✗</b> ${answer.error}` });
}

class ChainOnPage {
  constructor(part) {
    this.part = part;
    this.number = part.id.replace("part-", "");
    this.title = part.querySelector("h3").innerText.trim().replace(/\s+/g, " ");
    this.equations = part.querySelector(".equations");
    this.rows = this.split();
    this.state = make("span", { className: "state" });
    this.state.setAttribute("role", "status");
    this.stop = button("Stop", stop);
    this.stop.hidden = true;
    this.buttons = [button("Run", () => this.run()), button("Change a line", () => this.change())];
    if (part.classList.contains("chain")) this.buttons.push(button("Hide the lines", () => this.hide()));
    this.bar = make("div", { className: "in-the-page" }, ...this.buttons, this.stop, this.state);
    this.bar.setAttribute("role", "group");
    this.bar.setAttribute("aria-label", `Run this derivation: ${this.title}`);
    this.panel = make("div", { className: "in-the-page panel", hidden: true });
    this.equations.after(this.bar, this.panel);
  }

  // the nodes of every line: its equation, its reason, its mistakes
  split() {
    const rows = [];
    for (const node of this.equations.children) {
      if (node.classList.contains("equation")) rows.push([]);
      rows.at(-1)?.push(node);
    }
    return rows;
  }

  // what is asked of Python, with words while it works; undefined if it was stopped or has failed
  async asked(doing) {
    for (const one of this.buttons) one.disabled = true;
    this.stop.hidden = false;
    this.state.textContent = worker ? "running ..." : "loading Python and SymPy (about 30 MB, once) ...";
    try {
      const found = await doing();
      const { pythonMiB } = document.documentElement.dataset;
      this.state.textContent = found.seconds === undefined ? "" : `${found.seconds.toFixed(1)} s, ${pythonMiB} MiB of memory`;
      return found;
    } catch (error) {
      this.state.textContent = error.message;
    } finally {
      for (const one of this.buttons) one.disabled = false;
      this.stop.hidden = true;
    }
  }

  async run() {
    this.part.querySelectorAll(".equations .verdict, .in-the-page > .verdict").forEach((node) => node.remove());
    const found = await this.asked(() => ask("run", topic, this.number));
    if (!found) return;
    if (found.error) return this.bar.append(failure(found));
    const rows = this.part.classList.contains("chain") ? this.rows.slice(1) : this.rows;
    found.lines.forEach((line, k) => rows[k][0].append(shown(found, line)));
  }

  close() {
    for (const node of this.rows.flat()) node.hidden = false;
    this.panel.hidden = true;
    this.panel.replaceChildren();
  }

  closing(words) { return button(words, () => { this.close(); this.buttons[0].focus(); }); }

  async change() {
    this.close();
    const all = await this.asked(chains);
    if (!all) return;
    const { source } = all[this.number];
    if (!source) return void (this.state.textContent = "its lines are written in a loop: there is no statement to change");
    const text = field(source, Math.min(24, source.split("\n").length + 1), "The statement of this derivation");
    const verdicts = make("div", { className: "verdicts" });
    const attempt = async () => {
      const found = await this.asked(() => ask("edited", topic, text.value));
      if (!found) return;
      verdicts.replaceChildren(...(found.error ? [failure(found)] : found.lines.map((line) => make(
        "div", {}, make("div", { className: "eq", innerHTML: line.claim }), shown(found, line)))));
    };
    const restore = button("Restore", () => { text.value = source; text.focus(); });
    this.open(make("p", { className: "help", textContent: "The source of these lines. Change one and try it." }), text,
      make("div", {}, button("Try", attempt), restore, this.closing("Close")), verdicts);
    submitting(text, attempt);
  }

  open(...nodes) {
    this.panel.replaceChildren(...nodes);
    this.panel.hidden = false;
    this.panel.querySelector("textarea").focus();
  }

  async hide() {
    this.close();
    this.part.querySelectorAll(".equations .verdict").forEach((node) => node.remove());
    for (const node of this.rows.slice(1).flat()) node.hidden = true;
    const names = await this.asked(() => ask("names", topic));
    if (!names) return this.close();
    const last = this.rows.length - 1, soFar = [];
    let reached = 0;  // the lecture's line that is on the page, or that a reader's line equals
    const text = field("", 2, "The next line, as an expression");
    const yours = make("div", { className: "yours" }), verdicts = make("div", { className: "verdicts" });
    const reveal = (line) => {
      for (const node of this.rows.slice(1, line + 1).flat()) node.hidden = false;
      reached = Math.max(reached, line);
      if (reached >= last) this.state.textContent = "this was the last line";
    };
    const check = async () => {
      const found = await this.asked(() => ask("written", topic, this.number, JSON.stringify(soFar), text.value));
      if (!found) return;
      if (found.error) return verdicts.replaceChildren(failure(found));
      const [line] = found.lines;
      verdicts.replaceChildren(shown(found, line));
      if (!line.passed) {
        const mistake = found.mistake && `a known mistake: ${found.mistake}`;
        return verdicts.append(...(mistake ? [make("p", { className: "help", innerHTML: mistake })] : []));
      }
      soFar.push(text.value);
      text.value = "";
      if (found.line) reveal(found.line);
      else yours.append(make("div", { className: "eq", innerHTML: line.claim }));
      const words = found.done ? "It is the result." : found.line ? `It is line ${found.line} of the lecture.`
        : "It follows, in another form than the lecture's lines.";
      verdicts.append(make("p", { className: "help", textContent: words }));
    };
    const next = button("Show the next line", () => {
      if (reached < last) { reveal(reached + 1); soFar.push(reached); yours.replaceChildren(); }
    });
    const rows = names.symbols.map(([name, formula]) => make("tr", {}, make("td", {}, make("code", { textContent: name })),
      make("td", { innerHTML: formula })));
    const table = make("details", {}, make("summary", { textContent: "Names that you can use" }), make("table", {}, ...rows),
      make("p", {}, ...names.operations.flatMap((name) => [make("code", { textContent: name }), " "])));
    this.open(make("p", { className: "help", innerHTML: "Write what comes next, as an expression that equals the line above: "
      + "<code>log(evidence)</code>. Where the next line is an inequality, write it whole: <code>at_least(expression, "
      + "\"why\", dropping=what is left out)</code>, or <code>at_most(..., adding=...)</code>." }),
    yours, text, make("div", {}, button("Check", check), next, this.closing("Show all")), verdicts, table);
    submitting(text, check);
  }
}

function field(value, rows, label) {
  const text = make("textarea", { value, rows, spellcheck: false, autocapitalize: "off" });
  text.setAttribute("aria-label", `${label}; Ctrl and Enter try it`);
  return text;
}

// Ctrl+Enter tries; Tab leaves the field, as everywhere on the page
function submitting(text, attempt) {
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); attempt(); }
  });
}

for (const part of document.querySelectorAll(".part.chain[id], .part.lemma[id]")) new ChainOnPage(part);
})();
