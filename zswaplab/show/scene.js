/* A run as data: the state at any step, where to stop, who wrote what, who holds what. No drawing.
   What a payload is: zswaplab/show/payload.py. Nothing here decides about zswap: it follows each step's changes. */

export const EVENTS = [
  { kind: "store", key: "s", name: "store" },
  { kind: "load", key: "l", name: "load" },
  { kind: "writeback", key: "e", name: "written back" },
  { kind: "refuse", key: "r", name: "refused" },
  { kind: "fault", key: "f", name: "fault" },
];
export const LEVELS = ["story", "steps", "source"];
export const CPU = "abcdefghijklmnopqrstuvwxyz";
export const plain = (text) => text.replace(/\*\*|`/g, ""); // a sentence without its marks

/* ---------------------------------------------------------------- the state and what changes it */

const beginning = (counters) => ({
  entries: new Map(), // id -> {page, offset, length, refcount, linked, pool, value}
  freed: new Map(), // the same, of freed entries to which something may still point
  names: new Map(), // id -> page, of every entry so far
  lru: new Map(), // pool -> Set of ids, tail first
  out: null, // what has stepped out of the LRU
  pages: new Map(), // backend page -> {pool, number, units, objects: [[entry id, first unit, units], ...]}
  home: new Map(), // entry id -> the backend page in which its object lies
  slots: new Map(), // backend page -> the place in its pool's drawing
  taken: new Map(), // pool -> {places: Set of those taken, low: none below it is free}
  owners: new Map(), // entry id -> whose references its refcount counts: {tree: 0 or 1, cpus: {number: count}}
  size: 0,
  full: false,
  current: 0,
  counters: { ...counters },
  ram: new Map(), // page -> "present", "swapped" or "freed"
  disk: new Set(), // pages of which the swap device has bytes
});

const APPLY = {
  entry(state, cpu, id, entry) {
    if (entry) {
      own(state, cpu, id, state.entries.get(id), entry);
      state.freed.delete(id);
      state.entries.set(id, entry);
      state.names.set(id, entry.page);
    } else if (state.entries.has(id)) {
      state.freed.set(id, state.entries.get(id));
      state.entries.delete(id);
      state.owners.delete(id);
    }
  },
  page(state, cpu, key, page) {
    for (const [id] of state.pages.get(key)?.objects ?? []) if (state.home.get(id) === key) state.home.delete(id);
    if (!page) {
      leavePlace(state, key);
      state.pages.delete(key);
      return;
    }
    if (!state.slots.has(key)) state.slots.set(key, takePlace(state, page.pool));
    state.pages.set(key, page);
    for (const [id] of page.objects) state.home.set(id, key);
  },
  "lru+"(state, cpu, pool, id) {
    if (!state.lru.has(pool)) state.lru.set(pool, new Set());
    state.lru.get(pool).delete(id);
    state.lru.get(pool).add(id);
  },
  "lru-"(state, cpu, pool, id) {
    state.lru.get(pool)?.delete(id);
  },
  out(state, cpu, id) {
    state.out = id;
  },
  size(state, cpu, pages) {
    state.size = pages;
  },
  full(state, cpu, full) {
    state.full = full;
  },
  current(state, cpu, pool) {
    state.current = pool;
  },
  counters(state, cpu, changed) {
    Object.assign(state.counters, changed);
  },
  ram(state, cpu, page, where) {
    state.ram.set(page, where);
    if (where === "freed") state.disk.delete(page);
  },
  disk(state, cpu, page) {
    state.disk.add(page);
  },
};

function advance(state, { changes, cpu = 0 }) {
  for (const [what, ...values] of changes) APPLY[what](state, cpu, ...values);
}

/* A new page is drawn in the first place that is free; it stays there as long as it lives. */
function takePlace(state, pool) {
  if (!state.taken.has(pool)) state.taken.set(pool, { places: new Set(), low: 0 });
  const taken = state.taken.get(pool);
  while (taken.places.has(taken.low)) taken.low += 1;
  taken.places.add(taken.low);
  return taken.low;
}

function leavePlace(state, key) {
  const [page, place] = [state.pages.get(key), state.slots.get(key)];
  if (!page) return;
  const taken = state.taken.get(page.pool);
  taken.places.delete(place);
  taken.low = Math.min(taken.low, place);
  state.slots.delete(key);
}

/* Who has the references that a refcount counts. A new entry's first is its maker's, and goes to the tree with the
   entry; one that is dropped once the entry has left the tree was the tree's; any other is the CPU's that runs. */
function own(state, cpu, id, before, entry) {
  const { tree, cpus } = (before && state.owners.get(id)) ?? { tree: 0, cpus: {} };
  const owner = { tree, cpus: { ...cpus } };
  const more = entry.refcount - (before?.refcount ?? 0);
  owner.cpus[cpu] = (owner.cpus[cpu] ?? 0) + Math.max(0, more);
  if (entry.linked && !before?.linked && !owner.tree) {
    owner.tree = 1;
    owner.cpus[cpu] -= 1;
  }
  for (let dropped = 0; dropped < -more; dropped += 1) {
    if (owner.tree && !entry.linked) owner.tree = 0;
    else owner.cpus[cpu] -= 1;
  }
  state.owners.set(id, owner);
}

function copy(state) {
  const twin = { ...state, counters: { ...state.counters } };
  for (const [name, value] of Object.entries(state))
    if (value instanceof Map || value instanceof Set) twin[name] = new value.constructor(value);
  twin.taken = new Map([...state.taken].map(([pool, { places, low }]) => [pool, { places: new Set(places), low }]));
  twin.lru = new Map([...state.lru].map(([pool, ids]) => [pool, new Set(ids)]));
  return twin;
}

const weight = ({ entries, pages, ram, names }) => entries.size + pages.size + ram.size + names.size;

/* ---------------------------------------------------------------- a run */

export class Run {
  /* Where only the surroundings of a place were kept (`payload.before` steps come first, of which nothing is known),
     what is measured stays as it was in the `former` run until the whole is there. */
  constructor(payload, former) {
    Object.assign(this, payload, { steps: [], operations: [], sources: [], reports: [] });
    this.begin = { changes: payload.begin ?? [] };
    this.sizes = [];
    this.ticks = Object.fromEntries(EVENTS.map(({ kind }) => [kind, []]));
    this.story = [];
    this.keyframes = [];
    this.allPages = [];
    this.counted = [];
    this.peak = { lru: 1, slots: 1, size: 1, number: 0, units: {} };
    this.grow(payload);
    if (former && payload.before !== undefined) this.measureLike(former);
  }

  measureLike(former) {
    const { peak } = this;
    this.former = former.former ?? former;
    for (const name of ["lru", "slots", "size", "number"]) peak[name] = Math.max(peak[name], former.peak[name]);
    this.allPages = [...new Set([...this.allPages, ...former.allPages])].sort((one, other) => one - other);
  }

  /* Add what a part of a payload brings, in place of what is there from `part.from` on. */
  grow(part) {
    const from = part.from ?? {};
    for (const name of ["steps", "operations", "sources", "reports"]) {
      this[name].length = from[name] ?? this[name].length;
      this[name].push(...(part[name] ?? []));
    }
    for (const name of ["pools", "tasks", "title", "tags"]) if (part[name]) this[name] = part[name];
    this.last = Math.max(0, this.steps.length - 1);
    this.read(from.steps ?? 0);
    this.index = this.state = this.written = undefined;
    this.touches = new Map();
    for (const report of this.reports)
      this.touches.set(report.step, [...(this.touches.get(report.step) ?? []), report]);
    this.at(0);
  }

  /* What is read off the steps once: keyframes, stops, the curve, and the peaks that fix the layout. */
  read(from) {
    for (const ticks of Object.values(this.ticks)) while (ticks.at(-1) >= from) ticks.pop();
    this.story = this.story.filter((stop) => stop < from && (stop === 0 || this.steps[stop].story));
    while (this.keyframes.length && this.keyframes.at(-1).step > from) this.keyframes.pop();
    const first = this.keyframes.at(-1);
    const state = first ? copy(first.state) : beginning(this.counters);
    if (!first) {
      advance(state, this.begin);
      this.keyframes.push({ step: 0, state: copy(state) });
      this.measure(state, this.begin.changes);
    }
    const pages = new Set(this.allPages);
    const counted = new Set(this.counted);
    for (const change of this.begin.changes) seen(pages, change);
    let changes = 0;
    for (let index = first?.step ?? this.before ?? 0; index < this.steps.length; index += 1) {
      const step = this.steps[index];
      if (changes > 64 + weight(state)) {
        this.keyframes.push({ step: index, state: copy(state) });
        changes = 0;
      }
      advance(state, step);
      changes += 2 + step.changes.length;
      for (const change of step.changes) {
        seen(pages, change);
        if (change[0] === "counters") Object.keys(change[1]).forEach((name) => counted.add(name));
      }
      this.sizes[index] = state.size;
      this.measure(state, step.changes);
      if (index < from) continue;
      if (this.ticks[step.event]) this.ticks[step.event].push(index);
      if (step.story || index === 0) this.story.push(index);
    }
    this.sizes.length = this.steps.length;
    if (this.steps.length && this.story.at(-1) !== this.last) this.story.push(this.last);
    this.allPages = [...pages].sort((one, other) => one - other);
    this.counted = Object.keys(this.counters).filter((name) => counted.has(name)); // counters that change at all
    this.spans = spansOf(this);
    this.shaped = new Map();
  }

  measure(state, changes) {
    const { peak } = this;
    const most = (name, value) => (peak[name] = Math.max(peak[name], value));
    for (const [what, first] of changes) {
      const page = what === "page" && state.pages.get(first);
      if (page) {
        most("slots", state.slots.get(first) + 1);
        most("number", page.number);
        peak.units[page.pool] = Math.max(peak.units[page.pool] ?? 0, page.units);
      }
      if (what === "lru+") most("lru", state.lru.get(first).size);
      if (what === "out" && first !== null) for (const ids of state.lru.values()) most("lru", ids.size + 1);
    }
    most("size", state.size);
  }

  /* The state after step `index`, to be read only until the next call; one step on from the last is the quick way. */
  at(index) {
    if (!this.steps.length) return (this.state ??= copy(this.keyframes[0].state));
    if (this.index !== index) {
      const near = this.keyframes.findLast(({ step }) => step <= index);
      if (!(this.index < index && this.index >= near.step)) {
        this.index = near.step - 1;
        this.state = copy(near.state);
      }
      while (this.index < index) advance(this.state, this.steps[(this.index += 1)]);
    }
    return this.state;
  }

  /* ---------------------------------------------------------------- where to stop */

  /* The step that is nearest to `step` and known. */
  within(step) {
    return Math.min(this.last, Math.max(this.before ?? 0, step));
  }

  next(index, level) {
    return (level === "story" ? this.story.find((stop) => stop > index) : index + 1) ?? this.last;
  }

  previous(index, level) {
    return (level === "story" ? this.story.findLast((stop) => stop < index) : index - 1) ?? 0;
  }

  /* The number of the moment at or before a step, counted from 1. */
  moment(index) {
    return this.story.findLastIndex((stop) => stop <= index) + 1;
  }

  /* The longest sentences that the run says. */
  longest(count) {
    const lengths = new Map();
    const note = (say) => lengths.has(say) || lengths.set(say, plain(say).length);
    this.steps.forEach(({ say }, step) => this.touches.has(step) || note(say));
    for (const { say } of this.reports) note(say);
    return [...lengths].sort(([, one], [, other]) => other - one).slice(0, count).map(([say]) => say);
  }

  nearest(index, level) {
    if (level !== "story") return index;
    const [before, after] = [this.story.findLast((stop) => stop <= index) ?? 0, this.next(index - 1, level)];
    return index - before <= after - index ? before : after;
  }

  nextEvent(index, kind) {
    return this.ticks[kind].find((tick) => tick > index);
  }

  previousEvent(index, kind) {
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

  /* ---------------------------------------------------------------- entries */

  name(id) {
    return this.state.names.get(id);
  }

  entry(id) {
    return this.state.entries.get(id) ?? this.state.freed.get(id);
  }

  /* Where the only current copy of a page is: "present", "kept" (in zswap), "device", "freed", "nowhere", or
     "not yet" as long as it has not been written; `held` are its entries, [id, entry]. */
  where(page, held) {
    const { ram, disk } = this.state;
    const place = ram.get(page);
    if (place === "present" || place === "freed") return place;
    if (held.some(([, { linked }]) => linked)) return "kept";
    if (disk.has(page)) return "device";
    return place ? "nowhere" : "not yet";
  }

  /* Each page of the run: [page, where it is, its entries]. */
  places() {
    const held = new Map(this.allPages.map((page) => [page, []]));
    for (const [id, entry] of this.state.entries) held.get(entry.page)?.push([id, entry]);
    return [...held].map(([page, entries]) => [page, this.where(page, entries), entries]);
  }

  /* What every CPU does at a step, also where only one runs. */
  cpusAt(index) {
    const step = this.steps[index];
    if (!step) return [];
    if (step.cpus) return step.cpus;
    const { stack, holds, refs } = step;
    const task = this.operations[step.operation].text;
    return [{ task, state: "running", stack, holds, waits: null, holder: null, refs }];
  }

  /* The entry that a step is about: the sentence's, else the one that the running functions use. */
  subject(index) {
    const step = this.steps[index];
    return step?.subject ?? step?.refs?.at(-1)?.[2] ?? null;
  }

  /* What steps out of a list: whether it is a page of a backend, and of which pool it is. */
  leaving() {
    const { out, pages, entries } = this.state;
    if (out === null) return { outIsPage: false, outPool: undefined };
    const of = (pool) => this.pools[pool ?? 0].lru_of;
    const [page, entry] = [pages.get(out), this.entry(out)];
    const isEntry = entries.has(out) && of(entry.pool) === "entries";
    const outIsPage = page !== undefined && of(page.pool) === "pages" && !isEntry;
    return { outIsPage, outPool: (outIsPage ? page.pool : entry?.pool) ?? 0 };
  }

  /* Who leads to an entry: [{who, local, counted, tree, lru, locks}], the tree first, then CPUs, then the LRU. */
  holders(index, id) {
    const { state } = this;
    const entry = state.entries.get(id);
    const owner = state.owners.get(id) ?? { tree: 0, cpus: {} };
    const found = [{ who: "tree", linked: Boolean(entry?.linked), counted: owner.tree > 0 }];
    this.cpusAt(index).forEach(({ refs, holds }, cpu) => {
      const locals = [...new Set((refs ?? []).filter(([, , other]) => other === id).map(([, local]) => local))];
      const counted = (owner.cpus[cpu] ?? 0) > 0;
      if (locals.length) found.push({ who: "cpu", cpu, local: locals[0], counted, locks: holds });
    });
    const pool = [...state.lru].find(([, ids]) => ids.has(id))?.[0];
    found.push({ who: "lru", listed: pool !== undefined && this.pools[pool]?.lru_of === "entries" });
    return found;
  }

  /* A source's lines as rows of at most `width` characters. */
  rows(source, width) {
    const key = `${source} ${width}`;
    if (!this.shaped.has(key)) this.shaped.set(key, rowsOf(this.sources[source].lines, width));
    return this.shaped.get(key);
  }

  /* ---------------------------------------------------------------- why is it so? */

  /* Each step that wrote a field: [{step, from, to}]; -1 is what was there before the first step. A field is
     "entry 3 refcount" (or offset, length, linked, pool, value, page), "lru 3" (an entry), "lru-page 3", "object 3",
     "ram 3", "disk 3", "counter stored_pages", "size", "full", "current" or "out". */
  writes(field) {
    return this.fields.get(field) ?? [];
  }

  get fields() {
    return (this.written ??= written(this));
  }

  lastWrite(field, index) {
    return this.writes(field).findLast(({ step }) => step <= index);
  }

  nextWrite(field, index) {
    return this.writes(field).find(({ step }) => step > index);
  }

  /* The step at which the call that is `depth` deep (0 is the outermost) on a CPU's stack at `index` began. */
  entered(index, cpu, depth) {
    const path = (at) => JSON.stringify(this.cpusAt(at)[cpu]?.stack.slice(0, depth + 1).map(([source]) => source));
    const above = (at) => JSON.stringify(this.cpusAt(at)[cpu]?.stack.slice(0, depth));
    let [first, wanted, calls] = [index, path(index), above(index)];
    while (first > 0) {
      const before = this.steps[first - 1];
      const ran = (this.steps[first].cpu ?? 0) === cpu;
      if (path(first - 1) !== wanted || (ran && above(first - 1) !== calls)) break;
      if (before.operation !== this.steps[index].operation && !before.cpus) break;
      first -= 1;
    }
    return first;
  }

  /* A page's life: `spans` say from which step to which it had a frame, bytes on the device, an entry; `marks` are what
     befell its entries. */
  life(page) {
    const entries = [...this.fields.keys()].filter((field) => field.startsWith("entry ") && field.endsWith(" page"))
      .filter((field) => this.writes(field).some(({ to }) => to === page)).map((field) => Number(field.split(" ")[1]));
    const until = (writes, index) => writes[index + 1]?.step ?? this.last;
    const places = this.writes(`ram ${page}`);
    const stored = this.writes(`disk ${page}`);
    const spans = [
      ...entries.map((id) => this.lifeOf(id)),
      ...places.map(({ step, to }, index) => ({ kind: to, from: step, to: until(places, index) }))
        .filter(({ kind }) => kind === "present").map((span) => ({ ...span, kind: "RAM" })),
      ...stored.map(({ step, to }, index) => ({ kind: to && "disk", from: step, to: until(stored, index) }))
        .filter(({ kind }) => kind),
    ];
    const marks = [
      ...entries.flatMap((id) => this.marksOf(id)),
      ...places.filter(({ to }) => to === "freed").map(({ step }) => ({ step, text: "given up" })),
      ...stored.filter(({ to }) => to).map(({ step }) => ({ step, text: "on disk" })),
    ];
    return { spans, marks: marks.sort((one, other) => one.step - other.step) };
  }

  /* When an entry was there, when it was in the tree, and whether it was touched once it was freed. */
  lifeOf(id) {
    const links = this.writes(`entry ${id} linked`);
    const [born, freed] = [links[0].step, links.find(({ to }) => to === undefined)?.step];
    const to = freed ?? this.last;
    const inTree = links.find((write) => write.to)?.step ?? to;
    const offTree = links.find((write) => write.from && !write.to)?.step ?? to;
    const touched = freed !== undefined && this.reports.some(({ entry }) => entry === id);
    return { kind: "entry", id, from: Math.max(0, born), to, inTree, offTree, freed, touched };
  }

  marksOf(id) {
    const { from, inTree, offTree, to, freed } = this.lifeOf(id);
    const counts = this.writes(`entry ${id} refcount`);
    const found = counts.filter((write) => write.from !== undefined && write.to > write.from);
    return [
      { step: from, text: "allocated" }, inTree < to && { step: inTree, text: "in the tree" },
      ...found.map((write) => ({ step: write.step, text: `found: ${write.to} refs` })),
      offTree < to && { step: offTree, text: "off the tree" },
      freed !== undefined && { step: freed, text: "freed", freed: true },
    ].filter(Boolean);
  }
}

/* The pages of which a change speaks. */
function seen(pages, [what, first, second]) {
  if (what === "ram") pages.add(first);
  if (what === "entry" && second && second.page !== null) pages.add(second.page);
}

const ENTRY_FIELDS = ["page", "offset", "length", "refcount", "linked", "pool", "value"];

/* Every write of every field, found by going through all steps once. */
function written(run) {
  const found = new Map();
  const values = new Map();
  const write = (field, step, to, always = false) => {
    const from = values.get(field);
    if (from === to && !always) return;
    values.set(field, to);
    if (!found.has(field)) found.set(field, []);
    const list = found.get(field);
    const last = list.at(-1);
    if (last?.step !== step) list.push({ step, from, to });
    else if (last.from === to && !always) list.pop();
    else last.to = to;
  };
  const where = new Map(); // backend page -> ids of the objects in it
  const listOf = (pool) => (run.pools[pool].lru_of === "pages" ? "lru-page" : "lru");
  const look = {
    entry(step, id, entry) {
      for (const name of ENTRY_FIELDS) write(`entry ${id} ${name}`, step, entry ? entry[name] : undefined);
    },
    page(step, key, page) {
      const now = new Set((page?.objects ?? []).map(([id]) => id));
      for (const id of where.get(key) ?? [])
        if (!now.has(id) && values.get(`object ${id}`)?.startsWith(`${key}:`)) write(`object ${id}`, step, undefined);
      where.set(key, now);
      for (const [id, first, units] of page?.objects ?? []) write(`object ${id}`, step, `${key}:${first}:${units}`);
    },
    "lru+": (step, pool, id) => write(`${listOf(pool)} ${id}`, step, "head", true),
    "lru-": (step, pool, id) => write(`${listOf(pool)} ${id}`, step, "off", true),
    out: (step, id) => write("out", step, id),
    size: (step, pages) => write("size", step, pages),
    full: (step, full) => write("full", step, full),
    current: (step, pool) => write("current", step, pool),
    counters(step, changed) {
      for (const [name, value] of Object.entries(changed)) write(`counter ${name}`, step, value);
    },
    ram(step, page, place) {
      write(`ram ${page}`, step, place);
      if (place === "freed") write(`disk ${page}`, step, false);
    },
    disk: (step, page) => write(`disk ${page}`, step, true),
  };
  for (const [name, value] of Object.entries(run.counters)) values.set(`counter ${name}`, value);
  values.set("size", 0).set("full", false).set("current", 0).set("out", null);
  [run.begin, ...run.steps].forEach(({ changes }, index) => {
    for (const [what, ...rest] of changes) look[what](index - 1, ...rest);
  });
  return found;
}

/* ---------------------------------------------------------------- source */

/* A function's lines as rows to be shown: without its `def` line and docstring, dedented, none longer than `width`.
   A line that is too long is broken at an argument; a comment that does not fit goes under its line. */
export function rowsOf(lines, width) {
  const rows = [];
  const body = bodyOf(lines);
  const indent = Math.min(...body.filter(([, text]) => text.trim()).map(([, text]) => text.search(/\S/)), 80);
  for (const [line, text] of body) {
    const plain = text.slice(indent);
    const start = plain.search(/\S|$/);
    let [code, comment] = splitComment(plain);
    if (plain.length <= width) {
      rows.push({ line, text: plain });
      continue;
    }
    for (const part of broken(code.trimEnd(), start, width)) rows.push({ line, text: part });
    for (const part of comment ? broken(comment, 0, width - start - 4) : [])
      rows.push({ line, text: " ".repeat(start + 4) + (part.startsWith("#") ? part : `# ${part.trim()}`) });
  }
  return rows;
}

/* [line number, text] of what follows the `def` line and the docstring. */
export function bodyOf(lines) {
  let first = 0;
  if (/^\s*(def|async def) /.test(lines[0] ?? "")) {
    while (first < lines.length && !/:\s*(#.*)?$/.test(lines[first])) first += 1;
    first += 1;
  }
  if (/^\s*[rf]?"""/.test(lines[first] ?? "")) {
    let quotes = lines[first].split('"""').length - 1;
    while (quotes < 2 && first + 1 < lines.length) quotes += lines[(first += 1)].split('"""').length - 1;
    first += 1;
  }
  return lines.map((text, line) => [line, text]).slice(first);
}

function splitComment(text) {
  const at = text.search(/(^|\s)#/);
  return at < 0 || /["'][^"']*#/.test(text) ? [text, ""] : [text.slice(0, at), text.slice(at).trim()];
}

function broken(text, start, width) {
  const parts = [];
  let rest = text;
  while (rest.length > width) {
    const head = rest.slice(0, width + 1);
    let at = head.lastIndexOf(", ") + 1;
    if (at <= start + 4) at = head.lastIndexOf(" ");
    if (at <= start + 4) break;
    parts.push(rest.slice(0, at).trimEnd());
    rest = " ".repeat(start + 4) + rest.slice(at).trim();
  }
  return rest.trim() ? [...parts, rest] : parts;
}

/* The rows shown when `room` rows are free and `line` runs: [[first, end), ...] of them, with folds between. */
export function windowOf(rows, line, room, around) {
  const [first, end] = [rows.findIndex((row) => row.line === line), rows.findLastIndex((row) => row.line === line) + 1];
  if (first < 0) return [0, Math.min(rows.length, room - (rows.length > room))];
  if (rows.length <= room && around === undefined) return [0, rows.length];
  const most = around === undefined ? room : Math.min(room, end - first + 2 * around + 2);
  const fits = (from, to) => to - from + (from > 0) + (to < rows.length) <= most;
  let [from, to] = [first, end];
  for (let grown = true; grown; ) {
    grown = false;
    if (to < rows.length && fits(from, to + 1)) [to, grown] = [to + 1, true];
    if (from > 0 && fits(from - 1, to)) [from, grown] = [from - 1, true];
  }
  if (from === 1) from = 0; // a fold of one line saves nothing
  if (to === rows.length - 1) to = rows.length;
  return [from, to];
}

/* ---------------------------------------------------------------- operations, as the lanes name them */

const range = (pages) => {
  const sorted = [...new Set(pages)].sort((one, other) => one - other);
  const whole = sorted.length > 2 && sorted.at(-1) - sorted[0] === sorted.length - 1;
  return whole ? `${sorted[0]} … ${sorted.at(-1)}` : sorted.length > 4 ? `${sorted.length} pages` : sorted.join(", ");
};

const NAMES = {
  page_out: (pages) => {
    const whole = pages.length > 1 ? `pages ${range(pages)} go out` : `page ${pages[0]} goes out`;
    return [whole, `${range(pages)} out`, range(pages)];
  },
  write: (pages) => [`write ${range(pages)}`, `write`],
  read: (pages) => [`read ${range(pages)}`, range(pages)],
  free: (pages) => [`free ${range(pages)}`, "free"],
  worker: () => ["shrink worker", "worker"],
  compaction: () => ["compaction", "comp."],
  drop_cache: () => ["drop cache"],
};

/* What one CPU did, as few long spans: [{from, to, labels (the longest first)}]. A short operation joins another. */
export function spansOf(run) {
  const spans = [];
  run.steps.forEach(({ operation }, index) => {
    if (spans.at(-1)?.operation === operation) spans.at(-1).to = index + 1;
    else spans.push({ operation, ...run.operations[operation], from: index, to: index + 1 });
  });
  const groups = [];
  const add = ({ kind, text, pages, from, to }) => {
    const last = groups.at(-1);
    if (last?.kind === kind && kind !== "worker") Object.assign(last, { to, pages: [...last.pages, ...pages] });
    else groups.push({ kind, text, pages: [...pages], from, to });
  };
  let waiting = []; // writes, which join what follows them if they are short
  for (const span of spans) {
    const short = span.to - span.from < 3;
    if (short && span.kind === "write") {
      waiting.push(span);
      continue;
    }
    if (waiting.length > 8) waiting.forEach(add);
    const from = waiting.length > 8 ? span.from : waiting[0]?.from ?? span.from;
    waiting = [];
    if (short && groups.length) groups.at(-1).to = span.to;
    else add({ ...span, from });
  }
  waiting.forEach(add);
  return groups.map(({ from, to, kind, text, pages }) => ({ from, to, labels: NAMES[kind]?.(pages) ?? [text] }));
}
