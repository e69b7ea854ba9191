/* The player: draws one recorded run step by step, forward and back, and answers keys, pointer and questions.
   It decides nothing about zswap: scene.js has the run as data, player.css the looks. Every drawing is a function from
   the moment shown to a description of elements; `patch` then changes only what differs from the last drawing. */
import { CPU, EVENTS, LEVELS, Run, rowsOf, spansOf, windowOf } from "./scene.js";

const PACES = [1, 2, 4, 8];
const PAUSE = 700; // milliseconds a stop is shown at pace 1
const WIDTH = 1050; // of the sheet as it was drawn, in CSS pixels; lecture mode is the same sheet, magnified
const HEIGHTS = { least: 590, most: 620 };
const LINES = { story: 56, steps: 56, source: 75 }; // characters a line of source may have
const WHERE = {
  present: "in RAM", kept: "in zswap", device: "on the swap device", nowhere: "nowhere", freed: "given up",
  "not yet": "not written yet",
};
const PARTS = { curve: "timeline", pages: "pages", lru: "LRU", pool: "pool", counters: "counters", source: "source", holders: "who holds it" };

/* ---------------------------------------------------------------- small tools for drawing */

const SVG = "http://www.w3.org/2000/svg";
const NONE = {};

function into(list, child) {
  if (Array.isArray(child)) for (const one of child) into(list, one);
  else if (child != null && child !== false && child !== "") list.push(typeof child === "number" ? String(child) : child);
  return list;
}

/* A description of an element; one with a `key` is told from its neighbours by it. */
const h = (tag, attributes, ...children) => ({ tag, key: attributes?.key, attributes: attributes ?? NONE, children: into([], children) });

/* A real element, for what stays. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? NONE)) set(element, name, value);
  element.append(...into([], children));
  return element;
}

function set(element, name, value) {
  if (name === "key") return;
  if (value == null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

function born(node, inside) {
  if (typeof node === "string") return { node, element: document.createTextNode(node) };
  const element = node.tag === "svg" || inside.namespaceURI === SVG ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  for (const name in node.attributes) if (node.attributes[name] != null && node.attributes[name] !== false) set(element, name, node.attributes[name]);
  patch(element, node.children);
  return { node, element };
}

/* Make what was drawn look as `node` says. */
function renew(drawn, node) {
  const { node: before, element } = drawn;
  if (before === node) return;
  drawn.node = node;
  if (typeof node === "string") {
    element.data = node;
    return;
  }
  const [now, then] = [node.attributes, before.attributes];
  for (const name in then) if (!(name in now)) set(element, name, null);
  for (const name in now) if (now[name] !== then[name]) set(element, name, now[name]);
  patch(element, node.children);
}

const alike = (drawn, node) => drawn !== undefined && (typeof node === "string" ? typeof drawn.node === "string" : drawn.node.tag === node.tag && drawn.node.key === node.key);

/* Make the children of `parent` what `given` describes, keeping every element that only has to change a little. */
function patch(parent, given) {
  const nodes = into([], given);
  const old = parent.drawn ?? [];
  if (old.length === nodes.length && nodes.every((node, index) => alike(old[index], node))) {
    nodes.forEach((node, index) => renew(old[index], node));
    return;
  }
  const keyed = new Map(old.filter(({ node }) => node.key !== undefined).map((drawn) => [drawn.node.key, drawn]));
  const loose = old.filter(({ node }) => node.key === undefined);
  const kept = new Set();
  parent.drawn = nodes.map((node) => {
    const twin = node.key === undefined ? loose.shift() : keyed.get(node.key);
    if (!alike(twin, node) || kept.has(twin)) return born(node, parent);
    kept.add(twin);
    renew(twin, node);
    return twin;
  });
  for (const drawn of old) if (!kept.has(drawn)) drawn.element.remove();
  let place = parent.firstChild;
  for (const { element } of parent.drawn) {
    if (element === place) place = place.nextSibling;
    else parent.insertBefore(element, place);
  }
}

/* Descriptions that are the same as long as what they are made of is: `patch` then has nothing to look at. */
class Memory {
  kept = new Map();

  of(key, values, build) {
    const known = this.kept.get(key);
    if (known && known.values.every((value, index) => value === values[index])) return known.node;
    const node = build();
    this.kept.set(key, { values, node });
    return node;
  }
}

const colour = (page) => (page === null || page === undefined ? "--c:var(--well);--i:var(--ink)" : `--c:var(--e${page % 5});--i:var(--i${page % 5})`);
const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
const px = (value) => `${Math.round(value * 100) / 100}px`;
const percent = (part, whole) => `${Math.round((10000 * part) / whole) / 100}%`;

/* About how wide a text is; `share` is how wide a character is of its height, as measured in the reader's font. */
let share = 0.6;
const breadth = (text, size = 11) => String(text).length * size * share;

/* The longest of some texts that fits, or nothing. */
const fitting = (texts, width, size = 11) => texts.find((text) => breadth(text, size) <= width) ?? "";

/* A sentence with **bold** words and `names`, as nodes. */
const sentence = (text) =>
  text.split(/(\*\*.*?\*\*|`.*?`)/).filter(Boolean).map((part) =>
    part.startsWith("**") ? h("b", {}, part.slice(2, -2)) : part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part);
const plain = (text) => text.replace(/\*\*|`/g, "");

const ICONS = {
  first: "M4 3v10M13 3 6.5 8 13 13z", back: "M11.5 3 5 8l6.5 5z", play: "M5 2.5 13 8l-8 5.5z", pause: "M5 3v10M11 3v10",
  forward: "M4.5 3 11 8l-6.5 5z", last: "M12 3v10M3 3l6.5 5L3 13z",
  lecture: "M2 6V2.5h4M10 2.5h4V6M14 10v3.5h-4M6 13.5H2V10", picture: "M1.5 2.5h13v11h-13zM2 12l4-4 3 3 2-2 3 3",
};
const icon = (name) => h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: `icon-${name}` }, h("path", { d: ICONS[name] }));
const LOCK = h("svg", { viewBox: "0 0 10 12", "aria-hidden": "true" },
  h("path", { d: "M1.2 5.5h7.6v5.3H1.2zM2.8 5.5V3.4a2.2 2.2 0 0 1 4.4 0v2.1" }));
const arrowhead = (id, token) => h("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 9, markerHeight: 9, orient: "auto-start-reverse" },
  h("path", { d: "M0 0 8 4 0 8z", style: `fill:var(--${token})` }));

function isDark() {
  const light = document.body.dataset.jpThemeLight;
  return light ? light === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/* ---------------------------------------------------------------- the measures of a sheet */

/* Every length that depends on the run, the width and the level, and on nothing that a step changes. */
function measures(run, { width, level, height, say, note, hidden }) {
  const size = width >= 900 ? "wide" : width >= 480 ? "one" : "tiny";
  const wide = size === "wide";
  const pad = size === "tiny" ? 14 : 16;
  const gutter = size === "tiny" ? 62 : 122;
  const kinds = EVENTS.filter(({ kind }) => run.ticks[kind].length);
  const tight = wide && (kinds.length > 4 || run.cpus > 1);
  const base = tight || size === "one" ? 42 : 50; // of the curve
  const lanes = base + 6;
  const cpus = lanes + 13 * kinds.length + 2;
  const time = hidden.has("curve") ? 0 : cpus + 17 * run.cpus + 7;
  const right = !wide ? width : level === "source" ? Math.min(620, width - 400) : 470 + Math.max(0, width - WIDTH) * 0.4;
  const left = wide ? width - right : width;
  const across = left - 2 * pad - (wide ? 1 : 0);
  const least = height ?? HEIGHTS.least;
  const most = height ?? HEIGHTS.most;
  const bands = (size === "wide" ? 44 : 62) + time + say + note + 26;
  const sheet = Math.max(least, Math.min(most, bands + 340));
  const body = sheet - bands - 2;
  const fit = wide ? fitted(run, body) : { gap: 9, dense: false, counted: true };
  const shelf = fit.dense ? 20 : 22;
  return {
    size, wide, pad, gutter, kinds, base, lanes, cpus, time, left, right, across, width, level, shelf, ...fit, chart: width - 2 * pad - gutter, body: wide ? body : undefined, sheet: wide ? sheet : undefined,
    inner: right - 2 * pad,
  };
}

/* How far apart the drawings on the left are: where the body is low they move together, then shrink; counters go last. */
function fitted(run, body) {
  const { slots } = run.peak;
  const rows = run.pools.length > 1 ? 5 : slots > 16 ? 5 : slots > 8 ? 4 : Math.ceil(slots / 2);
  const need = (gap, dense) => 20 + (dense ? 61 : 67) + 21 + (dense ? 44 : 52) + 22 + rows * 20 + (rows - 1) * (dense ? 3 : 5) + 17 + 3 * gap;
  const dense = need(5, false) > body;
  return { gap: need(11, false) <= body ? 11 : 5, dense, counted: need(5, dense) <= body };
}

/* How the LRU's boxes are laid out: all of them in one line, or its ends and what is between them as a number. */
function lruMeasures(run, { across }, ofPages) {
  const room = across - 18;
  const [widest, narrowest] = ofPages ? [74, 62] : [47, 31];
  const pitch = Math.max(narrowest, Math.min(widest, Math.floor(room / run.peak.lru)));
  return { pitch, width: pitch - Math.max(4, Math.round(pitch * 0.19)), places: Math.max(5, Math.floor(room / pitch)) };
}

/* ---------------------------------------------------------------- the drawings; `v` is the moment shown */

/* Classes of an entry or a backend page, wherever it is drawn: leaving, the sentence's subject. */
function marks(v, id, ofPages = false) {
  const leaving = v.state.out === id && v.state.out !== null && ofPages === v.outIsPage;
  return leaving ? " leaving" : !ofPages && v.subject === id ? " subject" : "";
}

function pages(v) {
  const { run, m } = v;
  const { places } = v;
  const label = m.size === "tiny" ? 50 : 62;
  const column = Math.min(m.wide ? 30.4 : 60, (m.across - label) / Math.max(1, places.length));
  if (column < 15) return manyPages(v, places, label);
  const small = column < 24;
  const at = (index, row) => `transform:translate(${px(label + index * column)},${row * m.shelf}px);width:${px(column)}`;
  const boxes = places.flatMap(([page, where, held], index) => {
    const [id, entry] = held.find(([, { linked }]) => linked) ?? held.at(-1) ?? [];
    const row = { present: 0, nowhere: 0, freed: 0, "not yet": 0, kept: 1, device: 2 }[where];
    const refs = held.map(([, { refcount, linked }]) => `${plural(refcount, "reference")}, ${linked ? "" : "not "}in the tree`);
    const title = [`page ${page} ${WHERE[where]}`, ...refs].join("; ");
    const box = (key, kind, line, more) =>
      h("button", { key, type: "button", tabindex: -1, class: `pg ${kind}${small ? " small" : ""}`, style: `${at(index, line)};${colour(page)}`, title, "aria-label": title, "data-page": page, ...more },
        h("span", { class: id === undefined || kind === "also" ? "" : marks(v, id).trim() }, String(page)));
    const own = { present: "ram", kept: "zswap", device: "disk", nowhere: "lost", freed: "gone", "not yet": "not" }[where];
    return [
      box(`page ${page}`, own, row),
      where === "present" && entry?.linked && box(`copy ${page}`, "also", 1, { "aria-hidden": "true" }),
    ].filter(Boolean);
  });
  return [
    h("div", { class: "shelves", style: `height:${3 * m.shelf + 1}px` }, shelf(v, label), boxes, unwritten(places, label, column)),
  ];
}

function shelf(v, label) {
  return ["in RAM", "in zswap", "on disk"].map((name, row) => [
    h("span", { class: "lab", style: `top:${row * v.m.shelf}px` }, name),
    h("span", { class: `rail${row === 2 ? " z" : ""}`, style: `top:${row * v.m.shelf}px;left:${label}px` }),
  ]);
}

/* Words under the pages that have not been written, and under those that were given up, where there is room. */
function unwritten(places, label, column) {
  return ["not yet", "freed"].map((wanted) => {
    let [best, run] = [{ from: 0, to: 0 }, 0];
    places.forEach(([, where], index) => {
      run = where === wanted ? run + 1 : 0;
      if (run > best.to - best.from) best = { from: index + 1 - run, to: index + 1 };
    });
    const width = (best.to - best.from) * column;
    const text = wanted === "freed" ? "given up" : "not written yet";
    return breadth(text) < width &&
      h("span", { class: "tiny dim words", style: `left:${px(label + best.from * column)};width:${px(width)}` }, text);
  });
}

/* So many pages that their numbers do not fit: a stroke for each, in the line of where it is. */
function manyPages(v, places, label) {
  const { m } = v;
  const width = m.across - label;
  const column = width / places.length;
  const stroke = Math.max(0.75, column - (column > 3 ? 1 : 0.25));
  const paths = new Map();
  const counts = [0, 0, 0];
  const marked = [];
  places.forEach(([page, where, held], index) => {
    const row = { present: 0, nowhere: 0, kept: 1, device: 2 }[where];
    if (row === undefined) return;
    counts[row] += 1;
    const token = row === 1 ? `e${page % 5}` : row === 2 ? "disk" : "ink";
    const x = (index * column).toFixed(1);
    paths.set(token, `${paths.get(token) ?? ""}M${x} ${row * 22 + 3}h${stroke.toFixed(2)}v16h-${stroke.toFixed(2)}z`);
    const mark = held.map(([id]) => marks(v, id)).find(Boolean);
    if (mark) marked.push(h("span", { key: `page ${page}`, class: `pin${mark}`, style: `left:${px(label + index * column + stroke / 2)};top:${row * 22 + 2}px;${colour(page)}`, "data-page": page }, String(page)));
  });
  return [
    h("div", { class: "shelves many", style: "height:67px", role: "img", "aria-label": `${plural(places.length, "page")}: ${counts[0]} in RAM, ${counts[1]} in zswap, ${counts[2]} on disk` },
      ["in RAM", "in zswap", "on disk"].map((name, row) => [
        h("span", { class: "lab", style: `top:${row * 22}px` }, h("b", {}, String(counts[row])), ` ${name.slice(3)}`),
        h("span", { class: `rail${row === 2 ? " z" : ""}`, style: `top:${row * 22}px;left:${label}px` }),
      ]),
      h("svg", { width: px(width), height: 66, style: `left:${label}px`, "aria-hidden": "true" },
        [...paths].map(([token, d]) => h("path", { key: token, d, style: `fill:var(--${token})` }))),
      marked),
  ];
}

/* The boxes of a list that are shown: positions in `ids` (head first), numbers where a run of them is left out. */
function folded(ids, places, wanted) {
  if (ids.length <= places) return ids.map((id) => ({ id }));
  const room = places - 2;
  const keep = new Set([0, 1]);
  const at = ids.indexOf(wanted);
  if (at >= 0) [at - 1, at, at + 1].forEach((index) => index >= 0 && keep.add(index));
  for (let index = ids.length - 1; index >= 0 && keep.size < room - (at > 2 ? 1 : 0); index -= 1) keep.add(index);
  const shown = [];
  let skipped = 0;
  ids.forEach((id, index) => {
    if (!keep.has(index)) {
      skipped += 1;
      return;
    }
    if (skipped) shown.push({ skipped });
    skipped = 0;
    shown.push({ id });
  });
  return shown;
}

function lru(v) {
  const { run, m, state } = v;
  const kinds = run.pools.map(({ lru_of: of }) => of);
  if (kinds.every((of) => of === null))
    return [h("div", { class: "h" }, h("b", {}, "LRU"), h("span", {}, "none: at this stage nobody keeps a list, and nothing is written back by age"))];
  const lists = v.lists;
  return lists.map((pool, index) => list(v, pool, lists.length > 1, index));
}

function list(v, pool, several, place) {
  const { run, m, state } = v;
  const ofPages = run.pools[pool].lru_of === "pages";
  const { backend } = run.pools[pool];
  const ids = [...(state.lru.get(pool) ?? [])].reverse();
  const out = state.out !== null && v.outPool === pool && !state.lru.get(pool)?.has(state.out) ? state.out : null;
  const { pitch, width, places } = lruMeasures(run, several ? { across: m.across - 46 } : m, ofPages);
  const low = width < 27 && !ofPages;
  const tall = several ? 24 : low ? 28 : m.wide && !m.dense ? 40 : 36;
  const shown = folded(ids, places - (out === null ? 0 : 1), ofPages ? state.home.get(v.subject) : v.subject);
  let x = 0;
  const boxes = shown.map(({ id, skipped }, index) => {
    const left = x;
    x += skipped ? pitch * 1.4 : pitch;
    if (skipped) return h("span", { key: `fold ${index}`, class: "fold", style: `transform:translateX(${px(left)});width:${px(pitch * 1.4 - 8)};height:${tall}px` }, `⋯ ${skipped}`);
    return (ofPages ? pageBox : entryBox)(v, id, `transform:translate(${px(left)},0);width:${px(width)};height:${tall}px;--gap:${px(pitch - width)}`, width, several || width < 27);
  });
  if (out !== null) {
    const left = Math.min(x + 12, m.across - width);
    boxes.push((ofPages ? pageBox : entryBox)(v, out, `transform:translate(${px(left)},${several ? 4 : m.dense ? 6 : 9}px);width:${px(width)};height:${tall}px;--gap:${px(x ? pitch - width + 12 : 0)}`, width, several || width < 27, " out"));
  }
  const names = ids.map((id) => listed(v, id, ofPages)).join(", ") || "empty";
  const label = `LRU from head to tail: ${names}${out === null ? "" : `. Stepping out: ${listed(v, out, ofPages)}`}`;
  const narrow = m.across < 300;
  const head = narrow ? h("b", {}, ofPages ? `LRU of ${backend}’s pages` : "LRU") : ofPages
    ? [h("b", {}, `LRU of ${backend}’s pages`), h("span", { class: "more" }, "a box is a whole page of the pool, with all in it")]
    : [h("b", {}, "LRU"), h("span", {}, "head: used last"), !several && m.size !== "tiny" && width >= 27 && h("span", { class: "more" }, "number under each: compressed bytes")];
  return h("section", { key: `lru ${pool}`, class: "lru-of" },
    place === 0 && h("div", { class: "h" }, head, h("span", { class: "r" }, ofPages || m.across < 440 ? "tail: next to go" : "tail: longest unused, next to go")),
    h("div", { class: "lru", style: `height:${tall + (several ? 6 : m.dense ? 8 : 12)}px`, role: "group", "aria-label": label },
      several && h("span", { class: "of" }, `pool ${pool}`),
      h("div", { class: "boxes" }, boxes.length ? boxes : h("span", { class: "none" }, "empty"))));
}

function listed(v, id, ofPages) {
  if (ofPages) return `${v.run.pools[v.state.pages.get(id)?.pool ?? 0].backend} page ${v.state.pages.get(id)?.number ?? "?"}`;
  return `page ${v.run.name(id) ?? "?"}${v.state.entries.has(id) ? "" : " (freed)"}`;
}

function entryBox(v, id, style, width, small, more = "") {
  const { page, length, offset, refcount, linked } = v.run.entry(id) ?? {};
  const freed = !v.state.entries.has(id);
  const under = freed ? "freed" : length ? String(length) : linked ? "same" : "new";
  const title = freed ? `page ${page ?? "?"} freed, and still on the list`
    : `page ${page} ${length ? `${length} bytes` : under}: slot ${offset}, ${plural(refcount, "reference")}, ${linked ? "" : "not "}in the tree`;
  return h("button", {
    key: `entry ${id}`, type: "button", tabindex: -1, class: `e${more}${freed ? " ghost" : ""}${marks(v, id)}`, style: `${style};${freed ? "" : colour(page)}`, title, "aria-label": title,
    "data-field": `lru ${id}`, "data-entry": id,
  }, h("b", {}, String(page ?? "?")), !small && [" ", h("i", {}, under)]);
}

function pageBox(v, key, style, width, small, more = "") {
  const page = v.state.pages.get(key);
  const name = `${v.run.pools[page?.pool ?? 0].backend} page ${page?.number ?? "?"}`;
  return h("button", { key: `backend ${key}`, type: "button", tabindex: -1, class: `e p${more}${marks(v, key, true)}`, style, title: name, "data-field": `lru-page ${key}`, "data-backend": key },
    !small && [h("i", {}, `page ${page?.number ?? "?"}`), " "], page && bar(v, key, page, false, width - 10));
}

/* A backend page with its objects, to scale; one that is shorter than the longest of the run, as much shorter. */
function bar(v, key, page, labelled, width = 0) {
  const pool = v.run.pools[page.pool];
  const longest = v.run.peak.units?.[page.pool] ?? pool.page_units;
  const { header_units: header, unit_bytes: bytes } = pool;
  const unit = width / longest;
  const part = (first, count) => `left:${percent(first, page.units)};width:${percent(count, page.units)}`;
  const share = page.units < longest ? `width:${px((width * page.units) / longest)}` : null;
  const seams = []; // where one page of a group ends and the next begins
  for (let at = 4096 / bytes; at < page.units; at += 4096 / bytes) seams.push(h("span", { class: "seam", style: `left:${percent(at, page.units)}` }));
  return h("span", { class: `zb${labelled ? marks(v, key, true) : ""}`, style: share },
    header > 0 && h("span", { class: "hd", style: part(0, header) }), seams,
    page.objects.map(([id, first, count]) => {
      const entry = v.run.entry(id);
      const freed = !v.state.entries.has(id);
      const name = entry?.page ?? "?";
      const room = count * unit;
      const after = Math.min(...page.objects.map(([, other]) => other).filter((other) => other > first), page.units);
      const [fits, free] = [breadth(name, 12) + 2 <= room, (after - first - count) * unit];
      const title = `page ${name} ${entry?.length ?? 0} B in ${count * bytes} bytes of room${freed ? ", freed" : ""}`;
      const look = { class: `ob${freed ? " ghost" : ""}${labelled && !fits ? " narrow" : ""}${labelled ? marks(v, id) : ""}`, style: `${part(first, count)};${freed ? "" : colour(entry?.page)}` };
      if (!labelled) return h("span", { key: `entry ${id}`, ...look, title }, fits && String(name));
      return h("button", { key: `entry ${id}`, type: "button", tabindex: -1, ...look, title, "aria-label": title, "data-field": `object ${id}`, "data-entry": id },
        fits ? h("b", {}, String(name)) : breadth(name, 12) + 6 <= free && h("b", { class: "outside" }, String(name)),
        entry?.length > 0 && breadth(`${name}${entry.length} B`) + 10 <= room && [" ", h("span", {}, `${entry.length} B`)]);
    }));
}

function pool(v) {
  const { run, m, state } = v;
  const several = run.pools.length > 1;
  const shown = several ? v.pools : [0];
  const { backend, unit_bytes: bytes, page_units: units } = run.pools[shown[0]];
  const groups = backend === "zsmalloc";
  const count = [...state.pages.values()].length;
  const words = several ? `${plural(state.size, "page")} of 4,096 bytes in all`
    : groups ? `${plural(count, "group")} of pages (zspages), ${plural(state.size, "page")} in all`
      : `${plural(state.size, `${backend} page`)} of 4,096 bytes`;
  const over = state.size - run.limit;
  const verdict = over > 0 ? `${over} over the limit` : state.full ? `full until fewer than ${run.accept}` : over === 0 ? "at its limit" : `${-over} below the limit`;
  return [
    h("div", { class: "h" }, h("b", {}, "Pool"), m.size !== "tiny" && h("span", {}, m.across < 300 ? plural(state.size, "page") : words),
      gauge(run, state), h("button", { type: "button", tabindex: -1, class: "bare", "data-field": state.full && over <= 0 ? "full" : "size" }, verdict)),
    several ? severalPools(v, shown) : run.peak.slots > 16 ? manyBackendPages(v) : cells(v, 0, run.peak.slots, backendColumns(v)),
  ];
}

function gauge(run, { size }) {
  const most = Math.max(run.limit, run.peak.size);
  const label = `${plural(size, "page")}, limit ${run.limit}, accepts again below ${run.accept}`;
  const below = Math.max(0, run.accept - 1);
  if (most <= 16)
    return h("span", { class: "gauge", role: "img", "aria-label": label, title: label },
      Array.from({ length: most }, (_, page) => [
        page === below && h("u", { class: "acc" }), page === run.limit && h("u", {}),
        h("i", { class: page >= size ? "free" : page >= run.limit ? "over" : "" })]),
      most === run.limit && h("u", {}));
  const at = (pages) => percent(pages, most * 1.04);
  return h("span", { class: "gauge long", role: "img", "aria-label": label, title: label },
    h("i", { class: size > run.limit ? "over" : "", style: `width:${at(size)}` }),
    h("u", { class: "acc", style: `left:${at(below)}` }), h("u", { style: `left:${at(run.limit)}` }));
}

function backendColumns({ run, m }) {
  if (m.size === "tiny" || (run.pools[0].backend === "zsmalloc" && run.peak.slots <= 4)) return 1;
  return run.peak.slots > 8 ? 4 : m.across < 360 ? 1 : 2;
}

/* The places of one pool's pages, each page in its own; what is empty keeps its room, so that nothing jumps. */
function cells(v, pool, slots, columns) {
  const { run, m, state } = v;
  const at = Array(slots).fill(null);
  for (const [key, page] of state.pages) if (page.pool === pool) at[state.slots.get(key)] = key;
  const width = (m.across - (columns - 1) * 20) / columns;
  return h("div", { class: "pool", style: `grid-template-columns:repeat(${columns},1fr)`, role: "group", "aria-label": `Pool: ${plural(state.pages.size, "page")} of the backend` },
    at.map((key) => key === null ? h("span", { class: "zp" }) : cell(v, key, width, columns > 2)));
}

function cell(v, key, width, small) {
  const page = v.state.pages.get(key);
  const { backend, unit_bytes: bytes } = v.run.pools[page.pool];
  const name = small ? String(page.number)
    : backend === "zsmalloc" ? `group ${page.number}, ${plural((page.units * bytes) / 4096, "page")}` : `page ${page.number}`;
  const label = Math.ceil(breadth("9".repeat(String(v.run.peak.number).length) + (small ? "" : backend === "zsmalloc" ? "group , 9 pages" : "page ")) + 8);
  const entries = page.objects.map(([id]) => v.run.entry(id));
  const freed = page.objects.filter(([id]) => !v.state.entries.has(id)).length;
  const marked = page.objects.map(([id]) => marks(v, id)).join() + marks(v, key, true);
  return v.memory.of(`backend ${key}`, [page, width, small, marked, freed, ...entries], () => h("span", { key: `backend ${key}`, class: "zp", "data-backend": key },
    h("span", { style: `width:${label}px` }, name), bar(v, key, page, true, width - label)));
}

/* So many backend pages that only those near the action are drawn; of the others, how full each is. */
function manyBackendPages(v) {
  const { run, m, state } = v;
  const near = nearPages(v, m.across < 420 ? 2 : 4);
  const [width, tall, columns] = [m.across, 52, m.size === "tiny" ? 1 : 2];
  const slots = run.peak.slots;
  const rows = Math.max(1, Math.min(3, Math.ceil((slots * 4) / width)));
  const pitch = width / Math.ceil(slots / rows);
  const [high, thick] = [Math.floor(tall / rows) - 3, Math.max(0.6, pitch > 3 ? pitch - 1 : pitch * 0.8)];
  let [full, frame] = ["", ""];
  for (const [key, page] of state.pages) {
    const slot = state.slots.get(key);
    const x = (Math.floor(slot / rows) * pitch).toFixed(1);
    const bottom = (slot % rows) * (high + 3) + high;
    const used = page.objects.reduce((sum, [, , units]) => sum + units, 0) / page.units;
    full += `M${x} ${bottom}h${thick.toFixed(2)}v-${(used * high).toFixed(1)}h-${thick.toFixed(2)}z`;
    frame += `M${x} ${bottom}h${thick.toFixed(2)}v-${high}h-${thick.toFixed(2)}z`;
  }
  const cellWidth = (m.across - 20 * (columns - 1)) / columns;
  return [
    h("div", { class: "pool", style: `grid-template-columns:repeat(${columns},1fr);min-height:${Math.ceil(4 / columns) * 25 - 5}px` }, near.map((key) => cell(v, key, cellWidth, false))),
    h("div", { class: "map" },
      h("svg", { width, height: tall, role: "img", "aria-label": `${plural(state.pages.size, "backend page")}, how full each is` },
        h("path", { d: frame, style: "fill:var(--well)" }), h("path", { d: full, style: "fill:var(--dim)" })),
      h("span", { class: "tiny dim" }, `above: the pages of this step; here all ${number(state.pages.size)}, a column each, as high as it is full`)),
  ];
}

/* The backend pages that the step is about: what it changed, where its entry lies, what is next to go, then the newest. */
function nearPages(v, most) {
  const { run, state } = v;
  const keys = new Set();
  const add = (key) => key !== undefined && state.pages.has(key) && keys.size < most && keys.add(key);
  for (const [what, key] of v.now?.changes ?? []) if (what === "page") add(key);
  add(state.home.get(v.subject));
  for (const [pool, ids] of state.lru) {
    const [tail] = ids;
    add(run.pools[pool].lru_of === "pages" ? tail : state.home.get(tail));
  }
  for (const ids of state.lru.values()) add(state.home.get([...ids].at(-1)));
  for (const key of [...state.pages.keys()].reverse()) {
    if (keys.size >= most) break;
    add(key);
  }
  return [...keys].sort((one, other) => one - other);
}

/* Several pools: those that matter most, a line of pages each. */
function severalPools(v, shown) {
  const { run, m, state } = v;
  return h("div", { class: "pools" }, shown.map((pool) => {
    const { backend, compressor } = run.pools[pool];
    const keys = [...state.pages].filter(([, page]) => page.pool === pool).map(([key]) => key);
    const columns = m.across > 420 ? 4 : 2;
    const most = columns * (shown.length > 1 ? 2 : 3);
    const near = keys.length > most ? nearPages(v, most - 1).filter((key) => keys.includes(key)) : keys;
    return h("div", { key: `pool ${pool}` },
      h("div", { class: "h tiny" }, h("b", {}, `pool ${pool}`), h("span", {}, `${backend}, ${compressor}`), pool === state.current && h("span", { class: "new" }, "new pages go here"),
        h("span", { class: "r" }, keys.length > near.length ? `${near.length} of ${plural(keys.length, "page")} shown` : plural(keys.length, "page"))),
      h("div", { class: "pool", style: `grid-template-columns:repeat(${columns},1fr)` },
        near.map((key) => cell(v, key, (m.across - (columns - 1) * 20) / columns, true))));
  }));
}

function counters(v) {
  const changed = new Set((v.now?.changes ?? []).filter(([what]) => what === "counters").flatMap(([, values]) => Object.keys(values)));
  let room = v.m.across + 18;
  const fit = v.counted.filter((name) => (room -= breadth(`${name} ${number(v.state.counters[name])}`, 12) + 14) > 0);
  const missing = [...changed].filter((name) => v.counted.includes(name) && !fit.includes(name));
  const shown = [...fit.slice(0, fit.length - missing.length), ...missing];
  const rest = v.counted.length - shown.length;
  return h("div", { class: "cnt", role: "group", "aria-label": "Counters" }, shown.map((name) =>
    h("button", { key: name, type: "button", tabindex: -1, class: `bare${changed.has(name) ? " ch" : ""}`, "data-field": `counter ${name}` }, `${name} `, h("b", {}, number(v.state.counters[name])))),
  rest > 0 && h("span", { class: "tiny", title: "open the table to see all" }, `+ ${rest}`));
}

/* ---------------------------------------------------------------- who runs what */

function cpus(v) {
  const every = v.run.cpusAt(v.step);
  const several = every.length > 1;
  const withCode = every.filter(({ stack, state }) => stack.length && state !== "finished").length;
  const { m } = v;
  const holders = m.wide && v.holdersRight && v.level !== "source" && !v.hidden.has("holders") ? 112 : 0;
  const heads = 22 * every.length + 13 * (every.length - 1) + 4;
  const room = m.wide ? m.body - 20 - heads - holders - (v.report ? (v.report.used ? 150 : 70) : 0) : several ? 72 * Math.max(1, withCode) : 106;
  const rows = Math.max(3, Math.floor(room / Math.max(1, withCode) / 18));
  return every.map((cpu, index) => onCpu(v, cpu, index, several, m.wide ? rows : several ? 4 : 5));
}

function onCpu(v, cpu, index, several, rows) {
  const { run } = v;
  const { stack, holds, waits, holder, state, task, steps } = cpu;
  const path = stack.map(([source]) => run.sources[source].function);
  const shownPath = crumb(path, v.m.inner - 55 - (several ? breadth(task, 12) + 8 : 0) - breadth(waits ? "waits for the tree lock: CPU a has it" : `holds ${holds.join(", ")}`, 12) - 56);
  const status = state === "not started" ? h("span", { class: "r dim" }, "not started")
    : state === "finished" ? h("span", { class: "r dim" }, `finished, ${plural(steps, "step")}`)
      : waits ? h("span", { class: "r lock waits" }, LOCK, `waits for ${waits}${holder === null ? "" : `: CPU ${CPU[holder]} has it`}`)
        : holds.length ? h("span", { class: "r lock" }, LOCK, `holds ${holds.join(", ")}`) : h("span", { class: "r dim" }, stack.length ? "no lock held" : "");
  const ran = several && v.now?.cpu === index;
  return h("section", { key: `cpu ${index}`, class: `oncpu ${state.replace(" ", "-")}${ran ? " ran" : ""}`, role: "group", "aria-label": `CPU ${CPU[index]}` },
    h("div", { class: "cpu" }, h("span", { class: "name" }, `CPU ${CPU[index]}`),
      several && h("span", { class: "task" }, task),
      h("span", { class: "crumb", title: path.join(" › ") }, stack.length && state !== "finished" ? shownPath : several ? "" : "between two operations"), status),
    stack.length > 0 && state !== "finished" && code(v, stack, rows, waits ? "blocked" : ""));
}

/* The calls, as many as fit: what is left out is the outermost. */
function crumb(path, width) {
  let shown = path;
  while (shown.length > 1 && breadth(shown.join(" › "), 12) > width) shown = shown.slice(1);
  return [shown.length < path.length && "… › ", shown.slice(0, -1).map((name) => `${name} › `), h("b", {}, shown.at(-1))];
}

function code(v, stack, room, more) {
  const { run, m, level } = v;
  const [source, line] = stack.at(-1);
  const { lines, kernel, url } = run.sources[source];
  const chars = Math.min(LINES[level], Math.floor((m.inner + 3) / v.character));
  const rows = run.rows(source, chars);
  const whole = level === "steps" && rows.length <= 12 && rows.length <= room;
  const [from, to] = windowOf(rows, line, room, level === "story" && !whole ? 3 : undefined);
  const link = kernelLink(run, stack);
  const free = chars - (kernelName(run, stack)?.length ?? 0) - 3;
  const linked = from > 0 ? -1 : rows.slice(from, to).findIndex(({ text }) => text.length < free);
  const shown = rows.slice(from, to).map(({ line: number, text }, index) =>
    h("div", { class: number === line ? `now ${more}` : null, "aria-current": number === line ? "true" : null }, index === linked && link, painted(text)));
  const used = to - from + (from > 0) + (to < rows.length);
  const callers = level !== "story" && m.wide ? called(v, stack, room - used - 1) : [];
  return h("div", { class: "src" },
    from > 0 && fold(count(rows, 0, from), link),
    shown, to < rows.length && fold(count(rows, to, rows.length)), callers);
}

const count = (rows, from, to) => new Set(rows.slice(from, to).map(({ line }) => line)).size;
const fold = (lines, link) => h("div", { class: "folded" }, plural(lines, "line"), link);

/* Who waits for the running function, the innermost first, each with its line. */
function called(v, stack, room) {
  const callers = stack.slice(0, -1).reverse().slice(0, Math.max(0, room));
  if (!callers.length) return [];
  return [h("div", { class: "folded" }, "called from"), callers.map(([source, line]) => {
    const { lines, function: name } = v.run.sources[source];
    return h("div", { class: "call" }, h("i", {}, `${name}: `), painted(lines[line].trim().slice(0, LINES.source - name.length - 2)));
  })];
}

/* `yield` is where another CPU may run; comments are quiet. */
function painted(text) {
  return text.split(/(\byield\b|#.*$)/).filter(Boolean).map((part) =>
    part === "yield" ? h("b", {}, part) : part.startsWith("#") ? h("i", {}, part) : part);
}

/* The kernel's own function, of the innermost running one that has a name there. */
const kernelSource = (run, stack) => stack.map(([source]) => run.sources[source]).findLast((source) => source.kernel);
const kernelName = (run, stack) => kernelSource(run, stack)?.kernel;

function kernelLink(run, stack) {
  const { kernel, url } = kernelSource(run, stack) ?? {};
  if (!kernel) return null;
  return url ? h("a", { class: "kl", href: url, target: "_blank", rel: "noopener", title: `${kernel} in the kernel's own source` }, `${kernel} ↗`)
    : h("span", { class: "kl" }, kernel);
}

/* ---------------------------------------------------------------- who holds an entry */

function holders(v) {
  const { run, m, state, subject } = v;
  const page = subject === null ? undefined : run.name(subject);
  const entry = subject === null ? undefined : run.entry(subject);
  if (!entry) return [h("div", { class: "h" }, h("b", {}, "Who holds it"), h("span", {}, "no entry is in use at this step"))];
  const freed = !state.entries.has(subject);
  const found = run.holders(v.step, subject);
  const count = freed ? h("span", {}, "freed")
    : h("button", { type: "button", tabindex: -1, class: `bare${v.wrote.has(`entry ${subject} refcount`) ? " ch" : ""}`, "data-field": `entry ${subject} refcount` }, "refcount ", refcount(v, subject, entry));
  const head = h("div", { class: "h" }, h("b", {}, page === undefined ? "Who holds the entry" : `Who holds page ${page}’s entry`), count);
  const rows = found.map((one) => holder(v, subject, entry, one)).filter(Boolean);
  if (!m.wide) {
    return [h("div", { class: "h line" }, h("b", {}, page === undefined ? "Who holds the entry" : `Who holds page ${page}’s entry`), count, h("span", { class: "more" }, told(rows) || "nobody"))];
  }
  const width = Math.min(v.holdersRight ? m.inner : m.across, 560);
  const pitch = rows.length > 3 ? Math.floor(84 / rows.length) : 28;
  const [box, tall] = [width - 58, 84];
  const middle = tall / 2;
  return [head, h("div", { class: "holders", style: `height:${tall}px`, role: "group", "aria-label": told(rows) },
    h("svg", { width, height: tall, "aria-hidden": "true" },
      h("defs", {}, arrowhead("za-ink", "ink"), arrowhead("za-leave", "leave"), arrowhead("za-rule", "rule")),
      rows.map(({ line }, index) => {
        const y = index * pitch + 13;
        const end = Math.max(middle - 15, Math.min(middle + 15, y));
        const bend = end === y ? `M122 ${y}H${box - 4}` : `M122 ${y}H${box - 34}L${box - 4} ${end}`;
        if (line === "cut") return [h("path", { class: "link", d: `M122 ${y}h90` }), h("path", { class: "cut", d: `M212 ${y - 5}l10 10m0-10l-10 10` })];
        return line && h("path", { class: line, d: bend, "marker-end": `url(#za-${{ counted: "ink", unprotected: "leave", link: "rule" }[line]})` });
      })),
    rows.map(({ name, says, line, field }, index) => [
      h("button", { key: `who ${index}`, type: "button", tabindex: -1, class: `bare who${line ? "" : " dim"}`, style: `top:${index * pitch + 4}px`, "data-field": field, disabled: !field }, name),
      h("span", { class: `says${line ? "" : " off"}`, style: `top:${index * pitch + (line && line !== "cut" ? 0 : 5)}px;left:${line === "cut" ? 230 : 136}px` }, says)]),
    h("span", { class: `e${freed ? " ghost" : ""}${marks(v, subject)}`, style: `left:${box}px;top:${middle - 20}px;${freed ? "" : colour(page)}` }, h("b", {}, String(page ?? "?")), h("i", {}, freed ? "freed" : entry.length ? `${entry.length} B` : entry.linked ? "same" : "new"))),
  ];
}

/* Who holds it, in one line. */
const told = (rows) => rows.filter(({ line }) => line && line !== "cut")
  .map(({ name, line }) => `${typeof name === "string" ? name : name[0].slice(0, -2)}, ${{ counted: "counted", unprotected: "not counted", link: "a link" }[line]}`).join("; ");

function refcount(v, subject, entry) {
  const write = v.wrote.get(`entry ${subject} refcount`);
  return write && write.from !== undefined ? h("b", {}, `${write.from} → ${write.to}`) : h("b", {}, String(entry.refcount));
}

/* One line of that drawing: its name, what is said of it, and how it is drawn. */
function holder(v, id, entry, one) {
  const { wrote } = v;
  if (one.who === "tree") {
    const field = `entry ${id} linked`;
    const write = wrote.get(field);
    const name = `the tree, slot ${entry.offset}`;
    if (one.linked) return { name, field, line: "counted", says: write ? "counted; from now on a load finds it" : entry.refcount === 1 ? "counted: this is the 1" : "counted" };
    if (write && write.from) return { name: "the tree", field, line: "cut", says: "let go at this step: nobody finds it any more" };
    return { name: "the tree", field, line: null, says: one.counted ? "off it; its reference is dropped next" : "not in it" };
  }
  if (one.who === "cpu") {
    const name = [`CPU ${CPU[one.cpu]}, `, h("code", {}, one.local)];
    if (one.counted) return { name, line: "counted", says: entry.refcount === 1 ? "counted: this is the 1" : "counted" };
    const lock = one.locks.find((held) => /tree|lru/.test(held));
    return { name, line: "unprotected", says: lock ? `not counted: safe only while it holds ${lock}` : "not counted: may be freed under it" };
  }
  const write = wrote.get(`lru ${id}`);
  const field = `lru ${id}`;
  if (one.listed) return { name: "the LRU", field, line: "link", says: write ? "a link, set at this step" : "a link, not a reference" };
  if (v.run.pools.every(({ lru_of: of }) => of !== "entries")) return null;
  return { name: "the LRU", field, line: null, says: write ? "let go at this step" : "not on it" };
}

/* The pool whose LRU of entries is looked at: the one into which new pages go, if it has such a list. */
const listOfEntries = (v) => [v.state.current, ...v.lists].map((pool) => ({ pool })).find(({ pool }) => v.run.pools[pool].lru_of === "entries");

/* The LRU with a column of who holds each entry, for the source level. */
function lruTable(v) {
  const { run, m, state } = v;
  const { pool } = listOfEntries(v);
  const ids = [...(state.lru.get(pool) ?? [])].reverse();
  const out = state.out !== null && !v.outIsPage && !state.lru.get(pool)?.has(state.out) ? [state.out] : [];
  const room = Math.floor((m.body - 20 - 78 - 20) / 21);
  const shown = folded([...ids, ...out], room, v.subject);
  return [h("div", { class: "h" }, h("b", {}, run.pools.length > 1 ? `LRU of pool ${pool}` : "LRU"), h("span", {}, "head at the top"), h("span", { class: "r" }, "held by")),
    h("div", { class: "lrutable", style: `height:${room * 21}px`, role: "group", "aria-label": "LRU with who holds each entry" },
      shown.map(({ id, skipped }, index) => {
        const style = `transform:translateY(${index * 21}px)`;
        if (skipped) return h("div", { key: `fold ${index}`, class: "row dim", style }, `⋯ ${skipped} more`);
        const entry = run.entry(id) ?? {};
        const freed = !state.entries.has(id);
        const who = run.holders(v.step, id).filter((one) => one.who === "cpu" || one.linked)
          .map((one) => one.who === "tree" ? "the tree" : `CPU ${CPU[one.cpu]}${one.counted ? "" : " (not counted)"}`).join(", ");
        return h("div", { key: `entry ${id}`, class: `row${out.includes(id) ? " outrow" : ""}`, style },
          h("button", { type: "button", tabindex: -1, class: `pgbox${freed ? " ghost" : ""}${marks(v, id)}`, style: freed ? null : colour(entry.page), "data-field": `lru ${id}`, "data-entry": id }, String(entry.page ?? "?")),
          h("span", { class: "dim" }, freed ? "freed" : `${entry.length} B`),
          h("button", { type: "button", tabindex: -1, class: "bare r", "data-field": `entry ${id} refcount` }, freed ? "nobody counted" : who || "nobody", freed ? null : h("b", {}, ` ${entry.refcount}`)));
      }))];
}

/* ---------------------------------------------------------------- time */

/* Where a step is on the axis, which is always steps, at every level. */
const scale = (run, m) => (step) => (Math.max(0, step) * m.chart) / Math.max(1, run.last);

/* What of the time band stays as it is from step to step. */
function chart(run, m, life) {
  const x = scale(run, m);
  const f = (step) => x(step).toFixed(1);
  const edge = (step) => Math.min(m.chart, Math.max(0, x(step - 0.5)));
  const width = m.chart / (run.last + 1);
  const lanes = m.kinds.map(({ kind }, row) => {
    const y = m.lanes + 13 * row;
    return [h("path", { class: "rail", d: `M0 ${y + 5.5}H${m.chart}` }),
      h("path", { class: `tick k-${kind}`, "stroke-width": Math.min(2.5, Math.max(1.2, width - 1)), d: run.ticks[kind].map((step) => `M${f(step)} ${y + 1}v9`).join("") })];
  });
  return [life ? lifeLane(run, m, life) : curve(run, m, f), lanes, operations(run, m, edge)];
}

function curve(run, m, f) {
  const top = Math.max(1.12 * run.limit, run.peak.size, 1);
  const y = (size) => (m.base - ((m.base - 14) * size) / top).toFixed(1);
  let line = `M0 ${y(0)}`;
  run.sizes.forEach((size, index) => {
    if (size !== (run.sizes[index - 1] ?? 0)) line += `H${f(index)}V${y(size)}`;
  });
  line += `H${m.chart}`;
  const low = run.sizes.slice(0, Math.max(1, Math.ceil((run.last * 150) / m.chart))).every((size) => size < run.accept * 0.75);
  return [
    h("path", { class: "area", d: `${line}V${m.base}H0Z` }),
    h("path", { class: "limit", d: `M0 ${y(run.limit)}H${m.chart}` }), h("path", { class: "accept", d: `M0 ${y(run.accept)}H${m.chart}` }),
    h("path", { class: "curve", d: line }),
    h("text", { class: "halo", x: 4, y: Math.max(9, y(run.limit) - 4) }, `full above ${run.limit}`),
    low && m.size === "wide" && h("text", { class: "halo", x: 4, y: Number(y(run.accept)) + 11 }, `accepts again below ${run.accept}`),
  ];
}

/* What each CPU did: long spans with names where one runs, a block a step where several do. */
function operations(run, m, edge) {
  const first = run.steps.findIndex(({ cpus }) => cpus);
  const alone = first < 0 ? run.steps.length : first;
  const label = (from, to, labels, y, ink = "ink") => {
    const [left, right] = [edge(from), edge(to)];
    const text = fitting(labels, right - left - 10);
    return text && h("text", { x: ((left + right) / 2).toFixed(1), y: y + 11, "text-anchor": "middle", style: `fill:var(--${ink})` }, text);
  };
  const block = (from, to, y, kind, high = 15) =>
    h("rect", { class: kind, x: (edge(from) + 0.75).toFixed(1), y, width: Math.max(0.8, edge(to) - edge(from) - 1.5).toFixed(1), height: high, rx: 2 });
  const lanes = [run.spans.filter(({ from }) => from < alone).map(({ from, to, labels }) =>
    [block(from, Math.min(to, alone), m.cpus, "seg-run"), label(from, Math.min(to, alone), labels, m.cpus)])];
  if (first < 0) return lanes;
  for (let cpu = 0; cpu < run.cpus; cpu += 1) {
    const y = m.cpus + 17 * cpu;
    const runs = stretches(run, first, (step) => step.cpu === cpu);
    const held = stretches(run, first, (step) => step.cpus[cpu]?.holds.length > 0);
    const waits = stretches(run, first, (step) => Boolean(step.cpus[cpu]?.waits));
    lanes.push(h("path", { class: "rail", d: `M${edge(first)} ${y + 7.5}H${m.chart}` }),
      waits.map(([from, to]) => block(from, to, y, "seg-wait")), runs.map(([from, to]) => block(from, to, y, "seg-run")),
      held.map(([from, to]) => h("path", { class: "held", d: `M${(edge(from) + 0.75).toFixed(1)} ${y + 14}H${(edge(to) - 0.75).toFixed(1)}` })),
      runs.map(([from, to]) => label(from, to, [run.operations[run.steps[from].operation].text, ""], y - 0.5)));
  }
  return lanes;
}

/* [from, to) of the steps in a row for which something holds. */
function stretches(run, first, holds) {
  const found = [];
  run.steps.forEach((step, index) => {
    if (index < first || !holds(step)) return;
    if (found.at(-1)?.[1] === index) found.at(-1)[1] = index + 1;
    else found.push([index, index + 1]);
  });
  return found;
}

/* In place of the curve: the life of one page. */
function lifeLane(run, m, page) {
  const x = scale(run, m);
  const { marks: events, spans } = run.life(page);
  const [top, high] = [m.base - 21, 14];
  const rect = (from, to, more) => h("rect", { x: x(from).toFixed(1), y: top, width: Math.max(0.8, x(to) - x(from)).toFixed(1), height: high, ...more });
  const token = `var(--e${page % 5})`;
  const drawn = spans.map((span) => {
    if (span.kind === "RAM") return [rect(span.from, span.to, { class: "in-ram" }), x(span.to) - x(span.from) > 50 && h("text", { class: "t-ink", x: ((x(span.from) + x(span.to)) / 2).toFixed(1), y: top + 11, "text-anchor": "middle" }, "in RAM")];
    if (span.kind === "disk") return rect(span.from, span.to, { y: top + high + 2, height: 4, class: "on-disk" });
    const into = span.inTree ?? span.offTree;
    return [rect(span.from, into, { style: `fill:${token};opacity:.45` }), rect(into, span.offTree, { style: `fill:${token}` }),
      span.offTree < span.to && rect(span.offTree, span.to, { style: `fill:${token};opacity:.45` }),
      span.freed !== undefined && run.touches.size > 0 && [...run.touches.values()].flat().some(({ entry }) => entry === span.id) && rect(span.freed, run.last, { class: "after" })];
  });
  let free = -1;
  const labels = events.map(({ step, text, freed }) => {
    const wide = breadth(text, 10.5);
    const at = Math.min(Math.max(x(step), wide / 2), m.chart - wide / 2);
    const fits = at - wide / 2 > free;
    if (fits) free = at + wide / 2 + 4;
    return [h("path", { class: freed ? "mark freed" : "mark", d: `M${x(step).toFixed(1)} ${top - 2}v${high + 4}` }),
      fits && h("text", { class: freed ? "freed" : "t-ink", x: at.toFixed(1), y: top - 5, "text-anchor": "middle" }, text)];
  });
  return [h("path", { class: "rail", d: `M0 ${top + 7}H${m.chart}` }), drawn, labels];
}

/* What of the time band moves: the running operation, what was asked, the playhead. */
function overlay(v) {
  const { run, m, step, why } = v;
  const x = scale(run, m);
  const edge = (at) => Math.min(m.chart, Math.max(0, x(at - 0.5)));
  const { cpu = 0, cpus: several } = v.now ?? {};
  const span = several ? { from: step, to: step + 1, labels: [""] } : run.spans.find(({ from, to }) => from <= step && step < to);
  const y = m.cpus + 17 * (several ? cpu : 0);
  const wide = span ? Math.max(2, edge(span.to) - edge(span.from) - 1.5) : 0;
  const bottom = m.cpus + 17 * run.cpus - 2;
  return [
    span && h("rect", { class: "seg-now", x: (edge(span.from) + 0.75).toFixed(1), y, width: wide.toFixed(1), height: 15, rx: 2 }),
    span && h("text", { x: ((edge(span.from) + edge(span.to)) / 2).toFixed(1), y: y + 11, "text-anchor": "middle", style: "fill:var(--bg)" }, fitting(span.labels, wide - 8)),
    why?.writes.map(({ step: at }) => at >= 0 && h("path", { class: "asked", d: `M${x(at).toFixed(1)} ${m.lanes - 4}l3.5 -4.5l-3.5 -4.5l-3.5 4.5z` })),
    h("path", { class: "head", d: `M${x(step).toFixed(1)} 8V${bottom}` }), h("circle", { class: "knob", cx: x(step).toFixed(1), cy: 7, r: 5.5 }),
  ];
}

function gutterOf(run, m, life) {
  const tiny = m.size === "tiny";
  const label = (top, ...words) => h("span", { class: "label", style: `top:${top}px` }, ...words);
  const started = run.steps.findIndex(({ cpus }) => cpus) >= 0;
  return [
    life !== undefined ? [label(m.base - 22, h("b", {}, `page ${life}${tiny ? "" : "’s life"}`)), run.life(life).spans.some(({ kind }) => kind === "disk") && !tiny && label(m.base - 9, "below: on disk")]
      : label(m.base - 13, tiny ? "pool" : "pool, in pages"),
    m.kinds.map(({ kind, key, name }, row) => {
      const { length } = run.ticks[kind];
      const title = `next of ${length} ${name} in this run`;
      return h("button", { key: kind, type: "button", class: `lane ${kind}`, style: `top:${m.lanes + 13 * row - 1}px`, "data-act": "event", "data-kind": kind, title, "aria-label": `${name}: ${title}` },
        h("span", { class: "chip", "data-letter": key.toUpperCase() }), tiny && kind === "writeback" ? "written" : name);
    }),
    Array.from({ length: run.cpus }, (_, cpu) =>
      label(m.cpus + 17 * cpu, `CPU ${CPU[cpu]}`, !tiny && (started ? h("span", { class: "dim" }, ` ${run.tasks[cpu] ?? ""}`) : " runs"))),
  ];
}

/* ---------------------------------------------------------------- a report as a picture */

const jump = (step, text, more) =>
  h("button", { type: "button", class: "step", "data-act": "seek", "data-step": step, ...more }, text ?? `step ${step}`);

/* `rest` is the state, for where there is room. */
function crashLeft(v, rest) {
  const { report } = v;
  if (report.entry !== null && report.kind !== "leak") return [pointers(v), struct(v)];
  if (report.kind === "leak" && report.entry !== null) return [h("section", {}, holders(v)), ledger(v)];
  return report.trail.length ? [trail(v), rest] : report.waits.length ? [waitsFor(v), rest] : report.chains.length ? [chains(v), rest] : undefined;
}

/* Who still leads to the freed entry: the LRU's links, CPUs. */
function pointers(v) {
  const { run, m, state, report } = v;
  const { entry: id } = report;
  const width = m.across;
  const page = run.name(id);
  const pool = [...state.lru].find(([, ids]) => ids.has(id))?.[0];
  const order = pool === undefined ? [] : [...state.lru.get(pool)].reverse();
  const at = order.indexOf(id);
  const links = linksOf(v, id, at >= 0);
  const tiny = m.across < 440;
  const box = { x: tiny ? 96 : 190, y: 22, w: tiny ? 48 : 62, h: 46 };
  const after = links.any ? order.slice(at + 1, at + (tiny ? 2 : 3)) : [];
  const before = links.any && at > 0 ? order[at - 1] : undefined;
  const cut = order.length - (at + 1) > after.length;
  const gap = tiny ? 46 : 84;
  const arrow = (d, on, bold) => on && h("path", { class: `bad${bold ? " bold" : ""}`, d, "marker-end": "url(#zp-fault)" });
  const word = (x, y, text, strong) => h("text", { x, y, "text-anchor": "middle", class: strong ? "strong" : null }, text);
  const left = box.x - 4;
  const start = before === undefined ? 44 : 82;
  const locals = run.cpusAt(v.step).flatMap(({ refs }, cpu) => [...new Set((refs ?? []).filter(([, , other]) => other === id).map(([, local]) => `CPU ${CPU[cpu]}, ${local}`))]);
  const off = run.writes(`entry ${id} linked`).findLast(({ step, from }) => step <= v.step && from === true);
  const says = off ? `off the tree since step ${off.step}; its bytes are given back` : "its bytes are given back";
  const live = (other, x) => [h("rect", { x, y: 26, width: 38, height: 40, rx: 5, style: `fill:${state.entries.has(other) ? `var(--e${(run.name(other) ?? 0) % 5})` : "var(--bg)"}` }),
    h("text", { x: x + 19, y: 44, "text-anchor": "middle", class: "page", style: `fill:var(--i${(run.name(other) ?? 0) % 5})` }, String(run.name(other) ?? "?")),
    h("text", { x: x + 19, y: 58, "text-anchor": "middle", style: `fill:var(--i${(run.name(other) ?? 0) % 5})` }, String(run.entry(other)?.length ?? ""))];
  const next = box.x + box.w + gap;
  const label = [links.any ? "the LRU leads to it" : "the LRU does not lead to it", ...locals.map((local) => `${local} points at it`), says].join("; ");
  return h("section", { key: "pointers" },
    h("div", { class: "h" }, h("b", {}, "Who still points at it"), h("span", { class: "more" }, "bold arrows lead from living memory into freed memory")),
    h("svg", { width, height: 92, viewBox: `0 -2 ${width} 92`, role: "img", "aria-label": `Page ${page}’s entry is freed: ${label}` },
      h("defs", {}, arrowhead("zp-fault", "fault"), hatch("zp-hatch", 0.22)),
      links.any && [
        h("text", { class: "t-ink t12", x: 0, y: 42 }, "LRU"), h("text", { x: 0, y: 56 }, "head"), h("circle", { cx: 40, cy: 46, r: 4, class: "knob" }),
        before !== undefined && live(before, 44),
        arrow(`M${start} 43H${left}`, links.in.next, true), links.in.next && word((start + left) / 2, 37, links.now === "in" ? "next: now" : "next", links.now === "in"),
        arrow(`M${left - 2} 53H${start + 4}`, links.own.prev), links.own.prev && word((start + left) / 2, 67, links.now === "prev" ? "prev: now" : "prev", links.now === "prev"),
        after.length > 0 && [
          arrow(`M${next - 2} 43H${box.x + box.w + 6}`, links.in.prev, true), links.in.prev && word(next - gap / 2, 37, "prev"),
          arrow(`M${box.x + box.w + 2} 53H${next - 4}`, links.own.next), links.own.next && word(next - gap / 2, 67, links.now === "next" ? "next: now" : "next", links.now === "next"),
          after.map((other, index) => [index > 0 && h("path", { class: "link", d: `M${next + 60 * index - 22} 46h22` }), live(other, next + 60 * index)]),
          h("text", { x: next + 60 * after.length - 14, y: 50 }, cut ? "… tail" : "tail")],
      ],
      !links.any && h("text", { x: 0, y: 48 }, "not on the LRU now"),
      h("rect", { x: box.x, y: box.y, width: box.w, height: box.h, rx: 5, style: "fill:var(--bg)" }),
      h("rect", { x: box.x, y: box.y, width: box.w, height: box.h, rx: 5, fill: "url(#zp-hatch)", class: "frame" }),
      h("text", { x: box.x + box.w / 2, y: 42, "text-anchor": "middle", class: "page big" }, String(page ?? "?")),
      h("text", { x: box.x + box.w / 2, y: 58, "text-anchor": "middle", class: "strong" }, "freed"),
      locals.length > 0 && [h("path", { class: "bad dashed", d: `M${box.x + box.w / 2} 4V19`, "marker-end": "url(#zp-fault)" }),
        h("text", { class: "t-ink", x: box.x + box.w / 2 + 9, y: 10 }, locals.join("; "))],
      h("text", { x: tiny ? 0 : box.x, y: 84 }, says)));
}

const hatch = (id, opacity) => h("pattern", { id, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
  h("rect", { width: 2, height: 7, style: `fill:var(--fault);opacity:${opacity}` }));

/* Which links lead into the freed entry, and out of it. A step that puts it on the list writes its own links first, so
   they are drawn as its touches write them; the head leads to it last. */
function linksOf(v, id, listed) {
  const inStep = (v.now?.changes ?? []).some(([what, , other]) => what === "lru+" && other === id);
  const all = { any: listed, in: { next: listed, prev: listed }, own: { next: listed, prev: listed }, now: "" };
  const reports = v.run.touches.get(v.step) ?? [];
  const now = v.report.access === "write" ? { "lru.next": "next", "lru.prev": "prev" }[v.report.field] ?? "" : "";
  if (!listed || !inStep) return { ...all, now };
  const wrote = (field) => reports.slice(0, v.touch + 1).some((one) => one.entry === id && one.access === "write" && one.field === field);
  const [next, prev] = [wrote("lru.next"), wrote("lru.prev")];
  return { any: next || prev, in: { next: prev, prev: next }, own: { next, prev }, now };
}

const STRUCT = [["rbnode", 0, 24], ["offset", 24, 8], ["refcount", 32, 4], ["length", 36, 4], ["pool", 40, 8], ["handle", 48, 8], ["objcg", 56, 8], ["lru.next", 64, 8], ["lru.prev", 72, 8]];

/* The struct's bytes to scale, and every touch of it under the bytes that it touched. */
function struct(v) {
  const { run, m, report } = v;
  const touches = run.reports.filter(({ entry }) => entry === report.entry);
  const at = touches.indexOf(report);
  const bytes = report.bytes;
  const names = m.across < 440 ? 100 : 0; // the drawing starts to the left of the bytes where there is room
  const x = (byte) => 23 + (byte * (m.across - 24)) / bytes;
  const room = m.wide ? Math.max(3, Math.floor((m.body - 215) / 14.5)) : 9;
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), touches.length - room));
  const shown = touches.slice(first, first + room);
  const touched = new Set(touches.slice(0, at + 1).map(({ field }) => field));
  const fields = STRUCT.filter(([, offset]) => offset < bytes);
  const tall = 58 + 14.5 * shown.length + 6;
  const edges = [...new Set(fields.filter(([name]) => touched.has(name)).flatMap(([, offset, size]) => [offset, offset + size]))];
  return h("section", { key: "struct" },
    h("div", { class: "h" }, h("b", {}, "struct zswap_entry"), h("span", {}, `${bytes} bytes, freed, and touched ${touches.length === 1 ? "once" : `${touches.length} times`}`)),
    h("svg", { class: "struct", width: m.across, height: tall, viewBox: `0 0 ${m.across} ${tall}`, role: "img", "aria-label": `The ${bytes} bytes of the entry and the ${plural(touches.length, "touch").replace("touchs", "touches")} of it: ${touches.map((one) => `${one.access || one.kind} ${one.field}`).join(", ")}` },
      fields.map(([name, offset, size]) => {
        const here = report.field === name;
        const wide = x(offset + size) - x(offset);
        const middle = (x(offset) + x(offset + size)) / 2;
        const fits = size > 4;
        return [h("rect", { x: x(offset).toFixed(1), y: 20, width: wide.toFixed(1), height: 20, class: `fld${here ? " here" : touched.has(name) ? " hit" : ""}` }),
          fits ? h("text", { x: middle.toFixed(1), y: 34, "text-anchor": "middle", class: here ? "here" : "t-ink" }, name)
            : size === 4 && [h("text", { class: "t-ink", x: (offset === 32 ? middle - 7 : middle + 7).toFixed(1), y: 14, "text-anchor": offset === 32 ? "end" : "start" }, name),
              h("path", { class: "lead", d: offset === 32 ? `M${middle} 20V10h-4` : `M${middle} 20V10h4` })],
          h("text", { x: x(offset).toFixed(1), y: 53, "text-anchor": "middle", class: here ? "strong" : null }, String(offset))];
      }),
      h("text", { x: (x(bytes) - 1).toFixed(1), y: 53, "text-anchor": "end" }, String(bytes)),
      edges.map((edge) => h("path", { class: "rail", d: `M${x(edge).toFixed(1)} 58V${tall - 2}` })),
      shown.map((one, index) => {
        const y = 61 + 14.5 * index;
        const number = first + index;
        const now = number === at;
        const later = number > at;
        const words = m.across < 440 ? [one.access || one.kind, one.field] : [`${one.access || one.kind} ${one.size ?? ""}`, one.field, one.used?.rows[0]?.[1] ?? one.function];
        return h("g", { key: `touch ${number}`, class: `touch${now ? " now" : ""}${later ? " later" : ""}`, "data-act": "touch", "data-touch": number },
          h("rect", { x: 0, y: y + 0.5, width: m.across, height: 14.5, rx: 2, class: "row" }),
          h("text", { x: 6, y: y + 11.5 }, String(number + 1)),
          words.map((word, place) => h("text", { x: [24, 76, 132][place] - (names && place ? 16 : 0), y: y + 11.5, class: place === 2 ? "dim" : null }, word)),
          one.offset !== null && h("rect", { class: one.access, x: (x(one.offset) + 1.5).toFixed(1), y: y + 3.5, width: (x(one.offset + one.size) - x(one.offset) - 3).toFixed(1), height: 8, rx: 1.5 }));
      })));
}

/* Where a page's bytes were, step by step, until they were nowhere. */
function trail(v) {
  const { report } = v;
  const room = v.m.wide ? Math.floor((v.m.body - 205) / 22) : 12;
  const end = [report.step, report.whose];
  const rows = [...report.trail, ...(report.whose ? [end] : [])].slice(-room);
  return h("section", { key: "trail" },
    h("div", { class: "h" }, h("b", {}, `Where page ${report.page}’s bytes were`), h("span", {}, "the steps that moved them, and the one that lost them")),
    h("div", { class: "trail" }, rows.map(([step, places]) =>
      h("div", { class: `row${places.length && places !== report.whose ? "" : " lost"}` }, jump(step), h("span", { class: "dim" }, `CPU ${CPU[v.run.steps[step]?.cpu ?? 0]}`),
        h("span", {}, places === report.whose ? h("b", {}, places) : places.length ? `in ${places.join(" and ")}` : h("b", {}, "in no place any more"))))));
}

/* Who waits for whom: a line for each CPU that is stuck. */
function waitsFor(v) {
  return h("section", { key: "waits" },
    h("div", { class: "h" }, h("b", {}, "Who waits for whom"), h("span", {}, "nobody in this ring can go on")),
    h("div", { class: "ring" }, v.report.waits.map(([cpu, lock, holder, finished]) =>
      h("div", { class: "row" }, h("span", { class: "who" }, h("b", {}, `CPU ${CPU[cpu]}`), h("small", {}, v.run.tasks[cpu] ?? "")),
        h("span", { class: "way" }, h("span", {}, LOCK, `waits for ${lock}`)),
        h("span", { class: "who" }, h("b", {}, `CPU ${CPU[holder]}`), h("small", {}, finished ? "has it, and has finished" : "has it"))))));
}

/* Lockdep's two chains: in each one lock is taken while the other is held. */
function chains(v) {
  const room = v.m.wide ? Math.max(2, Math.floor((v.m.body - 230) / 18)) : 6;
  return h("section", { key: "chains" },
    h("div", { class: "h" }, h("b", {}, "Two orders that cannot both be kept"), h("span", {}, "a CPU in each, and neither goes on")),
    h("div", { class: "stacks" }, v.report.chains.map(({ outer, inner, task, rows }) => h("div", { class: "st" },
      h("div", { class: "sh" }, h("b", {}, outer), " is held, and then ", h("b", {}, inner), " is taken"),
      h("div", { class: "sh" }, `in ${task}`),
      rows.slice(0, room).map((row) => h("div", { class: "ln" }, h("span", {}, row)))))));
}

/* What became of the references of an entry that nobody gives back: each step that changed the count. */
function ledger(v) {
  const { run, report } = v;
  const writes = run.writes(`entry ${report.entry} refcount`);
  const room = v.m.wide ? Math.floor((v.m.body - 190) / 22) : 8;
  return h("section", { key: "ledger" },
    h("div", { class: "h" }, h("b", {}, "Its references"), h("span", {}, "each step that took or dropped one")),
    h("div", { class: "trail" }, writes.slice(-room).map(({ step, from, to }) => h("div", { class: "row" },
      step < 0 ? h("span", { class: "dim" }, "at the start") : jump(step), h("b", {}, `${from ?? 0} → ${to ?? "freed"}`), h("span", {}, step < 0 ? "" : plain(run.steps[step].say))))));
}

/* The report in the kernel's shape: every line leads to its step. */
function reportCard(v) {
  const { run, m, report } = v;
  const { used: stack, freed, allocated } = report;
  const head = report.text.split("\n")[0];
  const rest = { kind: "button", type: "button", class: "ln", "data-act": "seek" };
  const line = (step, words, note, more = "") => h("button", { ...rest, kind: undefined, class: `ln${more}`, "data-step": step }, h("span", {}, words), h("em", {}, note ?? `step ${step}`));
  const [same, mine, theirs] = shared(stack, freed);
  const room = m.wide ? m.body - 20 - 26 : 999;
  const deep = Math.max(1, Math.min(3, Math.floor((room - (same ? 250 : 130)) / 18)));
  const rowsOfStack = (trace, own, hot) => own.slice(0, Math.max(deep, 2)).map(([name, kernel], index) => {
    const depth = placeIn(trace, own[index]);
    return line(depth === null ? trace.step : run.entered(trace.step, run.steps[trace.step].cpu, depth), kernel || name, undefined, hot && index === 0 ? " hot" : "");
  });
  const left = (trace, own) => own.length > Math.max(deep, 2) && h("div", { class: "sh" }, `… ${own.length - Math.max(deep, 2)} more`);
  const sized = report.access && `${report.access === "read" ? "Read" : "Write"} of size ${report.size ?? "?"}, field ${report.field}, by ${stack?.task ?? `CPU ${CPU[report.cpu]}`}`;
  return h("div", { class: "rep", role: "group", "aria-label": `${report.kind} report; every line leads to its step` },
    line(report.step, painted(head), stack ? "" : undefined, ` hot first${stack ? "" : " free"}`), sized && line(report.step, sized, undefined, " hot"),
    stack && freed && h("div", { class: "stacks" },
      h("div", { class: "st" }, h("div", { class: "sh" }, "Freed by ", h("b", {}, taskOf(run, freed.task))), rowsOfStack(freed, theirs), left(freed, theirs)),
      h("div", { class: "st use" }, h("div", { class: "sh" }, "Used by ", h("b", {}, taskOf(run, stack.task))), rowsOfStack(stack, mine, true), left(stack, mine))),
    same && [h("div", { class: "trunk", "aria-hidden": "true" }), sameCall(v, same)],
    stack && !freed && h("div", { class: "st alone" }, h("div", { class: "sh" }, `In ${taskOf(run, stack.task)}`), rowsOfStack(stack, stack.rows, true), left(stack, stack.rows)),
    allocated && line(allocated.step, ["Allocated by ", h("b", {}, taskOf(run, allocated.task)), `, ${allocated.rows[0]?.[1] || allocated.rows[0]?.[0]}`], undefined, " top"),
    report.offset !== null && report.offset !== undefined && h("div", { class: "ln" }, h("span", {}, `${report.offset} bytes inside of freed ${report.bytes}-byte region`), h("em", { class: "n" }, "cache zswap_entry")),
    !stack && report.chains.length > 0 && h("div", { class: "ln free" }, report.text.split("\n").slice(1, 3).join(" ")));
}

const taskOf = (run, task) => task.replace(/^CPU (.) \((.*)\)$/, run.cpus > 1 ? "$2, CPU $1" : "$2");

/* [the call that two stacks share, the rows of the first that are its own, those of the second]. */
function shared(stack, freed) {
  if (!stack || !freed) return [null, stack?.rows ?? [], freed?.rows ?? []];
  const [mine, theirs] = [[...stack.rows].reverse(), [...freed.rows].reverse()];
  let depth = 0;
  while (depth < mine.length && depth < theirs.length && mine[depth][0] === theirs[depth][0]) {
    depth += 1;
    if (mine[depth - 1][3] !== theirs[depth - 1][3]) break;
  }
  const last = depth - 1;
  const parted = last >= 0 && mine[last][3] !== theirs[last][3] && mine[last][2] !== null;
  if (stack.task !== freed.task || !parted) return [null, stack.rows, freed.rows];
  const call = { name: mine[last][0], source: mine[last][2], used: mine[last][3], freed: theirs[last][3], above: mine.slice(0, last).reverse() };
  return [call, mine.slice(depth).reverse(), theirs.slice(depth).reverse()];
}

/* How deep a row of a trace is on the model's stack, 0 the outermost; null where it is below what is recorded. */
function placeIn(trace, row) {
  const rows = [...trace.rows].reverse().filter(([, , source]) => source !== null);
  const at = rows.indexOf(row);
  return at < 0 ? null : at;
}

/* The call in which the entry is first freed and then used, with what lies between. */
function sameCall(v, { name, source, used, freed, above }) {
  const { lines } = v.run.sources[source];
  const [from, to] = [Math.min(used, freed), Math.max(used, freed)];
  const room = v.m.wide ? Math.max(2, Math.min(5, Math.floor((v.m.body - 262) / 17))) : 5;
  const first = Math.max(0, Math.min(from, to - room + 1));
  const rows = lines.slice(first, to + 1).map((text, index) => [first + index, text]).filter(([, text]) => text.trim());
  const indent = Math.min(...rows.map(([, text]) => text.search(/\S/)));
  const apart = Math.abs(used - freed);
  return [h("div", { class: "same" },
    h("div", { class: "sh" }, `both in one call, ${plural(apart, "line")} apart: `, h("b", {}, name)),
    rows.slice(-room - 1).map(([line, text]) => h("div", { class: `cl${line === used ? " now" : line === freed ? " freed" : ""}` },
      h("code", {}, painted(text.slice(indent))), h("em", {}, line === used ? "uses" : line === freed ? "frees" : "")))),
  above.length > 0 && h("div", { class: "below" }, `called from ${above.slice(0, 3).map(([own, kernel]) => kernel || own).join(" ‹ ")}`)];
}

/* ---------------------------------------------------------------- why is it so? */

const FIELD_WORDS = {
  refcount: (name) => `${name}’s refcount`, linked: (name) => `${name}’s place in the tree`, offset: (name) => `${name}’s slot`,
  length: (name) => `${name}’s compressed bytes`, pool: (name) => `${name}’s pool`, value: (name) => `the value that fills ${name}`,
  page: (name) => `whose entry ${name} is`,
};

/* A field and a value of it, in words. */
function fieldName(run, field) {
  const [kind, id, name] = field.split(" ");
  const page = run.name(Number(id));
  const whose = page === undefined ? "the entry" : `page ${page}`;
  if (kind === "entry") return FIELD_WORDS[name](whose);
  if (kind === "lru") return `${whose}’s place on the LRU`;
  if (kind === "lru-page") return `backend page ${run.state.pages.get(Number(id))?.number ?? "?"}’s place on the LRU`;
  if (kind === "object") return `where ${whose}’s object lies`;
  if (kind === "counter") return id;
  if (kind === "ram") return `whether page ${id} is in RAM`;
  if (kind === "disk") return `whether page ${id} is on disk`;
  return { size: "the pool’s size", full: "whether zswap is full", current: "the pool that new pages go to", out: "what steps out of the LRU" }[field];
}

function fieldValue(run, field, value) {
  const [kind, , name] = field.split(" ");
  if (kind === "object") {
    if (value === undefined) return "given back";
    const [key, first, units] = value.split(":").map(Number);
    const page = run.state.pages.get(key);
    const bytes = run.pools[page?.pool ?? 0].unit_bytes;
    return `page ${page?.number ?? key}, bytes ${number(first * bytes)} to ${number((first + units) * bytes - 1)}`;
  }
  if (value === undefined) return kind.startsWith("lru") ? "not listed" : kind === "entry" ? "no entry" : "nothing";
  if (kind.startsWith("lru")) return value === "head" ? "put at the head" : "taken off";
  if (kind === "ram") return { present: "in RAM", swapped: "in swap", freed: "given up" }[value];
  if (kind === "disk" || field === "full" || name === "linked") return value ? "yes" : "no";
  if (field === "size") return plural(value, "page");
  if (field === "out") return value === null ? "nothing" : `number ${value}`;
  return typeof value === "number" ? number(value) : String(value);
}

function whyCard(v) {
  const { run, why, step } = v;
  const { field, write } = why;
  const before = why.writes[why.writes.indexOf(write) - 1];
  const after = run.nextWrite(field, step);
  const name = fieldName(run, field);
  const close = h("button", { type: "button", class: "close", "data-act": "close", "aria-label": "close", title: "close (Esc)" }, "×");
  const at = write?.step;
  const told = !write ? [h("p", {}, "No step up to here has written it.")]
    : at < 0 ? [h("p", {}, h("b", {}, fieldValue(run, field, write.to)), " before the first step: the machine held it already.")]
      : [h("p", {}, `step ${at}, CPU ${CPU[run.steps[at].cpu ?? 0]}: `, write.from !== undefined && !field.startsWith("lru") && `${fieldValue(run, field, write.from)} → `,
        h("b", {}, write.to === undefined && field.startsWith("entry") ? "freed" : fieldValue(run, field, write.to))), h("p", { class: "dim" }, plain(run.steps[at].say))];
  return h("div", { class: "card" },
    h("div", { class: "h" }, h("b", {}, "Why is it so?"), h("span", { class: "more" }, name), why.writes.length > 0 && h("span", { class: "tiny" }, `◆ ${plural(why.writes.length, "write")}`), close), told,
    h("div", { class: "acts" },
      at >= 0 && at !== step && h("button", { type: "button", class: "btn go", "data-act": "seek", "data-step": at }, `Go to step ${at}`),
      h("button", { type: "button", class: "btn", "data-act": "earlier", disabled: !before }, "The one before"),
      h("button", { type: "button", class: "btn", "data-act": "watch", disabled: !after, title: "run on to the next step that writes it" }, after ? "Run on until it changes" : "It changes no more")));
}

/* ---------------------------------------------------------------- the same as a table */

function tables(v) {
  const { run, state, m } = v;
  const pageOf = (id) => `${run.name(id) ?? "?"}${state.entries.has(id) ? "" : " (freed)"}`;
  const order = (pool) => [...(state.lru.get(pool) ?? [])].reverse();
  const ofPages = (pool) => run.pools[pool].lru_of === "pages";
  const listed = (pool, id) => (ofPages(pool) ? String(state.pages.get(id)?.number ?? id) : pageOf(id));
  const several = run.pools.length > 1;
  const row = (key, values, cells) => v.memory.of(`row ${key}`, values, () => tableRow(key, cells()));
  const entry = ([id, one]) => {
    const home = state.pages.get(state.home.get(id));
    const cell = (name, text) => ({ text, field: `entry ${id} ${name}` });
    return row(`entry ${id}`, [one, home?.number], () => [one.page ?? "?", cell("offset", one.offset), cell("length", one.length), cell("refcount", one.refcount), cell("linked", one.linked ? "yes" : "no"),
      { text: home?.number ?? "", field: `object ${id}` }, ...(several ? [cell("pool", one.pool ?? "")] : [])]);
  };
  const lists = run.pools.map(({ lru_of: of }, pool) => of && tableRow(`pool ${pool}`, [...(several ? [pool] : []), order(pool).map((id) => listed(pool, id)).join(", "), v.outPool === pool && state.out !== null ? listed(pool, state.out) : ""])).filter(Boolean);
  const { backend } = run.pools[0];
  return [
    table("Entries", ["page", "slot", "bytes", "references", "in the tree", several ? "backend page" : `${backend} page`, ...(several ? ["pool"] : [])], [...state.entries].sort(([one], [other]) => one - other).map(entry)),
    lists.length > 0 && table(ofPages(0) ? `LRU of ${backend} pages` : "LRU", [...(several ? ["pool"] : []), "from head to tail", "stepping out"], lists),
    table("Pool", [...(several ? ["pool"] : []), several ? "backend page" : `${backend} page`, "units", "objects: page, first unit, units"],
      [...state.pages].sort(([one], [other]) => one - other).map(([key, page]) => row(`page ${key}`, [page, page.objects.filter(([id]) => state.entries.has(id)).length],
        () => [...(several ? [page.pool] : []), page.number, page.units, page.objects.map(([id, first, units]) => `${pageOf(id)}: ${first}, ${units}`).join("; ")]))),
    table("Size", ["pool size in pages", "limit", "accepts again below", "full"], [tableRow("size", [{ text: state.size, field: "size" }, run.limit, run.accept, { text: state.full ? "yes" : "no", field: "full" }])]),
    table("CPUs", ["CPU", "task", "state", "runs", "line", "holds", "waits for"], run.cpusAt(v.step).map(({ task, state: how, stack, holds, waits, holder }, cpu) => {
      const [source, line] = stack.at(-1) ?? [];
      return tableRow(`cpu ${cpu}`, [CPU[cpu], task, how, stack.map(([index]) => run.sources[index].function).join(" › "), source === undefined ? "" : run.sources[source].lines[line].trim(),
        holds.join(", "), waits ? `${waits}${holder === null ? "" : ` of CPU ${CPU[holder]}`}` : ""]);
    })),
    table("Pages", ["page", "is"], v.places.map(([page, where]) => row(`ram ${page}`, [where], () => [page, { text: WHERE[where], field: `ram ${page}` }]))),
    table("Counters", ["counter", "value"], Object.entries(state.counters).map(([name, value]) => row(`counter ${name}`, [value], () => [name, { text: number(value), field: `counter ${name}` }]))),
  ];
}

const table = (name, heads, rows) => h("div", { key: name, class: "tabled" }, h("table", { "data-name": name }, h("caption", {}, name),
  h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)));

/* A row of cells, each a text, or a text with the field that it shows. */
const tableRow = (key, cells) => h("tr", { key }, cells.map((one) =>
  h("td", {}, one?.field ? h("button", { type: "button", tabindex: -1, class: "bare", "data-field": one.field }, String(one.text)) : String(one))));

/* ---------------------------------------------------------------- keys and marks, explained under `?` */

const MARKS = [
  ["ring solid", "ringed: what the sentence is about"], ["ring dashed", "leaving: the one whose turn it is, in every drawing"],
  ["entry", "colour and number: the page whose entry it is, the same everywhere"], ["ghost", "hatched: freed memory"],
  ["ram", "framed: the page is in RAM"], ["also", "thin frame under it: zswap still has its entry, too"],
  ["disk", "grey: only the swap device has the page"], ["gone", "struck out: given up by the program"],
  ["counted", "thick arrow: a reference that the refcount counts"], ["unprotected", "dashed arrow: a pointer that nothing counts"],
  ["hd", "dark edge of a pool page: the backend’s own header; grey: free room"],
  ["lit", "lit line: runs next; a step ends at each yield, where another CPU may run"],
  ["blocked", "hatched: waits for a lock; black bar under a block of a CPU’s lane: it holds one"],
  ["limit", "dashed line: full above it; dotted: accepts again below it"],
];
const KEYS = [
  [["←", "→"], "back, forward, as far as the level of detail goes"], [[",", "."], "one step back, forward, at every level"],
  [["Shift", "←", "→"], "an operation back, forward"], [["Home", "End"], "first, last"], [["Space"], "play, pause"],
  [["↑", "↓"], "choose a field; Enter asks why it is so"], [["?"], "this list"], [["Esc"], "close what is open"],
];
const LETTERS = [
  [["S", "L", "E", "R", "F"], "next store, load, written back, refused, fault; with Shift the one before"], [["C"], "next level of detail"],
  [["1", "2", "3"], "story, steps, source"], [["W"], "why is the refcount so?"], [["P"], "lecture mode"], [["N"], "a note for this step"], [["T"], "table"],
];

const keys = (list) => list.map(([names, does]) => h("div", {}, names.map((name) => h("kbd", {}, name)), ` ${does}`));
const help = () => h("div", { class: "card" },
  h("div", { class: "h" }, h("b", {}, "Marks and keys"), h("button", { type: "button", class: "close", "data-act": "help", "aria-label": "close", title: "close (Esc)" }, "×")),
  h("div", { class: "columns" },
    h("div", {}, MARKS.map(([name, says]) => h("div", { class: "legend" }, h("span", { class: `sample ${name}`, "aria-hidden": "true" }, name === "entry" || name === "also" || name === "disk" || name === "gone" || name === "ram" ? "3" : ""), says))),
    h("div", { class: "keylist" }, keys(KEYS), h("div", { class: "letters" }, keys(LETTERS), h("div", { class: "dim" }, "Letters and digits work while the player has the focus, never otherwise.")))));

/* ---------------------------------------------------------------- the player */

/* What payload.py has packed: compressed JSON, its steps by column; as bytes, or as base64 in a page that stands alone. */
async function unpack(packed) {
  const bytes = typeof packed === "string" ? Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)) : packed;
  const plain = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  const columns = Object.entries(plain.steps);
  const count = columns[0]?.[1].length ?? 0;
  return { ...plain, steps: Array.from({ length: count }, (_, step) => Object.fromEntries(columns.map(([name, values]) => [name, values[step]]))) };
}

const size = (packed) => packed?.byteLength ?? packed?.length ?? 0;

class Player {
  constructor(model, element, { still, alt } = {}) {
    this.model = model;
    this.still = still; // a picture: what it says of itself
    this.alt = alt;
    this.pace = 1;
    this.touch = 0;
    this.root = make("div", { class: "zswaplab-player", tabindex: still === undefined ? 0 : null, role: "group" });
    this.build();
    element.classList.add("zswaplab-player-host");
    element.append(this.root);
    this.dress();
    this.listen();
    this.ready = this.load();
  }

  build() {
    const button = (act, label, keys) => {
      const made = make("button", { type: "button", class: act, "data-act": act, "aria-label": label, title: `${label} (${keys})` });
      patch(made, [icon(act)]);
      return made;
    };
    const part = (name, more) => (this[name] = make("div", { class: name, ...more }));
    this.playButton = button("play", "play", "Space");
    this.paceButton = make("button", { type: "button", class: "pace", "data-act": "pace" });
    this.levels = LEVELS.map((level, index) => make("button", { type: "button", "data-act": "level", "data-level": level, title: `detail: ${["events only", "every step", "every step, with more source"][index]}` }, level[0].toUpperCase() + level.slice(1)));
    this.chart = document.createElementNS(SVG, "svg");
    this.over = document.createElementNS(SVG, "svg");
    this.chart.setAttribute("class", "chart");
    this.over.setAttribute("class", "over");
    for (const drawing of [this.chart, this.over]) drawing.setAttribute("aria-hidden", "true");
    this.slider = make("div", { class: "slider", role: "slider", tabindex: 0, "aria-label": "Timeline", "aria-valuemin": 0 }, this.chart, this.over);
    this.noteBox = make("input", { type: "text", "aria-label": "Note for this step", placeholder: "A note for this step", maxlength: 400 });
    this.lectureButton = button("lecture", "lecture mode: fills the window", "P, while the player has the focus");
    this.lectureButton.classList.add("icon");
    this.tableButton = make("button", { type: "button", class: "bare disclose", "data-act": "table", "aria-expanded": "false" }, "The same as a table");
    this.table = make("div", { class: "tables", role: "group", "aria-label": "The same as a table", hidden: true });
    this.parts = make("details", { class: "parts" }, make("summary", {}, "Parts"), make("div", { class: "card" }, Object.entries(PARTS).map(([name, label]) =>
      make("label", {}, make("input", { type: "checkbox", "data-part": name, checked: true }), ` ${label}`))));
    const hint = (keys, does) => make("span", {}, ...keys.map((key) => make("kbd", {}, key)), does);
    const picture = make("div", { class: "picture" });
    patch(picture, [icon("picture"), h("b", {}, "A picture of the player."), h("span", {}, this.still ?? "")]);
    this.pictureWhat = make("span", { class: "what" });
    picture.append(this.pictureWhat);
    this.root.append(
      picture,
      make("div", { class: "bar" },
        make("span", { class: "btns" }, button("first", "first", "Home"), button("back", "back", "←"), this.playButton, button("forward", "forward", "→"), button("last", "last", "End"), this.paceButton),
        make("span", { class: "seg", role: "group", "aria-label": "Detail" }, ...this.levels),
        part("count"), part("what"), this.lectureButton),
      make("div", { class: "time" }, part("gutter"), this.slider),
      part("say", { role: "status", "aria-atomic": "true" }),
      make("div", { class: "note" }, this.noteBox),
      (this.body = make("div", { class: "body" }, part("left"), part("right"))),
      part("why", { role: "group", "aria-label": "Why is it so?" }), part("help", { role: "group", "aria-label": "Marks and keys" }),
      make("div", { class: "foot" }, this.tableButton, this.parts,
        make("span", { class: "keys" },
          make("span", { class: "letters" }, hint(["S", "L", "E", "R", "F"], "next of a kind"), hint(["C"], "detail")),
          hint(["←", "→"], "next"), hint([",", "."], "one step"), hint(["Home", "End"], "ends"), hint(["Space"], "play"),
          make("button", { type: "button", class: "bare", "data-act": "help", title: "all keys and marks" }, make("kbd", {}, "?"), " keys, marks"))),
      this.table,
    );
    this.help.hidden = this.why.hidden = true;
    if (this.still !== undefined) this.freeze();
    this.setPace(1);
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
    if (!home.querySelector?.("style[data-zswaplab]")) home.append(make("style", { "data-zswaplab": true }, STYLE));
  }

  listen() {
    const theme = () => (this.root.dataset.theme = isDark() ? "dark" : "light");
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const themes = new MutationObserver(theme);
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    scheme.addEventListener("change", theme);
    theme();
    const widths = new ResizeObserver(() => this.layout());
    widths.observe(this.root.parentElement);
    const resized = () => this.lecture && this.layout();
    window.addEventListener("resize", resized);
    const heard = {
      "change:payload": () => this.load(), "change:growth": () => this.load(), "change:step": () => this.later(), "change:playing": () => this.play(),
      "change:level": () => this.layout(), "change:hidden": () => this.layout(), "change:notes": () => this.layout(), "change:height": () => this.layout(),
    };
    for (const [event, hear] of Object.entries(heard)) this.model.on(event, hear);
    // Before any other listener: what the player takes never reaches JupyterLab's commands, the rest always does.
    const key = (event) => this.key(event);
    window.addEventListener("keydown", key, true);
    this.root.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("change", (event) => this.changed(event.target));
    // A click keeps the keyboard with the player; Tab still reaches every button.
    this.root.addEventListener("mousedown", (event) => {
      if (event.target.closest("a, summary, input, label, .src, .table, .rep")) return;
      event.preventDefault();
      this.root.focus({ preventScroll: true });
    });
    this.slider.addEventListener("pointerdown", (event) => {
      this.slider.setPointerCapture(event.pointerId);
      this.drag(event);
    });
    this.slider.addEventListener("pointermove", (event) => event.buttons & 1 && this.drag(event));
    this.noteBox.addEventListener("input", () => this.writeNote());
    this.root.addEventListener("pointerover", (event) => this.point(event.target));
    this.close = () => {
      clearTimeout(this.timer);
      cancelAnimationFrame(this.frame);
      themes.disconnect();
      widths.disconnect();
      scheme.removeEventListener("change", theme);
      window.removeEventListener("keydown", key, true);
      window.removeEventListener("resize", resized);
      for (const [event, hear] of Object.entries(heard)) this.model.off(event, hear);
    };
  }

  /* Read the payload, and what has grown since; only the newest call has an effect. */
  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const [payload, growth] = [this.model.get("payload"), this.model.get("growth")];
    const whole = payload === this.read ? undefined : await unpack(payload);
    const part = size(growth) ? await unpack(growth) : undefined;
    if (turn !== this.turn) return;
    if (whole) {
      this.run = new Run(whole);
      this.read = payload;
      this.why_ = this.life = undefined;
    }
    if (part) this.run.grow(part);
    this.shown = undefined;
    const { title, tags, last } = this.run;
    this.root.setAttribute("aria-label", this.still === undefined ? `Player: ${title || tags[0]}` : this.alt);
    this.slider.setAttribute("aria-valuemax", last);
    this.measured = undefined;
    this.layout();
    this.play();
  }

  /* ---------------------------------------------------------------- the clock */

  get step() {
    return Math.min(this.run.last, Math.max(0, this.model.get("step")));
  }

  get level() {
    return LEVELS.includes(this.model.get("level")) ? this.model.get("level") : "story";
  }

  tell(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  seek(step, touch = 0) {
    this.message = "";
    const wanted = Math.min(this.run.last, Math.max(0, step));
    this.touch = touch;
    if (wanted !== this.model.get("step")) this.tell("step", wanted);
    this.later();
  }

  /* The next place to stop: within a step each report in turn, then the level's next stop. */
  go(forward, level = this.level) {
    const { run, step } = this;
    const reports = run.touches.get(step)?.length ?? 0;
    if (forward && this.touch + 1 < reports) return this.seek(step, this.touch + 1);
    if (!forward && this.touch > 0 && reports) return this.seek(step, this.touch - 1);
    const to = forward ? run.next(step, level) : run.previous(step, level);
    return this.seek(to, !forward && to !== step ? Math.max(0, (run.touches.get(to)?.length ?? 0) - 1) : to === step ? this.touch : 0);
  }

  jump(kind, backwards) {
    const found = backwards ? this.run.previousEvent(this.step, kind) : this.run.nextEvent(this.step, kind);
    if (found !== undefined) return this.seek(found);
    const { name } = EVENTS.find((event) => event.kind === kind);
    this.message = `${backwards ? "nothing before this step is" : "nothing after this step is"} “${name}”`;
    return this.later();
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
    const playing = Boolean(this.model.get("playing"));
    if (playing && this.step === this.run.last) {
      this.tell("playing", false);
      this.play();
      return;
    }
    if (playing)
      this.timer = setTimeout(() => {
        this.go(true);
        this.play();
      }, PAUSE / this.pace);
    const label = playing ? "pause" : "play";
    patch(this.playButton, [icon(label)]);
    this.playButton.title = `${label} (Space)`;
    this.playButton.setAttribute("aria-label", label);
    this.say.setAttribute("aria-live", playing ? "off" : "polite");
  }

  setPace(pace) {
    this.pace = pace;
    this.paceButton.textContent = `${pace}×`;
    this.paceButton.title = "speed of playing";
    this.paceButton.setAttribute("aria-label", `speed ${pace} times`);
  }

  /* The level that follows this one. */
  after() {
    return LEVELS[(LEVELS.indexOf(this.level) + 1) % LEVELS.length];
  }

  setLevel(level) {
    this.tell("level", level);
    this.layout();
  }

  /* ---------------------------------------------------------------- what the reader does */

  key(event) {
    const { target } = event;
    const panel = this.root.closest(".zswaplab-panel") ?? this.root;
    if (this.still !== undefined || !panel.contains(target) || !this.run) return;
    if (event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter")) return;
    const outside = !this.root.contains(target);
    const typing = target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (outside && typing) return;
    if (event.key === "Tab") return;
    event.stopPropagation(); // JupyterLab has commands on plain keys: R turns a cell raw, D D deletes it
    if (typing && event.key !== "Escape") return;
    if (["Enter", " "].includes(event.key) && target.closest("a, button, summary, input, label")) return;
    if (outside && event.key.startsWith("Arrow")) return;
    const act = this.actions(event)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    if (this.run.steps.length) act();
  }

  actions({ shiftKey: shift, target }) {
    const { run, step } = this;
    const onSlider = target === this.slider;
    const operation = (forward) => this.seek(forward ? run.nextOperation(step) : run.previousOperation(step));
    return {
      ArrowLeft: () => (shift ? operation(false) : this.go(false)), ArrowRight: () => (shift ? operation(true) : this.go(true)),
      ArrowUp: () => (onSlider ? this.go(true) : this.rove(-1)), ArrowDown: () => (onSlider ? this.go(false) : this.rove(1)),
      PageUp: onSlider && (() => operation(true)), PageDown: onSlider && (() => operation(false)),
      ",": () => this.go(false, "steps"), ".": () => this.go(true, "steps"), Home: () => this.seek(0), End: () => this.seek(run.last),
      " ": () => this.toggle(), "?": () => this.toggleHelp(), Escape: () => this.escape(),
      ...Object.fromEntries(EVENTS.map(({ key, kind }) => [key, () => this.jump(kind, shift)])),
      ...Object.fromEntries(LEVELS.map((level, index) => [String(index + 1), () => this.setLevel(level)])),
      c: () => this.setLevel(this.after()), p: () => this.setLecture(!this.lecture),
      t: () => this.toggleTable(), n: () => this.note(), w: () => this.askSubject(),
    };
  }

  /* Up and Down go through the fields of the sheet. */
  rove(by) {
    const fields = [...this.root.querySelectorAll(".body button, .body a, .body [data-touch], .why button, .tables button")].filter((field) => field.checkVisibility() && !field.disabled);
    const at = fields.indexOf(document.activeElement);
    const next = fields[at < 0 ? (by > 0 ? 0 : fields.length - 1) : at + by];
    (next ?? this.root).focus({ preventScroll: false });
  }

  click(event) {
    const found = event.target.closest("[data-act], [data-field], [data-page]");
    if (!found || !this.run || this.still !== undefined) return;
    const { act, field, page } = found.dataset;
    if (act) this.act(act, found.dataset, event.shiftKey);
    else if (field) this.ask(field);
    else if (page) {
      this.life = this.life === Number(page) ? undefined : Number(page);
      this.later();
    }
  }

  act(act, data, shift) {
    const acts = {
      first: () => this.seek(0), last: () => this.seek(this.run.last), back: () => this.go(false), forward: () => this.go(true),
      play: () => this.toggle(), pace: () => this.setPace(PACES[(PACES.indexOf(this.pace) + 1) % PACES.length]),
      level: () => this.setLevel(data.level === this.level && this.m.size === "tiny" ? this.after() : data.level), lecture: () => this.setLecture(!this.lecture), help: () => this.toggleHelp(), table: () => this.toggleTable(),
      event: () => this.jump(data.kind, shift), seek: () => this.seek(Number(data.step)),
      touch: () => this.toTouch(Number(data.touch)), close: () => this.ask(undefined), earlier: () => this.earlier(),
      watch: () => this.seek(this.run.nextWrite(this.question.field, this.step)?.step ?? this.step),
    };
    if (this.run.steps.length || ["help", "table", "level", "lecture"].includes(act)) acts[act]();
  }

  toTouch(index) {
    const reports = this.run.reports.filter(({ entry }) => entry === this.report?.entry);
    const report = reports[index];
    this.seek(report.step, this.run.touches.get(report.step).indexOf(report));
  }

  /* Ask who wrote a field; asked again, who wrote it before that. */
  ask(field) {
    if (field !== undefined && this.question?.field === field) return this.earlier();
    this.question = field === undefined ? undefined : { field, write: this.run.lastWrite(field, this.step), step: this.step };
    return this.later();
  }

  askSubject() {
    const subject = this.run.subject(this.step);
    if (subject !== null) this.ask(`entry ${subject} refcount`);
  }

  earlier() {
    const writes = this.run.writes(this.question.field);
    const before = writes[writes.indexOf(this.question.write) - 1];
    if (before) this.question.write = before;
    this.later();
  }

  escape() {
    if (!this.help.hidden) this.toggleHelp();
    else if (this.question) this.ask(undefined);
    else if (this.life !== undefined) this.life = undefined;
    else if (this.lecture) this.setLecture(false);
    if (!this.root.contains(document.activeElement) || document.activeElement === this.noteBox) this.root.focus({ preventScroll: true });
    this.later();
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    if (!this.help.hidden) patch(this.help, [help()]);
  }

  toggleTable() {
    this.table.hidden = !this.table.hidden;
    this.tableButton.setAttribute("aria-expanded", !this.table.hidden);
    this.drawTable();
  }

  /* The whole window: above everything else on the page, whatever contains the player. */
  setLecture(lecture) {
    this.lecture = lecture;
    this.root.classList.toggle("lecture", lecture);
    this.lectureButton.setAttribute("aria-pressed", lecture);
    if (lecture) {
      this.root.setAttribute("popover", "manual");
      this.root.showPopover?.();
    } else {
      if (this.root.matches(":popover-open")) this.root.hidePopover();
      this.root.removeAttribute("popover");
    }
    this.layout();
    this.root.focus({ preventScroll: true });
  }

  changed(target) {
    const { part } = target.dataset;
    if (!part) return;
    const hidden = new Set(this.hidden);
    if (target.checked) hidden.delete(part);
    else hidden.add(part);
    this.tell("hidden", [...hidden]);
    this.layout();
  }

  get hidden() {
    return new Set(this.model.get("hidden") ?? []);
  }

  get notes() {
    return this.model.get("notes") ?? {};
  }

  writeNote() {
    const notes = { ...this.notes, [this.step]: this.noteBox.value };
    if (!this.noteBox.value) delete notes[this.step];
    this.tell("notes", notes);
  }

  /* Room for notes, and the keyboard in it. */
  note() {
    this.noting = true;
    this.layout();
    this.noteBox.focus();
  }

  drag(event) {
    const { left, width } = this.over.getBoundingClientRect();
    const place = Math.round(((event.clientX - left) / Math.max(1, width)) * this.run.last);
    this.seek(this.run.nearest(Math.min(this.run.last, Math.max(0, place)), this.level));
  }

  /* Whatever the pointer is on is marked wherever it is drawn. */
  point(element) {
    const { entry, backend } = element.closest?.("[data-entry], [data-backend]")?.dataset ?? {};
    const wanted = entry !== undefined ? `[data-entry="${entry}"]` : backend !== undefined ? `[data-backend="${backend}"]` : undefined;
    if (wanted === this.pointed) return;
    this.pointed = wanted;
    for (const marked of this.root.querySelectorAll(".pointed")) marked.classList.remove("pointed");
    for (const twin of wanted ? this.root.querySelectorAll(wanted) : []) twin.classList.add("pointed");
  }

  /* One repaint a frame, however many keys or pointer moves there were. */
  later() {
    if (this.run) this.frame ??= requestAnimationFrame(() => this.draw());
  }

  /* ---------------------------------------------------------------- what is measured and drawn */

  /* Everything that depends on width, level and parts: room for the longest sentence, so that nothing jumps; the chart. */
  layout() {
    if (!this.run) return;
    const host = this.root.parentElement;
    const zoom = this.lecture ? Math.min(innerWidth / WIDTH, innerHeight / HEIGHTS.least) : 1;
    this.root.style.zoom = this.lecture ? zoom : "";
    const width = this.lecture ? Math.floor(innerWidth / zoom) : Math.min(1240, host.clientWidth);
    if (!width) return;
    const { run, level, hidden } = this;
    const shape = width >= 900 ? "wide" : width >= 480 ? "one" : "tiny";
    this.root.dataset.size = shape;
    this.root.dataset.level = level;
    this.root.style.width = this.lecture ? px(width) : "";
    for (const part of Object.keys(PARTS)) this.root.classList.toggle(`no-${part}`, hidden.has(part));
    for (const box of this.parts.querySelectorAll("input")) box.checked = !hidden.has(box.dataset.part);
    this.levels.forEach((button) => {
      button.classList.toggle("on", button.dataset.level === level);
      button.setAttribute("aria-pressed", button.dataset.level === level);
    });
    const noted = (this.noting || Object.keys(this.notes).length > 0) && this.still === undefined;
    this.root.classList.toggle("noted", noted);
    if (this.measured !== width) this.measureText(width);
    const height = this.lecture ? Math.floor(innerHeight / zoom) : this.model.get("height") ?? undefined;
    this.m = measures(run, { width: width - 2, level, height, say: this.sayHeight, note: noted ? 30 : 0, hidden });
    this.root.style.setProperty("--right", px(this.m.right));
    this.root.style.setProperty("--between", px(this.m.gap));
    this.root.classList.toggle("dense", this.m.dense);
    this.body.style.height = this.m.body ? px(this.m.body) : "";
    this.root.classList.toggle("no-time", hidden.has("curve"));
    this.banded = undefined;
    this.shown = undefined;
    this.memory = new Memory();
    this.drawWhat(width);
    this.draw();
  }

  /* The run's title, and which kernel it is; where that is too long, without what the patch does. */
  drawWhat(width) {
    const { title, tags } = this.run;
    const whole = tags.join(" · ");
    const text = width < 900 || breadth(whole) < width - 690 ? whole : tags.map((tag) => tag.split(": ")[0]).join(" · ");
    for (const what of [this.what, this.pictureWhat]) {
      patch(what, [title && h("b", {}, title), text]);
      what.title = whole;
    }
  }

  /* Room for the longest sentences at this width, and how wide a character of source is. */
  measureText(width) {
    this.measured = width;
    const probe = make("span", { class: "probe src" }, "m".repeat(100));
    this.root.append(probe);
    this.character = probe.offsetWidth / 100 || 7.83;
    probe.className = "probe tiny";
    probe.textContent = "pages 0 … 9 go out, 1943 B: read 3, not counted, at its limit";
    share = probe.offsetWidth / probe.textContent.length / 11 || 0.6;
    probe.remove();
    const said = [...this.run.steps.filter((_, step) => !this.run.touches.has(step)).map(({ say }) => say), ...this.run.reports.map(({ say }) => say ?? "")];
    const longest = [...new Set(said)].sort((one, other) => plain(other).length - plain(one).length).slice(0, 6);
    const copy = make("div", { class: "say probe" });
    this.say.after(copy);
    this.sayHeight = Math.max(46, ...longest.map((text) => {
      patch(copy, sentence(text));
      return copy.offsetHeight;
    }));
    copy.remove();
    this.say.style.minHeight = px(this.sayHeight);
  }

  view() {
    const { run, m, step, level, hidden } = this;
    const state = run.at(step);
    const reports = run.touches.get(step) ?? [];
    this.touch = Math.min(this.touch, Math.max(0, reports.length - 1));
    const report = (this.report = reports[this.touch]);
    const kinds = run.pools.map(({ lru_of: of }) => of);
    const { out } = state;
    const outPage = out === null ? undefined : state.pages.get(out);
    const outIsPage = out !== null && outPage !== undefined && kinds[outPage.pool] === "pages" && !(state.entries.has(out) && kinds[state.entries.get(out).pool ?? 0] === "entries");
    const outPool = out === null ? undefined : outIsPage ? outPage.pool : run.entry(out)?.pool ?? 0;
    const alive = run.pools.map((_, pool) => pool).filter((pool) => pool === state.current || [...state.pages.values()].some((page) => page.pool === pool));
    const pools = alive.length > 2 ? [...alive].sort((one, other) => (other === state.current) - (one === state.current)).slice(0, 2) : alive;
    const writes = this.question && run.writes(this.question.field);
    if (this.question && this.question.step !== step) Object.assign(this.question, { step, write: run.lastWrite(this.question.field, step) });
    const wrote = (field) => run.writes(field).find((write) => write.step === step);
    return {
      run, m, step, level, hidden, state, memory: this.memory, places: run.places(), now: run.steps[step], report, touch: this.touch, subject: report?.entry ?? run.subject(step),
      outIsPage, outPool, pools, lists: (run.pools.length > 1 ? pools : [0]).filter((pool) => kinds[pool] !== null), counted: run.counted,
      wrote: { get: wrote, has: (field) => wrote(field) !== undefined }, why: this.question && { ...this.question, writes },
      holdersRight: run.cpus === 1 || !m.wide, character: this.character,
    };
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (!this.m) return;
    const { run, step } = this;
    const calm = this.pace > 2 || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.root.classList.toggle("moving", !calm && this.shown !== undefined && Math.abs(run.moment(step) - run.moment(this.shown)) <= 1 && Math.abs(step - this.shown) < 40);
    const v = this.view();
    this.drawBar(v);
    this.drawTime(v);
    const said = v.report?.say ?? v.now?.say ?? "Nothing was recorded: this run has no steps.";
    this.say.className = `say ${v.report ? "fault" : v.now?.event ?? ""}`;
    patch(this.say, sentence(said));
    this.slider.setAttribute("aria-valuenow", step);
    this.slider.setAttribute("aria-valuetext", plain(said));
    if (document.activeElement !== this.noteBox) this.noteBox.value = this.notes[step] ?? "";
    const crash = v.report && crashLeft(v, this.leftParts(v, true));
    this.root.classList.toggle("crash", Boolean(v.report));
    patch(this.left, crash ?? this.leftParts(v));
    patch(this.right, [v.report ? v.report.used && v.report.freed ? [cpuLine(v), reportCard(v)] : [reportCard(v), h("div", { class: "below-report" }, cpus(v))] : !v.hidden.has("source") && cpus(v), !v.report && this.holdersAt(v, true)]);
    this.why.hidden = !v.why;
    if (v.why) patch(this.why, [whyCard(v)]);
    this.drawTable(v);
    this.shown = step;
    this.root.dataset.step = step;
    this.root.dataset.touch = this.touch;
    if (this.still !== undefined) document.documentElement.dataset.height = Math.ceil(this.root.getBoundingClientRect().height);
  }

  /* Where everything is: what is drawn on the left, as much as there is room for. */
  leftParts(v, brief = false) {
    const { hidden, level, m, run } = v;
    const shown = (name, ...drawing) => !hidden.has(name) && h("section", { key: name, class: `of-${name}` }, drawing);
    if (brief) return m.wide && m.body > 330 && run.peak.lru < 12 ? [h("div", { key: "brief", class: "brief" }, shown("pages", pages(v)), shown("lru", lru(v)))] : [];
    if (level === "source" && m.wide && listOfEntries(v))
      return [shown("pages", pages(v)), shown("lru", lruTable(v))];
    const beside = m.wide && level !== "source" && !v.holdersRight && v.run.pools.length === 1 && v.run.peak.lru < 6 && v.run.peak.slots < 3;
    const half = beside ? { ...v, m: { ...m, across: Math.floor(m.across / 2) - 10 } } : v;
    const lists = shown("lru", lru(half));
    const pooled = level !== "source" && shown("pool", pool(half));
    return [shown("pages", pages(v)), this.holdersAt(v, false), beside ? h("div", { key: "beside", class: "beside" }, lists, pooled) : [lists, pooled], level !== "source" && m.counted && shown("counters", counters(v))];
  }

  holdersAt(v, right) {
    const { hidden, m, run } = v;
    if (hidden.has("holders") || v.holdersRight !== right || (v.level === "source" && m.wide)) return null;
    if (!right && run.peak.slots > 4) return null;
    return h("section", { key: "holders", class: "of-holders" }, holders(v));
  }

  drawBar(v) {
    const { run, step, level } = v;
    const moment = level === "story" ? ["moment ", h("b", {}, String(run.moment(step))), ` of ${run.story.length}`] : ["step ", h("b", {}, String(step)), ` of ${run.last}`];
    const number = run.reports.indexOf(v.report) + 1;
    const tail = v.report && run.reports.length > 1 ? [" · report ", h("b", {}, String(number)), ` of ${run.reports.length}`] : [];
    const second = level === "story" ? ` · step ${step} of ${run.last}` : run.steps.length ? ` · ${run.operations[v.now.operation].text}` : "";
    patch(this.count, this.message ? [this.message] : [moment, tail, h("span", { class: "also-at" }, v.report && level === "story" ? ` · step ${step}` : second)]);
  }

  drawTime(v) {
    const { run, m } = v;
    if (v.hidden.has("curve")) return;
    const life = this.life ?? (v.report?.entry !== null && v.report !== undefined ? run.name(v.report.entry) : undefined);
    if (this.banded !== `${life}`) {
      const height = m.time - 9;
      for (const drawing of [this.chart, this.over]) {
        drawing.setAttribute("width", m.chart);
        drawing.setAttribute("height", height);
        drawing.setAttribute("viewBox", `0 0 ${m.chart} ${height}`);
      }
      this.gutter.style.width = px(m.gutter);
      patch(this.gutter, gutterOf(run, m, life));
      patch(this.chart, chart(run, m, life));
      this.banded = `${life}`;
    }
    patch(this.over, overlay(v));
  }

  drawTable(v = this.view()) {
    if (!this.table.hidden && this.run) patch(this.table, tables(v));
  }
}

function cpuLine(v) {
  const cpu = v.run.cpusAt(v.step)[v.report.cpu] ?? {};
  const path = (cpu.stack ?? []).map(([source]) => v.run.sources[source].function);
  return h("div", { class: "cpu" }, h("span", { class: "name" }, `CPU ${CPU[v.report.cpu]}`), h("span", { class: "crumb" }, crumb(path, v.m.inner - 230)),
    cpu.holds?.length ? h("span", { class: "r lock" }, LOCK, cpu.holds.join(", ")) : null);
}

/* ---------------------------------------------------------------- what loads it */

/* What anywidget calls; it gets the function that cleans up. */
function render({ model, el }) {
  const player = new Player(model, el);
  return () => player.close();
}

/* The player without a notebook, as in a saved page: a model that holds its values itself. */
function mount(element, payload, { static: still, alt, ...given }) {
  const values = { payload, growth: "", step: 0, playing: false, level: "story", hidden: [], notes: {}, ...given };
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
  return new Player(model, element, { still: still ?? undefined, alt });
}

export default { render };
