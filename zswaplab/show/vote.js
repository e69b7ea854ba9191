/* The board of a vote, for a projector: the question and its options, a clock, a box for the class's lines; once a round
   is closed, bars. What was pasted goes to Python unread, and only numbers come back (teach/vote.py says which). */
import { h, make, patch, themed } from "./dom.js";

const GONE = "The kernel of this vote has gone: nobody is there to count. Run the cell again for a new one.";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const button = (act, look, ...children) => h("button.btn", { type: "button", "data-act": act, class: look }, ...children);
const plain = (label) => label.replace(/\.$/, "");

class Board {
  constructor(model, element) {
    Object.assign(this, { model, ends: null });
    this.root = make(h(".zswaplab-player.sheet.vote", { role: "group" }));
    element.classList.add("zswaplab-player-host");
    element.append(this.root);
    this.dress();
    this.listen();
    this.heard();
  }

  dress() {
    const place = this.root.getRootNode();
    const home = place === document ? document.head : place;
    if (!home.querySelector("style[data-zswaplab-vote]"))
      home.append(make(h("style", { "data-zswaplab-vote": true }, STYLE)));
  }

  listen() {
    const unthemed = themed(this.root);
    const told = () => this.heard();
    this.model.on("change:told", told);
    const key = (event) => { // none of JupyterLab's while something is typed
      if (this.root.contains(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
    };
    this.root.addEventListener("keydown", key);
    this.root.addEventListener("click", ({ target }) => this.click(target.closest("[data-act]")));
    this.root.addEventListener("change", ({ target }) => target.type === "file" && this.upload(target));
    const clock = setInterval(() => this.tick(), 250);
    this.close = () => {
      unthemed();
      clearInterval(clock);
      this.model.off("change:told", told);
    };
  }

  click(pressed) {
    const { act } = pressed?.dataset ?? {};
    if (act === "start") this.model.send({ start: true });
    if (act === "tell") this.model.send({ tell: true });
    if (act === "close") this.model.send({ close: this.box.value, hands: this.hands });
  }

  get box() {
    return this.root.querySelector("textarea");
  }

  /* Hands that were counted, by letter of the option; an empty field is none. */
  get hands() {
    const fields = [...this.root.querySelectorAll("[type=number]")].filter(({ value }) => value !== "");
    return Object.fromEntries(fields.map((field) => [field.name, Number(field.value)]));
  }

  async upload(field) {
    for (const file of field.files) this.box.value += `${await file.text()}\n`;
    field.value = "";
  }

  heard() {
    const { left } = this.model.get("told");
    this.ends = left == null ? null : performance.now() + left * 1000;
    const held = this.root.contains(document.activeElement); // what was pressed is gone once it is drawn
    this.draw();
    if (held) this.root.querySelector(".verdict, textarea, [data-act=start]")?.focus();
  }

  /* Seconds that are left; null when no round is open. */
  get left() {
    return this.ends === null ? null : Math.max(0, Math.ceil((this.ends - performance.now()) / 1000));
  }

  tick() {
    if (this.left !== this.shown) this.draw();
  }

  draw() {
    const v = { asked: this.model.get("asked"), told: this.model.get("told"), left: this.left };
    this.shown = v.left;
    this.root.setAttribute("aria-label", `Vote on prediction ${v.asked.id}`);
    patch(this.root, [
      h(".bar", h("b", "Vote"), h("span.count", `predict("${v.asked.id}", seed=${v.asked.seed})`),
        h("span.what", h("b", v.asked.kernel.replace(/^The kernel: /, "").replace(/\.$/, "")), v.asked.limits)),
      h(".say.ask", v.asked.text),
      h(".votes", this.work(v), this.options(v), this.act(v)),
      h(".foot", h("span", "Numbers only: no name is kept, and nothing leaves this notebook.")),
    ]);
  }

  work({ asked }) {
    const sizes = asked.sizes.map(([page, size]) => `${page}: ${size}`).join(", ");
    return h("section", { key: "work" }, h("p", h("b", "What happens. "), `${asked.work.join(", ")}.`),
      h("p.dim", `Compressed, in bytes: ${sizes}.`), asked.cpus.map((task, cpu) => h("p", h("b", `CPU ${LETTERS[cpu]}: `), task)));
  }

  /* Every option; with bars once a round is closed, one for each round. */
  options({ asked, told }) {
    const rounds = (told.counts ?? []).map((round) => new Map(round));
    const labels = [...new Set([...asked.options, ...rounds.flatMap((round) => [...round.keys()])])];
    const most = Math.max(1, ...rounds.flatMap((round) => [...round.values()]));
    return h("ol.options", { key: "options" }, labels.map((label, index) => h("li", { key: label, class: label === told.right ? "kernel" : "" },
      h("span.option", h("kbd", LETTERS[index]), h("span", plain(label)), label === told.right && h("span.tag", "the kernel")),
      rounds.map((round, number) => this.bar(round.get(label) ?? 0, most, number, rounds.length)))));
  }

  bar(votes, most, number, rounds) {
    return h("span.votes-of", { key: number }, h("span.round", rounds > 1 ? `round ${number + 1}` : ""),
      h("span.track", { "aria-hidden": "true" }, h("i", { style: `width:${(100 * votes) / most}%`, class: `round-${number}` })),
      h("b", votes === 1 ? "1 vote" : `${votes} votes`));
  }

  act(v) {
    const { told, left } = v;
    if (told.open) return this.taking(v, left);
    const closed = (told.counts ?? []).length > 0;
    const dropped = [told.late > 0 && `${told.late} came too late.`, told.elsewhere > 0 && `${told.elsewhere} lines are not of this vote.`];
    return h(".card", { key: "act" },
      closed && h("p.verdict", { tabindex: -1, role: "status" }, told.right == null ? told.advice : told.why, " ", ...dropped),
      h(".acts", told["may start"] && button("start", "go", closed ? "Vote again" : `Vote: ${told.seconds} seconds`),
        closed && told.right == null && button("tell", closed && !told["may start"] ? "go" : "", "Show the answer")),
      this.problem());
  }

  taking({ asked, told }, left) {
    const hands = asked.options.map((label, index) => h("label", { key: label }, `${LETTERS[index]} `,
      h("input", { type: "number", min: "0", name: LETTERS[index], "aria-label": `hands for ${plain(label)}` })));
    return h(".card", { key: `taking ${told.round}` },
      h("p.clock", { role: "timer" }, h("b", left > 0 ? `${left} s` : "Time"), left > 0 ? "" : " No more votes. Paste what came in, and close."),
      h("label.lines", "The class’s lines ", h("textarea", { rows: "4", spellcheck: "false" })),
      h("label.file", "or a file of them ", h("input", { type: "file", multiple: true, accept: ".txt,.csv" })),
      h("details", h("summary", "or hands"), h(".hands", hands)),
      h(".acts", button("close", "go", "Close, and show")),
      this.problem());
  }

  problem() {
    const { problem } = this.model.get("told");
    return problem && h("p.problem", { role: "alert" }, problem);
  }
}

function render({ model, el }) {
  const board = new Board(model, el);
  return () => board.close();
}

export default { render, gone: GONE };
