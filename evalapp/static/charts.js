// Lets a chart be explored: Plotly is laid over the server's drawing when there is time for it, or when asked.
(() => {
  "use strict";
  const script = document.currentScript;
  const stages = [...document.querySelectorAll("[data-chart]")];
  if (!stages.length || !window.IntersectionObserver) return;
  const config = { displayModeBar: false, showSendToCloud: false, plotlyServerURL: "", responsive: true, scrollZoom: false };
  let plotly = null;

  const later = window.requestIdleCallback
    ? (work) => window.requestIdleCallback(work, { timeout: 4000 })
    : (work) => window.setTimeout(work, 600);

  function load() {
    if (plotly) return plotly;
    plotly = new Promise((resolve, reject) => {
      const style = document.createElement("link");
      style.id = "plotly.js-style-global"; // plotly.js then adds no rules of its own, which the policy would refuse
      style.className = "no-inline-styles";
      style.rel = "stylesheet";
      style.href = script.dataset.plotlyCss;
      const code = document.createElement("script");
      code.src = script.dataset.plotly;
      style.onload = () => document.head.append(code);
      style.onerror = reject;
      code.onload = () => resolve(window.Plotly);
      code.onerror = reject;
      document.head.append(style);
    });
    return plotly;
  }

  function isSlow() {
    const line = navigator.connection;
    return Boolean(line && (line.saveData || /2g|3g/.test(line.effectiveType || "")));
  }

  // A drawing inside a closed <details> stays the server's until it is seen.
  async function take(stage) {
    if (stage.dataset.taken || !stage.checkVisibility()) return;
    stage.dataset.taken = "yes";
    const live = document.createElement("div");
    live.className = "chart-live";
    live.setAttribute("aria-hidden", "true"); // the drawing beneath keeps its label, and the table its numbers
    try {
      const drawer = await load();
      const figure = JSON.parse(document.getElementById(`${stage.dataset.chart}-data`).textContent);
      figure.layout.height = stage.clientHeight;
      stage.append(live);
      await drawer.newPlot(live, figure.data, figure.layout, config);
      stage.classList.add("live");
    } catch {
      live.remove(); // the server's drawing stays
    }
    const button = document.querySelector(`[data-explore="${stage.dataset.chart}"]`);
    if (button) button.hidden = true;
  }

  for (const button of document.querySelectorAll("[data-explore]")) {
    button.hidden = false;
    button.addEventListener("click", () => take(document.querySelector(`[data-chart="${button.dataset.explore}"]`)));
  }
  if (isSlow()) return;
  const watcher = new IntersectionObserver((seen) => {
    for (const one of seen.filter((each) => each.isIntersecting)) {
      watcher.unobserve(one.target);
      later(() => take(one.target));
    }
  });
  const watch = () => stages.forEach((stage) => watcher.observe(stage));
  if (document.readyState === "complete") watch();
  else window.addEventListener("load", watch);
})();
