/* The sheet of a prediction: what is asked, and once the reader has committed what is told. It knows no answer before:
   Python sends that afterwards (teach/predict.py says what, and when). */
import { h, make, patch, themed } from "./dom.js";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const GONE = "The kernel of this question has gone: nobody is there to answer. Run the cell again for a new one.";
const TASKS = {
  number: "Choose a number, or type another.", choice: "Choose one.", order: "Choose an order, or type another.",
  entry: "Click an entry on the left.", line: "Click a line on the left.",
};
const OTHER = { number: "another number", order: "another order of pages" };
const MARKS = { write: "write", "page out": "out", read: "read", free: "free" }; // what a program does with a page
const TAKEN = /^(Arrow.*|Enter| |Home|End)$/; // keys that work the sheet, and not JupyterLab's cells

let sheets = 0;

const button = (act, look, ...children) => h("button.btn", { type: "button", "data-act": act, class: look }, ...children);
const colours = (page) => `--c:var(--e${page % 5});--i:var(--i${page % 5})`;
const chip = (page) => h("span.number", { style: colours(page) }, String(page));
const sized = (size) => (size === "zeros" ? "zeros" : `${size} B`);
const plain = (label) => label.replace(/^(line \d+):.*|\.$/, "$1");

class Sheet {
  constructor(model, element) {
    Object.assign(this, { model, name: `zswaplab-sheet-${(sheets += 1)}` });
    this.root = make(h(".zswaplab-player.sheet", { role: "group" }));
    element.classList.add("zswaplab-player-host");
    element.append(this.root);
    this.dress();
    this.listen();
    this.draw();
  }

  /* The style sheet, which is there once for all of them. */
  dress() {
    const place = this.root.getRootNode();
    const home = place === document ? document.head : place;
    if (!home.querySelector("style[data-zswaplab-sheet]"))
      home.append(make(h("style", { "data-zswaplab-sheet": true }, STYLE)));
  }

  listen() {
    const unthemed = themed(this.root);
    const told = () => this.heard();
    this.model.on("change:told", told);
    const key = (event) => this.key(event);
    window.addEventListener("keydown", key, true); // before any of JupyterLab's
    this.root.addEventListener("click", ({ target }) => this.click(target.closest("[data-act]")));
    this.root.addEventListener("input", ({ target }) => this.chosen(target));
    this.root.addEventListener("submit", (event) => this.commit(event));
    this.close = () => {
      unthemed();
      window.removeEventListener("keydown", key, true);
      this.model.off("change:told", told);
    };
  }

  /* ---------------------------------------------------------------- what the reader does */

  key(event) {
    if (!this.root.contains(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (TAKEN.test(event.key)) event.stopPropagation();
  }

  click(pressed) {
    const { act } = pressed?.dataset ?? {};
    if (act === "copy") this.copy();
    if (act === "show" || act === "play") this.model.send({ [act]: true });
  }

  chosen(target) {
    if (target.type === "text") {
      const other = this.root.querySelector("[value=other]");
      if (other) other.checked = true;
    }
    if (target.value === "other") this.root.querySelector("[type=text]").focus();
    this.drawButtons();
  }

  /* What is chosen: a letter, a number, or what was typed; nothing if nothing is. */
  get choice() {
    const picked = this.root.querySelector("[type=radio]:checked")?.value;
    return picked === "other" ? this.root.querySelector("[type=text]").value.trim() : picked;
  }

  commit(event) {
    event.preventDefault();
    if (this.choice) this.model.send({ answer: this.choice });
  }

  async copy() {
    const { line } = this.model.get("told");
    try {
      await navigator.clipboard.writeText(line);
      this.copied = "copied";
    } catch {
      getSelection().selectAllChildren(this.root.querySelector(".mine code"));
      this.copied = "selected: copy it with the keyboard";
    }
    this.draw();
  }

  heard() {
    this.draw();
    this.root.querySelector(".verdict")?.focus({ preventScroll: true });
  }

  /* ---------------------------------------------------------------- what is drawn */

  draw() {
    const v = { asked: this.model.get("asked"), told: this.model.get("told") };
    v.over = Boolean(v.told.over);
    v.open = !v.over;
    v.tried = v.told.tried ?? [];
    this.root.setAttribute("aria-label", `Prediction ${v.asked.id}`);
    patch(this.root, [
      h(".bar", h("b", "Predict first"), h("span.count", `prediction ${v.asked.id}`),
        h("span.what", h("b", v.asked.kernel.replace(/^The kernel: /, "").replace(/\.$/, "")), v.asked.limits)),
      h(".say", { class: `say ${v.told.right === false && v.over ? "" : "ask"}`, role: "status" }, this.sentence(v)),
      h("form.body", h(".left", this.left(v)), h(".right", this.right(v))),
      h(".foot", h("span", "Nothing is scored. Nothing leaves this page unless you copy it."),
        h("span.keys", h("span.bare", h("kbd", "Tab"), "to the options"), h("span", h("kbd", "↑ ↓"), "choose"),
          h("span", h("kbd", "Enter"), "commit"))),
    ]);
    this.drawButtons();
  }

  drawButtons() {
    const commit = this.root.querySelector("[data-act=commit]");
    if (commit) commit.disabled = !this.choice;
  }

  sentence({ asked, told, over, tried }) {
    if (!tried.length && !over) return asked.text;
    const mine = tried.length > 0 && ["You said ", h("b", plain(tried.at(-1))), ". "];
    if (told.right) return [mine, "So does the kernel."];
    if (over) return [mine, "The kernel: ", h("b", plain(told.label)), "."];
    return [mine, "Not here. You have another try; the first is what counts."];
  }

  left(v) {
    if (v.asked.kind === "line") return [this.source(v), this.words(v)];
    return [this.chart(v), this.words(v)];
  }

  /* What happens, in words. */
  words({ asked, told, tried, over }) {
    const cpus = asked.cpus.map((task, cpu) => h("p", h("b", `CPU ${LETTERS[cpu]}: `), task));
    return [
      (tried.length > 0 || over) && h("p.again", { key: "question" }, h("b", "The question. "), asked.text),
      h("p.work", { key: "work" }, h("b", "In words. "), `${asked.work.join(", ")}.`,
        asked.covered && " What comes then is covered until you have answered."),
      cpus.length > 0 && h(".tasks", { key: "tasks" }, h("p.dim", "Then, at once:"), cpus),
    ];
  }

  /* Every page with what the program does to it, one column for each operation; an entry can be clicked. */
  chart(v) {
    const { asked, told, over } = v;
    const steps = asked.work.map((line) => line.match(/^(\D+?)(?: (\d+))?(?: zeros)?$/).slice(1));
    const used = new Set(steps.map(([, page]) => Number(page)));
    const asks = asked.kind === "entry";
    let pages = asked.sizes.filter(([page]) => (asks ? asked.entries.includes(page) : used.has(page)));
    const sorted = asks && over;
    if (sorted) pages = told.order.map((page) => pages.find(([one]) => one === page)).filter(Boolean);
    const at = (step) => `left:${((step + 0.5) / steps.length) * 100}%`;
    const worker = steps.flatMap(([verb], step) => (verb === "worker" ? [step] : []));
    const marks = (page) => steps.flatMap(([verb, of], step) => Number(of) === page && MARKS[verb]
      ? [h("i", { class: MARKS[verb], style: at(step), title: `${verb} ${page}` })] : []);
    const label = sorted ? ["The same, as the LRU has them", "head at the top, tail at the bottom"]
      : [asks ? `The ${pages.length} entries in zswap` : "What the program does", "by page number"];
    return h("section", { key: `${sorted ? "sorted" : "chart"} ${told.tried?.length}` },
      h(".h", h("b", label[0]), h("span", label[1]),
        h("span.legend", h("i.write"), "written ", h("i.out"), "paged out ", h("i.read"), "read ", h("i.free"), "given up",
          worker.length > 0 && [h("i.worker"), " shrink worker"])),
      h(".rows", pages.map(([page, size]) => this.row(v, page, [
        chip(page), h("span.size", sized(size)),
        h("span.track", { "aria-hidden": "true" }, worker.map((step) => h("i.worker", { style: at(step) })), marks(page)),
      ]))));
  }

  /* A row of the chart: where entries are clicked it is an answer. */
  row({ asked, told, open, over }, page, cells) {
    const whose = over && [page === told.answer && "kernel", page === told.chosen && "you"].filter(Boolean);
    const tag = whose && whose.length > 0 && h("span.tag", whose.join(", "));
    const look = `row ${whose ? whose.join(" ") : ""}`;
    if (asked.kind !== "entry" || !open) return h("div", { class: look, key: `page ${page}` }, cells, tag);
    const was = told.tried?.includes(`page ${page}`);
    return h("label", { class: look, key: `page ${page}` }, this.radio(page, was, `page ${page}`), cells);
  }

  /* The lines of the function that is asked about; each is an answer. */
  source({ asked, told, open, over }) {
    const [name, ...lines] = asked.source;
    return h("section", { key: `source ${open} ${told.tried?.length}` }, h(".h", h("b", name), h("span", "in the model, as this kernel has it")),
      h(".code", lines.map((text, index) => {
        const line = index + 1;
        const whose = [over && line === told.answer && "kernel", line === told.chosen && "you"].filter(Boolean);
        const shown = [h("span.no", String(line)), h("code", text || " "),
          whose.length > 0 && h("span.tag", whose.join(", "))];
        const look = `row ${whose.join(" ")}`;
        const was = told.tried?.some((label) => label.startsWith(`line ${line}:`));
        return open ? h("label", { class: look, key: line }, this.radio(line, was, `line ${line}: ${text.trim()}`), shown)
          : h("div", { class: look, key: line }, shown);
      })));
  }

  radio(value, disabled, label) {
    return h("input", { type: "radio", name: this.name, value: String(value), disabled, "aria-label": label });
  }

  right(v) {
    const { told, open, tried } = v;
    return [
      tried.length > 0 && this.verdict(v),
      open && this.question(v),
      !open && this.reasons(v),
      (tried.length > 0 || !open) && h(".card", { key: "acts" },
        h(".acts", ((told.step ?? null) !== null || !open) && button("play", "go",
          (told.step ?? null) !== null ? "Play mine against the kernel’s" : "Play it"),
        told.line && button("copy", "", "Copy my line"), this.copied && h("span.dim", { role: "status" }, this.copied)),
        told.line && h("p.mine.dim", "What is copied: ", h("code", told.line))),
    ];
  }

  question({ asked, tried }) {
    const clicked = asked.kind === "entry" || asked.kind === "line";
    const letter = (index) => (clicked ? plain(asked.options[index]) : LETTERS[index]);
    const options = asked.options.map((label, index) => h("label.option", { key: label },
      this.radio(letter(index), tried.includes(label), null), !clicked && h("kbd", LETTERS[index]), h("span", label)));
    const other = OTHER[asked.kind] && h("label.option", { key: "other" }, this.radio("other", false, null),
      h("span", OTHER[asked.kind]),
      h("input", { type: "text", "aria-label": OTHER[asked.kind], autocomplete: "off", size: asked.kind === "order" ? 16 : 6 }));
    return h(".card.q", { key: `try ${tried.length}` },
      h("h3", tried.length ? "Your second try" : TASKS[asked.kind]),
      tried.length > 0 && h("p.dim", TASKS[asked.kind]),
      h(".options", { role: "group", "aria-label": "Options" }, options, other),
      h(".acts", h("button.btn.go", { type: "submit", "data-act": "commit" }, "Commit"),
        button("show", "", "Just show me")),
      this.problem());
  }

  problem() {
    const { problem } = this.model.get("told");
    return problem && h("p.problem", { role: "alert" }, problem);
  }

  /* What is said of the last try: which rule is behind it, and where that one is right. */
  verdict({ told, tried }) {
    const rules = told.rules.map(([rule, right]) => [
      h("h3", `“${plain(rule)}”`, h("small", "a rule that is not this kernel’s")),
      h("p", h("b", "Where it is right. "), right)]);
    const said = told.right ? h("p", told.reason) : rules.length > 0 ? rules : h("p", told.reason);
    const parts = (told.step ?? null) !== null && h("p.dim", `On the same work it parts from the kernel at step ${told.step}.`);
    return h(".card.verdict", { key: "verdict", tabindex: -1 }, h("h3", told.right ? "Right" : `You: ${plain(tried.at(-1))}`),
      said, parts);
  }

  reasons({ told, tried }) {
    const marked = (label) => [label === told.label && "kernel", tried.includes(label) && "you"].filter(Boolean).join(", ");
    return h(".card", { key: "reasons" }, h("h3", "Every option, and why"), h("dl", told.reasons.map(([label, reason]) => [
      h("dt", { class: label === told.label ? "kernel" : "" }, label, marked(label) && h("span.tag", marked(label))),
      h("dd", reason)])));
  }
}

function render({ model, el }) {
  const sheet = new Sheet(model, el);
  return () => sheet.close();
}

export default { render, gone: GONE };
