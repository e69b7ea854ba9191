/* What every player brings with it: it fetches the program that all players of a notebook share, so that a notebook
   keeps that once; and it says so when the kernel has gone, because the player plays on. */

import { watch } from "./kernel.js";

const GONE = "The kernel of this player has gone: it still plays, but Python no longer moves it. Run the cell again for a new one.";

/* The program, from the model that holds it: evaluated once for all players on a page. */
async function program(model) {
  const shared = await model.widget_manager.get_model(model.get("program").replace("IPY_MODEL_", ""));
  shared.zswaplab ??= evaluated(shared.get("code"));
  return (await shared.zswaplab).default;
}

async function evaluated(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const address = URL.createObjectURL(new Blob([await new Response(plain).text()], { type: "text/javascript" }));
  try {
    return await import(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}

async function render({ model, el, ...more }) {
  const drawn = await program(model);
  const said = { className: "zswaplab-gone", textContent: drawn.gone ?? GONE, hidden: true };
  const words = Object.assign(document.createElement("p"), said);
  words.setAttribute("role", "status");
  const unwatch = watch({ model, el }, () => {
    words.hidden = false;
    el.dispatchEvent(new Event("zswaplab-gone")); // to what needs Python, and must not move without it
  });
  const save_changes = () => words.hidden && model.save_changes(); // to nobody, otherwise
  const close = await drawn.render({ model: { ...model, save_changes }, el, ...more });
  el.append(words);
  return () => {
    unwatch();
    close?.();
  };
}

export default { render };
