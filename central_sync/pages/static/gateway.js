// Draws the plot of each channel once it comes into view, and renews those in view.
// Only SVG traces: they need neither eval nor a canvas.
"use strict";

(() => {
  const INTERVAL_MS = 15_000;
  const LIMIT_MS = 15_000;
  const CHECK = 2, OUT_OF_SPECIFICATION = 3, FAILURE = 4;
  const STATE_WORDS = {
    [CHECK]: "calibration or maintenance",
    [OUT_OF_SPECIFICATION]: "out of specification",
    [FAILURE]: "failure or no value",
  };
  const STATE_COLOURS = { [CHECK]: "check", [OUT_OF_SPECIFICATION]: "oos", [FAILURE]: "failure" };
  const CONFIG = { displayModeBar: false, showTips: false, responsive: true, doubleClick: false, scrollZoom: false };

  const list = document.querySelector(".channels");
  if (!list) return;
  const visible = new Set();

  const hours = () => Number(document.querySelector("input[name=hours]:checked").value);
  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--plot-${name}`).trim();
  const escaped = (text) =>
    text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

  // Plotly knows no time zones: times are moved to the facility's clock and shown as they are.
  const clock = (article) => (ms) => ms + Number(article.dataset.offset) * 60_000;
  const at = (ms) => new Date(ms).toISOString().slice(11, 16);

  function readings(series, local, unit) {
    const x = [], y = [], text = [];
    series.time.forEach((ms, index) => {
      const low = series.low[index], high = series.high[index];
      x.push(local(ms), local(ms));
      y.push(low, high);
      const words = low === null ? "" : low === high ? `${low} ${unit}` : `${low} to ${high} ${unit}`;
      text.push(words, words);
    });
    return {
      x, y, text, type: "scatter", mode: "lines", name: "readings", connectgaps: false,
      line: { color: colour("line"), width: 1.2 },
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  function bad(series, local, unit) {
    return {
      x: series.bad_time.map(local), y: series.bad_high, type: "scatter", mode: "markers", name: "not used",
      marker: { symbol: "x-thin", size: 6, line: { width: 1.5, color: series.bad_state.map((state) => colour(STATE_COLOURS[state])) } },
      text: series.bad_high.map((high, index) => `not used: ${high === series.bad_low[index] ? high : `${series.bad_low[index]} to ${high}`} ${unit}`),
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  function hourly(series, local, unit, isProvisional) {
    const x = [], y = [], text = [];
    for (const hour of series.hours) {
      if (hour.value === null || hour.provisional !== isProvisional) continue;
      const words = `${at(local(hour.start))} to ${at(local(hour.end))}: <b>${hour.value} ${unit}</b>` +
        `<br>${isProvisional ? "provisional" : "final"}, ${hour.used} of ${hour.received} readings used`;
      const start = Math.max(hour.start, series.from), end = Math.min(hour.end, series.to);
      if (end <= start) continue;
      x.push(local(start), local((start + end) / 2), local(end), null);
      y.push(Number(hour.value), Number(hour.value), Number(hour.value), null);
      text.push(words, words, words, "");
    }
    return {
      x, y, text, type: "scatter", mode: "lines", name: isProvisional ? "provisional" : "hourly value",
      line: { color: colour(isProvisional ? "provisional" : "final"), width: 2.5, dash: isProvisional ? "dot" : "solid" },
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  function lane(series, local, state) {
    const x = [], y = [], text = [];
    for (const [start, end, found] of series.lane) {
      if (found !== state) continue;
      const words = `${at(local(start))} to ${at(local(end))}: ${STATE_WORDS[state]}`;
      x.push(local(start), local(end), null);
      y.push(0, 0, null);
      text.push(words, words, "");
    }
    return {
      x, y, text, type: "scatter", mode: "lines", yaxis: "y2", name: STATE_WORDS[state],
      line: { color: colour(STATE_COLOURS[state]), width: 7 }, hovertemplate: "%{text}<extra></extra>",
    };
  }

  const ground = (hour) => (hour.provisional ? "provisional" : hour.operated ? "invalid" : "idle");

  // Hours that are provisional, and hours without a value, stand on a tinted ground.
  function grounds(series, local) {
    return series.hours
      .filter((hour) => hour.provisional || hour.reason)
      .map((hour) => ({
        type: "rect", xref: "x", yref: "paper", layer: "below", line: { width: 0 }, y0: 0, y1: 1,
        x0: local(Math.max(hour.start, series.from)), x1: local(Math.min(hour.end, series.to)),
        fillcolor: colour(`${ground(hour)}-ground`),
      }))
      .filter((shape) => shape.x1 > shape.x0);
  }

  const isLarge = (series) => Math.max(0, ...series.high.map(Math.abs)) >= 1e5;

  function layout(series, local, shown) {
    const text = colour("text"), grid = colour("grid");
    const axis = { color: text, gridcolor: grid, linecolor: grid, zeroline: false, fixedrange: false };
    return {
      height: 240, margin: { l: 56, r: 10, t: 8, b: 38 }, showlegend: false, hovermode: "closest",
      hoverdistance: 30, dragmode: "zoom", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: text },
      hoverlabel: { bgcolor: colour("hover"), bordercolor: grid, font: { color: colour("hover-text"), size: 12 }, align: "left" },
      xaxis: { ...axis, type: "date", range: shown ?? [local(series.from), local(series.to)], hoverformat: "%H:%M:%S", showgrid: false, ticks: "outside", ticklen: 4, tickcolor: grid, nticks: 8, anchor: "y2" },
      yaxis: { ...axis, domain: [0.1, 1], fixedrange: true, nticks: 5, tickformat: isLarge(series) ? "~s" : "~f" },
      yaxis2: { domain: [0, 0.06], range: [-1, 1], visible: false, fixedrange: true },
      shapes: grounds(series, local),
    };
  }

  async function draw(article) {
    const plot = article.querySelector(".plot");
    const wanted = hours();
    const query = new URLSearchParams({
      channel: article.dataset.channel, hours: wanted,
      width: Math.min(2000, Math.max(100, Math.round(plot.clientWidth - 76))),
    });
    try {
      const answer = await fetch(`/gateways/${list.dataset.gateway}/series.json?${query}`, { signal: AbortSignal.timeout(LIMIT_MS) });
      if (!answer.ok) throw new Error(`the centre answered ${answer.status}`);
      const series = await answer.json();
      if (wanted !== hours()) return;
      show(article, plot, series, wanted);
    } catch (fault) {
      if (!plot.classList.contains("js-plotly-plot")) {
        plot.querySelector(".waiting").textContent = `Could not be loaded: ${fault.message}. Trying again.`;
      }
    }
  }

  function show(article, plot, series, wanted) {
    const local = clock(article), unit = escaped(article.dataset.unit);
    const isZoomed = plot.dataset.hours === String(wanted) && plot.dataset.zoomed === "yes";
    const shown = isZoomed ? plot.layout.xaxis.range : null;
    plot.querySelector(".waiting")?.remove();
    plot.dataset.hours = String(wanted);
    if (!isZoomed) plot.dataset.zoomed = "no";
    const traces = [
      readings(series, local, unit), bad(series, local, unit),
      hourly(series, local, unit, false), hourly(series, local, unit, true),
      lane(series, local, CHECK), lane(series, local, OUT_OF_SPECIFICATION), lane(series, local, FAILURE),
    ];
    const isFirst = !plot.classList.contains("js-plotly-plot");
    Plotly.react(plot, traces, layout(series, local, shown), CONFIG);
    plot.whole = [local(series.from), local(series.to)];
    if (!isFirst) return;
    plot.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change) plot.dataset.zoomed = "yes";
    });
    plot.on("plotly_doubleclick", () => back(plot));
    plot.addEventListener("keydown", (key) => steer(plot, key));
  }

  function back(plot) {
    plot.dataset.zoomed = "no";
    Plotly.relayout(plot, { "xaxis.range": plot.whole.slice() });
  }

  function steer(plot, key) {
    const [from, to] = plot.layout.xaxis.range.map((end) => (typeof end === "number" ? end : Date.parse(`${end.replace(" ", "T")}Z`)));
    const span = to - from, middle = from + span / 2;
    const moved = {
      ArrowLeft: [from - span / 4, to - span / 4], ArrowRight: [from + span / 4, to + span / 4],
      "+": [middle - span / 4, middle + span / 4], "=": [middle - span / 4, middle + span / 4],
      "-": [middle - span, middle + span],
    }[key.key];
    if (key.key === "0") back(plot);
    else if (moved) {
      plot.dataset.zoomed = "yes";
      Plotly.relayout(plot, { "xaxis.range": moved });
    } else return;
    key.preventDefault();
  }

  const again = () => { if (!document.hidden) visible.forEach(draw); };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) { visible.delete(entry.target); continue; }
      visible.add(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "200px" });

  list.querySelectorAll(".channel").forEach((article) => watcher.observe(article));
  const choices = [...document.querySelectorAll("input[name=hours]")];
  const linked = choices.find((input) => location.hash === `#hours=${input.value}`);
  if (linked) linked.checked = true;
  choices.forEach((input) => input.addEventListener("change", () => {
    history.replaceState(null, "", `#hours=${input.value}`);
    again();
  }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("visibilitychange", again);
  setInterval(again, INTERVAL_MS);
})();
