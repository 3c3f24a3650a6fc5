"use strict";
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let figures = JSON.parse(document.getElementById("figures").textContent);

  function style(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Figures come without colours of ground, text and grid: the page gives them its own.
  function dressed(layout) {
    const axis = {
      gridcolor: style("--line"), zerolinecolor: style("--line"), linecolor: style("--line"),
      tickcolor: style("--line"), automargin: true,
    };
    const legend = {
      orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: "rgba(0,0,0,0)", tracegroupgap: 0,
    };
    const worn = Object.assign({ hovermode: "closest", autosize: true }, layout, {
      margin: Object.assign({ l: 50, r: 12, t: 16, b: 40 }, layout.margin),
      legend: Object.assign(legend, layout.legend),
      hoverlabel: {
        bgcolor: style("--raised"), bordercolor: style("--line"),
        font: { color: style("--ink"), family: "system-ui, sans-serif", size: 13 },
      },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: style("--ink"), family: "system-ui, sans-serif", size: 12.5 },
    });
    for (const key of Object.keys(layout).concat(["xaxis", "yaxis"])) {
      if (/^[xy]axis\d*$/.test(key)) worn[key] = Object.assign({}, axis, layout[key] || {});
    }
    // Words beside lines stay readable where other lines pass below them.
    if (layout.annotations) worn.annotations = layout.annotations.map((one) => Object.assign({ bgcolor: style("--card") }, one));
    return worn;
  }

  // What is written into the cells of a heat map is as dark or light as the page's own words.
  function inked(traces) {
    return traces.map((trace) => trace.texttemplate ? Object.assign({ textfont: { color: style("--ink") } }, trace) : trace);
  }

  const options = { responsive: true, displayModeBar: false };
  const LEAST = 0.6;

  function draw(name) {
    const place = document.getElementById(name);
    if (!place) return;
    place.dataset.height ||= parseInt(place.style.height);
    Plotly.react(place, inked(figures[name].data), dressed(figures[name].layout || {}), options).then(() => {
      roomy(place);
      // What a reader hears is the figure's label and its table, not every tick.
      place.querySelectorAll("svg.main-svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
    });
  }

  // Long legends and names of ticks take their room from the page, not from what is drawn.
  function roomy(place) {
    const drawn = place.querySelector(".nsewdrag");
    const missing = drawn ? LEAST * place.dataset.height - drawn.getBoundingClientRect().height : 0;
    if (missing < 1) return;
    place.style.height = `${place.offsetHeight + missing}px`;
    Plotly.Plots.resize(place);
  }

  const does = {
    save(place) {
      const layout = Object.assign({}, place.layout, { paper_bgcolor: style("--card") });
      const size = { width: place.offsetWidth, height: place.offsetHeight };
      Plotly.downloadImage({ data: place.data, layout }, { format: "png", scale: 2, filename: place.id, ...size });
    },
    reset: (place) => draw(place.id),
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-does]");
    if (button) does[button.dataset.does](button.closest("figure").querySelector(".plot"));
  });

  // One figure at a time, so that the page answers meanwhile.
  function drawAll(names) {
    const [name, ...rest] = names;
    if (name === undefined) return;
    draw(name);
    setTimeout(() => drawAll(rest), 0);
  }

  window.hothouse = {
    show(newer) {
      const changed = Object.keys(newer).filter((name) =>
        JSON.stringify(newer[name]) !== JSON.stringify(figures[name]) || !document.querySelector(`#${name} .main-svg`));
      figures = newer;
      drawAll(changed);
    },
  };
  drawAll(Object.keys(figures));
  dark.addEventListener("change", () => drawAll(Object.keys(figures)));

  // The contents follow the reader.
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const link = document.querySelector(`#contents a[href="#${entry.target.id}"]`);
      if (link && entry.isIntersecting) {
        document.querySelectorAll("#contents [aria-current]").forEach((other) => other.removeAttribute("aria-current"));
        link.setAttribute("aria-current", "true");
      }
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  window.hothouse.follow = () => document.querySelectorAll("main > section").forEach((section) => seen.observe(section));
  window.hothouse.follow();
})();
