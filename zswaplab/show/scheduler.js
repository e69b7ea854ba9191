/* The scheduler by hand: a player with a button for each CPU, whose lanes are the schedule. What a CPU can do, and why
   not, comes from Python (scheduler.py); without it no button moves. */
import { h, make, patch } from "./dom.js";
import { fitting, lock, number, px } from "./drawing.js";
import { DRAWN, Player, doing, keys } from "./player.js";

const TALL = 32; // of a CPU's line
const HEAD = 22; // of the steps' numbers
const GONE = "The kernel has gone: nothing can be run any more. Run the cell again.";

class Scheduler extends Player {
  build() {
    super.build();
    const { model, root } = this;
    root.classList.add("zswaplab-scheduler");
    this.lanes = make(h("svg.hand-lanes", { "aria-hidden": "true" }));
    this.hand = make(h(".hand", { role: "group", "aria-label": "The scheduler" },
      h(".hand-cpus", { role: "group", "aria-label": "Run one step of a CPU" }), h(".hand-steps")));
    this.plan = make(h(".plan", { role: "group", "aria-label": "The schedule" }));
    root.querySelector(".bar").after(this.hand, this.plan);
    this.buttons = this.hand.querySelector(".hand-cpus");
    this.hand.querySelector(".hand-steps").append(this.lanes);
    root.querySelector(".foot .keys").prepend(make(h("span.own", keys(this.names.join(" ")), "run a CPU  ",
      h("kbd", "⌫"), "back")));
    this.lanes.addEventListener("click", (event) => this.toLane(event));
    this.pasting = make(h("input", { type: "text", name: "schedule", "aria-label": "Schedule", spellcheck: "false",
      autocomplete: "off", placeholder: "press a CPU, or paste a schedule: a5b3a" }));
    this.pasted = model.get("schedule");
    this.pasting.value = this.pasted;
  }

  get names() {
    return this.model.get("cpus").map(({ name }) => name);
  }

  listen() {
    super.listen();
    const close = this.close;
    const told = () => this.told();
    const heard = ["cpus", "blocks", "schedule", "refused", "search", "ended"];
    for (const name of heard) this.model.on(`change:${name}`, told);
    this.root.parentElement.addEventListener("zswaplab-gone", () => {
      this.gone = true;
      this.told();
    });
    this.close = () => {
      close();
      for (const name of heard) this.model.off(`change:${name}`, told);
    };
  }

  /* The lanes stand in place of the player's time band. */
  get hidden() {
    return super.hidden.add("curve");
  }

  /* What Python has sent is on its way; it plays once it is there. */
  play() {
    if (this.run && this.run.steps.length < this.model.get("begin") + this.taken.length) return;
    super.play();
  }

  /* ---------------------------------------------------------------- what the reader does */

  key(event) {
    super.key(event);
    if (event.target === this.pasting && event.key === "Enter" && !event.isComposing) this.paste();
  }

  keys(event) {
    const own = Object.fromEntries(this.names.map((name) => [name, () => this.take(name)]));
    return { ...super.keys(event), ...own, Backspace: () => this.send({ back: 1 }, this.taken.length > 0) };
  }

  get taken() {
    return this.model.get("blocks");
  }

  act(data, shift) {
    const { search } = this;
    const acts = {
      cpu: () => this.take(data.cpu), undo: () => this.send({ back: 1 }, this.taken.length > 0),
      again: () => this.send({ back: this.taken.length }, this.taken.length > 0), paste: () => this.paste(),
      find: () => this.send({ find: true }), cancel: () => this.send({ cancel: true }),
      found: () => this.send({ play: search.schedule }),
    };
    if (acts[data.act]) acts[data.act]();
    else super.act(data, shift);
  }

  /* Ask Python, if it is there. */
  send(what, can = true) {
    if (this.gone || !can) return;
    this.model.send(what);
  }

  /* One step of a CPU; one that cannot run says why. */
  take(name) {
    const cpu = this.model.get("cpus").find((one) => one.name === name);
    this.reason = cpu.ready ? "" : `CPU ${name} ${cpu.state === "over" ? "cannot run: " : ""}${cpu.why}`;
    if (cpu.ready) this.send({ run: name });
    this.drawPlan();
  }

  paste() {
    this.reason = "";
    const text = this.pasting.value.trim();
    if (text !== this.model.get("schedule")) this.send({ follow: text });
    this.root.focus({ preventScroll: true });
  }

  /* A click on the lanes shows that step. */
  toLane({ clientX }) {
    const { left } = this.lanes.getBoundingClientRect();
    const index = Math.floor((clientX - left) / this.pitch);
    if (index >= 0 && index < this.taken.length) this.seek(this.model.get("begin") + index);
  }

  get search() {
    return this.model.get("search");
  }

  /* Python has told something new. */
  told() {
    this.reason = "";
    const schedule = this.model.get("schedule");
    if (schedule !== this.pasted || document.activeElement !== this.pasting) this.pasting.value = schedule;
    this.pasted = schedule;
    if (this.run) this.draw();
  }

  /* ---------------------------------------------------------------- what is drawn */

  above(width) {
    const wide = width >= 900;
    const lines = this.names.length;
    const high = HEAD + TALL * lines + 8;
    Object.assign(this, { wide, gutter: wide ? 236 : Math.min(236, Math.floor(width * 0.45)) });
    this.buttons.style.width = px(this.gutter);
    this.hand.style.height = px(high);
    return high + (this.plan.offsetHeight || 40);
  }

  draw() {
    super.draw();
    if (!this.m) return;
    this.drawButtons();
    this.drawLanes();
    this.drawPlan();
  }

  drawBar(v) {
    super.drawBar(v);
    const at = v.step - this.model.get("begin") + 1;
    const ready = this.model.get("cpus").filter((cpu) => cpu.ready).map(({ name }) => name);
    const can = ready.length ? `ready: ${ready.join(", ")}` : "nobody can run";
    patch(this.count, this.message || [at > 0 ? ["step ", h("b", String(at)), ` of ${this.taken.length}, by hand`]
      : "before the first step", h("span.also-at", ` · ${can}`)]);
  }

  drawButtons() {
    patch(this.buttons, [
      h("span.tiny.dim.press", "press ", keys(this.names.join(" ")), "to run one"),
      this.model.get("cpus").map(({ name, task, ready, state, why }) => {
        const off = !ready || this.gone;
        return doing("cpu", {
          key: name, "data-cpu": name, class: `on-cpu ${off ? (ready ? "over" : state) : "ready"}`, "aria-disabled": off ? "true" : null,
          title: `${task}: ${why}`,
        }, h("span.line", h("b", `CPU ${name}`), h("span.task", task), !off && h("span.go", { "aria-hidden": "true" }, "▸")),
        h("span.why-not", state === "blocked" && lock(), why));
      }),
    ]);
  }

  /* A lane for each CPU: a block for each step it took, a bar under it where it holds a lock, hatching where it waits. */
  drawLanes() {
    const { run, taken, names, step } = this;
    const begin = this.model.get("begin");
    const width = Math.max(120, this.root.clientWidth - this.gutter - (this.m.shape === "tiny" ? 28 : 32) - 14);
    const high = HEAD + TALL * names.length + 2;
    const pitch = (this.pitch = Math.min(84, width / Math.max(8, taken.length + 1)));
    for (const [name, value] of Object.entries({ width, height: high, viewBox: `0 0 ${width} ${high}` }))
      this.lanes.setAttribute(name, value);
    const shown = step - begin;
    const every = Math.max(1, Math.ceil(24 / pitch));
    const place = (index) => index * pitch;
    const at = (cpu) => HEAD + TALL * cpu;
    patch(this.lanes, [
      names.map((name, cpu) => h("path.rail", { d: `M0 ${at(cpu) + TALL / 2 - 2}H${width}` })),
      taken.map(([cpu, ...labels], index) => {
        const now = index === shown;
        const text = fitting(labels, pitch - 8);
        const x = place(index) + 1;
        const { cpus } = run.steps[begin + index] ?? {};
        const middle = (place(index) + pitch / 2).toFixed(1);
        return h("g", { key: index },
          (now || (index + 1) % every === 0 || index === 0) && h("text", { x: middle, y: 13, "text-anchor": "middle",
            class: now ? "t-now" : "" }, String(index + 1)),
          h("rect", { class: now ? "block now" : "block", x, y: at(cpu), width: pitch - 2, height: TALL - 8, rx: 3 }),
          text && h("text", { class: now ? "on-now" : "t-ink", x: middle, y: at(cpu) + TALL / 2, "text-anchor": "middle" }, text),
          cpus?.map(({ holds, waits }, other) => [
            holds.length > 0 && h("path.held", { d: `M${x + 1} ${at(other) + TALL - 5}h${Math.max(1, pitch - 4)}` }),
            waits && other !== cpu && [
              h("rect.seg-wait", { x, y: at(other) + 5, width: pitch - 2, height: TALL - 18, rx: 3 }),
              h("text.t-wait", { x: middle, y: at(other) + TALL / 2, "text-anchor": "middle" }, fitting(["waits"], pitch - 6))],
          ]));
      }),
      shown >= 0 && h("path.head", { d: `M${(place(shown + 1) - 0.5).toFixed(1)} 4V${high - 4}` }),
      taken.length === 0 && h("text", { x: 4, y: at(0) + 12 }, "not started: each press runs one CPU up to its next yield"),
    ]);
  }

  drawPlan() {
    const { search, gone, taken } = this;
    const busy = search.state === "searching";
    const nothing = gone || taken.length === 0;
    const ended = this.model.get("ended");
    const said = gone ? GONE : this.reason || this.model.get("refused") || ended;
    const look = ended.startsWith("crashed") ? "crashed" : said && said !== ended ? "blocked" : "";
    if (!this.plan.contains(this.pasting)) {
      this.typed = make(h("label.typed", h("b", "Schedule")));
      this.typed.append(this.pasting);
      this.rest = make(h("span.rest"));
      this.plan.append(this.typed, this.rest);
    }
    this.pasting.disabled = Boolean(gone);
    const before = this.plan.offsetHeight;
    patch(this.rest, [
      doing("paste", { class: "btn", disabled: gone }, "Run it"),
      doing("undo", { class: "btn", disabled: nothing, title: "take the last step back (Backspace)" }, "Undo"),
      doing("again", { class: "btn", disabled: nothing }, "Start again"),
      h("span.hunt",
        busy ? doing("cancel", { class: "btn", key: "cancel", disabled: gone }, "Cancel")
          : doing("find", { class: "btn go", key: "find", disabled: gone }, "Find the shortest failing schedule"),
        h("span.found", { role: "status" }, this.news())),
      h("span.told-by-hand", { role: "status", class: look }, said),
    ]);
    if (before && this.plan.offsetHeight !== before) this.layout();
  }

  /* How the search stands. */
  news() {
    const { state, states, seconds, schedule, words, searched } = this.search;
    if (state === "searching") return [h("span.turning", { "aria-hidden": "true" }), `${number(states)} states in ${seconds.toFixed(1)} s`];
    if (state === "found") {
      const fault = words.split(": ")[1] ?? words;
      return [h("span", h("code.schedule", schedule), ` fails: ${fault}`, h("br"), h("span.tiny.dim", searched)),
        doing("found", { class: "btn", disabled: this.gone }, "Play it")];
    }
    return words ? h("span", words, h("br"), h("span.tiny.dim", searched ?? "")) : null;
  }
}

DRAWN.scheduler = Scheduler;
