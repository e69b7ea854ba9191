/* A report as a picture: freed memory and who leads to it, its bytes, the stacks; lost bytes; who waits for whom. */
import { arrowhead, breadth, crumb, holders, lock, painted, plural } from "./drawing.js";
import { h } from "./dom.js";
import { CPU, plain } from "./scene.js";

/* struct zswap_entry on x86-64: field, offset and size in bytes. The links came with patch 1. */
const STRUCT = [
  ["rbnode", 0, 24], ["offset", 24, 8], ["refcount", 32, 4], ["length", 36, 4], ["pool", 40, 8], ["handle", 48, 8],
  ["objcg", 56, 8], ["lru.next", 64, 8], ["lru.prev", 72, 8],
];

/* What replaces the state on the left; `state` are drawings of it for where there is room. Nothing for a report that
   has no picture of its own. */
export function pictureOf(v, state) {
  const { kind, entry, trail: moves, waits, chains } = v.report;
  if (entry !== null) return kind === "leak" ? [h("section", holders(v)), ledger(v)] : [pointers(v), struct(v)];
  const picture = (moves.length && trail) || (waits.length && waitsFor) || (chains.length && orders);
  return picture ? [picture(v), state] : undefined;
}

const jump = (step) => h("button.step", { type: "button", "data-act": "seek", "data-step": step }, `step ${step}`);

/* ---------------------------------------------------------------- who still points at it */

function pointers(v) {
  const { run, m, state, report } = v;
  const { entry: id } = report;
  const page = run.name(id);
  const tiny = m.across < 440;
  const pool = [...state.lru].find(([, ids]) => ids.has(id))?.[0];
  const order = pool === undefined ? [] : [...state.lru.get(pool)].reverse();
  const links = linksOf(v, id, order.includes(id));
  const box = { x: tiny ? 96 : 190, y: 22, width: tiny ? 48 : 62, height: 46, rx: 5 };
  const locals = run.cpusAt(v.step).flatMap(({ refs }, cpu) =>
    [...new Set((refs ?? []).filter(([, , other]) => other === id).map(([, local]) => `CPU ${CPU[cpu]}, ${local}`))]);
  const off = run.writes(`entry ${id} linked`).findLast(({ step, from }) => step <= v.step && from === true);
  const says = off ? `off the tree since step ${off.step}; its bytes are given back` : "its bytes are given back";
  const leads = links.any ? "the LRU leads to it" : "the LRU does not lead to it";
  const told = [leads, ...locals.map((local) => `${local} points at it`), says].join("; ");
  const middle = box.x + box.width / 2;
  return h("section", { key: "pointers" },
    h(".h", h("b", "Who still points at it"), h("span.more", "bold arrows lead from living memory into freed memory")),
    h("svg", { width: m.across, height: 92, viewBox: `0 -2 ${m.across} 92`, role: "img",
      "aria-label": `Page ${page}’s entry is freed: ${told}` },
    h("defs", arrowhead("zp-fault", "fault"), h("pattern", { id: "zp-hatch", width: 7, height: 7,
      patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    h("rect", { width: 2, height: 7, style: "fill:var(--fault);opacity:.22" }))),
    links.any ? neighbours(v, order, order.indexOf(id), links, box) : h("text", { x: 0, y: 48 }, "not on the LRU now"),
    h("rect", { ...box, style: "fill:var(--bg)" }), h("rect.frame", { ...box, fill: "url(#zp-hatch)" }),
    h("text.page.big", { x: middle, y: 42, "text-anchor": "middle" }, String(page ?? "?")),
    h("text.strong", { x: middle, y: 58, "text-anchor": "middle" }, "freed"),
    locals.length > 0 && [h("path.bad.dashed", { d: `M${middle} 4V19`, "marker-end": "url(#zp-fault)" }),
      h("text.t-ink", { x: middle + 9, y: 10 }, locals.join("; "))],
    h("text", { x: tiny ? 0 : box.x, y: 84 }, says)));
}

/* The list around the freed entry, from its head at the left: bold arrows lead into it. */
function neighbours(v, order, at, links, box) {
  const tiny = v.m.across < 440;
  const after = order.slice(at + 1, at + (tiny ? 2 : 3));
  const before = at > 0 ? order[at - 1] : undefined;
  const [begin, left, right] = [before === undefined ? 44 : 82, box.x - 4, box.x + box.width + 4];
  const next = box.x + box.width + (tiny ? 46 : 84);
  const link = (drawn, d, x, y, name, bold) => drawn && [
    h("path.bad", { class: bold ? "bold" : "", d, "marker-end": "url(#zp-fault)" }),
    h("text", { x, y, "text-anchor": "middle", class: !bold && links.now === name ? "strong" : null },
      !bold && links.now === name ? `${name}: now` : name)];
  const rest = order.length - at - 1 > after.length ? "… tail" : "tail";
  return [
    h("text.t-ink.t12", { x: 0, y: 42 }, "LRU"), h("text", { x: 0, y: 56 }, "head"),
    h("circle.knob", { cx: 40, cy: 46, r: 4 }),
    before !== undefined && living(v, before, 44),
    link(links.inward.next, `M${begin} 43H${left}`, (begin + left) / 2, 37, "next", true),
    link(links.own.prev, `M${left - 2} 53H${begin + 4}`, (begin + left) / 2, 67, "prev"),
    after.length > 0 && [
      link(links.inward.prev, `M${next - 2} 43H${right + 2}`, (right + next) / 2, 37, "prev", true),
      link(links.own.next, `M${right - 2} 53H${next - 4}`, (right + next) / 2, 67, "next"),
      after.map((other, index) => [
        index > 0 && h("path.link", { d: `M${next + 60 * index - 22} 46h22` }), living(v, other, next + 60 * index)]),
      h("text", { x: next + 60 * after.length - 14, y: 50 }, rest)],
  ];
}

function living(v, id, x) {
  const [page, entry] = [v.run.name(id) ?? 0, v.run.entry(id)];
  const alive = v.state.entries.has(id);
  const ink = `fill:var(--${alive ? `i${page % 5}` : "ink"})`;
  const text = (y, words, look) => h("text", { x: x + 19, y, "text-anchor": "middle", class: look, style: ink }, words);
  const style = `fill:var(--${alive ? `e${page % 5}` : "well"})`;
  return [h("rect", { x, y: 26, width: 38, height: 40, rx: 5, style }),
    text(44, String(page), "page"), text(58, String(entry?.length ?? ""), null)];
}

/* Which links lead into the freed entry, and out of it. A step that puts it on the list writes the entry's own links
   first: they are drawn as its touches write them, and the list leads to it last. */
function linksOf(v, id, listed) {
  const now = v.report.access === "write" ? { "lru.next": "next", "lru.prev": "prev" }[v.report.field] : undefined;
  const put = (v.now?.changes ?? []).some(([what, , other]) => what === "lru+" && other === id);
  const reports = v.run.touches.get(v.step).slice(0, v.touch + 1);
  const wrote = (field) => listed && (!put ||
    reports.some((one) => one.entry === id && one.access === "write" && one.field === field));
  const [next, prev] = [wrote("lru.next"), wrote("lru.prev")];
  return { any: next || prev, inward: { next: prev, prev: next }, own: { next, prev }, now };
}

/* ---------------------------------------------------------------- the struct's bytes */

/* The bytes to scale, and a row for every touch under the bytes that it touched. */
function struct(v) {
  const { run, m, report } = v;
  const { bytes } = report;
  const touches = run.reports.filter(({ entry }) => entry === report.entry);
  const at = touches.indexOf(report);
  const x = (byte) => 23 + (byte * (m.across - 24)) / bytes;
  const room = m.wide ? Math.max(3, Math.floor((m.body - 215) / 14.5)) : 9;
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), touches.length - room));
  const shown = touches.slice(first, first + room);
  const touched = new Set(touches.slice(0, at + 1).map(({ field }) => field));
  const fields = STRUCT.filter(([, offset]) => offset < bytes);
  const tall = 64 + 14.5 * shown.length;
  const ends = fields.filter(([name]) => touched.has(name)).flatMap(([, offset, size]) => [offset, offset + size]);
  const times = touches.length === 1 ? "once" : `${touches.length} times`;
  const told = touches.map((one) => `${one.access || one.kind} ${one.field}`).join(", ");
  return h("section", { key: "struct" },
    h(".h", h("b", "struct zswap_entry"), h("span", `${bytes} bytes, freed, and touched ${times}`)),
    h("svg.struct", { width: m.across, height: tall, viewBox: `0 0 ${m.across} ${tall}`, role: "img",
      "aria-label": `The ${bytes} bytes of the entry, touched ${times}: ${told}` },
    fields.map((one) => fieldBox(x, one, report.field === one[0] ? "here" : touched.has(one[0]) ? "hit" : "")),
    h("text", { x: (x(bytes) - 1).toFixed(1), y: 53, "text-anchor": "end" }, String(bytes)),
    [...new Set(ends)].map((end) => h("path.rail", { d: `M${x(end).toFixed(1)} 58V${tall - 2}` })),
    shown.map((one, row) => touchRow(m, x, one, first + row, 61 + 14.5 * row, Math.sign(first + row - at)))));
}

function fieldBox(x, [name, offset, size], look) {
  const [from, to] = [x(offset), x(offset + size)];
  const middle = (from + to) / 2;
  const way = offset === 32 ? -1 : 1; // two narrow fields: their names stand above, to either side
  const above = [
    h("text.t-ink", { x: (middle + 7 * way).toFixed(1), y: 14, "text-anchor": way < 0 ? "end" : "start" }, name),
    h("path.lead", { d: `M${middle} 20V10h${4 * way}` })];
  return [
    h("rect.fld", { class: look, x: from.toFixed(1), y: 20, width: (to - from).toFixed(1), height: 20 }),
    size === 4 ? above : h("text", { x: middle.toFixed(1), y: 34, "text-anchor": "middle",
      class: look === "here" ? "here" : "t-ink" }, breadth(name) < to - from ? name : name.split(".").at(-1)),
    h("text", { x: from.toFixed(1), y: 53, "text-anchor": "middle", class: look === "here" ? "strong" : null },
      String(offset)),
  ];
}

/* `when`: -1 it has happened, 0 it is the one that is told, 1 it comes later. */
function touchRow(m, x, { access, kind, size, offset, field, used, function: name }, index, y, when) {
  const narrow = m.across < 440;
  const words = [`${access || kind}${narrow ? "" : ` ${size ?? ""}`}`, field, !narrow && (used?.rows[0]?.[1] ?? name)];
  const bytes = offset !== null && h("rect", { class: access, x: (x(offset) + 1.5).toFixed(1), y: y + 3.5,
    width: (x(offset + size) - x(offset) - 3).toFixed(1), height: 8, rx: 1.5 });
  const look = ["", "now", "later"][when + 1];
  return h("g.touch", { key: `touch ${index}`, class: look, "data-act": "touch", "data-touch": index },
    h("rect.row", { x: 0, y: y + 0.5, width: m.across, height: 14.5, rx: 2 }),
    h("text", { x: 6, y: y + 11.5 }, String(index + 1)),
    words.map((word, place) => word && h("text", { x: [24, narrow ? 60 : 76, 132][place], y: y + 11.5,
      class: place === 2 ? "dim" : null }, word)), bytes);
}

/* ---------------------------------------------------------------- other ends */

/* Where a page's bytes were, step by step, until they were nowhere. */
function trail(v) {
  const { run, m, report } = v;
  const room = m.wide ? Math.floor((m.body - 205) / 22) : 12;
  const row = (step, words, look) => h(".row", { class: look }, jump(step),
    h("span.dim", `CPU ${CPU[run.steps[step]?.cpu ?? 0]}`), h("span", words));
  const moves = report.trail.map(([step, places]) => places.length ? row(step, `in ${places.join(" and ")}`, "")
    : row(step, h("b", "in no place any more"), "lost"));
  if (report.whose) moves.push(row(report.step, h("b", report.whose), "lost"));
  return h("section", { key: "trail" },
    h(".h", h("b", `Where page ${report.page}’s bytes were`),
      h("span", "the steps that moved them, and the one that lost them")),
    h(".trail", moves.slice(-room)));
}

/* Who waits for whom: a line for each CPU that is stuck. */
function waitsFor({ run, report }) {
  const who = (cpu, words) => h("span.who", h("b", `CPU ${CPU[cpu]}`), h("small", words));
  return h("section", { key: "waits" },
    h(".h", h("b", "Who waits for whom"), h("span", "nobody in this ring can go on")),
    h(".ring", report.waits.map(([cpu, name, holder, finished]) => h(".row", who(cpu, run.tasks[cpu] ?? ""),
      h("span.way", h("span", lock(), `waits for ${name}`)),
      who(holder, finished ? "has it, and has finished" : "has it")))));
}

/* Lockdep's two chains: in each one lock is taken while the other is held. */
function orders({ m, report }) {
  const room = m.wide ? Math.max(2, Math.floor((m.body - 236) / 18)) : 6;
  return h("section", { key: "chains" },
    h(".h", h("b", "Two orders that cannot both be kept"), h("span", "a CPU in each, and neither goes on")),
    h(".stacks", report.chains.map(({ outer, inner, task, rows }) => h(".st",
      h(".sh", h("b", outer), " is held, and then ", h("b", inner), " is taken"), h(".sh", `in ${task}`),
      rows.slice(0, room).map((row) => h(".ln", h("span", row)))))));
}

/* What became of the references of an entry that nobody gives back: each step that changed the count. */
function ledger({ run, m, report }) {
  const room = m.wide ? Math.floor((m.body - 190) / 22) : 8;
  const writes = run.writes(`entry ${report.entry} refcount`).slice(-room);
  return h("section", { key: "ledger" },
    h(".h", h("b", "Its references"), h("span", "each step that took or dropped one")),
    h(".trail", writes.map(({ step, from, to }) => h(".row",
      step < 0 ? h("span.dim", "at the start") : jump(step), h("b", `${from ?? 0} → ${to ?? "freed"}`),
      h("span", step < 0 ? "" : plain(run.steps[step].say))))));
}

/* ---------------------------------------------------------------- the report in the kernel's shape */

/* Every line leads to its step. */
export function card(v) {
  const { run, m, report } = v;
  const { used, freed, allocated } = report;
  const line = (step, words, look, note = `step ${step}`) => h("button.ln",
    { type: "button", class: look, "data-act": "seek", "data-step": step }, h("span", words), h("em", note));
  const [same, mine, theirs] = shared(used, freed);
  const deep = same ? 3 : Math.max(3, Math.min(8, Math.floor(((m.body ?? 400) - 170) / 18))); // rows of a stack
  const rows = (trace, own, hot) => {
    const shown = own.length > deep ? own.slice(0, deep - 1) : own;
    const more = own.length - shown.length;
    return [shown.map((row, index) => line(stepOf(run, trace, row), row[1] || row[0], hot && !index ? "hot" : "")),
      more > 0 && h(".sh", `… ${more} more`)];
  };
  const task = (trace) => trace.task.replace(/^CPU (.) \((.*)\)$/, run.cpus > 1 ? "$2, CPU $1" : "$2");
  const [first, ...rest] = report.text.split("\n");
  const access = { read: "Read", write: "Write" }[report.access];
  const by = used?.task ?? `CPU ${CPU[report.cpu]}`;
  const touch = `${access} of size ${report.size ?? "?"}, field ${report.field}, by ${by}`;
  const maker = allocated?.rows[0];
  return h(".rep", { role: "group", "aria-label": `${report.kind} report; every line leads to its step` },
    line(report.step, painted(first), used ? "hot first" : "hot first free", used ? "" : undefined),
    access && line(report.step, touch, "hot"),
    used && freed && h(".stacks",
      h(".st", h(".sh", "Freed by ", h("b", task(freed))), rows(freed, theirs, false)),
      h(".st.use", h(".sh", "Used by ", h("b", task(used))), rows(used, mine, true))),
    used && !freed && h(".st.alone", h(".sh", `In ${task(used)}`), rows(used, mine, true)),
    same && [h(".trunk", { "aria-hidden": "true" }), sharedCall(v, same)],
    maker && line(allocated.step, ["Allocated by ", h("b", task(allocated)), `, ${maker[1] || maker[0]}`], "top"),
    report.offset !== null && h(".ln", h("span", `${report.offset} bytes inside of freed ${report.bytes}-byte region`),
      h("em.n", `cache ${report.thing}`)),
    report.chains.length > 0 && h(".ln.free", rest.slice(0, 2).join(" ")));
}

/* [the call that two stacks share, the rows of the first that are its own, those of the second]; no call where they
   part in none of the model's, or where two tasks made them. */
function shared(used, freed) {
  if (!used || !freed) return [null, used?.rows ?? [], freed?.rows ?? []];
  const [mine, theirs] = [[...used.rows].reverse(), [...freed.rows].reverse()];
  let depth = 0;
  while (depth < mine.length && mine[depth][0] === theirs[depth]?.[0]) {
    depth += 1;
    if (mine[depth - 1][3] !== theirs[depth - 1][3]) break;
  }
  const [here, there] = [mine[depth - 1], theirs[depth - 1]];
  const parted = used.task === freed.task && here && here[2] !== null && here[3] !== there[3];
  if (!parted) return [null, used.rows, freed.rows];
  const above = mine.slice(0, depth - 1).reverse();
  const call = { name: here[0], source: here[2], used: here[3], freed: there[3], above };
  return [call, mine.slice(depth).reverse(), theirs.slice(depth).reverse()];
}

/* The step at which a call of a trace began; that of the trace where it is below what is recorded. */
function stepOf(run, trace, row) {
  const depth = [...trace.rows].reverse().filter(([, , source]) => source !== null).indexOf(row);
  return depth < 0 ? trace.step : run.entered(trace.step, run.steps[trace.step].cpu, depth);
}

/* The call in which the entry is first freed and then used, with what lies between. */
function sharedCall({ run, m }, { name, source, used, freed, above }) {
  const { lines } = run.sources[source];
  const [from, to] = [Math.min(used, freed), Math.max(used, freed)];
  const room = m.wide ? Math.max(2, Math.min(5, Math.floor((m.body - 270) / 17))) : 5;
  const first = Math.max(0, Math.min(from, to - room + 1)); // what leads to it, where there is room
  const rows = lines.slice(first, to + 1).map((text, index) => [first + index, text]).filter(([, text]) => text.trim());
  const indent = Math.min(...rows.map(([, text]) => text.search(/\S/)));
  const callers = above.slice(0, 3).map(([own, kernel]) => kernel || own).join(" ‹ ");
  const shown = rows.length > room ? [rows.find(([line]) => line === from), ...rows.slice(1 - room)] : rows;
  const row = ([line, text]) => h(".cl", { class: line === used ? "now" : line === freed ? "freed" : "" },
    h("code", painted(text.slice(indent))), h("em", line === used ? "uses" : line === freed ? "frees" : ""));
  return [
    h(".same", h(".sh", `both in one call, ${plural(to - from, "line")} apart: `, h("b", name)), shown.map(row)),
    callers && h(".below", `called from ${callers}`),
  ];
}

/* The line above a report: which CPU, where it runs, what it holds. */
export function cpuLine({ run, m, step, report }) {
  const { stack = [], holds = [] } = run.cpusAt(step)[report.cpu] ?? {};
  const path = stack.map(([source]) => run.sources[source].function);
  return h(".cpu", h("span.name", `CPU ${CPU[report.cpu]}`), h("span.crumb", crumb(path, m.inner - 230)),
    holds.length > 0 && h("span.r.lock", lock(), holds.join(", ")));
}
