// Shows the HTML that the Python side built, and tells it what was clicked or typed.
function place(el) {
  const focused = el.getRootNode().activeElement;
  const scroll = el.querySelector(".xr-scroll");
  return {
    key: focused && el.contains(focused) ? [focused.dataset.do, focused.dataset.field] : null,
    left: scroll ? scroll.scrollLeft : 0,
  };
}

function restore(el, { key, left }) {
  const scroll = el.querySelector(".xr-scroll");
  if (scroll) scroll.scrollLeft = left;
  if (!key) return;
  const same = [...el.querySelectorAll("[data-do]")].find(
    (each) => each.dataset.do === key[0] && each.dataset.field === key[1],
  );
  if (!same) return;
  same.focus({ preventScroll: true });
  if (same.matches("input")) same.setSelectionRange(same.value.length, same.value.length);
}

// Where a page may not write to the clipboard, as over plain http, the text is selected to be copied by hand.
function copy(button) {
  const code = button.previousElementSibling;
  const written = navigator.clipboard?.writeText(code.textContent) ?? Promise.reject();
  written.then(
    () => { button.textContent = "copied"; },
    () => {
      getSelection().selectAllChildren(code);
      button.textContent = "selected";
    },
  );
}

function render({ model, el }) {
  const draw = () => {
    const before = place(el);
    el.innerHTML = model.get("html");
    restore(el, before);
  };
  const busy = () => el.setAttribute("aria-busy", model.get("busy"));
  const tell = (target, value) => model.send({ do: target.dataset.do, field: target.dataset.field, value });

  el.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button) return;
    if (button.dataset.do === "copy") {
      copy(button);
    } else {
      tell(button, button.dataset.value ?? "");
    }
  });
  el.addEventListener("change", (event) => {
    if (event.target.matches("input[data-do]")) tell(event.target, event.target.value);
  });
  // Keys typed into a filter box must not reach the notebook's shortcuts.
  el.addEventListener("keydown", (event) => {
    if (event.target.matches("input[data-do]")) event.stopPropagation();
  });

  el.classList.add("xr-live"); // Without it, in a saved page, controls that nobody would hear are hidden.
  model.on("change:html", draw);
  model.on("change:busy", busy);
  draw();
  return () => {
    model.off("change:html", draw);
    model.off("change:busy", busy);
  };
}

export default { render };
