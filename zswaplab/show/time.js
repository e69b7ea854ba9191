/* The time band: pool size or one page's life, a lane for each kind of event, one for each CPU. Its axis is steps. */
import { breadth, fitting } from "./drawing.js";
import { h } from "./dom.js";
import { CPU } from "./scene.js";

const scale = (run, m) => (step) => (Math.max(0, step) * m.chart) / Math.max(1, run.last);

/* Where the block of a step begins: it is drawn around its step. */
const edges = (run, m) => (step) => Math.min(m.chart, Math.max(0, scale(run, m)(step - 0.5)));

function block(edge, [from, to], y, look) {
  const width = Math.max(0.8, edge(to) - edge(from) - 1.5).toFixed(1);
  return h("rect", { class: look, x: (edge(from) + 0.75).toFixed(1), y, width, height: 15, rx: 2 });
}

function named(edge, [from, to], y, labels, ink = "ink") {
  const text = fitting(labels, edge(to) - edge(from) - 9);
  const x = ((edge(from) + edge(to)) / 2).toFixed(1);
  return text && h("text", { x, y: y + 11, "text-anchor": "middle", style: `fill:var(--${ink})` }, text);
}

/* ---------------------------------------------------------------- what stays from step to step */

/* `life` is the page whose life takes the curve's place, if there is one. */
export function chart(run, m, life) {
  const x = scale(run, m);
  const thick = Math.min(2.5, Math.max(1.2, m.chart / (run.last + 1) - 1));
  return [
    life === undefined ? curve(run, m) : lifeLane(run, m, life),
    m.kinds.map(({ kind }, row) => {
      const y = m.lanes + 13 * row;
      const ticks = run.ticks[kind].map((step) => `M${x(step).toFixed(1)} ${y + 1}v9`).join("");
      return [h("path.rail", { d: `M0 ${y + 5.5}H${m.chart}` }),
        h("path.tick", { class: `k-${kind}`, "stroke-width": thick, d: ticks })];
    }),
    lanes(run, m),
  ];
}

function curve(run, m) {
  const x = scale(run, m);
  const top = Math.max(1.12 * run.limit, run.peak.size, 1);
  const y = (size) => (m.base - ((m.base - 14) * size) / top).toFixed(1);
  let line = `M0 ${y(0)}`;
  run.sizes.forEach((size, step) => {
    if (size !== (run.sizes[step - 1] ?? 0)) line += `H${x(step).toFixed(1)}V${y(size)}`;
  });
  line += `H${m.chart}`;
  const under = run.sizes.slice(0, 1 + Math.ceil((run.last * 150) / m.chart)); // what the words would cover
  const free = under.every((size) => size < run.accept * 0.75);
  return [
    h("path.area", { d: `${line}V${m.base}H0Z` }),
    h("path.limit", { d: `M0 ${y(run.limit)}H${m.chart}` }), h("path.accept", { d: `M0 ${y(run.accept)}H${m.chart}` }),
    h("path.curve", { d: line }),
    h("text.halo", { x: 4, y: Math.max(9, y(run.limit) - 4) }, `full above ${run.limit}`),
    free && m.wide && h("text.halo", { x: 4, y: Number(y(run.accept)) + 11 }, `accepts again below ${run.accept}`),
  ];
}

/* What each CPU did: long spans with names where one runs, a block a step where several do; a bar under a block is a
   held lock, hatching a wait. */
function lanes(run, m) {
  const edge = edges(run, m);
  const first = run.steps.findIndex(({ cpus }) => cpus);
  const alone = first < 0 ? run.steps.length : first;
  const spans = run.spans.filter(({ from }) => from < alone).map(({ from, to, labels }) => {
    const span = [from, Math.min(to, alone)];
    return [block(edge, span, m.cpus, "seg-run"), named(edge, span, m.cpus, labels)];
  });
  if (first < 0) return spans;
  const every = Array.from({ length: run.cpus }, (_, cpu) => {
    const y = m.cpus + 17 * cpu;
    const where = (holds) => stretches(run, first, holds);
    const runs = where((step) => step.cpu === cpu);
    const held = where((step) => step.cpus[cpu]?.holds.length > 0);
    return [
      h("path.rail", { d: `M${edge(first)} ${y + 7.5}H${m.chart}` }),
      where((step) => step.cpus[cpu]?.waits).map((span) => block(edge, span, y, "seg-wait")),
      runs.map((span) => block(edge, span, y, "seg-run")),
      held.map(([from, to]) => h("path.held", { d: `M${edge(from) + 0.75} ${y + 14}H${edge(to) - 0.75}` })),
      runs.map((span) => named(edge, span, y - 0.5, [run.operations[run.steps[span[0]].operation].text])),
    ];
  });
  return [spans, every];
}

/* [from, to) of the steps in a row, from `first` on, for which something holds. */
function stretches(run, first, holds) {
  const found = [];
  run.steps.forEach((step, index) => {
    if (index < first || !holds(step)) return;
    if (found.at(-1)?.[1] === index) found.at(-1)[1] = index + 1;
    else found.push([index, index + 1]);
  });
  return found;
}

function lifeLane(run, m, page) {
  const x = scale(run, m);
  const { marks, spans } = run.life(page);
  const top = m.base - 21;
  const part = (from, to, attributes) => from < to &&
    h("rect", { x: x(from).toFixed(1), y: top, width: (x(to) - x(from)).toFixed(1), height: 14, ...attributes });
  const entry = `fill:var(--e${page % 5})`;
  const drawn = spans.map(({ kind, from, to, inTree, offTree, freed, touched }) => {
    if (kind === "disk") return part(from, to, { class: "on-disk", y: top + 16, height: 4 });
    const middle = { x: ((x(from) + x(to)) / 2).toFixed(1), y: top + 11, "text-anchor": "middle" };
    if (kind === "RAM")
      return [part(from, to, { class: "in-ram" }), x(to) - x(from) > 50 && h("text.t-ink", middle, "in RAM")];
    return [part(from, inTree, { style: `${entry};opacity:.45` }), part(inTree, offTree, { style: entry }),
      part(offTree, to, { style: `${entry};opacity:.45` }), touched && part(freed, run.last, { class: "after" })];
  });
  let free = -1;
  const labels = marks.map(({ step, text, freed }) => {
    const wide = breadth(text, 10.5);
    const at = Math.min(Math.max(x(step), wide / 2), m.chart - wide / 2);
    const fits = at - wide / 2 > free;
    if (fits) free = at + wide / 2 + 4;
    const look = { class: freed ? "freed" : "t-ink", x: at.toFixed(1), y: top - 5, "text-anchor": "middle" };
    return [h("path.mark", { class: freed ? "freed" : "", d: `M${x(step).toFixed(1)} ${top - 2}v18` }),
      fits && h("text", look, text)];
  });
  return [h("path.rail", { d: `M0 ${top + 7}H${m.chart}` }), drawn, labels];
}

/* ---------------------------------------------------------------- what moves, and what stands at the left */

/* The running operation, the writes that were asked for, the playhead. */
export function overlay(v) {
  const { run, m, step, now, why } = v;
  const { former } = run; // the lanes are still those of the run before
  const [x, edge] = [scale(former ?? run, m), edges(former ?? run, m)];
  const several = now?.cpus;
  const alone = !former && run.spans.find(({ from, to }) => from <= step && step < to);
  const span = several ? { from: step, to: step + 1, labels: [] } : alone;
  const y = m.cpus + 17 * (several ? now.cpu : 0);
  const here = span && [span.from, span.to];
  const place = Math.min(m.chart, x(step)).toFixed(1);
  return [
    here && [block(edge, here, y, "seg-now"), named(edge, here, y, span.labels, "bg")],
    why?.writes.filter((write) => write.step >= 0).map((write) =>
      h("path.asked", { d: `M${x(write.step).toFixed(1)} ${m.lanes - 4}l3.5 -4.5l-3.5 -4.5l-3.5 4.5z` })),
    h("path.head", { d: `M${place} 8V${m.cpus + 17 * run.cpus - 2}` }), h("circle.knob", { cx: place, cy: 7, r: 5.5 }),
  ];
}

export function gutter(run, m, life) {
  const tiny = m.shape === "tiny";
  const label = (top, ...words) => h("span.label", { style: `top:${top}px` }, ...words);
  const together = run.steps.some(({ cpus }) => cpus);
  const onDisk = life !== undefined && run.life(life).spans.some(({ kind }) => kind === "disk");
  return [
    life === undefined ? label(m.base - 13, tiny ? "pool" : "pool, in pages")
      : [label(m.base - 22, h("b", `page ${life}${tiny ? "" : "’s life"}`)),
        onDisk && !tiny && label(m.base - 9, "below: on disk")],
    m.kinds.map(({ kind, key, name }, row) => {
      const title = `next of ${run.ticks[kind].length} ${name} in this run`;
      return h("button.lane", {
        key: kind, type: "button", class: kind, style: `top:${m.lanes + 13 * row - 1}px`, "data-act": "event",
        "data-kind": kind, title, "aria-label": `${name}: ${title}`,
      }, h("span.chip", { "data-letter": key.toUpperCase() }), tiny ? name.split(" ")[0] : name);
    }),
    Array.from({ length: run.cpus }, (_, cpu) => label(m.cpus + 17 * cpu, `CPU ${CPU[cpu]}`,
      !tiny && (together ? h("span.dim", ` ${run.tasks[cpu] ?? ""}`) : " runs"))),
  ];
}
