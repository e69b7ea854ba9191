/* The player: the clock, what the reader does, the sheet on which everything is drawn. It decides nothing about zswap:
   scene.js has the run as data, drawing.js, time.js and report.js draw a moment of it, player.css has the looks. */
import { CPU, EVENTS, LEVELS, Run, plain } from "./scene.js";
import { Memory, SVG, h, make, patch, themed } from "./dom.js";
import { HEIGHTS, WHERE, WIDTH, breadth, counters, cpus, font, holders, listWithHolders, lists } from "./drawing.js";
import { measures, number, pages, plural, pool, poolOfEntries, px, sentence, shapeOf } from "./drawing.js";
import { chart, gutter, overlay } from "./time.js";
import { card, cpuLine, pictureOf } from "./report.js";

const PACES = [1, 2, 4, 8];
const PAUSE = 700; // milliseconds a stop is shown at pace 1
const PARTS = {
  curve: "timeline", pages: "pages", lru: "LRU", pool: "pool", counters: "counters", source: "source",
  holders: "who holds it",
};
const DETAIL = { story: "events only", steps: "every step", source: "every step, with more of the source" };
const ICONS = {
  first: "M4 3v10M13 3 6.5 8 13 13z", back: "M11.5 3 5 8l6.5 5z", play: "M5 2.5 13 8l-8 5.5z", pause: "M5 3v10M11 3v10",
  forward: "M4.5 3 11 8l-6.5 5z", last: "M12 3v10M3 3l6.5 5L3 13z",
  lecture: "M2 6V2.5h4M10 2.5h4V6M14 10v3.5h-4M6 13.5H2V10", picture: "M1.5 2.5h13v11h-13zM2 12l4-4 3 3 2-2 3 3",
};
export const icon = (name) =>
  h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: `icon-${name}` }, h("path", { d: ICONS[name] }));
export const doing = (act, attributes, ...children) =>
  h("button", { type: "button", "data-act": act, ...attributes }, ...children);

/* ---------------------------------------------------------------- keys and marks, explained under `?` */

const MARKS = [
  ["ring solid", "ringed: what the sentence is about"],
  ["ring dashed", "leaving: the one whose turn it is, in every drawing"],
  ["entry", "colour and number: the page whose entry it is, the same everywhere", "3"],
  ["ghost", "hatched: freed memory"],
  ["ram", "framed: the page is in RAM", "3"],
  ["also", "thin frame under it: zswap still has its entry, too", "3"],
  ["disk", "grey: only the swap device has the page", "3"],
  ["gone", "struck out: given up by the program", "3"],
  ["counted", "thick arrow: a reference that the refcount counts"],
  ["unprotected", "dashed arrow: a pointer that nothing counts"],
  ["hd", "dark edge of a pool page: the backend’s own header; grey: free room"],
  ["lit", "lit line: runs next; a step ends at each yield, where another CPU may run"],
  ["blocked", "hatched: waits for a lock; black bar under a block of a CPU’s lane: it holds one"],
  ["limit", "dashed line: full above it; dotted: accepts again below it"],
];
const KEYS = [
  ["← →", "back, forward, as far as the level of detail goes"], [", .", "one step back, forward, at every level"],
  ["Shift ← →", "an operation back, forward"], ["Home End", "first, last"], ["Space", "play, pause"],
  ["↑ ↓", "choose a field; Enter asks why it is so"], ["?", "this list"], ["Esc", "close what is open"],
];
const LETTERS = [
  ["S L E R F", "next store, load, written back, refused, fault; with Shift the one before"],
  ["C", "next level of detail"], ["1 2 3", "story, steps, source"], ["W", "why is the refcount so?"],
  ["P", "lecture mode"], ["N", "a note for this step"], ["T", "table"],
];

export const keys = (names) => names.split(" ").map((name) => h("kbd", name));
export const closing = (act) => doing(act, { class: "close", "aria-label": "close", title: "close (Esc)" }, "×");

function help() {
  const list = (entries) => entries.map(([names, does]) => h("div", keys(names), ` ${does}`));
  const sample = (look, text) => h("span.sample", { class: look, "aria-hidden": "true" }, text);
  return h(".card", h(".h", h("b", "Marks and keys"), closing("help")),
    h(".columns", h("div", MARKS.map(([look, says, text]) => h(".legend", sample(look, text), says))),
      h("div", list(KEYS), h(".letters", list(LETTERS),
        h(".dim", "Letters and digits work while the player has the focus, never otherwise.")))));
}

/* ---------------------------------------------------------------- why is it so? */

const FIELDS = {
  refcount: (whose) => `${whose}’s refcount`, linked: (whose) => `${whose}’s place in the tree`,
  offset: (whose) => `${whose}’s slot`, length: (whose) => `${whose}’s compressed bytes`,
  pool: (whose) => `${whose}’s pool`, value: (whose) => `the value that fills ${whose}`,
  page: (whose) => `whose entry ${whose} is`,
};

/* What a field is called, and a value of it. */
function fieldName({ state }, field) {
  const [kind, id, name] = field.split(" ");
  const page = state.names.get(Number(id));
  const whose = page === undefined || page === null ? "the entry" : `page ${page}`;
  const names = {
    entry: () => FIELDS[name](whose), lru: () => `${whose}’s place on the LRU`,
    "lru-page": () => `backend page ${state.pages.get(Number(id))?.number ?? "?"}’s place on the LRU`,
    object: () => `where ${whose}’s object lies`, counter: () => id, ram: () => `whether page ${id} is in RAM`,
    disk: () => `whether page ${id} is on disk`, size: () => "the pool’s size", full: () => "whether zswap is full",
    current: () => "the pool that new pages go to", out: () => "what steps out of the LRU",
  };
  return names[kind]();
}

function fieldValue({ state, pools }, field, value) {
  const [kind, , name] = field.split(" ");
  if (kind === "object" && value !== undefined) {
    const [key, first, units] = value.split(":").map(Number);
    const page = state.pages.get(key);
    const bytes = pools[page?.pool ?? 0].unit_bytes;
    return `page ${page?.number ?? "?"}, bytes ${number(first * bytes)} to ${number((first + units) * bytes - 1)}`;
  }
  if (value === undefined) return { object: "given back", entry: "no entry", lru: "not listed" }[kind] ?? "nothing";
  if (kind.startsWith("lru")) return value === "head" ? "put at the head" : "taken off";
  if (kind === "ram") return { present: "in RAM", swapped: "in swap", freed: "given up" }[value];
  if (typeof value === "boolean" || name === "linked") return value ? "yes" : "no";
  if (field === "size") return plural(value, "page");
  return typeof value === "number" ? number(value) : String(value ?? "nothing");
}

/* Who wrote a field, and the way to the step, to the write before it and to the next. */
export function answer({ run, why, step }) {
  const { field, write, writes } = why;
  const [at, before, after] = [write?.step, writes[writes.indexOf(write) - 1], run.nextWrite(field, step)];
  return h(".card",
    h(".h", h("b", "Why is it so?"), h("span.more", fieldName(run, field)),
      writes.length > 0 && h("span.tiny", `◆ ${plural(writes.length, "write")}`), closing("close")),
    finding(run, field, write),
    h(".acts",
      at >= 0 && at !== step && doing("seek", { class: "btn go", "data-step": at }, `Go to step ${at}`),
      doing("earlier", { class: "btn", disabled: !before }, "The one before"),
      doing("watch", { class: "btn", disabled: !after, title: "run on to the next step that writes it" },
        after ? "Run on until it changes" : "It changes no more")));
}

function finding(run, field, write) {
  if (!write) return h("p", "No step up to here has written it.");
  const now = write.to === undefined && field.startsWith("entry") ? "freed" : fieldValue(run, field, write.to);
  if (write.step < 0) return h("p", h("b", now), " before the first step: the machine held it already.");
  const { cpu, say } = run.steps[write.step];
  const then = write.from !== undefined && !field.startsWith("lru") && `${fieldValue(run, field, write.from)} → `;
  return [h("p", `step ${write.step}, CPU ${CPU[cpu]}: `, then, h("b", now)), h("p.dim", plain(say))];
}

/* ---------------------------------------------------------------- the same as a table */

function tables(v) {
  const { run, state, memory } = v;
  const several = run.pools.length > 1;
  const { backend } = run.pools[0];
  const pageOf = (id) => `${run.name(id) ?? "?"}${state.entries.has(id) ? "" : " (freed)"}`;
  const ofPages = (pool) => run.pools[pool].lru_of === "pages";
  const listed = (pool, id) => (ofPages(pool) ? String(state.pages.get(id)?.number ?? "?") : pageOf(id));
  const kept = (key, values, cells) => memory.of(`row ${key}`, values, () => row(key, cells()));
  const asked = (field, text) => ({ field, text });
  const sorted = (map) => [...map].sort(([one], [other]) => one - other);
  return [
    table("Entries", ["page", "slot", "bytes", "references", "in the tree",
      ...(several ? ["backend page", "pool"] : [`${backend} page`])], sorted(state.entries).map(([id, entry]) => {
      const home = state.pages.get(state.home.get(id))?.number;
      const cell = (name, text = entry[name]) => asked(`entry ${id} ${name}`, text);
      return kept(`entry ${id}`, [entry, home], () => [entry.page ?? "?", cell("offset"), cell("length"),
        cell("refcount"), cell("linked", entry.linked ? "yes" : "no"), asked(`object ${id}`, home ?? ""),
        ...(several ? [cell("pool", entry.pool ?? "")] : [])]);
    })),
    run.pools.some(({ lru_of: of }) => of) && table(ofPages(0) ? `LRU of ${backend} pages` : "LRU",
      [...(several ? ["pool"] : []), "from head to tail", "stepping out"],
      run.pools.map(({ lru_of: of }, pool) => of && row(`pool ${pool}`, [...(several ? [pool] : []),
        [...(state.lru.get(pool) ?? [])].reverse().map((id) => listed(pool, id)).join(", "),
        v.outPool === pool ? listed(pool, state.out) : ""]))),
    table("Pool", [...(several ? ["pool"] : []), several ? "backend page" : `${backend} page`, "units",
      "objects: page, first unit, units"], sorted(state.pages).map(([key, page]) => {
      const alive = page.objects.filter(([id]) => state.entries.has(id)).length;
      return kept(`page ${key}`, [page, alive], () => [...(several ? [page.pool] : []), page.number, page.units,
        page.objects.map(([id, first, units]) => `${pageOf(id)}: ${first}, ${units}`).join("; ")]);
    })),
    table("Size", ["pool size in pages", "limit", "accepts again below", "full"], [row("size",
      [asked("size", state.size), run.limit, run.accept, asked("full", state.full ? "yes" : "no")])]),
    table("CPUs",
      ["CPU", "task", "state", "runs", "line", "holds", "waits for"], run.cpusAt(v.step).map((cpu, index) => {
      const [source, line] = cpu.stack.at(-1) ?? [];
      const waits = cpu.waits && `${cpu.waits}${cpu.holder === null ? "" : ` of CPU ${CPU[cpu.holder]}`}`;
      return row(`cpu ${index}`, [CPU[index], cpu.task, cpu.state,
        cpu.stack.map(([one]) => run.sources[one].function).join(" › "),
        source === undefined ? "" : run.sources[source].lines[line].trim(), cpu.holds.join(", "), waits ?? ""]);
    })),
    table("Pages", ["page", "is"], v.places.map(([page, where]) =>
      kept(`ram ${page}`, [where], () => [page, asked(`ram ${page}`, WHERE[where])]))),
    table("Counters", ["counter", "value"], Object.entries(state.counters).map(([name, value]) =>
      kept(`counter ${name}`, [value], () => [name, asked(`counter ${name}`, number(value))]))),
  ];
}

export const table = (name, heads, rows) => h(".tabled", { key: name }, h("table", { "data-name": name }, h("caption", name),
  h("thead", h("tr", heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", rows)));

/* A row of cells, each a text, or a text with the field that it shows. */
export const row = (key, cells) => h("tr", { key }, cells.map((cell) => h("td", cell?.field
  ? h("button.bare", { type: "button", tabindex: -1, "data-field": cell.field }, String(cell.text)) : String(cell))));

/* ---------------------------------------------------------------- the player */

/* Stands for a step of which nothing was kept. */
const NOT_KEPT = { say: "", event: null, story: false, subject: null, operation: 0, cpu: 0, stack: [], holds: [],
  refs: [], changes: [], cpus: null };

/* What payload.py has packed: compressed JSON, its steps by column; bytes, or base64 in a page that stands alone. */
export async function unpack(packed) {
  const bytes = typeof packed === "string" ? Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)) : packed;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const plain = await new Response(stream).json();
  const columns = Object.entries(plain.steps);
  const step = (index) => Object.fromEntries(columns.map(([name, values]) => [name, values[index]]));
  const steps = (columns[0]?.[1] ?? []).map((_, index) => step(index));
  return { ...plain, steps: plain.before ? [...Array(plain.before).fill(NOT_KEPT), ...steps] : steps };
}

export class Player {
  /* `still`, where it is given, makes a picture of it: what it says of itself, and its words as `alt`. */
  constructor(model, element, { still, alt } = {}) {
    Object.assign(this, { model, still, alt, pace: 1, touch: 0, memory: new Memory() });
    this.root = make(h(".zswaplab-player", { tabindex: still === undefined ? 0 : null, role: "group" }));
    this.build();
    element.classList.add("zswaplab-player-host");
    element.append(this.root);
    this.dress();
    this.listen();
    this.load();
  }

  /* ---------------------------------------------------------------- the sheet's own parts */

  build() {
    const way = (act, label, key) =>
      doing(act, { class: act, "aria-label": label, title: `${label} (${key})` }, icon(act));
    const hint = (names, does) => h("span", keys(names), does);
    const box = ([name, label]) => h("label", h("input", { type: "checkbox", "data-part": name }), ` ${label}`);
    const level = (name) => doing("level", { "data-level": name, title: `detail: ${DETAIL[name]}` },
      name[0].toUpperCase() + name.slice(1));
    patch(this.root, [
      this.pictured("A picture of the player."),
      h(".bar",
        h("span.btns", way("first", "first", "Home"), way("back", "back", "←"), way("play", "play", "Space"),
          way("forward", "forward", "→"), way("last", "last", "End"), doing("pace", { class: "pace" })),
        h("span.seg", { role: "group", "aria-label": "Detail" }, LEVELS.map(level)),
        h("span.count"), h("span.what"), doing("lecture", { class: "lecture-mode icon", "aria-label": "lecture mode",
          title: "lecture mode: fills the window (P, while the player has the focus)" }, icon("lecture"))),
      h(".time", h(".gutter"), h(".slider",
        { role: "slider", tabindex: this.still === undefined ? 0 : null, "aria-label": "Timeline", "aria-valuemin": 0 },
        h("svg.chart", { "aria-hidden": "true" }), h("svg.over", { "aria-hidden": "true" }))),
      h(".say", { role: "status", "aria-atomic": "true" }),
      h(".note", h("input", { type: "text", maxlength: 400, placeholder: "A note for this step",
        "aria-label": "Note for this step" })),
      h(".body", h(".left"), h(".right")),
      h(".why", { role: "group", "aria-label": "Why is it so?", hidden: true }),
      h(".help", { role: "group", "aria-label": "Marks and keys", hidden: true }),
      h(".foot", doing("table", { class: "bare disclose", "aria-expanded": "false" }, "The same as a table"),
        h("details.parts", h("summary.disclose", "Parts"), h(".card", Object.entries(PARTS).map(box))),
        h("span.keys", h("span.letters", hint("S L E R F", "next of a kind"), hint("C", "detail")),
          hint("← →", "next"), hint(", .", "one step"), hint("Home End", "ends"), hint("Space", "play"),
          doing("help", { class: "bare", title: "all keys and marks" }, h("kbd", "?"), " keys, marks"))),
      h(".tables", { role: "group", "aria-label": "The same as a table", hidden: true }),
    ]);
    const own = ["count", "gutter", "slider", "chart", "over", "say", "body", "left", "right", "why", "help", "parts"];
    for (const name of own) this[name] = this.root.querySelector(`.${name}`);
    const others = { playButton: ".play", paceButton: ".pace", lectureButton: ".lecture-mode", noteBox: ".note input",
      tableButton: ".foot .disclose", table: ".tables" };
    for (const [name, selector] of Object.entries(others)) this[name] = this.root.querySelector(selector);
    if (this.still !== undefined) this.freeze();
    this.setPace(1);
  }

  /* What stands on a picture in place of the bar. */
  pictured(words) {
    return h(".picture", icon("picture"), h("b", words), h("span", this.still ?? ""), h("span.what"));
  }

  /* A picture: nothing in it can be used, and its words are its alternative text. */
  freeze() {
    this.root.classList.add("still");
    this.root.setAttribute("role", "img");
    for (const child of this.root.children) child.inert = true;
  }

  /* The style sheet, once in a document. */
  dress() {
    const place = this.root.getRootNode();
    const home = place === document ? document.head : place;
    if (!home.querySelector("style[data-zswaplab]")) home.append(make(h("style", { "data-zswaplab": true }, STYLE)));
  }

  listen() {
    const unthemed = themed(this.root);
    let width;
    const widths = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width !== width) this.layout(); // the height changes with every row of the table
      ({ width } = contentRect);
    });
    widths.observe(this.root.parentElement);
    const resized = () => this.lecture && this.layout();
    window.addEventListener("resize", resized);
    const heard = { payload: this.load, growth: this.load, step: this.later, playing: this.play };
    for (const name of ["level", "hidden", "notes", "height"]) heard[name] = this.layout;
    for (const name of Object.keys(heard)) {
      heard[name] = heard[name].bind(this);
      this.model.on(`change:${name}`, heard[name]);
    }
    // Before any other listener: what the player takes never reaches JupyterLab's commands, the rest always does.
    const key = (event) => this.key(event);
    window.addEventListener("keydown", key, true);
    this.root.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("change", ({ target }) => this.changed(target));
    // A click keeps the keyboard with the player; Tab still reaches every button.
    this.root.addEventListener("mousedown", (event) => {
      if (event.target.closest("a, summary, input, label, .src, .tables, .rep")) return;
      event.preventDefault();
      this.root.focus({ preventScroll: true });
    });
    this.slider.addEventListener("pointerdown", (event) => {
      this.slider.setPointerCapture(event.pointerId);
      this.drag(event);
    });
    this.slider.addEventListener("pointermove", (event) => event.buttons & 1 && this.drag(event));
    this.noteBox.addEventListener("input", () => this.writeNote());
    this.root.addEventListener("pointerover", ({ target }) => this.point(target));
    this.close = () => {
      clearTimeout(this.timer);
      cancelAnimationFrame(this.frame);
      unthemed();
      widths.disconnect();
      window.removeEventListener("keydown", key, true);
      window.removeEventListener("resize", resized);
      for (const [name, hear] of Object.entries(heard)) this.model.off(`change:${name}`, hear);
    };
  }

  /* Read the payload, and what has grown since; only the newest call has an effect. */
  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const [payload, growth] = [this.model.get("payload"), this.model.get("growth")];
    const whole = payload === this.read ? undefined : await unpack(payload);
    const part = growth?.byteLength ? await unpack(growth) : undefined;
    if (turn !== this.turn) return;
    if (whole) {
      const run = new Run(whole, this.run);
      Object.assign(this, { run, read: payload, question: undefined, life: undefined });
    }
    if (part) this.run.grow(part);
    const { title, tags, last } = this.run;
    this.root.setAttribute("aria-label", this.still === undefined ? `Player: ${title || tags[0]}` : this.alt);
    this.slider.setAttribute("aria-valuemax", last);
    if (!this.run.former) this.measured = undefined;
    this.layout();
    this.play();
  }

  /* ---------------------------------------------------------------- the clock */

  get step() {
    return this.run.within(this.model.get("step"));
  }

  get level() {
    return this.model.get("level") ?? "story";
  }

  get hidden() {
    return new Set(this.model.get("hidden") ?? []);
  }

  get notes() {
    return this.model.get("notes") ?? {};
  }

  tell(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  seek(step, touch = 0) {
    this.message = "";
    this.touch = touch;
    const wanted = this.run.within(step);
    if (wanted !== this.model.get("step")) this.tell("step", wanted);
    this.later();
  }

  /* The next place to stop: within a step each report in turn, then the level's next stop. */
  go(forward, level = this.level) {
    const { run, step, touch } = this;
    const reports = (at) => run.touches.get(at)?.length ?? 0;
    if (forward ? touch + 1 < reports(step) : touch > 0 && reports(step) > 0) {
      this.seek(step, touch + (forward ? 1 : -1));
      return;
    }
    const to = forward ? run.next(step, level) : run.previous(step, level);
    if (to !== step) this.seek(to, forward ? 0 : Math.max(0, reports(to) - 1));
    else this.later();
  }

  /* The next or the previous event of a kind. */
  jump(kind, backwards) {
    const found = backwards ? this.run.previousEvent(this.step, kind) : this.run.nextEvent(this.step, kind);
    if (found !== undefined) {
      this.seek(found);
      return;
    }
    const { name } = EVENTS.find((event) => event.kind === kind);
    this.message = `nothing ${backwards ? "before" : "after"} this step is “${name}”`;
    this.later();
  }

  toggle() {
    const playing = !this.model.get("playing");
    if (playing && this.step === this.run.last) this.seek(0);
    this.tell("playing", playing);
    this.play();
  }

  play() {
    clearTimeout(this.timer);
    if (!this.run) return;
    if (this.model.get("playing") && this.step === this.run.last) this.tell("playing", false);
    const playing = Boolean(this.model.get("playing"));
    if (playing)
      this.timer = setTimeout(() => {
        this.go(true);
        this.play();
      }, PAUSE / this.pace);
    const label = playing ? "pause" : "play";
    patch(this.playButton, icon(label));
    this.playButton.title = `${label} (Space)`;
    this.playButton.setAttribute("aria-label", label);
    this.say.setAttribute("aria-live", playing ? "off" : "polite");
  }

  setPace(pace) {
    this.pace = pace;
    this.paceButton.textContent = `${pace}×`;
    this.paceButton.title = "speed of playing";
    this.paceButton.setAttribute("aria-label", `${pace}× as fast`);
  }

  setLevel(level) {
    this.tell("level", level);
    this.layout();
  }

  nextLevel() {
    this.setLevel(LEVELS[(LEVELS.indexOf(this.level) + 1) % LEVELS.length]);
  }

  /* ---------------------------------------------------------------- what the reader does */

  /* A key in the player, or in the panel that it is part of. JupyterLab has commands on plain keys (R turns a cell raw,
     D D deletes it), which no key of ours may reach; combinations are JupyterLab's and the browser's. */
  key(event) {
    const { target, key } = event;
    const panel = this.root.closest(".zswaplab-panel") ?? this.root;
    if (this.still !== undefined || !this.run || !panel.contains(target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || key === "Tab" || (event.shiftKey && key === "Enter")) return;
    const outside = !this.root.contains(target);
    const typing = target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (outside && typing) return;
    event.stopPropagation();
    if (typing && key !== "Escape") return;
    if (["Enter", " "].includes(key) && target.closest("a, button, summary, input, label")) return;
    if (outside && key.startsWith("Arrow")) return;
    const act = this.keys(event)[key.length === 1 ? key.toLowerCase() : key];
    if (!act) return;
    event.preventDefault();
    if (this.run.steps.length) act();
  }

  keys({ shiftKey: shift, target }) {
    const { run, step } = this;
    const slides = target === this.slider;
    const operation = (forward) => this.seek(forward ? run.nextOperation(step) : run.previousOperation(step));
    return {
      ArrowLeft: () => (shift ? operation(false) : this.go(false)),
      ArrowRight: () => (shift ? operation(true) : this.go(true)),
      ArrowUp: () => (slides ? this.go(true) : this.rove(-1)),
      ArrowDown: () => (slides ? this.go(false) : this.rove(1)),
      PageUp: slides && (() => operation(true)), PageDown: slides && (() => operation(false)),
      ",": () => this.go(false, "steps"), ".": () => this.go(true, "steps"),
      Home: () => this.seek(0), End: () => this.seek(run.last), " ": () => this.toggle(),
      "?": () => this.toggleHelp(), Escape: () => this.escape(), c: () => this.nextLevel(), n: () => this.note(),
      p: () => this.setLecture(!this.lecture), t: () => this.toggleTable(), w: () => this.askSubject(),
      ...Object.fromEntries(EVENTS.map(({ key, kind }) => [key, () => this.jump(kind, shift)])),
      ...Object.fromEntries(LEVELS.map((level, index) => [String(index + 1), () => this.setLevel(level)])),
    };
  }

  /* Up and Down go through the fields of the sheet. */
  rove(by) {
    const places = ".body button, .body a, .why button, .tables button";
    const fields = [...this.root.querySelectorAll(places)].filter((one) => one.checkVisibility() && !one.disabled);
    const at = fields.indexOf(document.activeElement);
    const next = at < 0 ? fields.at(by > 0 ? 0 : -1) : fields[at + by];
    (next ?? this.root).focus();
  }

  click({ target, shiftKey }) {
    const found = target.closest("[data-act], [data-field], [data-page]");
    if (!found || !this.run || this.still !== undefined) return;
    const { act, field, page } = found.dataset;
    if (act) this.act(found.dataset, shiftKey);
    else if (field) this.ask(field);
    else if (page) {
      this.life = this.life === Number(page) ? undefined : Number(page);
      this.later();
    }
  }

  act({ act, level, kind, step, touch }, shift) {
    const { run } = this;
    const moves = {
      first: () => this.seek(0), last: () => this.seek(run.last),
      back: () => this.go(false), forward: () => this.go(true),
      play: () => this.toggle(), event: () => this.jump(kind, shift), seek: () => this.seek(Number(step)),
      touch: () => this.toTouch(Number(touch)), close: () => this.ask(undefined), earlier: () => this.earlier(),
      watch: () => this.seek(run.nextWrite(this.question.field, this.step)?.step ?? this.step),
    };
    const settings = {
      pace: () => this.setPace(PACES[(PACES.indexOf(this.pace) + 1) % PACES.length]),
      level: () => (level === this.level && this.m.shape === "tiny" ? this.nextLevel() : this.setLevel(level)),
      lecture: () => this.setLecture(!this.lecture), help: () => this.toggleHelp(), table: () => this.toggleTable(),
    };
    (settings[act] ?? (run.steps.length ? moves[act] : undefined))?.();
  }

  /* The report of that number among those of the entry that is shown. */
  toTouch(index) {
    const report = this.run.reports.filter(({ entry }) => entry === this.report?.entry)[index];
    this.seek(report.step, this.run.touches.get(report.step).indexOf(report));
  }

  /* Ask who wrote a field; asked again, who wrote it before that. */
  ask(field) {
    if (field !== undefined && this.question?.field === field) {
      this.earlier();
      return;
    }
    const { run, step } = this;
    this.question = field === undefined ? undefined : { field, step, write: run.lastWrite(field, step) };
    this.later();
  }

  askSubject() {
    const subject = this.run.subject(this.step);
    if (subject !== null) this.ask(`entry ${subject} refcount`);
  }

  earlier() {
    const writes = this.run.writes(this.question.field);
    this.question.write = writes[writes.indexOf(this.question.write) - 1] ?? this.question.write;
    this.later();
  }

  /* Close what is open, the last thing first. */
  escape() {
    const typed = document.activeElement === this.noteBox;
    if (typed || !this.root.contains(document.activeElement)) this.root.focus({ preventScroll: true });
    if (typed) return;
    if (!this.help.hidden) this.toggleHelp();
    else if (this.question) this.question = undefined;
    else if (this.life !== undefined) this.life = undefined;
    else if (this.lecture) this.setLecture(false);
    this.later();
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    if (!this.help.hidden) patch(this.help, help());
  }

  toggleTable() {
    this.table.hidden = !this.table.hidden;
    this.tableButton.setAttribute("aria-expanded", !this.table.hidden);
    this.drawTable(this.view());
  }

  /* The whole window: above everything else on the page, whatever contains the player. */
  setLecture(lecture) {
    this.lecture = lecture;
    this.root.classList.toggle("lecture", lecture);
    this.lectureButton.setAttribute("aria-pressed", lecture);
    if (lecture) {
      this.root.setAttribute("popover", "manual");
      this.root.showPopover?.();
    } else this.root.removeAttribute("popover");
    this.layout();
    this.root.focus({ preventScroll: true });
  }

  /* A part is hidden or shown. */
  changed({ checked, dataset: { part } }) {
    if (!part) return;
    const hidden = this.hidden;
    if (checked) hidden.delete(part);
    else hidden.add(part);
    this.tell("hidden", [...hidden]);
    this.layout();
  }

  /* Room for notes, and the keyboard in it. */
  note() {
    this.noting = true;
    this.layout();
    this.noteBox.focus();
  }

  writeNote() {
    const notes = { ...this.notes, [this.step]: this.noteBox.value };
    if (!this.noteBox.value) delete notes[this.step];
    this.tell("notes", notes);
  }

  drag({ clientX }) {
    const { left, width } = this.over.getBoundingClientRect();
    const { last } = this.run;
    const place = Math.round(((clientX - left) / Math.max(1, width)) * last);
    this.seek(this.run.nearest(Math.min(last, Math.max(0, place)), this.level));
  }

  /* Whatever the pointer is on is marked wherever it is drawn. */
  point(element) {
    const { entry, backend } = element.closest?.("[data-entry], [data-backend]")?.dataset ?? {};
    const twins = entry !== undefined ? `[data-entry="${entry}"]` : backend && `[data-backend="${backend}"]`;
    if (twins === this.pointed) return;
    this.pointed = twins;
    for (const marked of this.root.querySelectorAll(".pointed")) marked.classList.remove("pointed");
    for (const twin of twins ? this.root.querySelectorAll(twins) : []) twin.classList.add("pointed");
  }

  /* ---------------------------------------------------------------- what is measured */

  /* What depends on width, level and parts: room for the longest sentence, so that nothing jumps; the chart. */
  layout() {
    if (!this.run) return;
    const { level, hidden, lecture, root } = this;
    const zoom = lecture ? Math.min(innerWidth / WIDTH, innerHeight / HEIGHTS.least) : 1;
    const outer = lecture ? Math.floor(innerWidth / zoom) : Math.min(1240, root.parentElement.clientWidth);
    if (!outer) return;
    const height = lecture ? Math.floor(innerHeight / zoom) : this.model.get("height") ?? undefined;
    const noted = (this.noting || Object.keys(this.notes).length > 0) && this.still === undefined;
    Object.assign(root.dataset, { size: shapeOf(outer - 2), level });
    Object.assign(root.style, { zoom: lecture ? zoom : "", width: lecture ? px(outer) : "" });
    root.classList.toggle("noted", noted);
    for (const part of Object.keys(PARTS)) root.classList.toggle(`no-${part}`, hidden.has(part));
    for (const box of this.parts.querySelectorAll("input")) box.checked = !hidden.has(box.dataset.part);
    for (const button of root.querySelectorAll(".seg button")) {
      button.classList.toggle("on", button.dataset.level === level);
      button.setAttribute("aria-pressed", button.dataset.level === level);
    }
    if (this.measured !== outer) this.measureText(outer);
    const say = this.sayHeight;
    const note = (noted ? 30 : 0) + this.above(outer);
    this.m = measures(this.run.former ?? this.run, { width: outer - 2, level, height, say, note, hidden });
    root.style.setProperty("--right", px(this.m.right));
    root.style.setProperty("--between", px(this.m.gap));
    root.classList.toggle("dense", this.m.dense);
    this.body.style.height = this.m.body ? px(this.m.body) : "";
    this.banded = this.shown = undefined;
    this.memory = new Memory();
    this.drawTitle(outer);
    this.draw();
  }

  /* How high what a widget has put on the sheet is, that stands on the player. */
  above() {
    return 0;
  }

  /* Room for the longest sentences at this width; how wide a character of source is, and one of other text. */
  measureText(width) {
    this.measured = width;
    const words = "pages 0 … 9 go out, 1943 B: read 3, not counted, at its limit";
    const probe = (look, content) => h("div.probe", { class: look }, content);
    const long = this.run.longest(6).map((text) => probe("say", sentence(text)));
    const probes = [probe("src", "m".repeat(100)), probe("tiny", words), ...long].map((node) => make(node));
    this.say.after(...probes); // all at once: the page is laid out once for them
    const [source, tiny, ...says] = probes.map(({ offsetWidth, offsetHeight }) => [offsetWidth, offsetHeight]);
    for (const one of probes) one.remove();
    this.character = source[0] / 100 || 7.83;
    font.share = tiny[0] / words.length / 11 || 0.6;
    this.sayHeight = Math.max(46, ...says.map(([, high]) => high));
    this.say.style.minHeight = px(this.sayHeight);
  }

  /* ---------------------------------------------------------------- what is drawn */

  /* One repaint a frame, however many keys or pointer moves there were. */
  later() {
    if (this.run) this.frame ??= requestAnimationFrame(() => this.draw());
  }

  /* The moment shown: the run, its state, and what the drawings ask about it. */
  view() {
    const { run, m, step, hidden, memory, character } = this;
    const state = run.at(step);
    const reports = run.touches.get(step) ?? [];
    this.touch = Math.min(this.touch, Math.max(0, reports.length - 1));
    const report = (this.report = reports[this.touch]);
    const { question } = this;
    if (question && question.step !== step) {
      question.step = step;
      question.write = run.lastWrite(question.field, step);
    }
    const kinds = run.pools.map(({ lru_of: of }) => of);
    const alive = new Set([state.current, ...[...state.pages.values()].map((page) => page.pool)]);
    const shown = [...alive].slice(0, 2).sort((one, other) => one - other);
    return {
      run, m, step, hidden, memory, character, state, report, touch: this.touch, now: run.steps[step],
      places: run.places(), subject: report?.entry ?? run.subject(step),
      pools: shown, lists: shown.filter((pool) => kinds[pool] !== null),
      why: question && { ...question, writes: run.writes(question.field) }, holdersRight: run.cpus === 1 || !m.wide,
      wrote: (field) => run.writes(field).find((write) => write.step === step), ...run.leaving(),
    };
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (!this.m) return;
    const { run, step, root } = this;
    const near = Math.abs(run.moment(step) - run.moment(this.shown)) <= 1 && Math.abs(step - this.shown) < 40;
    root.classList.toggle("moving", near && this.pace <= 2 && !matchMedia("(prefers-reduced-motion: reduce)").matches);
    const v = this.view();
    this.drawBar(v);
    this.drawTime(v);
    this.drawSentence(v);
    const left = this.leftParts(v);
    root.classList.toggle("crash", Boolean(v.report));
    patch(this.left, (v.report && pictureOf(v, this.stateInBrief(v))) ?? left);
    patch(this.right, v.report ? this.reported(v) : [!v.hidden.has("source") && cpus(v), this.holdersAt(v, true)]);
    this.why.hidden = !v.why;
    if (v.why) patch(this.why, answer(v));
    this.drawTable(v);
    this.shown = step;
    Object.assign(root.dataset, { step, touch: this.touch });
    this.tellHeight();
  }

  /* To what makes a picture of it. */
  tellHeight() {
    const { height } = this.still === undefined ? {} : this.root.getBoundingClientRect();
    if (height) document.documentElement.dataset.height = Math.ceil(height);
  }

  drawSentence({ report, now, step }) {
    const said = report?.say ?? now?.say ?? "Nothing was recorded: this run has no steps.";
    this.say.className = `say ${report ? "fault" : now?.event ?? ""}`;
    patch(this.say, sentence(said));
    this.slider.setAttribute("aria-valuenow", step);
    this.slider.setAttribute("aria-valuetext", plain(said));
    if (document.activeElement !== this.noteBox) this.noteBox.value = this.notes[step] ?? "";
  }

  /* Where everything is: what is drawn on the left, as much as there is room for. */
  leftParts(v) {
    const { m, run } = v;
    if (m.level === "source" && m.wide && poolOfEntries(v) !== undefined)
      return [this.part(v, "pages", pages(v)), this.part(v, "lru", listWithHolders(v))];
    const source = m.level === "source";
    const small = run.pools.length === 1 && run.peak.lru < 6 && run.peak.slots < 3;
    const beside = m.wide && !source && !v.holdersRight && small; // the LRU and the pool in one line
    const half = beside ? { ...v, m: { ...m, across: Math.floor(m.across / 2) - 10 } } : v;
    const both = [this.part(v, "lru", lists(half)), !source && this.part(v, "pool", pool(half))];
    return [
      this.part(v, "pages", pages(v)), this.holdersAt(v, false), beside ? h(".beside", { key: "beside" }, both) : both,
      !source && m.counted && this.part(v, "counters", counters(v)),
    ];
  }

  part({ hidden }, name, drawing) {
    return !hidden.has(name) && h("section", { key: name, class: `of-${name}` }, drawing);
  }

  /* The state under the picture of a report, if there is room. */
  stateInBrief(v) {
    if (!v.m.wide || v.m.body < 330 || v.run.peak.lru > 11) return [];
    return h(".brief", { key: "brief" }, this.part(v, "pages", pages(v)), this.part(v, "lru", lists(v)));
  }

  /* A report, and under it, where it is short, what the CPUs run. */
  reported(v) {
    if (v.report.used && v.report.freed) return [cpuLine(v), card(v)];
    return [card(v), h(".below-report", cpus(v, v.report.used ? 150 : 70))];
  }

  holdersAt(v, right) {
    const { hidden, m, run } = v;
    if (hidden.has("holders") || v.holdersRight !== right || (m.level === "source" && m.wide)) return null;
    return (right || run.peak.slots < 5) && this.part(v, "holders", holders(v));
  }

  /* The run's title, and which kernel it is; where that is too long, without what the patch does. */
  drawTitle(width) {
    const { title, tags } = this.run;
    const whole = tags.join(" · ");
    const brief = tags.map((tag) => tag.split(": ")[0]).join(" · ");
    const text = width < 900 || breadth(whole) < width - 690 ? whole : brief;
    for (const what of this.root.querySelectorAll(".what")) {
      patch(what, [title && h("b", title), text]);
      what.title = whole;
    }
  }

  drawBar({ run, step, now, report, m }) {
    const bold = (count) => h("b", String(count));
    const story = m.level === "story";
    const known = (count) => (run.former ? "…" : count); // of the whole run
    const moment = ["moment ", bold(known(run.moment(step))), ` of ${known(run.story.length)}`];
    const place = story ? moment : ["step ", bold(step), ` of ${known(run.last)}`];
    const which = run.reports.length > 1 && report;
    const told = which && [" · report ", bold(run.reports.indexOf(report) + 1), ` of ${run.reports.length}`];
    const more = story ? `step ${step}${which ? "" : ` of ${known(run.last)}`}` : now && run.operations[now.operation].text;
    patch(this.count, this.message || [place, told, more && h("span.also-at", ` · ${more}`)]);
  }

  drawTime(v) {
    const { run, m, report } = v;
    if (v.hidden.has("curve")) return;
    const life = this.life ?? (report && report.entry !== null ? run.name(report.entry) ?? undefined : undefined);
    if (this.banded !== `${life}`) {
      const height = m.time - 9;
      for (const drawing of [this.chart, this.over])
        for (const [name, value] of Object.entries({ width: m.chart, height, viewBox: `0 0 ${m.chart} ${height}` }))
          drawing.setAttribute(name, value);
      this.gutter.style.width = px(m.gutter);
      patch(this.gutter, gutter(run.former ?? run, m, life));
      patch(this.chart, chart(run.former ?? run, m, life));
      this.banded = `${life}`;
    }
    patch(this.over, overlay(v));
  }

  drawTable(v) {
    if (!this.table.hidden) patch(this.table, tables(v));
  }
}

/* ---------------------------------------------------------------- what loads it */

/* What draws each kind of widget; those that stand on the player add themselves. */
export const DRAWN = { player: Player };

/* What anywidget calls; it gets the function that cleans up. */
function render({ model, el }) {
  const player = new DRAWN[model.get("drawn_by") ?? "player"](model, el);
  return () => player.close();
}

/* The player without a notebook, as in a saved page: a model that holds its values itself. */
function mount(element, payload, { static: still, alt, ...given }) {
  const values = { payload, step: 0, playing: false, level: "story", hidden: [], notes: {}, ...given };
  const heard = {};
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      (heard[`change:${name}`] ?? []).forEach((hear) => hear());
    },
    save_changes() {},
    send() {},
    on: (event, hear) => (heard[event] ??= []).push(hear),
    off() {},
  };
  const drawn = new DRAWN[values.drawn_by ?? "player"](model, element, { still: still ?? undefined, alt });
  element.dispatchEvent(new Event("zswaplab-gone")); // nobody answers
  return drawn;
}

export default { render };
