/* Call `gone` once there is no kernel behind the view: JupyterLab marks it, except when a kernel dies or is shut down. */
export function watch({ model, el }, gone) {
  const marked = () => el.classList.contains("jupyter-widgets-disconnected") && gone();
  const marks = new MutationObserver(marked);
  marks.observe(el, { attributes: true, attributeFilter: ["class"] });
  marked();
  const died = (kernel, status) => /restarting|terminating|dead/.test(status) && gone();
  const { statusChanged, disposed } = model.widget_manager.kernel ?? {};
  statusChanged?.connect(died);
  disposed?.connect(gone);
  return () => {
    marks.disconnect();
    statusChanged?.disconnect(died);
    disposed?.disconnect(gone);
  };
}
