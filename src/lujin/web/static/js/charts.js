// Charts: <figure class="chart" data-chart="NAME" data-src="….json"><div class="chart-area"></div><figcaption>…</figcaption></figure>
// Each NAME registers a function (data, tools) → ECharts option with Lujin.chart("NAME", fn), here or in a script of its page.
"use strict";

window.Lujin = (() => {
  const makers = {};
  const drawn = new Set();
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const CARRIERS = {
    electricity: "electricity", heat: "heat", steam: "steam", natural_gas: "gas", lng: "gas", biogas: "gas", coal: "coal",
    water: "water", compressed_air: "air", co2: "co2", solar: "solar",
  };

  function carrier(name) {
    const key = Object.keys(CARRIERS).find((k) => name === k || name.startsWith(k + "_") || name.endsWith("_" + k));
    return css("--c-" + (key ? CARRIERS[key] : "other"));
  }

  // 1 234 567.8 with narrow no-break spaces; a missing value is a dash, never 0.
  function number(value, digits = 1) {
    if (value === null || value === undefined || value === "" || Number.isNaN(Number(value))) return "—";
    const [whole, part] = Math.abs(Number(value)).toFixed(digits).split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
    const sign = Number(value) < 0 && Number(Number(value).toFixed(digits)) !== 0 ? "−" : "";
    return sign + grouped + (part ? "." + part : "");
  }

  function base() {
    const ink = css("--ink-2");
    // One object per axis: what a chart says of one must not reach the other.
    const axis = () => ({ axisLine: { lineStyle: { color: css("--line-strong") } }, axisLabel: { color: ink }, splitLine: { lineStyle: { color: css("--line") } }, nameTextStyle: { color: ink } });
    return {
      animation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      animationDuration: 250,
      textStyle: { fontFamily: css("--font") },
      // The policy against inline styles forbids HTML tooltips.
      tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: css("--raised"), borderColor: css("--line"), textStyle: { color: css("--ink"), fontSize: 12 } },
      legend: { textStyle: { color: ink }, top: 0, type: "scroll" },
      grid: { left: 8, right: 16, top: 60, bottom: 8, containLabel: true },
      aria: { enabled: true },
      xAxis: axis(), yAxis: axis(),
    };
  }

  function merge(into, from) {
    for (const [key, value] of Object.entries(from)) {
      if (value && typeof value === "object" && !Array.isArray(value) && into[key] && typeof into[key] === "object" && !Array.isArray(into[key])) merge(into[key], value);
      else into[key] = value;
    }
    return into;
  }

  const tools = { css, carrier, number, language, base, merge, text: (zh, en) => (language === "zh" ? zh : en) };

  async function draw(figure) {
    const maker = makers[figure.dataset.chart];
    const area = figure.querySelector(".chart-area");
    if (!maker || !area || drawn.has(figure)) return;
    drawn.add(figure);
    figure.setAttribute("data-loading", "");
    try {
      const inline = figure.querySelector('script[type="application/json"]');
      const data = inline ? JSON.parse(inline.textContent) : await (await fetch(figure.dataset.src, { headers: { accept: "application/json" } })).json();
      figure.setAttribute("data-drawn", "");
      const chart = echarts.init(area, null, { renderer: figure.dataset.renderer || "canvas" });
      const show = () => { const option = maker(data, tools, figure, chart); if (option) chart.setOption(merge(base(), option), true); };
      show();
      for (const table of figure.querySelectorAll("details[data-fold]")) table.open = false;
      new ResizeObserver(() => chart.resize()).observe(area);
      window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    } catch (error) {
      figure.removeAttribute("data-drawn");
      const said = figure.querySelector("figcaption");
      if (said) said.append(" · " + tools.text("图表未能绘出，请看表格", "the chart could not be drawn; see the table"));
      console.error(error);
    } finally {
      figure.removeAttribute("data-loading");
    }
  }

  function drawAll(root = document) {
    // Only what is about to be seen is fetched and drawn.
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
    }, { rootMargin: "300px" });
    for (const figure of root.querySelectorAll("figure.chart[data-chart]")) seen.observe(figure);
  }

  document.addEventListener("DOMContentLoaded", () => drawAll());
  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.elt));
  return { chart: (name, maker) => { makers[name] = maker; }, tools };
})();

// data: { unit, x: [...], series: [{ name, values, colour?, carrier?, stack? }] }
const plain = (type) => (data, { css, carrier, number }) => ({
  tooltip: { valueFormatter: (v) => number(v, data.digits ?? 1) + " " + data.unit },
  xAxis: { type: "category", data: data.x },
  yAxis: { type: "value", name: data.unit, axisLabel: { formatter: (v) => number(v, Number.isInteger(v) ? 0 : 2) } },
  dataZoom: data.x.length > 400 ? [{ type: "inside" }, { type: "slider", height: 18, bottom: 0 }] : undefined,
  grid: data.x.length > 400 ? { bottom: 36 } : {},
  series: data.series.map((s) => ({
    name: s.name, type, stack: s.stack, data: s.values, showSymbol: false, connectNulls: false, sampling: type === "line" ? "lttb" : undefined,
    areaStyle: s.area ? { opacity: 0.25 } : undefined,
    itemStyle: { color: s.colour ? css(s.colour) : s.carrier ? carrier(s.carrier) : undefined },
  })),
});
Lujin.chart("bars", plain("bar"));
Lujin.chart("lines", plain("line"));

// data: { unit, rows: ["2025-06-01", …], columns: [0 … 23], values: [[row, column, value|null] …], low?, high? }
Lujin.chart("heat", (data, { css, number }) => ({
  tooltip: { trigger: "item", formatter: (p) => `${data.rows[p.value[0]]} ${data.columns[p.value[1]]}: ${number(p.value[2])} ${data.unit}` },
  grid: { top: 12, bottom: 76 },
  xAxis: { type: "category", data: data.rows, splitLine: { show: false } },
  yAxis: { type: "category", data: data.columns, inverse: true, splitLine: { show: false } },
  visualMap: { min: data.low ?? 0, max: data.high ?? 1, calculable: true, orient: "horizontal", left: "center", bottom: 0, itemHeight: 120, textStyle: { color: css("--ink-2") }, formatter: (v) => number(v, 0), inRange: { color: ["#f4f1de", "#f2c14e", "#f78154", "#b4436c", "#4d194d"] } },
  series: [{ type: "heatmap", data: data.values.filter((v) => v[2] !== null), progressive: 2000 }],
}));
