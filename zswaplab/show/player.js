/* The player: draws one recorded run step by step, forward and back. One file without dependencies:
   Jupyter loads it as an anywidget, a saved page carries it inside. It decides nothing about zswap, it
   replays the changes that a payload lists (zswaplab/show/player.py says what a payload is). */

const EVENTS = [
  { kind: "store", key: "s", name: "store" },
  { kind: "load", key: "l", name: "load" },
  { kind: "writeback", key: "e", name: "written back" },
  { kind: "refuse", key: "r", name: "refused" },
  { kind: "fault", key: "f", name: "fault" },
];
const WHERE = { present: "in RAM", kept: "in zswap", device: "on the swap device", nowhere: "nowhere", freed: "free" };
const KEYFRAME = 64; // steps between two copies of the whole state
const PACES = [1, 2, 4, 8];
const PAUSE = 700; // milliseconds a step is shown at pace 1
const DRAWN = 240; // a longer LRU is drawn without its middle
// Okabe-Ito without vermillion and purple, which mean "leaving" and "fault".
const COLOURS = ["#0072b2", "#f0e442", "#009e73", "#e69f00", "#56b4e9"];
const INKS = ["#ffffff", "#15171a", "#15171a", "#15171a", "#15171a"];

// ------------------------------------------------------------------ the state and what changes it

const start = (payload) => ({
  entries: new Map(), // id -> {page, offset, length, refcount, linked}
  freed: new Map(), // the same, of freed entries to which a list may still point
  lru: new Set(), // ids, tail first
  out: null,
  pages: new Map(), // backend page -> [[entry id, first unit, units], ...]
  slots: new Map(), // backend page -> the place in which it is drawn
  size: 0,
  full: false,
  counters: { ...payload.counters },
  ram: new Map(),
  disk: new Set(),
});

const APPLY = {
  entry(state, id, entry) {
    if (entry) {
      state.freed.delete(id);
      state.entries.set(id, entry);
    } else if (state.entries.has(id)) {
      state.freed.set(id, state.entries.get(id));
      state.entries.delete(id);
    }
  },
  page(state, number, objects) {
    if (!objects) {
      state.slots.delete(number);
      state.pages.delete(number);
      return;
    }
    if (!state.slots.has(number)) state.slots.set(number, lowestFree(state.slots));
    state.pages.set(number, objects);
  },
  "lru+"(state, id) {
    state.lru.delete(id);
    state.lru.add(id);
  },
  "lru-"(state, id) {
    state.lru.delete(id);
  },
  out(state, id) {
    state.out = id;
  },
  size(state, pages) {
    state.size = pages;
  },
  full(state, full) {
    state.full = full;
  },
  counters(state, changed) {
    Object.assign(state.counters, changed);
  },
  ram(state, page, where) {
    state.ram.set(page, where);
    if (where === "freed") state.disk.delete(page);
  },
  disk(state, page) {
    state.disk.add(page);
  },
};

function lowestFree(slots) {
  const used = new Set(slots.values());
  let slot = 0;
  while (used.has(slot)) slot += 1;
  return slot;
}

function advance(state, step) {
  for (const [what, ...values] of step.changes) APPLY[what](state, ...values);
}

function copy(state) {
  const twin = { ...state, counters: { ...state.counters } };
  for (const name of ["entries", "lru", "pages", "slots", "ram", "disk"])
    twin[name] = new state[name].constructor(state[name]);
  const pointedTo = new Set([...state.lru, state.out]);
  for (const objects of state.pages.values()) for (const [id] of objects) pointedTo.add(id);
  twin.freed = new Map([...state.freed].filter(([id]) => pointedTo.has(id)));
  return twin;
}

/* A payload, and what is read off it once: keyframes, the curve, the peaks that fix the layout. */
class Run {
  constructor(payload) {
    Object.assign(this, payload);
    this.last = Math.max(0, this.steps.length - 1);
    this.ticks = Object.fromEntries(EVENTS.map(({ kind }) => [kind, []]));
    this.keyframes = [];
    this.sizes = [];
    this.peak = { lru: 1, slots: 1, size: 1 };
    const state = start(payload);
    const pages = new Set();
    const counted = new Set();
    this.steps.forEach((step, index) => {
      if (index % KEYFRAME === 0) this.keyframes.push(copy(state));
      advance(state, step);
      for (const [what, first, second] of step.changes) {
        if (what === "ram") pages.add(first);
        if (what === "entry" && second) pages.add(second.page);
        if (what === "counters") Object.keys(first).forEach((name) => counted.add(name));
      }
      this.ticks[step.event]?.push(index);
      this.sizes.push(state.size);
      this.peak.size = Math.max(this.peak.size, state.size);
      this.peak.slots = Math.max(this.peak.slots, state.slots.size);
      this.peak.lru = Math.max(this.peak.lru, state.lru.size + (state.out === null ? 0 : 1));
    });
    this.allPages = [...pages].sort((one, other) => one - other);
    this.counted = Object.keys(this.counters).filter((name) => counted.has(name));
    this.longest = this.steps.reduce((longest, { say }) => (say.length > longest.length ? say : longest), "");
    this.at(0);
  }

  /* The state after step `index`; one step on from the last call is the quick way. */
  at(index) {
    if (this.index !== index && this.steps.length) {
      if (this.index !== index - 1 || index % KEYFRAME === 0) {
        this.index = index - (index % KEYFRAME) - 1;
        this.state = copy(this.keyframes[Math.floor(index / KEYFRAME)]);
      }
      while (this.index < index) advance(this.state, this.steps[(this.index += 1)]);
    }
    return (this.state ??= start(this));
  }

  next(index, kind) {
    return this.ticks[kind].find((tick) => tick > index);
  }

  previous(index, kind) {
    return this.ticks[kind].findLast((tick) => tick < index);
  }

  nextOperation(index) {
    const { operation } = this.steps[index];
    const next = this.steps.findIndex((step, other) => other > index && step.operation !== operation);
    return next < 0 ? this.last : next;
  }

  /* The first step of this operation, or of the one before if that is where we are. */
  previousOperation(index) {
    const before = Math.max(0, index - 1);
    const { operation } = this.steps[before];
    let first = before;
    while (first > 0 && this.steps[first - 1].operation === operation) first -= 1;
    return first;
  }
}

const entryKey = (id) => `entry ${id}`;
const backendKey = (number) => `backend page ${number}`;

/* Keys of what a step changed, to be ringed; none when so much changed that rings would say nothing. */
function touched({ changes }, state, listKey) {
  const keys = new Set();
  for (const [what, first, second] of changes) {
    if (what === "entry") keys.add(entryKey(first)).add((second ?? state.freed.get(first))?.page);
    if (what.startsWith("lru") || (what === "out" && first !== null)) keys.add(listKey(first));
    if (what === "ram" || what === "disk") keys.add(first);
  }
  return keys.size > 8 ? new Set() : keys;
}

// ------------------------------------------------------------------ small tools for drawing

function put(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {}))
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}
const h = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) =>
  put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/* A description of an element, of which `arrange` makes one only where the last drawing had another. */
const n = (tag, attributes, ...children) =>
  ({ tag, attributes, children: children.flat().filter((child) => child != null && child !== false) });
const make = (node) => (typeof node === "string" ? node : h(node.tag, node.attributes, ...node.children.map(make)));

/* Draw `nodes` as the children of `parent`, keeping every element that looks as it did. */
function arrange(parent, nodes) {
  const old = parent.drawn ?? new Map();
  parent.drawn = new Map();
  nodes.forEach((node, index) => {
    const key = node.attributes["data-key"] ?? index;
    const look = JSON.stringify(node);
    const kept = old.get(key);
    parent.drawn.set(key, kept?.look === look ? kept : { look, element: make(node) });
  });
  const wanted = [...parent.drawn.values()].map(({ element }) => element);
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((element, index) => {
    const there = parent.children[index] ?? null;
    if (there !== element) parent.insertBefore(element, there);
  });
}

const paint = (page) =>
  `background:${COLOURS[page % COLOURS.length]};color:${INKS[page % INKS.length]}`;

/* A sentence with **bold** words and `names`, as nodes. */
const sentence = (text) =>
  text.split(/(\*\*.*?\*\*|`.*?`)/).map((part) =>
    part.startsWith("**") ? h("b", {}, part.slice(2, -2)) : part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part);

/* Source lines with `yield`, comments and docstrings told apart: a yield is where another CPU may run. */
function codeLines(lines) {
  let inside = false;
  return lines.map((line) => {
    const quotes = line.split('"""').length - 1;
    const text = inside || quotes > 0;
    if (quotes === 1) inside = !inside;
    const indent = line.search(/\S|$/) + 2;
    const parts = text
      ? [h("i", {}, line)]
      : line.split(/(\byield\b|#.*$)/).map((part) =>
          part === "yield" ? h("b", {}, part) : part.startsWith("#") ? h("i", {}, part) : part,
        );
    return h("div", { class: "line", style: `--indent:${indent}ch` }, ...parts);
  });
}

const ICONS = {
  first: "M4 3v10M13 3 6.5 8 13 13z",
  back: "M11.5 3 5 8l6.5 5z",
  play: "M5 2.5 13 8l-8 5.5z",
  pause: "M5 3v10M11 3v10",
  forward: "M4.5 3 11 8l-6.5 5z",
  last: "M12 3v10M3 3l6.5 5L3 13z",
};
const icon = (name) =>
  s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));

function isDark() {
  const light = document.body.dataset.jpThemeLight;
  return light ? light === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// ------------------------------------------------------------------ the player

class Player {
  constructor(model, element) {
    this.model = model;
    this.pace = 1;
    this.root = h("div", {
      class: "zswaplab-player", tabindex: "0", role: "group",
      "data-lm-suppress-shortcuts": "true", // else JupyterLab takes the keys for itself
    });
    this.build();
    element.classList.add("zswaplab-player-host");
    element.append(this.root);
    this.listen();
    this.load();
  }

  // -------------------------------------------------------------- what stays from run to run

  build() {
    const button = (name, label, act) => {
      const made = h("button", { type: "button", class: name, "aria-label": label, title: label }, icon(name));
      made.onclick = act;
      return made;
    };
    this.playButton = button("play", "play", () => this.toggle());
    this.paceButton = h("button", { type: "button", class: "pace", title: "speed" });
    this.paceButton.onclick = () => this.setPace(PACES[(PACES.indexOf(this.pace) + 1) % PACES.length]);
    this.counter = h("span", { class: "counter" });
    this.tags = h("span", { class: "tags" });
    this.lanes = EVENTS.map(({ kind, key, name }) => {
      const lane = h("button", { type: "button", class: `lane ${kind}`, "data-kind": kind },
        h("kbd", { class: "key" }, key.toUpperCase()), ` ${name}`);
      lane.onclick = (event) => this.jump(kind, event.shiftKey);
      return lane;
    });
    this.lines = h("div", { class: "lines" });
    this.chart = s("svg", { "aria-hidden": "true" });
    this.slider = h("div", { class: "slider", role: "slider", tabindex: "0", "aria-label": "Timeline", "aria-valuemin": 0 },
      this.chart);
    this.say = h("div", { class: "say", role: "status", "aria-atomic": "true" });
    this.state = h("div", { class: "state" });
    this.cpus = h("div", { class: "cpus" });
    this.table = h("details", { class: "table" }, h("summary", {}, "The same as a table"), h("div", {}));
    this.table.ontoggle = () => this.drawTable();
    this.root.append(
      h("style", {}, STYLE),
      h("div", { class: "bar" },
        h("span", { class: "buttons" },
          button("first", "first step (Home)", () => this.seek(0)),
          button("back", "one step back (left arrow)", () => this.seek(this.step - 1)),
          this.playButton,
          button("forward", "one step forward (right arrow)", () => this.seek(this.step + 1)),
          button("last", "last step (End)", () => this.seek(this.run.last)),
          this.paceButton),
        this.counter, this.tags),
      h("div", { class: "time" }, h("div", { class: "lanes" }, this.lines, ...this.lanes), this.slider),
      this.say,
      h("div", { class: "body" }, this.state, this.cpus),
      h("div", { class: "foot" }, this.table,
        h("div", { class: "help" },
          ...[[["←", "→"], "step"], [["Shift", "←", "→"], "operation"], [["Space"], "play"], [["0"], "first"],
            [["S", "L", "E", "R", "F"], "next"], [["Shift", "S", "…"], "previous"]].map(([keys, does]) =>
            h("span", {}, ...keys.map((key) => h("kbd", { class: "key" }, key)), ` ${does}`)))),
    );
    this.setPace(1);
  }

  listen() {
    const theme = () => (this.root.dataset.theme = isDark() ? "dark" : "light");
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const themes = new MutationObserver(theme);
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    scheme.addEventListener("change", theme);
    theme();
    const widths = new ResizeObserver(() => this.layout());
    widths.observe(this.root);
    const heard = {
      "change:payload": () => this.load(),
      "change:step": () => this.later(),
      "change:playing": () => this.play(),
    };
    for (const [event, hear] of Object.entries(heard)) this.model.on(event, hear);
    this.root.addEventListener("keydown", (event) => this.key(event));
    // A click keeps the keyboard with the player; Tab still reaches every button.
    this.root.addEventListener("mousedown", (event) => {
      if (event.target.closest("a, summary, .code, .table")) return;
      event.preventDefault();
      this.root.focus({ preventScroll: true });
    });
    this.slider.addEventListener("pointerdown", (event) => {
      this.slider.setPointerCapture(event.pointerId);
      this.drag(event);
    });
    this.slider.addEventListener("pointermove", (event) => event.buttons & 1 && this.drag(event));
    this.state.addEventListener("pointerover", (event) => this.point(event.target));
    this.state.addEventListener("pointerleave", () => this.point(this.state));
    this.close = () => {
      clearTimeout(this.timer);
      cancelAnimationFrame(this.frame);
      themes.disconnect();
      widths.disconnect();
      scheme.removeEventListener("change", theme);
      for (const [event, hear] of Object.entries(heard)) this.model.off(event, hear);
    };
  }

  load() {
    this.run = new Run(JSON.parse(this.model.get("payload")));
    this.shown = undefined;
    this.root.setAttribute("aria-label", `Player: ${this.run.title}`);
    const height = this.model.get("height");
    this.root.classList.toggle("fixed", Boolean(height));
    this.root.style.setProperty("--height", `${height}px`);
    this.tags.replaceChildren(...this.run.tags.map((tag) => h("span", { class: "tag" }, tag)));
    this.lanes.forEach((lane) => {
      const { length } = this.run.ticks[lane.dataset.kind];
      const { name, key } = EVENTS.find(({ kind }) => kind === lane.dataset.kind);
      lane.disabled = length === 0;
      lane.title = `next of ${length} ${name} in this run (${key.toUpperCase()})`;
    });
    this.listKey = this.run.lru_of === "pages" ? backendKey : entryKey;
    this.slider.setAttribute("aria-valuemax", this.run.last);
    const sample = (name, text) =>
      h("span", {}, s("svg", { width: 18, height: 8, "aria-hidden": "true" }, s("path", { class: name, d: "M0 4H18" })), text);
    this.lines.replaceChildren(sample("curve", "pool size"), sample("limit", `limit ${this.run.limit}`),
      sample("accept", `accepts below ${this.run.accept}`));
    this.buildState();
    this.buildCpus();
    this.draw();
    this.layout();
    this.play();
  }

  // -------------------------------------------------------------- the clock

  get step() {
    return Math.min(this.run.last, Math.max(0, this.model.get("step")));
  }

  seek(step) {
    this.note = "";
    const wanted = Math.min(this.run.last, Math.max(0, step));
    if (wanted !== this.model.get("step")) {
      this.model.set("step", wanted);
      this.model.save_changes();
    }
    this.later();
  }

  jump(kind, backwards) {
    const found = backwards ? this.run.previous(this.step, kind) : this.run.next(this.step, kind);
    if (found !== undefined) return this.seek(found);
    const { name } = EVENTS.find((event) => event.kind === kind);
    this.note = `${backwards ? "nothing before this step is" : "nothing after this step is"} “${name}”`;
    return this.later();
  }

  toggle() {
    const playing = !this.model.get("playing");
    if (playing && this.step === this.run.last) this.seek(0);
    this.model.set("playing", playing);
    this.model.save_changes();
    this.play();
  }

  play() {
    clearTimeout(this.timer);
    const playing = Boolean(this.model.get("playing"));
    if (playing && this.step === this.run.last) return this.toggleOff();
    if (playing)
      this.timer = setTimeout(() => {
        this.seek(this.step + 1);
        this.play();
      }, PAUSE / this.pace);
    const label = playing ? "pause" : "play";
    this.playButton.replaceChildren(icon(label));
    this.playButton.title = `${label} (space)`;
    this.playButton.setAttribute("aria-label", this.playButton.title);
    this.say.setAttribute("aria-live", playing ? "off" : "polite");
    return undefined;
  }

  toggleOff() {
    this.model.set("playing", false);
    this.model.save_changes();
    this.play();
  }

  setPace(pace) {
    this.pace = pace;
    this.paceButton.textContent = `${pace}×`;
    this.paceButton.setAttribute("aria-label", `speed ${pace} times`);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if ([" ", "Enter"].includes(event.key) && event.target.closest("a, button, summary")) return;
    const act = this.actions(event.shiftKey)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (this.run.steps.length) act();
  }

  actions(shift) {
    const { run, step } = this;
    return {
      ArrowLeft: () => this.seek(shift ? run.previousOperation(step) : step - 1),
      ArrowRight: () => this.seek(shift ? run.nextOperation(step) : step + 1),
      Home: () => this.seek(0),
      0: () => this.seek(0),
      End: () => this.seek(run.last),
      " ": () => this.toggle(),
      ...Object.fromEntries(EVENTS.map(({ key, kind }) => [key, () => this.jump(kind, shift)])),
    };
  }

  drag(event) {
    const { left, width } = this.chart.getBoundingClientRect();
    const place = (event.clientX - left - this.margin) / Math.max(1, width - 2 * this.margin);
    this.seek(Math.round(place * this.run.last));
  }

  /* One repaint a frame, however many keys or pointer moves there were. */
  later() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  // -------------------------------------------------------------- what is drawn once a run

  buildState() {
    const { run } = this;
    const section = (name, legend) => {
      const drawing = h("div", { class: name, role: "img" });
      this[name] = drawing;
      return h("section", {}, h("div", { class: "head" }, ...legend), drawing);
    };
    const swatch = (name, text) => h("span", { class: "legend" }, h("span", { class: `where ${name}` }), text);
    this.poolHead = h("span", { class: "legend" });
    const whose = run.lru_of === "pages" ? `LRU of ${run.backend}'s pages` : "LRU";
    this.state.replaceChildren(
      section("ram", [h("b", {}, "Pages"), swatch("present", "in RAM"), swatch("kept", "in zswap"),
        swatch("device", "on the swap device"),
        h("span", { class: "legend" }, h("span", { class: "count" }, "1"), "references to its entry"),
        h("span", { class: "legend" }, h("span", { class: "count unlinked" }, "1"), "not in the tree")]),
      section("lru", [h("b", {}, whose), "head (newest) → tail (next to go)"]),
      section("pool", [h("b", {}, "Pool"), this.poolHead]),
      h("section", {}, h("div", { class: "head" }, h("b", {}, "Counters"), "as in /sys/kernel/debug/zswap"), (this.counts = h("div", { class: "counts" }))),
    );
    this.small = run.peak.lru > 40 && run.lru_of !== "pages";
    this.lru.classList.toggle("small", this.small);
    this.pool.classList.add(run.peak.slots > 48 ? "tiny" : run.peak.slots > 16 ? "small" : "large");
    this.ram.classList.toggle("small", run.allPages.length > 120);
  }

  buildCpus() {
    this.panes = Array.from({ length: this.run.cpus }, (_, number) => {
      const pane = {
        head: h("div", { class: "cpu-head" }),
        calls: h("div", { class: "calls" }, h("bdi", { dir: "ltr" })),
        locks: h("div", { class: "locks" }),
        code: h("div", { class: "code", tabindex: "0", role: "region", "aria-label": `Source, CPU ${number}` }),
      };
      pane.box = h("div", { class: "cpu" }, pane.head, pane.calls, pane.locks, pane.code);
      return pane;
    });
    this.cpus.replaceChildren(...this.panes.map(({ box }) => box));
  }

  /* What depends on the width: room for the longest sentence and LRU, so that nothing jumps; the chart. */
  layout() {
    const width = this.slider.clientWidth;
    if (!width) return;
    this.say.style.minHeight = "";
    const said = [...this.say.childNodes];
    this.say.replaceChildren(...sentence(this.run.longest));
    const { height } = this.say.getBoundingClientRect();
    this.say.replaceChildren(...said);
    this.say.style.minHeight = `${height}px`;
    const [box, line] = this.run.lru_of === "pages" ? [112, 54] : this.small ? [32, 32] : [48, 52];
    const [most, across] = [Math.min(this.run.peak.lru, DRAWN + 4), this.lru.clientWidth];
    const places = Math.max(1, Math.floor((across + 8) / box));
    const crowded = most % places === 0 && places * box + 8 > across; // no room to step out of line
    const rows = Math.ceil(most / places) + crowded;
    this.lru.style.minHeight = `${rows * line + 6}px`;
    this.unit = this.pool.firstElementChild.clientWidth / this.run.page_units;
    this.drawPool();
    this.drawChart(width);
  }

  drawChart(width) {
    const { run } = this;
    const [top, base, lane] = [18, 64, 16];
    const height = base + 8 + lane * EVENTS.length;
    this.margin = 10;
    const x = (index) => this.margin + (index * (width - 2 * this.margin)) / Math.max(1, run.last);
    const y = (size) => base - ((base - top) * size) / Math.max(1.12 * run.limit, run.peak.size, 1);
    this.x = x;
    let curve = `M${x(0)} ${base}`;
    run.sizes.forEach((size, index) => {
      if (size !== (run.sizes[index - 1] ?? 0)) curve += `H${x(index).toFixed(1)}V${y(size).toFixed(1)}`;
    });
    curve += `H${x(run.last)}`;
    const across = `H${width - this.margin}`;
    const ticks = EVENTS.map(({ kind }, row) => {
      const from = base + 8 + row * lane;
      const marks = run.ticks[kind].map((index) => `M${x(index).toFixed(1)} ${from + 3}v${lane - 6}`).join("");
      return [s("path", { class: "rail", d: `M${this.margin} ${from + lane / 2}${across}` }),
        s("path", { class: `tick ${kind}`, d: marks, "stroke-width": Math.min(3, Math.max(1.2, width / (run.last + 1) - 1)) })];
    });
    this.playhead = s("g", { class: "playhead" }, s("path", { d: `M0 10V${height}` }), s("circle", { cy: 8, r: 6 }));
    put(this.chart, { width, height, viewBox: `0 0 ${width} ${height}` }, []);
    this.chart.replaceChildren(
      s("path", { class: "area", d: `${curve}V${base}Z` }),
      s("path", { class: "limit", d: `M${this.margin} ${y(run.limit)}${across}` }),
      s("path", { class: "accept", d: `M${this.margin} ${y(run.accept)}${across}` }),
      s("path", { class: "curve", d: curve }),
      ...ticks.flat(),
      this.playhead,
    );
    this.movePlayhead();
  }

  movePlayhead() {
    this.playhead?.setAttribute("transform", `translate(${this.x(this.step).toFixed(1)} 0)`);
  }

  // -------------------------------------------------------------- what is drawn every step

  draw() {
    this.frame = undefined;
    const { run, step } = this;
    const now = run.steps[step];
    this.now = run.at(step);
    this.root.dataset.step = step;
    this.counter.replaceChildren(
      h("b", {}, `step ${step}`), ` of ${run.last}`,
      h("span", { class: "operation" }, this.note || now?.operation_text || ""));
    this.slider.setAttribute("aria-valuenow", step);
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${run.last}: ${now?.operation_text ?? ""}`);
    this.movePlayhead();
    if (this.shown === step) return;
    this.touched = now ? touched(now, this.now, this.listKey) : new Set();
    this.say.className = `say ${now?.event ?? ""}`;
    this.say.replaceChildren(...sentence(now?.say ?? "Nothing was recorded: this run has no steps."));
    this.drawRam();
    this.drawLru();
    this.drawPool();
    this.drawCounters(now);
    this.panes.forEach((pane, number) => this.drawCpu(pane, number, now?.cpus[number]));
    this.shown = step;
    this.drawTable();
  }

  entry(id) {
    return this.now.entries.get(id) ?? this.now.freed.get(id);
  }

  /* Classes of an entry or a backend page, wherever it is drawn. */
  marks(key, ...more) {
    const { out } = this.now;
    const leaving = out !== null && key === this.listKey(out);
    return [...more, leaving && "leaving", this.touched.has(key) && "touched"].filter(Boolean).join(" ");
  }

  /* Where the only current copy of a page is: present, kept (in zswap), device, nowhere or freed. */
  where(page, held) {
    const { ram, disk } = this.now;
    const place = ram.get(page);
    if (place === "present" || place === "freed") return place;
    if (held.some(([, { linked }]) => linked)) return "kept";
    if (disk.has(page)) return "device";
    return place ? "nowhere" : "freed";
  }

  /* Each page of the run: [page, where it is, its entries as [id, entry]]. */
  places() {
    const held = new Map(this.run.allPages.map((page) => [page, []]));
    for (const [id, entry] of this.now.entries) held.get(entry.page).push([id, entry]);
    return [...held].map(([page, entries]) => [page, this.where(page, entries), entries]);
  }

  drawRam() {
    const told = [];
    arrange(this.ram, this.places().map(([page, where, held]) => {
      const facts = held.map(([, { refcount, linked }]) =>
        `${refcount} reference${refcount === 1 ? "" : "s"}, ${linked ? "in the tree" : "not in the tree"}`);
      const title = [`page ${page} ${WHERE[where]}`, ...facts].join("; ");
      told.push(title);
      return n("span", {
        class: this.marks(page, "where", where), title, "data-page": page,
        style: where === "kept" && paint(page),
      }, String(page), ...held.map(([id, { refcount, linked }]) =>
        n("span", { class: `count${refcount > 1 ? " more" : ""}${linked ? "" : " unlinked"}`, "data-key": entryKey(id) }, String(refcount))));
    }));
    this.ram.setAttribute("aria-label", `Pages: ${told.join(". ")}`);
  }

  drawLru() {
    const { now, run } = this;
    const single = !this.small && Math.abs(this.step - this.shown) === 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const from = new Map(single ? [...this.lru.children].map((box) => [box.dataset.key, place(box)]) : []);
    let ids = [...now.lru].reverse();
    const told = ids.map((id) => this.name(id)).join(", ");
    const skipped = ids.length - DRAWN;
    if (skipped > 0) ids = [...ids.slice(0, DRAWN / 2), null, ...ids.slice(-DRAWN / 2)];
    if (now.out !== null && !now.lru.has(now.out)) ids.push(now.out);
    const draw = run.lru_of === "pages" ? (id) => this.pageBox(id) : (id) => this.entryBox(id);
    const boxes = ids.map((id) => (id === null ? n("span", { class: "skipped" }, `⋯ ${skipped} more ⋯`) : draw(id)));
    arrange(this.lru, boxes.length ? boxes : [n("span", { class: "none" }, "empty")]);
    const leaving = now.out === null ? "" : `. Stepping out: ${this.name(now.out)}`;
    this.lru.setAttribute("aria-label", `LRU from head to tail: ${told || "empty"}${leaving}`);
    for (const box of from.size ? this.lru.children : []) glide(box, from.get(box.dataset.key));
  }

  name(id) {
    if (this.run.lru_of === "pages") return `${this.run.backend} page ${id}`;
    return `page ${this.entry(id)?.page ?? "?"}${this.now.entries.has(id) ? "" : " (freed)"}`;
  }

  entryBox(id) {
    const { page, length, offset, refcount, linked } = this.entry(id) ?? { page: "?", length: 0 };
    const freed = !this.now.entries.has(id);
    const title = freed ? `page ${page}: freed, and still on the list`
      : `page ${page}: slot ${offset}, ${length} bytes, ${refcount} references, ${linked ? "" : "not "}in the tree`;
    return n("span", { class: this.marks(entryKey(id), "box", freed && "freed"), title, "data-key": entryKey(id), style: !freed && paint(page) },
      n("b", {}, String(page)), !this.small && n("small", {}, freed ? "freed" : `${length} B`));
  }

  pageBox(number) {
    const name = `${this.run.backend} page ${number}`;
    return n("span", { class: this.marks(backendKey(number), "box", "wide"), "data-key": backendKey(number), title: name },
      n("small", {}, name), this.bar(number, this.now.pages.get(number) ?? [], false));
  }

  /* A backend page with its objects, to scale; one that is shorter than the longest, as much shorter. */
  bar(number, objects, labelled = true) {
    const { page_units: longest, header_units: header, unit_bytes: bytes } = this.run;
    const units = this.run.units_of?.[number] ?? longest;
    const part = (first, count) => `left:${(100 * first) / units}%;width:${(100 * count) / units}%;`;
    return n("span", { class: "bar-of-objects", style: units < longest && `width:${(100 * units) / longest}%` },
      header > 0 && n("span", { class: "header", style: part(0, header), title: `header, ${header * bytes} bytes` }),
      ...objects.map(([id, first, count]) => {
        const entry = this.entry(id);
        const freed = !this.now.entries.has(id);
        const page = entry?.page ?? "?";
        return n("span", {
          class: labelled ? this.marks(entryKey(id), "object", freed && "freed") : "object", "data-key": entryKey(id),
          style: part(first, count) + (freed ? "" : paint(page)),
          title: `page ${page}: ${count * bytes} bytes of room for ${entry?.length ?? 0}`,
        }, labelled && count * this.unit > 8 * String(page).length + 1 && n("b", {}, String(page)),
        labelled && count * this.unit > 66 && n("small", {}, `${entry?.length ?? 0} B`));
      }));
  }

  drawPool() {
    const { now, run } = this;
    const cells = Array.from({ length: run.peak.slots }, () => n("span", { class: "cell" }));
    for (const [number, objects] of now.pages) {
      const name = `${run.backend} page ${number}`;
      const key = backendKey(number);
      cells[now.slots.get(number)] = n("span", { title: name, class: this.marks(key, "cell"), "data-key": key },
        n("small", {}, name), this.bar(number, objects));
    }
    arrange(this.pool, cells);
    this.pool.setAttribute("aria-label", `Pool: ${now.pages.size} pages of the backend, see the table`);
    this.poolHead.replaceChildren(
      h("span", {}, h("b", {}, `${now.size} page${now.size === 1 ? "" : "s"}`),
        `, limit ${run.limit}, accepts again below ${run.accept}`),
      ...(now.full ? [h("span", { class: "full" }, "full")] : []));
  }

  drawCounters(step) {
    const changed = new Set((step?.changes ?? []).filter(([what]) => what === "counters").flatMap(([, values]) => Object.keys(values)));
    arrange(this.counts, this.run.counted.map((name) =>
      n("span", { class: changed.has(name) ? "changed" : "" }, `${name} `, n("b", {}, this.now.counters[name].toLocaleString("en")))));
  }

  drawCpu(pane, number, cpu) {
    const { sources } = this.run;
    const frames = [...(cpu?.stack ?? [])].reverse();
    const names = (cpu?.stack ?? []).map(([source]) => sources[source].function);
    const calls = names.join(" › ") || "between two operations";
    pane.head.replaceChildren(h("b", {}, `CPU ${number}`), h("span", { class: "task" }, cpu?.task ?? "idle"), this.kernelLink(frames));
    pane.calls.title = calls;
    pane.calls.firstElementChild.replaceChildren(calls);
    pane.locks.replaceChildren(
      ...(cpu?.holds ?? []).map((lock) => h("span", { class: "lock" }, `holds ${lock}`)),
      ...(cpu?.waits ? [h("span", { class: "lock waits" }, `waits for ${cpu.waits}`)] : []));
    if (!pane.locks.firstChild) pane.locks.append("no lock held");
    const shape = JSON.stringify([frames[0]?.[0], frames.slice(1)]);
    if (pane.shape !== shape) pane.code.replaceChildren(...frames.flatMap((frame, depth) => this.functionLines(frame, depth)));
    pane.shape = shape;
    pane.lit?.removeAttribute("aria-current");
    pane.lit = frames.length ? pane.code.children[frames[0][1]] : undefined;
    pane.lit?.setAttribute("aria-current", "true");
    if (pane.lit) reveal(pane.code, pane.lit);
  }

  /* The running function; under it those that called it, each with the line that waits. */
  functionLines([source, line], depth) {
    const lines = codeLines(this.run.sources[source].lines);
    if (!depth) return lines;
    lines[line].classList.add("calling");
    return [h("div", { class: "called" }, "called from"), ...lines];
  }

  /* The kernel's own function, of the innermost frame that has one. */
  kernelLink(frames) {
    const { kernel, url } = frames.map(([source]) => this.run.sources[source]).find((source) => source.kernel) ?? {};
    if (!url) return kernel ? h("span", { class: "kernel" }, kernel) : "";
    return h("a", { class: "kernel", href: url, target: "_blank", rel: "noopener", title: `${kernel} in the kernel's own source` }, `${kernel} ↗`);
  }

  /* Whatever the pointer is on is marked everywhere it is drawn. */
  point(element) {
    const key = element.closest("[data-key]")?.dataset.key;
    if (key === this.pointed) return;
    this.pointed = key;
    for (const marked of this.state.querySelectorAll(".pointed")) marked.classList.remove("pointed");
    for (const twin of key ? this.state.querySelectorAll(`[data-key="${key}"]`) : []) twin.classList.add("pointed");
  }

  // -------------------------------------------------------------- the same in words

  drawTable() {
    if (!this.table.open) return;
    const { run, now } = this;
    const order = [...now.lru].reverse();
    const pageOf = new Map([...now.pages].flatMap(([number, objects]) => objects.map(([id]) => [id, number])));
    const table = (name, heads, rows) => h("table", { "data-name": name }, h("caption", {}, name),
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, String(cell)))))));
    const label = (id) => `${this.entry(id)?.page ?? "?"}${now.entries.has(id) ? "" : " (freed)"}`;
    const listed = (id) => (run.lru_of === "pages" ? String(id) : label(id));
    this.table.lastElementChild.replaceChildren(
      table("Entries", ["page", "slot", "bytes", "references", "in the tree", `${run.backend} page`],
        [...now.entries].sort(([one], [other]) => one - other).map(([id, entry]) =>
          [entry.page, entry.offset, entry.length, entry.refcount, entry.linked ? "yes" : "no", pageOf.get(id) ?? ""])),
      table(run.lru_of === "pages" ? `LRU of ${run.backend} pages` : "LRU", ["from head to tail", "stepping out"],
        [[order.map(listed).join(", "), now.out === null ? "" : listed(now.out)]]),
      table("Pool", [`${run.backend} page`, "objects: page, first unit, units"],
        [...now.pages].sort(([one], [other]) => one - other).map(([number, objects]) =>
          [number, objects.map(([id, first, units]) => `${label(id)}: ${first}, ${units}`).join("; ")])),
      table("Size", ["pool size in pages", "limit", "accepts again below", "full"],
        [[now.size, run.limit, run.accept, now.full ? "yes" : "no"]]),
      table("CPUs", ["CPU", "task", "runs", "line", "holds", "waits for"],
        (run.steps[this.step]?.cpus ?? []).map(({ task, stack, holds, waits }, number) => {
          const [source, line] = stack.at(-1) ?? [];
          return [number, task, stack.map(([index]) => run.sources[index].function).join(" › "),
            source === undefined ? "" : run.sources[source].lines[line].trim(), holds.join(", "), waits ?? ""];
        })),
      table("Pages", ["page", "is"], this.places().map(([page, where]) =>
        [page, WHERE[where]])),
      table("Counters", ["counter", "value"], Object.entries(now.counters)),
    );
  }
}

const place = ({ offsetLeft, offsetTop }) => ({ offsetLeft, offsetTop });

/* A box that has another place than one step ago goes there; a new one is just there. */
function glide(box, from) {
  if (!from) return;
  const [across, down] = [from.offsetLeft - box.offsetLeft, from.offsetTop - box.offsetTop];
  if (across || down)
    box.animate([{ transform: `translate(${across}px, ${down}px)` }, { transform: "none" }], { duration: 180, easing: "ease-out" });
}

/* Bring the lit line into sight, only if it is out of it; never scrolls the page. */
function reveal(pane, line) {
  const [top, bottom] = [line.offsetTop, line.offsetTop + line.offsetHeight];
  if (top < pane.scrollTop || bottom > pane.scrollTop + pane.clientHeight) pane.scrollTop = top - pane.clientHeight / 3;
}

const STYLE = `
.zswaplab-player-host { width: 100%; min-width: 0; }
.zswaplab-player {
  --bg: var(--jp-layout-color1, #ffffff); --panel: color-mix(in srgb, var(--bg) 96%, var(--ink)); --line: #dddcd8; --ink: #1d1f21; --dim: #5b5f64;
  --lit: #fff0b8; --edge: #d89b00; --free: #e9e9e6; --yield: #00609a;
  --store: #0072b2; --load: #00875f; --writeback: #c55200; --refuse: #6d7176; --fault: #a95484;
  --fault-bg: #fbeaf3; --strong: #0072b2; --on-strong: #ffffff;
  container-type: inline-size; box-sizing: border-box; width: 100%; margin: 2px 0; overflow: hidden;
  border: 1px solid var(--line); border-radius: 10px; background: var(--bg); color: var(--ink);
  font: 14px/1.45 var(--jp-ui-font-family, system-ui, "Segoe UI", sans-serif); font-variant-numeric: tabular-nums; text-align: left;
  &[data-theme=dark] {
    --bg: var(--jp-layout-color1, #16181b); --line: #3a3e43; --ink: #e9e7e2; --dim: #a6acb2;
    --lit: #463b12; --edge: #f0b429; --free: #363b40; --yield: #6cc1ef;
    --store: #56b4e9; --load: #1fb78c; --writeback: #f0843a; --refuse: #8f959b; --fault: #d88db3;
    --fault-bg: #3a2231; --strong: #56b4e9; --on-strong: #101214;
  }
  & *, & *::before { box-sizing: border-box; }
  &:focus { outline: none; }
  &:focus-visible, &:focus { box-shadow: 0 0 0 2px var(--strong); border-color: var(--strong); }
  & :focus-visible { outline: 2px solid var(--strong); outline-offset: 1px; }
  button { font: inherit; color: inherit; cursor: pointer; }
  kbd.key {
    font: 600 11px/1 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--dim); background: var(--bg); border: 1px solid var(--line);
    border-radius: 4px; padding: 2px 5px; margin-right: 2px; box-shadow: none;
  }
  .bar { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; padding: 12px 16px 6px; background: var(--panel); }
  .buttons { display: flex; gap: 6px; }
  .buttons button {
    display: grid; place-items: center; width: 38px; height: 32px; padding: 0; border: 1px solid var(--line); border-radius: 7px; background: var(--bg);
  }
  .buttons .play { width: 48px; background: var(--strong); color: var(--on-strong); border-color: transparent; }
  .buttons .pace { border-color: transparent; background: none; color: var(--dim); font-size: 13px; }
  .buttons svg { width: 16px; height: 16px; fill: currentColor; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
  .counter { color: var(--dim); white-space: nowrap; }
  .counter b { color: var(--ink); }
  .operation { margin-left: 14px; }
  .tags { display: flex; flex-wrap: wrap; gap: 6px; margin-left: auto; }
  .tag { font-size: 12px; color: var(--dim); border: 1px solid var(--line); border-radius: 99px; padding: 1px 10px; background: var(--bg); }
  .time { display: flex; gap: 4px; padding: 0 8px 10px 16px; background: var(--panel); border-bottom: 1px solid var(--line); }
  .lanes { display: flex; flex-direction: column; flex: none; width: 126px; font-size: 12px; line-height: 16px; color: var(--dim); }
  .lines { height: 72px; padding-top: 14px; }
  .lines span { display: flex; gap: 6px; align-items: center; white-space: nowrap; }
  .lane { display: flex; gap: 5px; align-items: center; height: 16px; padding: 0; border: 0; background: none; color: var(--ink); text-align: left; white-space: nowrap; }
  .lane kbd.key { border: 0; color: var(--on-strong); min-width: 14px; text-align: center; padding: 2px 0; border-radius: 3px; background: currentColor; }
  .lane:disabled { color: var(--dim); cursor: default; opacity: .55; }
  .slider { flex: 1; min-width: 0; cursor: pointer; touch-action: pan-y; border-radius: 6px; }
  .slider svg { display: block; }
  .time path { fill: none; }
  .time .area { fill: var(--ink); opacity: .08; }
  .curve { stroke: var(--ink); stroke-width: 1.5; }
  .limit { stroke: var(--writeback); stroke-dasharray: 5 4; }
  .accept { stroke: var(--store); stroke-dasharray: 2 4; }
  .rail { stroke: var(--line); }
  .playhead path { stroke: var(--ink); stroke-width: 1.5; }
  .playhead circle { fill: var(--ink); }
  .say { padding: 14px 16px; font-size: 17px; line-height: 1.4; border-bottom: 1px solid var(--line); border-left: 4px solid transparent; }
  .say b { font-weight: 650; } .say code { font: .92em var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); background: none; color: inherit; padding: 0; }
  .say.fault { background: var(--fault-bg); }
  ${EVENTS.map(({ kind }) => `
  .tick.${kind} { stroke: var(--${kind}); }
  .lane.${kind} kbd.key { background: var(--${kind}); }
  .say.${kind} { border-left-color: var(--${kind}); }`).join("")}
  .body { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 39%); }
  .state { padding: 4px 16px 16px; min-width: 0; border-right: 1px solid var(--line); }
  .head { display: flex; flex-wrap: wrap; gap: 2px 12px; margin: 12px 0 6px; min-height: 24px; font-size: 12px; color: var(--dim); align-items: center; }
  .head > b { color: var(--ink); font-size: 13px; }
  .legend { display: inline-flex; gap: 5px; align-items: center; }
  .ram { display: flex; flex-wrap: wrap; gap: 8px; }
  .where { position: relative; display: inline-grid; place-items: center; width: 30px; height: 26px; border-radius: 6px; font-size: 12px; font-weight: 600; border: 1.5px solid transparent; }
  .ram.small .where { width: 22px; height: 18px; font-size: 9px; }
  .ram.small .count:not(.more, .unlinked) { display: none; }
  .legend .where { width: 13px; height: 11px; border-radius: 3px; }
  .where.present { border-color: var(--dim); background: var(--bg); }
  .legend .where.kept { background: linear-gradient(90deg, ${COLOURS[0]} 34%, ${COLOURS[2]} 34% 67%, ${COLOURS[3]} 67%); }
  .where.device { background: var(--free); color: var(--dim); }
  .where.nowhere { border: 1.5px dashed var(--dim); color: var(--dim); }
  .where.freed { color: var(--dim); font-weight: 400; }
  .count {
    display: inline-grid; place-items: center; min-width: 14px; height: 14px; padding: 0 3px; border-radius: 99px; font-size: 10px; line-height: 1; font-weight: 600;
    background: var(--bg); color: var(--ink); border: 1px solid var(--dim);
  }
  .count.more { background: var(--ink); color: var(--bg); border-color: var(--ink); }
  .count.unlinked { outline: 1.5px dashed var(--dim); border-color: transparent; outline-offset: 0; }
  .ram .count { position: absolute; top: -7px; right: -6px; }
  .ram .count + .count { top: auto; bottom: -7px; }
  .lru { display: flex; flex-wrap: wrap; align-content: flex-start; gap: 10px 8px; }
  .box { position: relative; display: grid; align-content: center; justify-items: center; width: 40px; height: 42px; border-radius: 8px; line-height: 1.2; }
  .box:not(:first-child)::before { content: ""; position: absolute; right: 100%; top: 50%; width: 8px; border-top: 1.5px solid var(--dim); }
  .box b { font-size: 14px; }
  .box small { font-size: 10px; white-space: nowrap; }
  .lru.small .box { width: 24px; height: 22px; border-radius: 5px; }
  .lru.small .box b { font-size: 11px; }
  .box.wide { width: 104px; height: 44px; gap: 4px; align-content: center; padding: 0 6px; border: 1.5px solid var(--line); background: var(--bg); justify-items: stretch; }
  .box.leaving { top: 8px; margin-left: 16px; }
  .box.leaving::before { width: 24px; top: 8px; border-top-style: dashed; border-color: var(--writeback); transform: rotate(14deg); transform-origin: right; }
  .leaving:not(.cell), .cell.leaving .bar-of-objects { outline: 2.5px dashed var(--writeback); outline-offset: 1px; }
  .touched:not(.leaving, .cell) { outline: 2px solid var(--ink); outline-offset: 1.5px; }
  .pointed:not(.leaving, .cell) { outline: 2px solid var(--strong); outline-offset: 1.5px; }
  .freed:not(.where) { background: repeating-linear-gradient(135deg, var(--free) 0 4px, var(--bg) 4px 7px); color: var(--ink); }
  .box.freed { border: 1.5px dashed var(--fault); }
  .none, .skipped { color: var(--dim); align-self: center; font-size: 12px; }
  .pool { display: grid; gap: 8px 18px; grid-template-columns: repeat(auto-fill, minmax(max(200px, 40%), 1fr)); }
  .pool.small { grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 6px 12px; }
  .pool.tiny { grid-template-columns: repeat(auto-fill, minmax(56px, 1fr)); gap: 5px 8px; }
  .cell { min-height: 44px; display: block; }
  .cell > small { display: block; font-size: 11px; line-height: 14px; padding-bottom: 4px; color: var(--dim); }
  .bar-of-objects { position: relative; display: block; height: 26px; border-radius: 5px; background: var(--free); }
  .wide .bar-of-objects { height: 12px; border-radius: 3px; }
  .small .cell { min-height: 34px; } .small .bar-of-objects { height: 18px; }
  .tiny .cell { min-height: 12px; } .tiny .cell small { display: none; } .tiny .bar-of-objects { height: 12px; }
  .header { position: absolute; inset: 0 auto 0 0; background: var(--dim); border-radius: 5px 0 0 5px; }
  .object { position: absolute; top: 0; bottom: 0; display: flex; gap: 6px; align-items: center; justify-content: center; overflow: hidden; border-radius: 5px; box-shadow: inset 0 0 0 1px var(--bg); white-space: nowrap; }
  .object b { font-size: 12px; } .object small { font-size: 11px; }
  .wide .object { border-radius: 3px; }
  .full { border: 1.5px solid var(--writeback); border-radius: 99px; padding: 0 8px; color: var(--ink); font-weight: 600; }
  .counts { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 2px 18px; font-size: 12px; color: var(--dim); }
  .counts span { display: flex; justify-content: space-between; }
  .counts b { font-weight: 500; color: var(--ink); } .counts .changed b { font-weight: 750; }
  .cpus { display: flex; flex-direction: column; min-width: 0; }
  .cpu { display: flex; flex-direction: column; flex: 1 1 0; min-height: 230px; padding-top: 14px; }
  .cpu + .cpu { border-top: 1px solid var(--line); }
  .cpu-head, .calls, .locks { padding: 0 16px; height: 26px; line-height: 26px; font-size: 13px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .cpu-head, .locks { display: flex; gap: 6px 10px; align-items: center; } .locks { color: var(--dim); }
  .task { color: var(--dim); overflow: hidden; text-overflow: ellipsis; } .kernel { margin-left: auto; color: var(--dim); }
  a.kernel { color: var(--yield); text-decoration: underline; text-underline-offset: 2px; }
  .calls { direction: rtl; text-align: left; } /* what is cut off is the outermost */
  .lock { font-size: 12px; line-height: 20px; padding: 0 9px; border-radius: 99px; color: var(--ink); border: 1px solid var(--dim); }
  .lock.waits { border: 1.5px dashed var(--writeback); }
  .code { position: relative; flex: 1 1 0; min-height: 0; overflow: auto; margin-top: 6px; padding-bottom: 12px; font: 12.5px/1.6 var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); }
  .line { padding: 0 12px 0 calc(13px + var(--indent)); text-indent: calc(-1 * var(--indent)); border-left: 3px solid transparent; white-space: pre-wrap; overflow-wrap: anywhere; }
  .code [aria-current] { background: var(--lit); border-left-color: var(--edge); }
  .calling { border-left-color: var(--edge); }
  .called { margin: 10px 16px 8px; padding-top: 8px; border-top: 1px solid var(--line); color: var(--dim); font: 12px/1.3 var(--jp-ui-font-family, system-ui, sans-serif); }
  .code i { color: var(--dim); font-style: normal; } .code b { color: var(--yield); font-weight: 600; }
  .foot { display: flex; flex-wrap: wrap; gap: 8px 24px; justify-content: space-between; padding: 10px 16px 12px; border-top: 1px solid var(--line); background: var(--panel); font-size: 12px; color: var(--dim); }
  .help { display: flex; flex-wrap: wrap; gap: 6px 14px; }
  summary { cursor: pointer; } .table[open] { flex-basis: 100%; color: var(--ink); }
  .table > div { display: flex; flex-wrap: wrap; gap: 16px 28px; padding: 12px 0; }
  table { border-collapse: collapse; font-size: 12px; margin: 0; } caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
  th, td { text-align: left; padding: 2px 12px 2px 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
  th { color: var(--dim); }
  &.fixed .body { height: var(--height); grid-template-rows: minmax(0, 1fr); } &.fixed .state, &.fixed .cpus { overflow: auto; }
  @container (max-width: 760px) {
    .body { grid-template-columns: minmax(0, 1fr); }
    .state { border-right: 0; border-bottom: 1px solid var(--line); }
    .cpu { flex: none; }
    &.fixed .body { overflow: auto; grid-template-rows: none; } &.fixed .state, &.fixed .cpus { overflow: visible; }
    .code { flex: none; height: 220px; }
    .pool.large { grid-template-columns: repeat(auto-fill, minmax(max(150px, 40%), 1fr)); }
    .tags { margin-left: 0; }
  }
  @container (min-width: 1500px) { .cpus { flex-direction: row; } .cpu + .cpu { border-top: 0; border-left: 1px solid var(--line); } }
}
`;

/* What anywidget calls; it gets the function that cleans up. */
function render({ model, el }) {
  const player = new Player(model, el);
  return () => player.close();
}

/* The player without a notebook, as in a saved page: a model that holds its values itself. */
function mount(element, payload, step) {
  const values = { payload: JSON.stringify(payload), step, playing: false };
  const heard = {};
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      (heard[`change:${name}`] ?? []).forEach((hear) => hear());
    },
    save_changes() {},
    on: (event, hear) => (heard[event] ??= []).push(hear),
    off() {},
  };
  return render({ model, el: element });
}

export default { render };
