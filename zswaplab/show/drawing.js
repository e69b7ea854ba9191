/* What is where at one moment, drawn: pages, LRU, pool, counters, who holds an entry, what each CPU runs.
   Each drawing is a function from the moment shown, `v`, to descriptions of elements. */
import { h } from "./dom.js";
import { CPU, EVENTS, windowOf } from "./scene.js";

export const WIDTH = 1050; // of the sheet as it was drawn, in CSS pixels; lecture mode is the same sheet, magnified
export const HEIGHTS = { least: 590, most: 620 };
const CHARACTERS = { story: 56, steps: 56, source: 75 }; // that a line of source may have
export const WHERE = {
  present: "in RAM", kept: "in zswap", device: "on the swap device", nowhere: "nowhere", freed: "given up",
  "not yet": "not written yet",
};
const SHELVES = ["in RAM", "in zswap", "on disk"];
const SHELF = { present: 0, nowhere: 0, freed: 0, "not yet": 0, kept: 1, device: 2 };
const LOOKS = { present: "ram", kept: "zswap", device: "disk", nowhere: "lost", freed: "gone", "not yet": "not" };

/* ---------------------------------------------------------------- words, lengths, small marks */

export const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
export const px = (value) => `${Math.round(value * 100) / 100}px`;
const percent = (part, whole) => `${Math.round((10000 * part) / whole) / 100}%`;
const isPage = (page) => page !== null && page !== undefined;
const colour = (page) =>
  (isPage(page) ? `--c:var(--e${page % 5});--i:var(--i${page % 5})` : "--c:var(--well);--i:var(--ink)");

/* About how wide a text is; `share` is how wide a character is of its height, as measured in the reader's font. */
export const font = { share: 0.6 };
export const breadth = (text, size = 11) => String(text).length * size * font.share;

/* The longest of some texts that fits, or nothing. */
export const fitting = (texts, width, size = 11) => texts.find((text) => breadth(text, size) <= width) ?? "";

/* A sentence with **bold** words and `names`. */
export const sentence = (text) => text.split(/(\*\*.*?\*\*|`.*?`)/).filter(Boolean).map((part) => {
  if (part.startsWith("**")) return h("b", part.slice(2, -2));
  return part.startsWith("`") ? h("code", part.slice(1, -1)) : part;
});

/* A button that asks why something is so; the arrows lead to it, not Tab. */
export const field = (name, attributes, ...children) =>
  h("button", { type: "button", tabindex: -1, "data-field": name, disabled: !name, ...attributes }, ...children);

export const lock = () => h("svg", { viewBox: "0 0 10 12", "aria-hidden": "true" },
  h("path", { d: "M1.2 5.5h7.6v5.3H1.2zM2.8 5.5V3.4a2.2 2.2 0 0 1 4.4 0v2.1" }));
export const arrowhead = (id, token) => h("marker", {
  id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 9, markerHeight: 9,
  orient: "auto-start-reverse",
}, h("path", { d: "M0 0 8 4 0 8z", style: `fill:var(--${token})` }));

/* The class of an entry or a backend page wherever it is drawn: it leaves, or the sentence is about it. */
function mark(v, id, ofPages = false) {
  if (v.state.out !== null && v.state.out === id && ofPages === v.outIsPage) return "leaving";
  return !ofPages && v.subject === id ? "subject" : "";
}

/* ---------------------------------------------------------------- the measures of a sheet */

export const shapeOf = (width) => (width >= 900 ? "wide" : width >= 480 ? "one" : "tiny");

/* Every length that depends on the run, the width and the level, and on nothing that a step changes. */
export function measures(run, { width, level, height, say, note, hidden }) {
  const shape = shapeOf(width);
  const wide = shape === "wide";
  const pad = shape === "tiny" ? 14 : 16;
  const gutter = shape === "tiny" ? 62 : 122;
  const kinds = EVENTS.filter(({ kind }) => run.ticks[kind].length);
  const base = shape === "one" || (wide && (kinds.length > 4 || run.cpus > 1)) ? 42 : 50; // of the curve
  const lanes = base + 6;
  const cpus = lanes + 13 * kinds.length + 2;
  const time = hidden.has("curve") ? 0 : cpus + 17 * run.cpus + 7;
  const bands = 44 + time + say + note + 26 + 2;
  const sheet = Math.max(height ?? HEIGHTS.least, Math.min(height ?? HEIGHTS.most, bands + 338));
  const body = wide ? sheet - bands : undefined;
  const roomy = 470 + Math.max(0, width - WIDTH) * 0.4;
  const right = wide ? (level === "source" ? Math.min(620, width - 400) : roomy) : width;
  const left = wide ? width - right - 1 : width;
  return {
    shape, wide, width, level, kinds, base, lanes, cpus, time, body, right, gutter, chart: width - 2 * pad - gutter,
    across: left - 2 * pad, inner: right - 2 * pad, ...fitted(run, body),
  };
}

/* How the drawings on the left share the body's height: where it is low they move together, then shrink; the counters
   go last. */
function fitted(run, body = Infinity) {
  const { slots } = run.peak;
  const rows = run.pools.length > 1 || slots > 16 ? 5 : slots > 8 ? 4 : Math.ceil(slots / 2);
  const need = (gap, dense) => {
    const drawn = dense ? 61 + 44 + rows * 23 : 67 + 52 + rows * 25;
    return 20 + drawn + 21 + 19 + 17 + 3 * gap;
  };
  const dense = need(5, false) > body;
  const gap = body === Infinity ? 9 : need(11, false) <= body ? 11 : 5;
  return { gap, dense, shelf: dense ? 20 : 22, counted: need(5, dense) <= body };
}

/* ---------------------------------------------------------------- where every page is */

export function pages(v) {
  const { m, places } = v;
  const label = m.shape === "tiny" ? 50 : 62;
  const column = Math.min(m.wide ? 30.4 : 60, (m.across - label) / Math.max(1, places.length));
  if (column < 15) return manyPages(v, label);
  const small = column < 24 ? "small" : "";
  const box = (place, row, look, more) => {
    const [page, where, held] = place;
    const [id] = held.find(([, { linked }]) => linked) ?? held.at(-1) ?? [];
    const at = `translate(${px(label + places.indexOf(place) * column)},${row * m.shelf}px)`;
    const title = [`page ${page} ${WHERE[where]}`, ...held.map(standing)].join("; ");
    return h("button.pg", {
      key: `${look} ${page}`, type: "button", tabindex: -1, class: `${look} ${small}`, "data-page": page, title,
      "aria-label": title, style: `transform:${at};width:${px(column)};${colour(page)}`, ...more,
    }, h("span", { class: look === "also" ? "" : mark(v, id) }, page));
  };
  return h(".shelves", { style: `height:${3 * m.shelf + 1}px` },
    shelves(SHELVES, m.shelf, label),
    places.map((place) => {
      const [page, where, held] = place;
      const twice = where === "present" && held.some(([, { linked }]) => linked);
      return [
        box(place, SHELF[where], LOOKS[where], { key: `page ${page}` }),
        twice && box(place, 1, "also", { "aria-hidden": "true" }),
      ];
    }),
    ["not yet", "freed"].map((where) => under(places, where, label, column)));
}

const standing = ([, { refcount, linked }]) => `${plural(refcount, "reference")}, ${linked ? "" : "not "}in the tree`;

const shelves = (names, high, label) => names.map((name, row) => [
  h("span.lab", { style: `top:${row * high}px` }, name),
  h("span.rail", { class: row === 2 ? "z" : "", style: `top:${row * high}px;height:${high}px;left:${label}px` }),
]);

/* A word under the longest row of pages that have not been written, or were given up, where there is room. */
function under(places, where, label, column) {
  let [from, to, length] = [0, 0, 0];
  places.forEach(([, place], index) => {
    length = place === where ? length + 1 : 0;
    if (length > to - from) [from, to] = [index + 1 - length, index + 1];
  });
  const width = (to - from) * column;
  return breadth(WHERE[where]) < width &&
    h("span.tiny.dim.words", { style: `left:${px(label + from * column)};width:${px(width)}` }, WHERE[where]);
}

/* So many pages that their numbers do not fit: a stroke for each, in the line of where it is. */
function manyPages(v, label) {
  const { m, places } = v;
  const width = m.across - label;
  const column = width / places.length;
  const stroke = Math.max(0.75, column - (column > 3 ? 1 : 0.25));
  const strokes = new Map(); // colour -> path
  const counts = [0, 0, 0];
  const pins = [];
  places.forEach(([page, where, held], index) => {
    if (where === "freed" || where === "not yet") return;
    const row = SHELF[where];
    counts[row] += 1;
    const token = ["ink", `e${page % 5}`, "disk"][row];
    const box = `M${(index * column).toFixed(1)} ${row * m.shelf + 3}h${stroke.toFixed(2)}v16h-${stroke.toFixed(2)}z`;
    strokes.set(token, (strokes.get(token) ?? "") + box);
    const marked = held.map(([id]) => mark(v, id)).find(Boolean);
    const at = `left:${px(label + index * column + stroke / 2)};top:${row * m.shelf + 2}px;${colour(page)}`;
    if (marked) pins.push(h("span.pin", { key: `page ${page}`, class: marked, style: at, "data-page": page }, page));
  });
  const names = SHELVES.map((name, row) => [h("b", String(counts[row])), ` ${name.slice(3)}`]);
  const told = SHELVES.map((name, row) => `${counts[row]} ${name}`).join(", ");
  return h(".shelves", {
    style: `height:${3 * m.shelf + 1}px`, role: "img", "aria-label": `${plural(places.length, "page")}: ${told}`,
  },
  shelves(names, m.shelf, label),
  h("svg", { width, height: 3 * m.shelf, style: `left:${label}px`, "aria-hidden": "true" },
    [...strokes].map(([token, d]) => h("path", { key: token, d, style: `fill:var(--${token})` }))),
  pins);
}

/* ---------------------------------------------------------------- the LRU */

export function lists(v) {
  if (!v.lists.length)
    return h(".h", h("b", "LRU"), h("span", "none: nobody keeps a list here, and nothing is written back by age"));
  return v.lists.map((pool, place) => list(v, pool, place));
}

/* One pool's list, the head at the left; what steps out of it stands lower, at its end. */
function list(v, pool, place) {
  const { run, m, state } = v;
  const several = v.lists.length > 1;
  const { lru_of: of, backend } = run.pools[pool];
  const ofPages = of === "pages";
  const ids = [...(state.lru.get(pool) ?? [])].reverse();
  const out = v.outPool === pool && !state.lru.get(pool)?.has(state.out) ? state.out : null;
  const room = m.across - 18 - (several ? 46 : 0);
  const pitch = Math.max(ofPages ? 62 : 31, Math.min(ofPages ? 74 : 47, Math.floor(room / run.peak.lru)));
  const width = pitch - Math.max(4, Math.round(pitch * 0.19));
  const brief = several || width < 27; // no bytes under the number
  const tall = several ? 24 : width < 27 ? 28 : m.wide && !m.dense ? 40 : 36;
  const low = several ? 4 : m.dense ? 6 : 9; // how far down what steps out stands
  const draw = ofPages ? pageBox : entryBox;
  const box = (id, left, top, gap, more) => draw(v, id, {
    class: more,
    style: `transform:translate(${px(left)},${top}px);width:${px(width)};height:${tall}px;--gap:${px(gap)}`,
  }, width, brief);
  let x = 0;
  const shown = folded(ids, Math.max(5, Math.floor(room / pitch)) - (out === null ? 0 : 1), home(v, ofPages));
  const boxes = shown.map(({ id, skipped }, index) => {
    const left = x;
    x += skipped ? pitch * 1.4 : pitch;
    const style = `transform:translateX(${px(left)});width:${px(pitch * 1.4 - 8)};height:${tall}px`;
    if (skipped) return h("span.fold", { key: `fold ${index}`, style }, `⋯ ${skipped}`);
    return box(id, left, 0, pitch - width);
  });
  if (out !== null) boxes.push(box(out, Math.min(x + 12, m.across - width), low, x ? pitch - width + 12 : 0, "out"));
  const names = ids.map((id) => listed(v, id, ofPages)).join(", ") || "empty";
  const leaving = out === null ? "" : `. Stepping out: ${listed(v, out, ofPages)}`;
  return h("section.lru-of", { key: `lru ${pool}` },
    place === 0 && h(".h", listHead(m, ofPages && backend, !several && !brief),
      h("span.r", ofPages || m.across < 440 ? "tail: next to go" : "tail: longest unused, next to go")),
    h(".lru", { style: `height:${tall + (several ? 6 : low + 3)}px`, role: "group",
      "aria-label": `LRU from head to tail: ${names}${leaving}` },
    several && h("span.of", `pool ${pool}`),
    h(".boxes", boxes.length ? boxes : h("span.none", "empty"))));
}

function listHead({ across }, backend, bytes) {
  const name = h("b", backend ? `LRU of ${backend}’s pages` : "LRU");
  if (across < 300) return name;
  if (backend) return [name, h("span.more", "a box is a whole page of the pool, with all in it")];
  return [name, h("span", "head: used last"), bytes && h("span.more", "number under each: compressed bytes")];
}

/* What the sentence is about, on a list of entries or of backend pages. */
const home = (v, ofPages) => (ofPages ? v.state.home.get(v.subject) : v.subject);

/* What of a list (head first) is shown where only so many places are: both ends, what is `wanted`, and between them the
   numbers of what is left out. */
export function folded(ids, places, wanted) {
  if (ids.length <= places) return ids.map((id) => ({ id }));
  const keep = new Set([0, 1]);
  const at = ids.indexOf(wanted);
  for (const index of at < 0 ? [] : [at - 1, at, at + 1]) if (index >= 0 && index < ids.length) keep.add(index);
  const most = places - (at > 2 ? 3 : 2);
  for (let index = ids.length - 1; index >= 0 && keep.size < most; index -= 1) keep.add(index);
  const shown = [];
  let skipped = 0;
  ids.forEach((id, index) => {
    if (keep.has(index)) {
      if (skipped) shown.push({ skipped });
      shown.push({ id });
      skipped = 0;
    } else skipped += 1;
  });
  return shown;
}

function listed(v, id, ofPages) {
  if (!ofPages) return `page ${v.run.name(id) ?? "?"}${v.state.entries.has(id) ? "" : " (freed)"}`;
  const page = v.state.pages.get(id);
  return `${v.run.pools[page?.pool ?? 0].backend} page ${page?.number ?? "?"}`;
}

function entryBox(v, id, attributes, width, brief) {
  const { page = "?", length, offset, refcount, linked } = v.run.entry(id) ?? {};
  const freed = !v.state.entries.has(id);
  const under = freed ? "freed" : length ? String(length) : linked ? "same" : "new";
  const title = freed ? `page ${page} freed, and still on the list`
    : `page ${page} ${length ? `${length} bytes` : under}: slot ${offset}, ${standing([id, { refcount, linked }])}`;
  return field(`lru ${id}`, {
    ...attributes, key: `entry ${id}`, class: `e ${attributes.class ?? ""} ${freed ? "ghost" : ""} ${mark(v, id)}`,
    title, "aria-label": title, "data-entry": id, style: `${attributes.style};${freed ? "" : colour(page)}`,
  }, h("b", String(page)), !brief && [" ", h("i", under)]);
}

function pageBox(v, key, attributes, width, brief) {
  const page = v.state.pages.get(key);
  const name = `page ${page?.number ?? "?"}`;
  return field(`lru-page ${key}`, {
    ...attributes, key: `backend ${key}`, class: `e p ${attributes.class ?? ""} ${mark(v, key, true)}`,
    title: `${v.run.pools[page?.pool ?? 0].backend} ${name}`, "data-backend": key,
  }, !brief && [h("i", name), " "], page && bar(v, page, width - 10));
}

/* The LRU with a column of who holds each entry, for the source level. */
export function listWithHolders(v) {
  const { run, m, state } = v;
  const pool = poolOfEntries(v);
  const ids = [...(state.lru.get(pool) ?? [])].reverse();
  const out = state.out !== null && !v.outIsPage && !ids.includes(state.out) ? [state.out] : [];
  const room = Math.floor((m.body - 20 - 78 - 20) / 21);
  const rows = folded([...ids, ...out], room, v.subject).map(({ id, skipped }, index) => {
    const style = `transform:translateY(${index * 21}px)`;
    if (skipped) return h(".row.dim", { key: `fold ${index}`, style }, `⋯ ${skipped} more`);
    const { page = "?", length } = run.entry(id) ?? {};
    const freed = !state.entries.has(id);
    const who = run.holders(v.step, id).filter((one) => one.who === "cpu" || one.linked).map((one) =>
      one.who === "tree" ? "the tree" : `CPU ${CPU[one.cpu]}${one.counted ? "" : " (not counted)"}`);
    const look = `pgbox ${freed ? "ghost" : ""} ${mark(v, id)}`;
    return h(".row", { key: `entry ${id}`, class: out.includes(id) ? "outrow" : "", style },
      field(`lru ${id}`, { class: look, style: freed ? null : colour(page), "data-entry": id }, String(page)),
      h("span.dim", freed ? "freed" : `${length} B`),
      field(`entry ${id} refcount`, { class: "bare r" }, freed ? "freed" : [who.join(", ") || "nobody", " ",
        h("b", String(run.entry(id)?.refcount))]));
  });
  return [
    h(".h", h("b", run.pools.length > 1 ? `LRU of pool ${pool}` : "LRU"), h("span", "head at the top"),
      h("span.r", "held by")),
    h(".lrutable", { style: `height:${room * 21}px`, role: "group", "aria-label": "LRU with who holds each entry" },
      rows),
  ];
}

/* The pool whose list of entries is looked at: the one into which new pages go, if it has such a list. */
export const poolOfEntries = (v) =>
  [v.state.current, ...v.lists].find((pool) => v.run.pools[pool].lru_of === "entries");

/* ---------------------------------------------------------------- the pool */

export function pool(v) {
  const { run, m, state } = v;
  const over = state.size - run.limit;
  const below = over === 0 ? "at its limit" : `${-over} below the limit`;
  const verdict = over > 0 ? `${over} over the limit` : state.full ? `full until fewer than ${run.accept}` : below;
  const { slots } = run.peak;
  return [
    h(".h", h("b", "Pool"), m.shape !== "tiny" && h("span", poolWords(v)), gauge(run, state.size),
      field(state.full && over <= 0 ? "full" : "size", { class: "bare" }, verdict)),
    run.pools.length > 1 ? severalPools(v) : slots > 16 ? manyBackendPages(v) : cells(v, slots),
  ];
}

function poolWords({ run, m, state }) {
  if (m.across < 300) return plural(state.size, "page");
  if (run.pools.length > 1) return `${plural(state.size, "page")} of 4,096 bytes in all`;
  const { backend } = run.pools[0];
  const groups = `${plural(state.pages.size, "group")} of pages (zspages), ${plural(state.size, "page")} in all`;
  return backend === "zsmalloc" ? groups : `${plural(state.size, `${backend} page`)} of 4,096 bytes`;
}

/* The size against the limit (dashed) and the accept threshold (dotted). */
function gauge(run, size) {
  const most = Math.max(run.limit, run.peak.size);
  const below = Math.max(0, run.accept - 1);
  const label = `${plural(size, "page")}, limit ${run.limit}, accepts again below ${run.accept}`;
  const told = { role: "img", "aria-label": label, title: label };
  if (most <= 16)
    return h("span.gauge", told, Array.from({ length: most }, (_, page) => [
      page === below && h("u.acc"), page === run.limit && h("u"),
      h("i", { class: page >= size ? "free" : page >= run.limit ? "over" : "" })]), most === run.limit && h("u"));
  const at = (pages) => percent(pages, most * 1.04);
  return h("span.gauge.long", told, h("i", { class: size > run.limit ? "over" : "", style: `width:${at(size)}` }),
    h("u.acc", { style: `left:${at(below)}` }), h("u", { style: `left:${at(run.limit)}` }));
}

const grid = (columns, more = "") => ({ style: `grid-template-columns:repeat(${columns},1fr)${more}` });

/* The places of the pool's pages, each page in its own; an empty place keeps its room, so that nothing jumps. */
function cells(v, slots) {
  const { run, m, state } = v;
  const few = m.shape === "tiny" || m.across < 360 || (run.pools[0].backend === "zsmalloc" && slots <= 4);
  const columns = few ? 1 : slots > 8 ? 4 : 2;
  const at = Array(slots).fill(null);
  for (const key of state.pages.keys()) at[state.slots.get(key)] = key;
  const width = (m.across - (columns - 1) * 20) / columns;
  const label = `Pool: ${plural(state.pages.size, "backend page")}`;
  return h(".pool", { ...grid(columns), role: "group", "aria-label": label },
    at.map((key) => (key === null ? h("span.zp") : cell(v, key, width, columns > 2))));
}

function cell(v, key, width, small) {
  const { run, state } = v;
  const page = state.pages.get(key);
  const { backend, unit_bytes: bytes } = run.pools[page.pool];
  const words = small ? "" : backend === "zsmalloc" ? "group , 9 pages" : "page ";
  const label = Math.ceil(breadth("9".repeat(String(run.peak.number).length) + words) + 8);
  const group = `group ${page.number}, ${plural((page.units * bytes) / 4096, "page")}`;
  const name = small ? String(page.number) : backend === "zsmalloc" ? group : `page ${page.number}`;
  const entries = page.objects.map(([id]) => run.entry(id));
  const marks = [mark(v, key, true), ...page.objects.map(([id]) => mark(v, id) + state.entries.has(id))].join();
  return v.memory.of(`backend ${key}`, [page, width, small, marks, ...entries], () =>
    h("span.zp", { key: `backend ${key}`, "data-backend": key },
      h("span", { style: `width:${label}px` }, name), bar(v, page, width - label, key)));
}

/* A backend page `width` wide with its objects, to scale; one shorter than the run's longest is as much shorter. Where
   it has a `key` its objects can be asked about. */
function bar(v, page, width, key) {
  const { header_units: header, unit_bytes: bytes, page_units: usual } = v.run.pools[page.pool];
  const longest = v.run.peak.units[page.pool] ?? usual;
  const unit = width / longest;
  const seams = []; // where one page of a group ends and the next begins
  for (let at = 4096 / bytes; at < page.units; at += 4096 / bytes)
    seams.push(h("span.seam", { style: `left:${percent(at, page.units)}` }));
  const style = page.units < longest ? `width:${px(page.units * unit)}` : null;
  return h("span.zb", { class: key === undefined ? "" : mark(v, key, true), style },
    header > 0 && h("span.hd", { style: `width:${percent(header, page.units)}` }), seams,
    page.objects.map((object) => objectIn(v, page, object, unit, bytes, key !== undefined)));
}

function objectIn(v, page, [id, first, units], unit, bytes, asks) {
  const { page: name = "?", length = 0 } = v.run.entry(id) ?? {};
  const freed = !v.state.entries.has(id);
  const room = units * unit;
  const next = Math.min(...page.objects.map(([, other]) => other).filter((other) => other > first), page.units);
  const fits = breadth(name, 12) + 2 <= room;
  const beside = !fits && breadth(name, 12) + 6 <= (next - first - units) * unit; // the number has room to its right
  const place = `left:${percent(first, page.units)};width:${percent(units, page.units)};${freed ? "" : colour(name)}`;
  const title = `page ${name} ${length} B in ${units * bytes} bytes of room${freed ? ", freed" : ""}`;
  const look = { key: `entry ${id}`, style: place, title };
  if (!asks) return h("span.ob", { ...look, class: freed ? "ghost" : "" }, fits && String(name));
  return field(`object ${id}`, {
    ...look, class: `ob ${freed ? "ghost" : ""} ${fits ? "" : "narrow"} ${mark(v, id)}`, "aria-label": title,
    "data-entry": id,
  },
  fits ? h("b", String(name)) : beside && h("b.outside", String(name)),
  length > 0 && breadth(`${name}${length} B`) + 10 <= room && [" ", h("span", `${length} B`)]);
}

/* So many backend pages that only those near the action are drawn; of the others, how full each is. */
function manyBackendPages(v) {
  const { run, m, state } = v;
  const columns = m.shape === "tiny" ? 1 : 2;
  const tall = 52;
  const rows = Math.max(1, Math.min(3, Math.ceil((run.peak.slots * 4) / m.across)));
  const pitch = m.across / Math.ceil(run.peak.slots / rows);
  const high = Math.floor(tall / rows) - 3;
  const thick = Math.max(0.6, pitch > 3 ? pitch - 1 : pitch * 0.8).toFixed(2);
  let [full, frame] = ["", ""];
  for (const [key, page] of state.pages) {
    const slot = state.slots.get(key);
    const used = page.objects.reduce((sum, [, , units]) => sum + units, 0) / page.units;
    const at = `M${(Math.floor(slot / rows) * pitch).toFixed(1)} ${(slot % rows) * (high + 3) + high}h${thick}`;
    full += `${at}v-${(used * high).toFixed(1)}h-${thick}z`;
    frame += `${at}v-${high}h-${thick}z`;
  }
  const width = (m.across - 20 * (columns - 1)) / columns;
  const label = `${plural(state.pages.size, "backend page")}, how full each is`;
  return [
    h(".pool", grid(columns, `;min-height:${(4 / columns) * 25 - 5}px`),
      near(v, 4).map((key) => cell(v, key, width, false))),
    h(".map", h("svg", { width: m.across, height: tall, role: "img", "aria-label": label },
      h("path", { d: frame, style: "fill:var(--well)" }), h("path", { d: full, style: "fill:var(--dim)" })),
    h("span.tiny.dim", `above: the pages of this step; here all ${number(state.pages.size)}, a column each, as high as `
      + "it is full")),
  ];
}

/* Backend pages that a step is about: those it changed, where its entry lies, what is next to go; then the newest. */
function near(v, most, among = (key) => v.state.pages.has(key)) {
  const { run, state, now } = v;
  const keys = new Set();
  const add = (key) => keys.size < most && among(key) && keys.add(key);
  for (const [what, key] of now?.changes ?? []) if (what === "page") add(key);
  add(state.home.get(v.subject));
  for (const [pool, ids] of state.lru) {
    const ends = [[...ids][0], [...ids].at(-1)];
    for (const id of ends) add(run.pools[pool].lru_of === "pages" ? id : state.home.get(id));
  }
  for (const key of [...state.pages.keys()].reverse()) add(key);
  return [...keys].sort((one, other) => one - other);
}

/* Several pools, the two that matter most: which is which, and their pages. */
function severalPools(v) {
  const { run, m, state } = v;
  const columns = m.across > 420 ? 4 : 2;
  const width = (m.across - (columns - 1) * 20) / columns;
  return h(".pools", v.pools.map((pool) => {
    const { backend, compressor } = run.pools[pool];
    const keys = [...state.pages].filter(([, page]) => page.pool === pool).map(([key]) => key);
    const shown = keys.length > columns * 2 ? near(v, columns * 2, (key) => keys.includes(key)) : keys;
    const of = keys.length > shown.length ? `${shown.length} shown of ` : "";
    const count = `${of}${plural(keys.length, "page")}`;
    return h("div", { key: `pool ${pool}` },
      h(".h.tiny", h("b", `pool ${pool}`), h("span", `${backend}, ${compressor}`),
        pool === state.current && h("span.new", "new pages go here"), h("span.r", count)),
      h(".pool", grid(columns), shown.map((key) => cell(v, key, width, true))));
  }));
}

/* ---------------------------------------------------------------- counters */

/* Those that change in this run, as many as fit; what this step has changed is among them, and bold. */
export function counters(v) {
  const { run, m, state, now } = v;
  const changes = (now?.changes ?? []).filter(([what]) => what === "counters");
  const changed = new Set(changes.flatMap(([, values]) => Object.keys(values)));
  let room = m.across + 18;
  const width = (name) => breadth(`${name} ${number(state.counters[name])}`, 12) + 14;
  const fit = run.counted.filter((name) => (room -= width(name)) > 0);
  const missing = run.counted.filter((name) => changed.has(name) && !fit.includes(name));
  const shown = [...fit.slice(0, fit.length - missing.length), ...missing];
  const rest = run.counted.length - shown.length;
  return h(".cnt", { role: "group", "aria-label": "Counters" },
    shown.map((name) => field(`counter ${name}`, { key: name, class: changed.has(name) ? "bare ch" : "bare" },
      `${name} `, h("b", number(state.counters[name])))),
    rest > 0 && h("span.tiny", { title: "the table has them all" }, `+ ${rest}`));
}

/* ---------------------------------------------------------------- what each CPU runs */

/* `taken` is the height that something else needs in the same column. */
export function cpus(v, taken = 0) {
  const { m } = v;
  const every = v.run.cpusAt(v.step);
  const several = every.length > 1;
  const panes = Math.max(1, every.filter(({ stack, state }) => stack.length && state !== "finished").length);
  const drawing = v.holdersRight && m.level !== "source" && !v.hidden.has("holders") ? 112 : 0;
  const heads = 22 * every.length + 13 * (every.length - 1) + 4;
  const rows = m.wide ? Math.max(3, Math.floor((m.body - 20 - heads - drawing - taken) / panes / 18)) : several ? 4 : 5;
  return every.map((cpu, index) => onCpu(v, cpu, index, several, rows));
}

function onCpu(v, cpu, index, several, rows) {
  const { stack, state, task } = cpu;
  const runs = stack.length > 0 && state !== "finished";
  const path = stack.map(([source]) => v.run.sources[source].function);
  const [words, waits] = statusOf(cpu);
  const room = v.m.inner - 111 - breadth(words, 12) - (several ? breadth(task, 12) + 8 : 0);
  const icon = (waits || cpu.holds.length > 0) && runs && lock();
  return h("section.oncpu", { key: `cpu ${index}`, role: "group", "aria-label": `CPU ${CPU[index]}` },
    h(".cpu", h("span.name", `CPU ${CPU[index]}`), several && h("span.task", task),
      h("span.crumb", { title: path.join(" › ") }, runs ? crumb(path, room) : !several && "between two operations"),
      h("span.r", { class: waits ? "lock waits" : icon ? "lock" : "dim" }, icon, words)),
    runs && code(v, stack, rows, waits ? "blocked" : ""));
}

/* How a CPU stands, in words, and whether it waits. */
function statusOf({ stack, holds, waits, holder, state, steps }) {
  if (state === "not started") return [state, false];
  if (state === "finished") return [`finished, ${plural(steps, "step")}`, false];
  if (waits) return [`waits for ${waits}${holder === null ? "" : `: CPU ${CPU[holder]} has it`}`, true];
  return [holds.length ? `holds ${holds.join(", ")}` : stack.length ? "no lock held" : "", false];
}

/* The calls, as many as fit: what is left out is the outermost. */
export function crumb(path, width) {
  let shown = path;
  while (shown.length > 1 && breadth(shown.join(" › "), 12) > width) shown = shown.slice(1);
  const calls = shown.slice(0, -1).map((name) => `${name} › `);
  return [shown.length < path.length && "… › ", calls, h("b", shown.at(-1))];
}

/* The running function around its running line; at the source level, where there is room, who called it. */
function code(v, stack, room, look) {
  const { run, m } = v;
  const [source, line] = stack.at(-1);
  const characters = Math.min(CHARACTERS[m.level], Math.floor((m.inner + 3) / v.character));
  const rows = run.rows(source, characters);
  const [from, to] = windowOf(rows, line, room, m.level === "story" ? 3 : undefined);
  const kernel = stack.map(([index]) => run.sources[index]).findLast((one) => one.kernel);
  const link = kernel && kernelLink(kernel);
  const free = characters - (kernel?.kernel.length ?? 0) - 3; // a line as short as this has room for the link
  const beside = from > 0 ? -1 : rows.slice(from, to).findIndex(({ text }) => text.length < free);
  const used = to - from + (from > 0) + (to < rows.length);
  return h(".src",
    from > 0 && hiddenLines(rows, 0, from, link),
    rows.slice(from, to).map(({ line: own, text }, index) => {
      const now = own === line;
      return h("div", { class: now ? `now ${look}` : null, "aria-current": now ? "true" : null },
        index === beside && link, painted(text));
    }),
    to < rows.length && hiddenLines(rows, to, rows.length),
    m.level !== "story" && m.wide && callers(v, stack, room - used - 1));
}

function hiddenLines(rows, from, to, link) {
  return h(".folded", plural(new Set(rows.slice(from, to).map(({ line }) => line)).size, "line"), link);
}

/* Who waits for the running function, the innermost first, each with its line. */
function callers(v, stack, room) {
  const shown = stack.slice(0, -1).reverse().slice(0, Math.max(0, room));
  return shown.length > 0 && [h(".folded", "called from"), shown.map(([source, line]) => {
    const { lines, function: name } = v.run.sources[source];
    return h(".call", h("i", `${name}: `), painted(lines[line].trim()));
  })];
}

/* `yield` is where another CPU may run; comments are quiet. */
export const painted = (text) => text.split(/(\byield\b|#.*$)/).filter(Boolean).map((part) =>
  part === "yield" ? h("b", part) : part.startsWith("#") ? h("i", part) : part);

function kernelLink({ kernel, url }) {
  if (!url) return h("span.kl", kernel);
  const title = `${kernel} in the kernel's own source`;
  return h("a.kl", { href: url, target: "_blank", rel: "noopener", title }, `${kernel} ↗`);
}

/* ---------------------------------------------------------------- who holds an entry */

export function holders(v) {
  const { run, m, state, subject } = v;
  const entry = subject === null ? undefined : run.entry(subject);
  if (!entry) return h(".h", h("b", "Who holds it"), h("span", "no entry is in use at this step"));
  const rows = run.holders(v.step, subject).map((one) => holder(v, subject, entry, one)).filter(Boolean);
  const page = run.name(subject);
  const whose = h("b", isPage(page) ? `Who holds page ${page}’s entry` : "Who holds the entry");
  const freed = !state.entries.has(subject);
  const head = [whose, freed ? h("span", "freed") : refcount(v, subject, entry)];
  const words = told(rows) || "nobody";
  if (!m.wide) return h(".h.line", head, h("span.more", words));
  const [width, tall] = [Math.min(v.holdersRight ? m.inner : m.across, 560), 84];
  const pitch = rows.length > 3 ? Math.floor(tall / rows.length) : 28;
  const box = width - 58;
  const under = freed ? "freed" : entry.length ? `${entry.length} B` : entry.linked ? "same" : "new";
  const look = { class: `${freed ? "ghost" : ""} ${mark(v, subject)}`,
    style: `left:${box}px;top:${tall / 2 - 20}px;${freed ? "" : colour(page)}` };
  return [h(".h", head), h(".holders", { style: `height:${tall}px`, role: "group", "aria-label": words },
    h("svg", { width, height: tall, "aria-hidden": "true" },
      h("defs", arrowhead("za-counted", "ink"), arrowhead("za-unprotected", "leave"), arrowhead("za-link", "rule")),
      rows.map(({ line }, index) => arrow(line, index * pitch + 13, box, tall / 2))),
    rows.map(({ name, says, line, field: asked }, index) => {
      const drawn = line && line !== "cut";
      const place = `top:${index * pitch + (drawn ? 0 : 5)}px;left:${line === "cut" ? 230 : 136}px`;
      return [
        field(asked, { key: `who ${index}`, class: line ? "bare who" : "bare who dim",
          style: `top:${index * pitch + 4}px` }, name),
        h("span.says", { class: line ? "" : "off", style: place }, says)];
    }),
    h("span.e", look, h("b", String(page ?? "?")), h("i", under)))];
}

function refcount(v, id, { refcount: count }) {
  const write = v.wrote(`entry ${id} refcount`);
  const words = write && write.from !== undefined ? `${write.from} → ${write.to}` : String(count);
  return field(`entry ${id} refcount`, { class: write ? "bare ch" : "bare" }, "refcount ", h("b", words));
}

/* A line from who holds it to the entry, by how it holds it; nothing where it does not. */
function arrow(line, y, box, middle) {
  const cut = `M212 ${y - 5}l10 10m0-10l-10 10`;
  if (line === "cut") return [h("path.link", { d: `M122 ${y}h90` }), h("path.cut", { d: cut })];
  const end = Math.max(middle - 15, Math.min(middle + 15, y));
  const way = end === y ? `H${box - 4}` : `H${box - 34}L${box - 4} ${end}`;
  return line && h("path", { class: line, d: `M122 ${y}${way}`, "marker-end": `url(#za-${line})` });
}

/* One line of that drawing: its name, what is said of it, and how it is drawn. */
function holder(v, id, entry, one) {
  const alone = entry.refcount === 1 ? "counted: this is the 1" : "counted";
  if (one.who === "tree") {
    const [asked, write] = [`entry ${id} linked`, v.wrote(`entry ${id} linked`)];
    const name = one.linked ? `the tree, slot ${entry.offset}` : "the tree";
    const says = write ? "counted; from now on a load finds it" : alone;
    if (one.linked) return { name, field: asked, line: "counted", says };
    if (write?.from) return { name, field: asked, line: "cut", says: "let go at this step: nobody finds it any more" };
    const off = one.counted ? "off it; its reference is dropped next" : "not in it";
    return { name, field: asked, line: null, says: off };
  }
  if (one.who === "cpu") {
    const name = [`CPU ${CPU[one.cpu]}, `, h("code", one.local)];
    if (one.counted) return { name, line: "counted", says: alone };
    const held = one.locks.find((lock) => /tree|lru/.test(lock));
    const says = held ? `not counted: safe only while it holds ${held}` : "not counted: may be freed under it";
    return { name, line: "unprotected", says };
  }
  if (v.run.pools.every(({ lru_of: of }) => of !== "entries")) return null;
  const write = v.wrote(`lru ${id}`);
  const link = write ? "a link, set at this step" : "a link, not a reference";
  const off = write ? "let go at this step" : "not on it";
  return { name: "the LRU", field: `lru ${id}`, line: one.listed ? "link" : null, says: one.listed ? link : off };
}

/* Who holds it, in one line. */
function told(rows) {
  const how = { counted: "counted", unprotected: "not counted", link: "a link" };
  return rows.filter(({ line }) => line in how).map(({ name, line }) =>
    `${typeof name === "string" ? name : name[0].slice(0, -2)}, ${how[line]}`).join("; ");
}
