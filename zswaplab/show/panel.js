/* The lab panel: it draws the controls that controls.py describes, and what a run came to. It moves nothing by itself:
   what the reader does is told to Python, and a control moves when Python says that it has. */
import { h, make, patch, themed } from "./dom.js";
import { watch } from "./kernel.js";

const GONE = "The kernel of this panel has gone: its switches do not move any more. Run the cell again for a new one.";
const OWN = "own";
const CSV = "operation,page,seed\nwrite,3,\npage_out,3,\nread,3,\n";
const MOST = 20; // pages of a strip that have their number
const COLUMNS = [
  ["first", "leaves first"], ["written", "written back"], ["left", "which"], ["refused", "refused"],
  ["zswap", "read from zswap"], ["disk", "read from disk"], ["ended", "ended"],
];

let panels = 0;

class Panel {
  constructor(model, element) {
    Object.assign(this, { model, gone: false, name: `zswaplab-lab-${(panels += 1)}`, stop: undefined, line: "" });
    this.root = make(h("section.zswaplab-lab", { "aria-label": "Lab panel", "data-lm-suppress-shortcuts": "true" }));
    element.append(this.root);
    const home = this.root.getRootNode() === document ? document.head : this.root.getRootNode();
    if (!home.querySelector("style[data-zswaplab-lab]"))
      home.append(make(h("style", { "data-zswaplab-lab": true }, STYLE)));
    this.listen(element);
    this.draw();
  }

  listen(element) {
    const draw = () => this.draw();
    const told = (message) => message.line && this.copy(message.line);
    for (const name of ["state", "folded", "more"]) this.model.on(`change:${name}`, draw);
    this.model.on("msg:custom", told);
    const key = (event) => this.key(event); // on the window, where the player takes keys too
    window.addEventListener("keydown", key, true);
    this.root.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("change", (event) => this.changed(event));
    this.root.addEventListener("keydown", ({ target, key }) => {
      this.going = target.tagName === "SELECT" && key !== "Enter";
      if (key === "Enter") this.left();
    });
    this.root.addEventListener("pointerdown", () => (this.going = false));
    this.root.addEventListener("focusout", () => this.left());
    const unwatch = watch({ model: this.model, el: element }, () => {
      this.gone = true;
      this.draw();
    });
    const unthemed = themed(this.root);
    this.close = () => {
      unwatch();
      unthemed();
      window.removeEventListener("keydown", key, true);
      for (const name of ["state", "folded", "more"]) this.model.off(`change:${name}`, draw);
      this.model.off("msg:custom", told);
    };
  }

  /* ---------------------------------------------------------------- what the reader does */

  get state() {
    return this.model.get("state");
  }

  tell(message) {
    if (!this.gone) this.model.send(message);
  }

  /* Tell what a menu was set to. A key goes through a closed menu one by one: then the panel stays open until the reader
     has left it. */
  menuSet(fields) {
    this.tell(this.going ? { set: fields, stay: true } : { set: fields });
    this.went = this.going;
  }

  left() {
    if (this.went) this.tell({ fold: true });
    this.going = this.went = false;
  }

  put(name, value) {
    this.model.set(name, value);
    if (!this.gone) this.model.save_changes();
    this.draw();
  }

  click({ target }) {
    const found = target.closest("[data-act]");
    if (!found || found.getAttribute("aria-disabled") === "true") return;
    const { act, field, index, back } = found.dataset;
    const control = this.state.controls.find(({ name }) => name === field);
    const acts = {
      choose: () => this.choose(control, Number(index)),
      back: () => this.tell({ set: control.options[Number(back)].back }),
      more: () => this.put("more", !this.model.get("more")), fold: () => this.fold(),
      share: () => this.tell({ share: true }), "go on": () => this.tell({ "go on": true }),
      csv: () => this.tell({ csv: this.root.querySelector("textarea").value }),
    };
    acts[act]();
  }

  choose({ name, value, options }, index) {
    if (options[index].value === value) return;
    this.changing = `[data-field="${name}"][data-index="${index}"]`;
    this.tell({ set: { [name]: options[index].value } });
  }

  /* Open the panel again, or fold it; the keyboard stays with what was used last. */
  fold() {
    const folded = !this.model.get("folded");
    this.put("folded", folded);
    const wanted = folded ? ".unfold" : this.changing ?? "button";
    (this.root.querySelector(wanted) ?? this.root.querySelector("button"))?.focus();
  }

  /* A field that the browser has moved goes back, until Python has moved it. */
  changed({ target }) {
    const { field, size, run } = target.dataset;
    if (target.type === "file") {
      target.files[0]?.text().then((text) => (this.root.querySelector("textarea").value = text));
      return;
    }
    const control = this.state.controls.find(({ name }) => name === field);
    if (!control) return;
    const given = target.value;
    this.changing = `[data-field="${field}"]${size ? `[data-size="${size}"]` : ""}`;
    this.typing = field === "workload" && given === OWN;
    if (target.tagName === "SELECT") {
      if (run !== undefined) this.menuSet({ workload: [control.value, given, ...Object.values(control.sizes)].join(" ") });
      else if (this.typing || field === "workload") {
        if (!this.typing) this.menuSet({ workload: given });
      }
      if (field === "workload") {
        target.value = run !== undefined ? control.run : this.typing ? OWN : control.value;
        this.draw();
        return;
      }
      target.value = String(control.options.findIndex(({ value }) => value === control.value));
      this.menuSet({ [field]: control.options[Number(given)].value });
      return;
    }
    target.value = size ? control.sizes[size] : control.value;
    if (size) {
      const sizes = Object.entries(control.sizes).map(([name, value]) => (name === size ? given : value));
      this.tell({ set: { workload: [control.value, control.run, ...sizes].filter((part) => part !== undefined).join(" ") } });
    } else if (/^\d+$/.test(given)) this.tell({ set: { [field]: Number(given) } });
  }

  /* Arrows go along the line of stages, up and down from branch to branch; Enter or Space chooses. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.key.startsWith("Arrow")) return;
    const stop = event.target.closest?.(".stop");
    if (!stop || !this.root.contains(stop)) return;
    const { options } = this.state.controls.find(({ name }) => name === "stage");
    const at = options[Number(stop.dataset.index)];
    const next = this.neighbour(options, at, event.key.slice(5));
    event.preventDefault();
    event.stopPropagation();
    if (!next) return;
    this.stop = next.value;
    this.draw();
    this.root.querySelector(`.stop[data-index="${options.indexOf(next)}"]`).focus();
  }

  neighbour(options, at, way) {
    if (way === "Up" || way === "Down") {
      const branch = way === "Up" ? "reviewed" : "merged";
      return options.find((one) => one.label === at.label && one.branch === branch && one !== at);
    }
    const along = options.filter(({ branch }) => !branch || !at.branch || branch === at.branch);
    const path = at.branch ? along : along.filter(({ branch }) => branch !== "reviewed");
    return path[path.indexOf(at) + (way === "Right" ? 1 : -1)];
  }

  async copy(line) {
    this.line = line;
    this.copied = await navigator.clipboard?.writeText(line).then(() => true, () => false);
    this.draw();
    this.root.querySelector(".line")?.select();
  }

  /* ---------------------------------------------------------------- what is drawn */

  draw() {
    const { state, root } = this;
    const folded = this.model.get("folded");
    root.classList.toggle("folded", folded);
    root.classList.toggle("gone", this.gone);
    const focused = root.contains(document.activeElement) && document.activeElement;
    patch(root, folded ? this.folded(state) : this.open(state));
    for (const [control, node] of this.inputs())
      if (node.tagName === "SELECT" || node !== document.activeElement) node.value = control;
    if (folded && focused && !root.contains(document.activeElement)) root.querySelector(".unfold").focus();
  }

  /* What an input shows beside its attributes. */
  *inputs() {
    for (const node of this.root.querySelectorAll("[data-shown]")) yield [node.dataset.shown, node];
  }

  folded({ tags, title, words }) {
    return [
      h(".one",
        h("button.btn.unfold", { type: "button", "data-act": "fold", "aria-expanded": "false" }, "Change"),
        h("span.kernel", h("b", tags[0].split(": ")[0]), ` · ${tags.slice(1).join(" · ")} · ${title}`),
        h("span.came", words)),
      this.notices(),
    ];
  }

  open(state) {
    const of = (names) => state.controls.filter(({ name }) => names(name));
    const line = of((name) => name === "stage");
    const first = of((name) => name !== "stage" && !state.more.includes(name));
    const more = of((name) => state.more.includes(name));
    const opened = this.model.get("more");
    const changed = more.filter(({ value, delivered }) => value !== delivered);
    return [
      line.map((control) => this.stages(control)),
      h(".fields", first.map((control) => this.field(control)), !more.length && this.sharing(line.length)),
      this.typing && this.own(state),
      more.length > 0 && h(".more",
        h("button.disclose", { type: "button", "data-act": "more", "aria-expanded": String(opened) }, "More"),
        h("span.brief", changed.length ? changed.map(({ label, value }) => `${label} ${value}`).join(" · ") : "all as delivered"),
        this.sharing(line.length),
        opened && h(".rest", more.map((control) => this.field(control)))),
      this.notices(),
      state.held ? h(".held", h("button.btn.go", { type: "button", "data-act": "go on" }, "Run on"),
        h("span", "What comes next is not run yet: first say what you expect.")) : outcome(state.rows),
    ];
  }

  sharing(foldable) {
    return h("span.sharing",
      h("button.btn", { type: "button", "data-act": "share", title: "copies a line that makes all of this again" },
        "Copy as a line"),
      foldable > 0 && h("button.btn", { type: "button", "data-act": "fold", "aria-expanded": "true" }, "Fold"));
  }

  notices() {
    return [
      h(".problem", { role: "alert" }, this.gone ? GONE : this.state.problem),
      this.line && h(".shared", h("span", { role: "status" }, this.copied ? "Copied:" : "Copy this line:"),
        h("input.line", { type: "text", readonly: true, "aria-label": "The line that makes this again", "data-shown": this.line })),
    ];
  }

  /* The line of stages: before the series, its two branches, and after. */
  stages({ name, label, options, value }) {
    const at = options.find((one) => one.value === value);
    const focusable = options.find((one) => one.value === this.stop)?.value ?? value;
    const reached = (one) => options.indexOf(one) < options.indexOf(at) && (!one.branch || one.branch === at.branch ||
      (at.value === "v6.5" && one.branch === "merged"));
    const stop = (one) => h("button.stop", {
      type: "button", role: "radio", "aria-checked": String(one === at), "data-act": "choose", "data-field": name,
      "data-index": options.indexOf(one), "aria-label": one.title, title: one.title, key: one.value,
      tabindex: one.value === focusable ? 0 : -1, "aria-disabled": this.gone ? "true" : null,
      class: [one.branch || "whole", reached(one) && "reached", one === at && "at"].filter(Boolean).join(" "),
      style: one.branch || one.value === "v6.5" ? `grid-column: ${one.branch ? 5 + Number(one.label) : 13}` : null,
    }, h("span.n", one.label), h("span.dot", { "aria-hidden": "true" }, one === at ? one.label : ""));
    const words = options.filter(({ branch, value: id }) => branch === "merged" || id === "v6.5");
    const onReviewed = at.branch === "reviewed";
    const onSeries = at.branch || at.value === "v6.5";
    return h(".stages", { role: "radiogroup", "aria-label": label, key: "stages" },
      h("b.l", { "aria-hidden": "true" }, label),
      h("svg.fork", { viewBox: "0 0 60 68", preserveAspectRatio: "none", "aria-hidden": "true" },
        ["M0 34C22 34 14 17 40 17H60", "M0 34C22 34 14 51 40 51H60"].map((d, row) =>
          h("path", { d, class: onSeries && (row === 0) === onReviewed ? "way" : null }))),
      h("span.branch.reviewed", { class: onReviewed ? "on" : null, "aria-hidden": "true" }, "as reviewed"),
      h("span.branch.merged", { class: onSeries && !onReviewed ? "on" : null, "aria-hidden": "true" }, "as merged"),
      options.map(stop),
      words.map((one) => h("span.words", {
        style: `grid-column: ${one.branch ? 5 + Number(one.label) : 13}`, "aria-hidden": "true",
        class: one.label === at.label ? "on" : null,
      }, one.branch ? one.words : "and two fixes")),
      h("span.title", { "aria-hidden": "true" }, at.title));
  }

  field(control) {
    const { name, label, kind, note, no, options = [] } = control;
    const id = `${this.name}-${name}`;
    const ruled = options.findIndex((option) => option.no);
    const why = ruled >= 0 ? options[ruled] : undefined;
    const kinds = { choice: () => this.choice(control, id), menu: () => this.menu(control, id),
      number: () => this.number(control, id), workload: () => this.workload(control, id) };
    return h(".f", { key: name, class: `of-${name}` }, h("span.l", { id }, label), kinds[kind](),
      h("span.why", { id: `${id}-why`, class: why || no ? "no" : null }, why ? [why.no, " ",
        why.way && h("button.way", { type: "button", "data-act": "back", "data-field": name, "data-back": ruled }, why.way)]
        : no || note));
  }

  choice({ name, value, options }, id) {
    return h("span.seg", { role: "group", "aria-labelledby": id, class: options.some(({ no }) => no) ? "off" : null },
      options.map((option, index) => h("button", {
        type: "button", "data-act": "choose", "data-field": name, "data-index": index,
        "aria-pressed": String(option.value === value), class: option.value === value ? "on" : null,
        "aria-disabled": option.no || this.gone ? "true" : null, "aria-describedby": option.no ? `${id}-why` : null,
      }, option.label)));
  }

  menu({ name, value, options }, id) {
    const at = options.findIndex((option) => option.value === value);
    return h("select", { "data-field": name, "aria-labelledby": id, "data-shown": String(at), disabled: this.gone },
      options.map(({ label }, index) => h("option", { value: String(index), selected: index === at }, label)));
  }

  number({ name, value, no }, id) {
    return h("input", { type: "number", min: 0, "data-field": name, "aria-labelledby": id, "aria-describedby": `${id}-why`,
      "data-shown": value ?? "", disabled: Boolean(no) || this.gone });
  }

  workload({ name, value, options, sizes, runs, run }, id) {
    const shown = this.typing ? OWN : value;
    return h("span.wl",
      h("select", { "data-field": name, "aria-labelledby": id, "data-shown": shown, disabled: this.gone },
        options.map((option) => h("option", { value: option.value, selected: option.value === shown }, option.label))),
      !this.typing && runs && h("select", { "data-field": name, "data-run": true, "aria-label": "Recording", "data-shown": run,
        disabled: this.gone }, runs.map((one) => h("option", { value: one, selected: one === run }, one))),
      !this.typing && Object.entries(sizes).map(([size, count]) => h("label.size", { key: size }, size, h("input", {
        type: "number", min: 0, "data-field": name, "data-size": size, "data-shown": count, disabled: this.gone }))));
  }

  /* A workload of the reader's own. */
  own({ controls }) {
    const { csv } = controls.find(({ name }) => name === "workload");
    return h(".own", { key: "own" },
      h("textarea", { rows: 5, spellcheck: "false", "aria-label": "Workload as CSV", "data-shown": csv || CSV }),
      h(".acts", h("p", "One operation a line: write, page_out, read or free with a page’s number, or worker. A write may ",
        "have a seed, from which its 4,096 bytes are made."),
      h("label.btn", { tabindex: -1 }, "From a file", h("input", { type: "file", accept: ".csv,text/csv" })),
      h("button.btn.go", { type: "button", "data-act": "csv" }, "Run these")));
  }
}

/* ---------------------------------------------------------------- what a run came to */

/* The table has a column only for what is there; what has changed is bold. */
function outcome(rows) {
  if (!rows.length) return null;
  const [now, before] = rows;
  const shown = COLUMNS.filter(([name]) => rows.some((row) => (name === "left" ? row.left.length : row[name] !== null)) &&
    (name !== "refused" || rows.some((row) => row.refused)));
  const cell = (row, name) => {
    const changed = row === now && before && String(before[name]) !== String(now[name]);
    return h("td", { class: changed ? "ch" : null, "data-name": name }, CELLS[name]?.(row, row === now) ?? String(row[name]));
  };
  return h("table", { key: "outcome", "aria-label": "What the workload came to" },
    h("thead", h("tr", h("td"), shown.map(([name, label]) => h("th", { scope: "col" }, label)))),
    h("tbody", rows.map((row) => h("tr", { class: row === now ? "now" : "was", key: row.name },
      h("th", { scope: "row" }, h("b", row.name), ` ${row.what}`), shown.map(([name]) => cell(row, name))))));
}

const CELLS = {
  first: ({ first }, now) => (first === null ? "none" : strip([first], [first], now)),
  left: ({ pages, left }, now) => strip(pages, left, now),
  ended: ({ ended }) => (ended === "well" ? ended : h("b.bad", ended)),
};

/* Pages in their order, those that left filled; where there are many, a cell has no number, then stands for several. */
function strip(pages, left, now) {
  const gone = new Set(left);
  const share = Math.ceil(pages.length / 90);
  const cells = Array.from({ length: Math.ceil(pages.length / share) }, (_, index) =>
    pages.slice(index * share, (index + 1) * share));
  const words = left.length ? `written back: ${spans(left)}` : "none was written back";
  const look = (few) => {
    const part = few.filter((page) => gone.has(page)).length / few.length;
    const entry = few[0] % 5;
    return { class: part ? "on" : null, style: `--c:var(--e${entry});--i:var(--i${entry});--part:${Math.round(part * 100)}%` };
  };
  const size = pages.length > MOST ? "many" : null;
  return h("span.strip", { role: "img", "aria-label": words, class: [size, now ? null : "past"].filter(Boolean).join(" ") },
    cells.map((few) => h("i", look(few), size || !gone.has(few[0]) ? "" : String(few[0]))));
}

/* "2 to 6, 9": neighbours together. */
function spans(pages) {
  const runs = [];
  for (const page of pages) {
    if (runs.length && runs.at(-1)[1] === page - 1) runs.at(-1)[1] = page;
    else runs.push([page, page]);
  }
  return runs.map(([from, to]) => (from === to ? from : to === from + 1 ? `${from}, ${to}` : `${from} to ${to}`)).join(", ");
}

function render({ model, el }) {
  const panel = new Panel(model, el);
  return () => panel.close();
}

export default { render };
