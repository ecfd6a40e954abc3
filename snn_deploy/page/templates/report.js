"use strict";
(() => {
  const root = document.documentElement;

  const themes = ["system", "light", "dark"];
  const button = document.getElementById("theme");
  let theme = new URLSearchParams(location.search).get("theme");
  if (!themes.includes(theme)) theme = "system";
  const show = () => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
    button.textContent = `Theme: ${theme}`;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    show();
  });
  show();

  const group = document.querySelector(".switch");
  if (group) {
    group.hidden = false;
    const choices = [...group.querySelectorAll("button")];
    const cores = [...document.querySelectorAll(".chip .core")];
    const scales = [...document.querySelectorAll("[data-scale]")];
    const choose = (measure) => {
      for (const choice of choices) {
        choice.setAttribute("aria-pressed", String(choice.dataset.measure === measure));
      }
      for (const scale of scales) scale.hidden = scale.dataset.scale !== measure;
      for (const core of cores) core.setAttribute("class", `core q${core.dataset[measure]}`);
    };
    for (const choice of choices) {
      choice.addEventListener("click", () => choose(choice.dataset.measure));
    }
  }
})();
