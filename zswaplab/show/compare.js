/* Two runs on one clock, side by side, and the tree of their forks. The clock and where two runs part come from Python
   (clock.py); the sheets are the player's own drawings. */
import { LEVELS, Run, plain, spansOf } from "./scene.js";
import { Memory, h, patch } from "./dom.js";
import { breadth, counters, cpus, fitting, lists, measures, pages, pool, px, sentence, shapeOf } from "./drawing.js";
import { DRAWN, Player, answer, closing, doing, icon, keys, row, table, unpack } from "./player.js";

const PLACES = {
  present: "in RAM", kept: "in zswap", device: "on disk", nowhere: "nowhere", freed: "given up",
  "not yet": "not yet written",
};
const ROW = { wide: 30, one: 28, tiny: 26 }; // the height of a rail
const CHIP = 15;

/* ---------------------------------------------------------------- the clock */

/* The clock of all runs, in the shape of a Run, as far as the player's own clock asks: its steps are ticks. */
class Clock {
  constructor(slots, runs) {
    this.runs = runs;
    this.slots = [];
    this.steps = [];
    this.operations = [];
    this.touches = new Map();
    slots.forEach(([text, kind, pageNumbers, width, steps], operation) => {
      this.slots.push({ text, tick: this.steps.length, width, steps });
      this.operations.push({ text: text.replaceAll("_", " "), kind, pages: pageNumbers });
      for (let step = 0; step < width; step += 1) this.steps.push({ operation });
    });
    this.last = Math.max(0, this.steps.length - 1);
    this.spans = spansOf(this);
    this.story = [0, this.last];
  }

  /* The step at which a run stands at a tick: where it took fewer steps for an operation, it waits at the last. */
  stepOf(run, tick) {
    const slot = this.steps[tick]?.operation ?? 0;
    const [first, end] = this.slots[slot].steps[run];
    const step = first < end ? Math.min(first + tick - this.slots[slot].tick, end - 1) : first - 1;
    return Math.min(Math.max(0, step), this.runs[run].last);
  }

  tickOf(run, step) {
    const slot = this.slots.find(({ steps }) => steps[run][0] <= step && step < steps[run][1]);
    return slot ? slot.tick + step - slot.steps[run][0] : this.last;
  }

  /* The last tick at which a run still goes on. */
  endOf(run) {
    return this.tickOf(run, this.runs[run].last);
  }

  /* Where the story stops: wherever that of a run that is shown does. */
  stops(pair, more) {
    const stops = new Set([0, this.last, ...more]);
    for (const run of pair) for (const step of this.runs[run].story) stops.add(this.tickOf(run, step));
    this.story = [...stops].sort((one, other) => one - other);
  }
}
for (const name of ["next", "previous", "moment", "nearest", "within", "nextOperation", "previousOperation"])
  Clock.prototype[name] = Run.prototype[name];

/* ---------------------------------------------------------------- one of the two sheets */

class Side {
  constructor(run, number, clock) {
    Object.assign(this, { run, number, clock, hidden: new Set(), touch: 0, memory: new Memory() });
  }

  /* The moment shown, as the drawings ask for it. Rings say what differs, so the sentence's entry has none here. */
  at(tick, m, character) {
    Object.assign(this, { step: this.clock.stepOf(this.number, tick), m, character });
    return { ...Player.prototype.view.call(this), subject: null, holdersRight: false };
  }
}

/* The highest of each that fixes the layout, in whichever run. */
function highest(peaks) {
  const found = { units: {} };
  for (const { units, ...peak } of peaks) {
    for (const [name, value] of Object.entries(peak)) found[name] = Math.max(found[name] ?? 0, value);
    for (const [name, value] of Object.entries(units)) found.units[name] = Math.max(found.units[name] ?? 0, value);
  }
  return found;
}

/* What of two moments differs: pages that are elsewhere, pages in another place on the LRU, the size of the pool. */
function differences(one, other) {
  const [mine, theirs] = [one, other].map(({ places }) => new Map(places.map(([page, where]) => [page, where])));
  const elsewhere = new Map(); // "kept device" -> pages
  for (const page of [...new Set([...mine.keys(), ...theirs.keys()])].sort((a, b) => a - b)) {
    const both = [mine.get(page) ?? "not yet", theirs.get(page) ?? "not yet"];
    if (both[0] === both[1]) continue;
    const key = both.join("|");
    elsewhere.set(key, [...(elsewhere.get(key) ?? []), page]);
  }
  const moved = new Set([...elsewhere.values()].flat());
  const orders = [one, other].map(orderOf);
  const common = orders.every(Boolean) && orders.map((order) => order.filter((page) => !moved.has(page)));
  const turned = common ? common[0].filter((page, index) => common[1][index] !== page) : [];
  return { elsewhere, moved, turned: new Set(turned), sizes: [one.state.size, other.state.size] };
}

/* The pages on the LRU of entries, head first; nothing where it lists something else. */
function orderOf({ run, state }) {
  if (run.pools[state.current].lru_of !== "entries") return null;
  return [...(state.lru.get(state.current) ?? [])].reverse().map((id) => run.name(id));
}

const numbers = (given) => {
  const shown = given.slice(0, 6).map((page) => `**${page}**`).join(", ");
  return `page${given.length === 1 ? "" : "s"} ${shown}${given.length > 6 ? ` and ${given.length - 6} more` : ""}`;
};

/* What differs, in one sentence; nothing where nothing does. */
function difference({ elsewhere, turned, sizes }, [one, other]) {
  const said = [...elsewhere].slice(0, 3).map(([key, found], index) => {
    const [here, there] = key.split("|").map((where) => PLACES[where]);
    return index ? `${numbers(found)} ${here}, ${there}` : `${numbers(found)} ${here} in **${one}**, ${there} in **${other}**`;
  });
  if (elsewhere.size > 3) said.push("others elsewhere, too");
  const text = said.join("; ") || (turned.size && `${numbers([...turned])} in another place on the LRU`)
    || (sizes[0] !== sizes[1] && `the pool has ${sizes[0]} pages in **${one}**, ${sizes[1]} in **${other}**`);
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/* ---------------------------------------------------------------- the tree of runs */

const TICKS = ["store", "load", "refuse", "writeback"];

/* Each run a rail; one begins at the rail from which it was forked, or where the two part. */
function rails(c) {
  const { clock, m, runs, pair } = c;
  const x = (tick) => (m.chart * tick) / Math.max(1, clock.last);
  return runs.map((run, number) => {
    const y = m.rail(number);
    const parent = c.parent(number);
    const begins = parent === undefined ? 0 : c.begins(number);
    const before = parent === undefined ? y : m.rail(c.runAt(parent, begins)); // where the rail comes from
    const bend = 14;
    const last = x(clock.endOf(number));
    const from = Math.max(0, Math.min(begins === undefined ? m.chart : x(begins), m.chart - bend, Math.max(last - bend, 0)));
    const end = parent === undefined ? last : Math.max(last, from + bend);
    const look = pair.includes(number) ? "shown" : "";
    const way = parent === undefined ? `M0 ${y}H${end.toFixed(1)}`
      : `M${from.toFixed(1)} ${before}C${(from + bend).toFixed(1)} ${before} ${from.toFixed(1)} ${y} `
        + `${(from + bend).toFixed(1)} ${y}H${end.toFixed(1)}`;
    const same = begins === undefined;
    return h("g", { key: run.letter, class: look, "data-run": number },
      same ? h("text", { x: 4, y: y + 4 }, `the same as ${runs[parent].letter}: nothing differs that a reader sees`)
        : h("path.way", { d: way }),
      !same && marks(c.played[number], clock, number, x, y, begins),
      !same && ended(c.played[number], end, y),
      run.from && run.from[1] !== null && h("circle.forked", { cx: from.toFixed(1), cy: before, r: 4.5 }));
  });
}

/* The part of other rails on which those lie that are shown. */
function common(c) {
  const { clock, m, pair } = c;
  const x = (tick) => ((m.chart * tick) / Math.max(1, clock.last)).toFixed(1);
  return pair.map((number) => {
    const found = [];
    for (let run = number; c.parent(run) !== undefined; ) {
      const until = c.begins(run) ?? clock.endOf(run);
      run = c.runAt(c.parent(run), until);
      found.push(h("path.way", { d: `M${x(c.parent(run) === undefined ? 0 : c.begins(run))} ${m.rail(run)}H${x(until)}` }));
    }
    return h("g.shown.common", found);
  });
}

/* Ticks where pages are stored, loaded, refused; a page that is written back as its number. */
function marks(run, clock, number, x, y, begins) {
  let free = -1;
  return run.steps.map((step, index) => {
    const tick = clock.tickOf(number, index);
    if (!TICKS.includes(step.event) || tick < begins) return null;
    const at = x(tick);
    if (step.event !== "writeback")
      return h("path.tick", { class: `k-${step.event}`, d: `M${at.toFixed(1)} ${y - 5}v10` });
    const page = step.changes.find(([what]) => what === "disk")?.[1];
    const fits = page !== undefined && at - CHIP / 2 > free && String(page).length < 3;
    if (!fits) return h("path.tick.k-writeback", { d: `M${at.toFixed(1)} ${y - 6}v12` });
    free = at + CHIP / 2;
    return [h("rect.chip-of", { x: (at - CHIP / 2).toFixed(1), y: y - 7, width: CHIP, height: 14, rx: 2,
      style: `fill:var(--e${page % 5})` }),
    h("text.chip-name", { x: at.toFixed(1), y: y + 4, style: `fill:var(--i${page % 5})` }, String(page))];
  });
}

const ended = (run, end, y) => run.steps.at(-1)?.event === "fault"
  && h("path.crashed", { d: `M${end - 5} ${y - 5}l10 10m0-10l-10 10` });

/* ---------------------------------------------------------------- the comparison */

class Comparison extends Player {
  /* ---------------------------------------------------------------- the sheet's own parts */

  build() {
    const way = (act, label, key) =>
      doing(act, { class: act, "aria-label": label, title: `${label} (${key})` }, icon(act));
    const hint = (names, does) => h("span", keys(names), does);
    this.id = `zswaplab-${(Comparison.made = (Comparison.made ?? 0) + 1)}`;
    this.alone = undefined; // the side that is shown alone
    this.root.classList.add("zswaplab-compare");
    patch(this.root, [
      this.pictured("A picture of a comparison."),
      h(".bar",
        h("span.btns", way("first", "first", "Home"), way("back", "back", "←"), way("play", "play", "Space"),
          way("forward", "forward", "→"), way("last", "last", "End"), doing("pace", { class: "pace" })),
        h("span.seg", { role: "group", "aria-label": "Detail" }, LEVELS.map((name) =>
          doing("level", { "data-level": name }, name[0].toUpperCase() + name.slice(1)))),
        h("span.seg.who", { role: "group", "aria-label": "Which runs are shown" }),
        h("span.count"), h("span.what"), doing("lecture", { class: "lecture-mode icon", "aria-label": "lecture mode",
          title: "lecture mode: fills the window (P, while the comparison has the focus)" }, icon("lecture"))),
      h(".time", h(".gutter"), h(".slider", { role: "slider", tabindex: this.still === undefined ? 0 : null, "aria-label": "Clock of both runs",
        "aria-valuemin": 0 }, h("svg.chart", { "aria-hidden": "true" }), h("svg.over", { "aria-hidden": "true" })),
      h(".ends")),
      h(".forking", { role: "group", "aria-label": "Fork", hidden: true }),
      h(".say", { role: "status", "aria-atomic": "true" }),
      h(".body"),
      h(".why", { role: "group", "aria-label": "Why is it so?", hidden: true }),
      h(".help", { role: "group", "aria-label": "Keys", hidden: true }),
      h(".foot", doing("table", { class: "bare disclose", "aria-expanded": "false" }, "The same as a table"),
        doing("fork", { class: "bare disclose", "aria-expanded": "false" }, "Fork here"),
        h("span.ringed", h("span.sample.ring.solid", { "aria-hidden": "true" }), "ringed: what differs"),
        h("span.keys", h("span.letters", hint("D", "first difference"), hint("A B", "alone"), hint("K", "fork")),
          hint("← →", "next"), hint(", .", "one step"), hint("Home End", "ends"),
          doing("help", { class: "bare", title: "all keys" }, h("kbd", "?"), " keys"))),
      h(".tables", { role: "group", "aria-label": "The same as a table", hidden: true }),
    ]);
    for (const name of ["count", "gutter", "slider", "chart", "over", "say", "body", "why", "help", "forking", "ends",
      "who"]) this[name] = this.root.querySelector(`.${name}`);
    const others = { playButton: ".play", paceButton: ".pace", lectureButton: ".lecture-mode", table: ".tables",
      tableButton: ".foot [data-act=table]", forkButton: ".foot [data-act=fork]" };
    for (const [name, selector] of Object.entries(others)) this[name] = this.root.querySelector(selector);
    this.noteBox = this.body; // there are no notes here
    if (this.still !== undefined) this.freeze();
    this.setPace(1);
  }

  listen() {
    super.listen();
    const close = this.close;
    const heard = { runs: () => this.load(), pair: () => this.paired(), refused: () => this.drawFork() };
    for (const [name, hear] of Object.entries(heard)) this.model.on(`change:${name}`, hear);
    const gone = () => {
      this.gone = true;
      this.drawFork();
    };
    this.root.parentElement.addEventListener("zswaplab-gone", gone);
    this.close = () => {
      close();
      for (const [name, hear] of Object.entries(heard)) this.model.off(`change:${name}`, hear);
    };
  }

  /* Unpack what is new; only the newest call has an effect. */
  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.unpacked ??= new Map(); // letter -> run
    const runs = this.model.get("runs");
    for (const { letter, payload } of runs)
      if (!this.unpacked.has(letter)) this.unpacked.set(letter, new Run(await unpack(payload)));
    if (turn !== this.turn) return;
    this.runs = runs;
    this.partings = this.model.get("partings");
    this.played = runs.map(({ letter }) => this.unpacked.get(letter));
    const peak = highest(this.played.map((run) => run.peak));
    for (const run of this.played) run.peak = peak; // so that the same is drawn as large in each
    this.run = new Clock(this.model.get("slots"), this.played);
    this.root.setAttribute("aria-label", this.still === undefined ? `Comparison of ${runs.length} runs` : this.alt);
    this.slider.setAttribute("aria-valuemax", this.run.last);
    this.alone = undefined;
    this.paired();
    this.play();
  }

  get clock() {
    return this.run;
  }

  get letters() {
    return this.pair.map((number) => this.runs[number].letter);
  }

  /* Two other runs are shown. */
  paired() {
    const pair = this.model.get("pair");
    if (!this.run || pair.some((number) => !this.played[number])) return; // which is on its way
    this.pair = pair;
    this.sides = this.pair.map((number) => new Side(this.played[number], number, this.run));
    this.question = this.measured = undefined;
    this.run.stops(this.pair, [this.parting(...this.pair)?.tick ?? 0]);
    this.drawFork();
    this.layout();
  }

  /* Where two runs part, or nothing. */
  parting(one, other) {
    const [first, second] = [one, other].sort((mine, theirs) => mine - theirs);
    const found = this.partings[`${first} ${second}`];
    if (!found) return undefined;
    const [mine, theirs, what] = found;
    const tick = Math.max(this.run.tickOf(first, mine), this.run.tickOf(second, theirs));
    return { tick, what, steps: one < other ? [mine, theirs] : [theirs, mine] };
  }

  /* The run from which another was forked; the second is drawn as one that parts from the first. */
  parent(number) {
    return this.runs[number].from?.[0] ?? (number === 1 ? 0 : undefined);
  }

  /* The run on whose rail another still lies at a tick: itself, or the one from which it has not parted yet. */
  runAt(number, tick) {
    const parent = this.parent(number);
    return parent !== undefined && tick < (this.begins(number) ?? Infinity) ? this.runAt(parent, tick) : number;
  }

  /* Where a run's rail begins: at its fork, or where it parts from the one before it. */
  begins(number) {
    const parent = this.parent(number);
    const { from } = this.runs[number];
    return from && from[1] !== null ? this.run.tickOf(parent, from[1]) : this.parting(parent, number)?.tick;
  }

  /* ---------------------------------------------------------------- what the reader does */

  keys(event) {
    const found = super.keys(event);
    for (const name of ["n", "s", "l", "e", "r", "f", "w"]) delete found[name];
    const inOther = event.target.closest(".forking, .gutter");
    if (inOther) for (const name of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) delete found[name];
    return {
      ...found,
      d: () => this.toDifference(), k: () => this.toggleFork(), a: () => this.show(0), b: () => this.show(1),
    };
  }

  act(data, shift) {
    const acts = {
      fork: () => this.toggleFork(), make: () => this.fork(), difference: () => this.toDifference(),
      alone: () => this.show(data.side === "both" ? undefined : Number(data.side)),
      seek: () => this.question && this.seek(this.run.tickOf(this.question.number, Number(data.step))),
      watch: () => {
        const { number, field, step } = this.question;
        const next = this.played[number].nextWrite(field, step);
        if (next) this.seek(this.run.tickOf(number, next.step));
      },
    };
    if (acts[data.act]) acts[data.act]();
    else super.act(data, shift);
  }

  click(event) {
    this.asking = event.target.closest(".side")?.dataset.side; // the side that a question is about
    super.click(event);
  }

  toDifference() {
    const found = this.parting(...this.pair);
    if (found) this.seek(found.tick);
    else {
      this.message = `nothing differs between ${this.letters.join(" and ")}`;
      this.later();
    }
  }

  /* One side alone; asked again, both. */
  show(side) {
    this.alone = this.alone === side ? undefined : side;
    this.layout();
  }

  ask(field) {
    if (field === undefined || this.asking === undefined) {
      this.question = undefined;
      this.later();
      return;
    }
    const side = this.sides[this.asking];
    if (this.question?.field === field && this.question.number === side.number) {
      this.earlier();
      return;
    }
    const step = this.run.stepOf(side.number, this.step);
    this.question = { field, number: side.number, step, write: side.run.lastWrite(field, step) };
    this.later();
  }

  earlier() {
    const { question } = this;
    const writes = this.played[question.number].writes(question.field);
    question.write = writes[writes.indexOf(question.write) - 1] ?? question.write;
    this.later();
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    if (this.help.hidden) return;
    const list = [["← →", "back, forward, as far as the level of detail goes"], [", .", "one step back, forward"],
      ["Shift ← →", "an operation back, forward"], ["Home End", "first, last"], ["Space", "play, pause"],
      ["↑ ↓", "choose a field; Enter asks why it is so"], ["Esc", "close what is open"], ["D", "the first difference"],
      ["A B", "the left one or the right one alone, and both again"], ["K", "fork here, with one setting changed"],
      ["C", "next level of detail"], ["T", "table"], ["P", "lecture mode"]];
    patch(this.help, h(".card", h(".h", h("b", "Keys"), closing("help")),
      h(".columns", list.map(([names, does]) => h("div", keys(names), ` ${does}`))),
      h(".dim", "Letters work while the comparison has the focus, never otherwise.")));
  }

  toggleFork() {
    this.forking.hidden = !this.forking.hidden;
    this.forkButton.setAttribute("aria-expanded", !this.forking.hidden);
    this.drawFork();
    this.layout();
    if (!this.forking.hidden) this.forking.querySelector("select")?.focus();
    else this.root.focus({ preventScroll: true });
  }

  escape() {
    if (!this.forking.hidden && !this.question && this.help.hidden) this.toggleFork();
    else super.escape();
  }

  changed({ name, value }) {
    if (name?.startsWith(`${this.id}-`)) {
      const [place, other] = name.endsWith("left") ? [0, 1] : [1, 0];
      const pair = [...this.pair];
      if (pair[other] === Number(value)) pair[other] = pair[place];
      pair[place] = Number(value);
      this.tell("pair", pair);
      this.paired();
    }
    if (name === "of" || name === "setting" || name === "value") {
      this.chosen = { ...this.chosen, [name]: value, ...(name === "value" ? {} : { value: undefined }) };
      if (name === "of") this.chosen.setting = undefined;
      this.drawFork();
    }
  }

  /* Ask Python for another future. */
  fork() {
    const { of, setting, value } = this.choice();
    if (this.gone || setting === undefined) return;
    this.model.send({ fork: this.runs[of].letter, step: this.run.stepOf(of, this.step), name: setting.name, value });
  }

  /* What is chosen in the form: the run, the setting, its new value. */
  choice() {
    const chosen = this.chosen ?? {};
    const of = this.pair.includes(Number(chosen.of)) ? Number(chosen.of) : this.pair[0];
    const { settings } = this.runs[of];
    const setting = settings.find(({ name }) => name === chosen.setting) ?? settings[0];
    if (!setting) return { of };
    if (!setting.values) {
      const wanted = Number(chosen.value ?? setting.now);
      return { of, setting, value: Math.min(setting.most, Math.max(setting.least, Math.round(wanted) || 0)) };
    }
    const others = setting.values.filter((value) => value !== setting.now);
    return { of, setting, value: others.find((value) => String(value) === chosen.value) ?? others[0] };
  }

  /* ---------------------------------------------------------------- what is measured and drawn */

  layout() {
    if (!this.sides) return;
    const { level, lecture, root } = this;
    const zoom = lecture ? Math.min(innerWidth / 1050, innerHeight / 600) : 1;
    const outer = lecture ? Math.floor(innerWidth / zoom) : Math.min(1240, root.parentElement.clientWidth);
    if (!outer) return;
    const shape = shapeOf(outer - 2);
    Object.assign(root.dataset, { size: shape, level });
    Object.assign(root.style, { zoom: lecture ? zoom : "", width: lecture ? px(outer) : "" });
    for (const button of root.querySelectorAll("[data-level]")) {
      button.classList.toggle("on", button.dataset.level === level);
      button.setAttribute("aria-pressed", button.dataset.level === level);
    }
    this.measureText(outer);
    const wide = shape === "wide";
    const two = this.only === undefined && wide;
    const width = two ? Math.floor((outer - 3) / 2) : outer - 2;
    const tall = ROW[shape];
    const gutter = wide ? 208 : 92;
    const ends = wide ? 176 : 0;
    const railed = tall * this.runs.length;
    const over = 22; // above the first rail, where differences are named
    const body = this.only === undefined && wide ? 350 : undefined;
    const pad = shape === "tiny" ? 14 : 16;
    this.m = {
      shape, wide, over, railed, gutter, ends, work: over + railed + 2, time: over + railed + 22,
      chart: outer - 2 - 2 * pad - gutter - ends, rail: (number) => over + tall * number + tall / 2,
    };
    this.sheets = this.sides.map(({ run }) => {
      const hidden = new Set();
      const m = measures(run, { width, level, height: 590, say: 46, note: 0, hidden });
      const across = width - 2 * pad;
      return { ...m, shape: wide ? "wide" : m.shape, wide, across, inner: across, body, right: width,
        gap: 8, dense: true, shelf: 20, counted: true };
    });
    root.classList.add("dense");
    root.style.setProperty("--between", px(9));
    for (const side of this.sides) side.memory = new Memory();
    this.banded = undefined;
    this.drawTitle(outer);
    this.drawWho();
    this.draw();
  }

  /* How wide a character is; the sentences over both sheets are short. */
  measureText(width) {
    const { run } = this;
    this.run = { longest: () => [] };
    super.measureText(width);
    this.run = run;
  }

  /* Where the two part, if that is here. */
  get partsHere() {
    const found = this.parting(...this.pair);
    return found?.tick === this.step ? found : undefined;
  }

  /* What a sheet says: where the two part, what made them part, also where that is a step ago. */
  saying({ run, now, report }, index) {
    const step = this.partsHere?.steps[index];
    if (step === undefined) return [report?.say ?? now.say, report ? "fault" : now.event ?? ""];
    const [found] = run.touches.get(step) ?? [];
    return [found?.say ?? run.steps[step].say, found ? "fault" : run.steps[step].event ?? ""];
  }

  drawTitle() {
    const titles = [...new Set(this.pair.map((number) => this.played[number].title).filter(Boolean))];
    const [one, ...others] = this.pair.map((number) => this.played[number].tags);
    const common = one.filter((tag) => others.every((tags) => tags.includes(tag))).map((tag) => tag.split(": ")[0]);
    for (const what of this.root.querySelectorAll(".what")) patch(what, [titles.length > 0 && h("b", titles.join(" · ")), common.join(" · ")]);
  }

  drawWho() {
    const [one, other] = this.letters;
    const choice = (side, name) => doing("alone", { "data-side": side, class: this.isShown(side) ? "on" : "",
      "aria-pressed": String(this.isShown(side)) }, name);
    patch(this.who, [choice("0", one), choice("1", other), this.m.shape !== "tiny" && choice("both", "both")]);
  }

  isShown(side) {
    return side === "both" ? this.only === undefined : this.only === Number(side);
  }

  /* The side that is shown alone, if one is: where there is room for one only, the left one at first. */
  get only() {
    return this.alone ?? (this.root.dataset.size === "tiny" ? 0 : undefined);
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (!this.m || !this.sides) return;
    const { step, root } = this;
    const views = this.sides.map((side, index) => side.at(step, this.sheets[index], this.character));
    const found = differences(...views);
    this.drawBar();
    this.drawTime();
    this.drawSay(views, found);
    patch(this.body, views.map((v, index) => (this.only === undefined || this.only === index) && this.side(v, index)));
    this.ring(views, found);
    this.drawWhy(views);
    this.drawTable(views, found);
    if (!this.forking.hidden) this.drawFork();
    Object.assign(root.dataset, { step, parted: found.moved.size > 0 });
    this.tellHeight();
  }

  drawBar() {
    const { run, step, level } = this;
    const place = level === "story" ? ["moment ", h("b", String(run.moment(step))), ` of ${run.story.length}`]
      : ["in ", h("b", run.operations[run.steps[step].operation].text)];
    patch(this.count, this.message || place);
  }

  drawSay(views, found) {
    const faults = views.flatMap(({ report }, index) => (report ? [[this.letters[index], report.say]] : []));
    const one = views[0].report?.say ?? views[0].now.say;
    const crashed = faults.length === 1 ? `**${faults[0][0]}**: ${faults[0][1]}` : undefined;
    const here = this.partsHere && `The first difference: **${this.partsHere.what}**.`;
    const said = crashed ?? here ?? (difference(found, this.letters) || one);
    this.say.className = `say ${faults.length ? "fault" : found.moved.size ? "writeback" : views[0].now.event ?? ""}`;
    patch(this.say, sentence(said));
    this.slider.setAttribute("aria-valuenow", this.step);
    this.slider.setAttribute("aria-valuetext", plain(said));
  }

  side(v, index) {
    const { runs, pair, level } = this;
    const { letter, label } = runs[pair[index]];
    const part = (name, drawing) => h("section", { key: name, class: `of-${name}` }, drawing);
    const [said, look] = this.saying(v, index);
    const room = v.m.body && 150;
    return h("section.side", { key: `side ${index}`, "data-side": index, "aria-label": `${letter}: ${label}` },
      h(".h", h("b.letter", letter), h("b", label), h("span.r", `step ${v.step} of ${v.run.last}`)),
      part("pages", pages(v)), part("lru", lists(v)),
      level === "source" ? part("source", cpus(v, room)) : [part("pool", pool(v)), part("counters", counters(v))],
      h(".told", { class: look }, sentence(said)));
  }

  /* Ring what differs, wherever it is drawn. */
  ring(views, { moved, turned }) {
    this.body.querySelectorAll(".side").forEach((drawn) => {
      const { run } = views[drawn.dataset.side];
      for (const box of drawn.querySelectorAll("[data-page]"))
        box.classList.toggle("differs", moved.has(Number(box.dataset.page)));
      for (const box of drawn.querySelectorAll("[data-entry]")) {
        const page = run.name(Number(box.dataset.entry));
        box.classList.toggle("differs", moved.has(page) || (turned.has(page) && box.matches(".e")));
      }
    });
  }

  drawTime() {
    const { m, run } = this;
    if (this.banded !== String(this.pair)) {
      for (const drawing of [this.chart, this.over])
        for (const [name, value] of Object.entries({ width: m.chart, height: m.time, viewBox: `0 0 ${m.chart} ${m.time}` }))
          drawing.setAttribute(name, value);
      this.gutter.style.width = px(m.gutter);
      this.ends.style.width = px(m.ends);
      patch(this.gutter, this.names());
      patch(this.ends, m.ends > 0 && this.runs.map(({ end }, number) =>
        h("span.label", { style: `top:${m.rail(number) - 8}px` }, this.played[number].steps.at(-1)?.event === "fault"
          ? h("b.crashes", end) : end)));
      patch(this.chart, [this.work(), common(this), rails(this), this.diamond()]);
      this.banded = String(this.pair);
    }
    const at = ((m.chart * this.step) / Math.max(1, run.last)).toFixed(1);
    const now = run.spans.find(({ from, to }) => from <= this.step && this.step < to);
    patch(this.over, [now && this.block(now, "seg-now", "bg"),
      h("path.head", { d: `M${at} 8V${m.work + 17}` }), h("circle.knob", { cx: at, cy: 7, r: 5.5 })]);
  }

  /* The same work: the operations, as wide as their longest run. */
  work() {
    return this.run.spans.map((span) => this.block(span, "seg-run", "ink"));
  }

  block({ from, to, labels }, look, ink) {
    const { m, run } = this;
    const x = (tick) => Math.min(m.chart, Math.max(0, (m.chart * (tick - 0.5)) / Math.max(1, run.last)));
    const width = Math.max(0.8, x(to) - x(from) - 1.5);
    const text = fitting(labels, width - 8);
    const middle = ((x(from) + x(to)) / 2).toFixed(1);
    return [h("rect", { class: look, x: (x(from) + 0.75).toFixed(1), y: m.work, width: width.toFixed(1), height: 15, rx: 2 }),
      text && h("text", { x: middle, y: m.work + 11, "text-anchor": "middle", style: `fill:var(--${ink})` }, text)];
  }

  /* Where the two that are shown part. */
  diamond() {
    const { m, run, pair } = this;
    const found = this.parting(...pair);
    if (!found) return null;
    const at = (m.chart * found.tick) / Math.max(1, run.last);
    const y = m.rail(Math.min(...pair));
    const words = `first difference: ${found.what}`;
    const wide = breadth(words);
    const x = Math.min(Math.max(at, wide / 2), m.chart - wide / 2).toFixed(1);
    return [h("path.parting", { d: `M${at.toFixed(1)} ${m.over - 2}V${m.over + m.railed}` }),
      h("path.diamond", { d: `M${at.toFixed(1)} ${y - 7}l7 7l-7 7l-7 -7z` }),
      h("text.halo.parts", { x, y: m.over - 6, "text-anchor": "middle" }, words)];
  }

  /* A line for each run: whether it is shown, left or right, and what it is. */
  names() {
    const { m, runs, pair, id } = this;
    const choice = (number, place, side) => h("input", {
      type: "radio", name: `${id}-${side}`, value: number, checked: pair[place] === number,
      "aria-label": `${runs[number].letter} on the ${side}`, title: `show ${runs[number].letter} on the ${side}`,
    });
    const several = runs.length > 2;
    return [
      several && h("span.label.tiny.dim.heads", { style: `top:${m.over - 18}px` }, h("span", "left"), h("span", "right")),
      runs.map(({ letter, label }, number) => h("span.label.run", {
        key: letter, style: `top:${m.rail(number) - 9}px`, title: `${letter}: ${this.origin(number)}`,
        class: pair.includes(number) ? "on" : "" },
      several && [choice(number, 0, "left"), choice(number, 1, "right")],
      h("b", letter), m.wide && h("span.dim", ` ${label}`))),
      h("span.label", { key: "work", style: `top:${m.work}px` }, m.wide ? "the same work" : "work"),
    ];
  }

  origin(number) {
    const { from, label } = this.runs[number];
    if (!from) return label;
    const where = from[1] === null ? "from the beginning" : `from step ${from[1]}`;
    return `${this.runs[from[0]].letter} forked ${where}: ${label}`;
  }

  drawFork() {
    if (!this.run || this.forking.hidden) return;
    const { of, setting, value } = this.choice();
    const refused = this.model.get("refused");
    const why = this.gone ? "No kernel is behind this: no fork can be made. Run the cell again."
      : setting ? refused : "This run cannot be forked: its machine had been used before it was recorded.";
    const option = (one, chosen, name = one) => h("option", { value: String(one), selected: one === chosen }, String(name));
    const step = this.run.stepOf(of, this.step);
    const told = (one) => (typeof one === "boolean" ? (one ? "yes" : "no") : one);
    const off = this.gone || !setting;
    patch(this.forking, [
      h("label", "Fork ", h("select", { name: "of", disabled: this.gone }, this.pair.map((number) =>
        option(number, of, this.runs[number].letter)))),
      h("label", "with ", h("select", { name: "setting", disabled: off }, (this.runs[of].settings ?? []).map(({ name }) =>
        option(name, setting?.name)))),
      setting && h("span.dim", `${told(setting.now)} →`),
      setting && (setting.values
        ? h("select", { key: `${of} ${setting.name}`, name: "value", "aria-label": "new value", disabled: off },
          setting.values.filter((one) => one !== setting.now).map((one) => option(one, value, told(one))))
        : h("input", { key: `${of} ${setting.name}`, name: "value", type: "number", min: setting.least, max: setting.most,
          value, "aria-label": "new value, per cent", disabled: off })),
      doing("make", { class: "btn go", disabled: off }, setting && !setting.here ? "Fork from the beginning" : `Fork at step ${step}`),
      h("span.reason", { class: why ? "bad" : "dim", role: "status" },
        why || (setting && !setting.here ? `${setting.name} is the kernel’s from the beginning` : "both futures are kept")),
      closing("fork"),
    ]);
  }

  drawWhy(views) {
    const { question } = this;
    this.why.hidden = !question;
    if (!question) return;
    const v = views[this.pair.indexOf(question.number)];
    if (v.step !== question.step) {
      question.step = v.step;
      question.write = v.run.lastWrite(question.field, v.step);
    }
    patch(this.why, answer({ ...v, why: { ...question, writes: v.run.writes(question.field) } }));
  }

  toggleTable() {
    this.table.hidden = !this.table.hidden;
    this.tableButton.setAttribute("aria-expanded", !this.table.hidden);
    this.draw();
  }

  drawTable(views, found) {
    if (this.table.hidden) return;
    const { runs, letters } = this;
    const [mine, theirs] = views.map(({ places }) => new Map(places));
    const every = [...new Set([...mine.keys(), ...theirs.keys()])].sort((one, other) => one - other);
    const order = (v) => orderOf(v)?.join(", ") ?? "no list of entries";
    patch(this.table, [
      table("Runs", ["run", "what it is", "ended"], runs.map(({ letter, end }, number) =>
        row(letter, [letter, this.origin(number), end]))),
      table("Pages", ["page", `in ${letters[0]}`, `in ${letters[1]}`, "differs"], every.map((page) =>
        row(`page ${page}`, [page, PLACES[mine.get(page) ?? "not yet"], PLACES[theirs.get(page) ?? "not yet"],
          found.moved.has(page) ? "yes" : ""]))),
      table("At this step", ["what", ...letters], [
        row("step", ["step", ...views.map(({ step }) => step)]),
        row("lru", ["LRU, head to tail", ...views.map(order)]),
        row("size", ["pool size in pages", ...found.sizes]),
        row("says", ["what happened", ...views.map(({ now, report }) => plain(report?.say ?? now.say))])]),
    ]);
  }
}

DRAWN.compare = Comparison;
