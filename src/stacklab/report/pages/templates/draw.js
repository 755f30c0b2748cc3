"use strict";
// Draws every panel in the colours of the page, again when the colours change, and in light ones for printing.
const panels = JSON.parse(document.getElementById("panels").textContent);
const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function coloured(layout, dark) {
  const [text, grid, edge, ground] = dark
    ? ["#c9d1d9", "#2b323b", "#59636e", "#1b2027"]
    : ["#33383e", "#e9ebee", "#9aa2ab", "#ffffff"];
  const axis = (given) => ({ ...given, gridcolor: grid, linecolor: edge, tickcolor: edge, showline: true });
  return {
    ...layout,
    font: { color: text, family: "system-ui, sans-serif" },
    xaxis: axis(layout.xaxis),
    yaxis: axis(layout.yaxis),
    modebar: { ...layout.modebar, bgcolor: "rgba(0,0,0,0)", color: edge, activecolor: text },
    hoverlabel: { bgcolor: ground, bordercolor: edge, font: { color: text }, namelength: -1 },
  };
}

function draw(dark) {
  for (const place of document.querySelectorAll("[data-panel]")) {
    const { data, layout, config } = structuredClone(panels[place.dataset.panel]);
    Plotly.react(place, data, coloured(layout, dark), config);
  }
}

draw(darkness.matches);
darkness.addEventListener("change", () => draw(darkness.matches));
window.addEventListener("beforeprint", () => draw(false));
window.addEventListener("afterprint", () => draw(darkness.matches));
