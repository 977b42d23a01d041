// Charts of a meter: the raw counts with what replaced them, and the band of its neighbours.
"use strict";

// data: { unit, now: [[wall ms, value] …], was: […], events: [[from, to, kind, flagged] …] }; names in data- attributes.
Lujin.chart("register", (data, { css, number }, figure) => ({
  useUTC: true,
  tooltip: { trigger: "axis", valueFormatter: (v) => number(v, 3) + " " + data.unit },
  grid: { bottom: 44 },
  dataZoom: [{ type: "inside" }, { type: "slider", height: 18, bottom: 4 }],
  xAxis: { type: "time", axisLabel: { formatter: { year: "{yyyy}-{MM}", month: "{yyyy}-{MM}", day: "{MM}-{dd}", hour: "{MM}-{dd} {HH}:{mm}", minute: "{HH}:{mm}" } } },
  yAxis: { type: "value", name: data.unit, scale: true },
  series: [
    {
      name: figure.dataset.now, type: "line", data: data.now, showSymbol: false, sampling: "minmax", step: false,
      lineStyle: { color: css("--c-electricity"), width: 1.5 }, itemStyle: { color: css("--c-electricity") },
      markLine: {
        symbol: "none", silent: true, lineStyle: { color: css("--gold"), type: "solid" },
        label: { color: css("--ink-2"), formatter: (p) => p.name },
        data: data.events.filter((e) => !e[3]).map((e) => ({ name: figure.dataset["e" + e[2].replace("_", "")] || e[2], xAxis: e[1] })),
      },
      markArea: {
        silent: true, itemStyle: { color: css("--estimated"), opacity: 0.18 },
        data: data.events.filter((e) => e[3]).map((e) => [{ xAxis: e[0] }, { xAxis: e[1] }]),
      },
    },
    { name: figure.dataset.was, type: "scatter", data: data.was, symbol: "diamond", symbolSize: 7, itemStyle: { color: css("--suspect") } },
  ],
}));

// data: { x, own, low, middle, high }: parts of the greatest hour.
Lujin.chart("band", (data, { css, number }, figure) => {
  const thick = data.low.map((low, i) => (low === null || data.high[i] === null ? null : data.high[i] - low));
  return {
    tooltip: { trigger: "axis", valueFormatter: (v) => number(v === null ? null : v * 100, 1) + " %" },
    legend: { data: [figure.dataset.own, figure.dataset.middle, figure.dataset.band] },
    grid: { bottom: 44 },
    dataZoom: [{ type: "inside", start: 0, end: data.x.length > 200 ? 30 : 100 }, { type: "slider", height: 18, bottom: 4 }],
    xAxis: { type: "category", data: data.x },
    yAxis: { type: "value", min: 0, axisLabel: { formatter: (v) => Math.round(v * 100) + " %" } },
    series: [
      { name: figure.dataset.low, type: "line", stack: "band", data: data.low, showSymbol: false, silent: true, lineStyle: { opacity: 0 }, itemStyle: { color: css("--c-other") }, tooltip: { show: false } },
      { name: figure.dataset.band, type: "line", stack: "band", data: thick, showSymbol: false, silent: true, lineStyle: { opacity: 0 }, areaStyle: { color: css("--c-other"), opacity: 0.35 }, itemStyle: { color: css("--c-other") }, tooltip: { show: false } },
      { name: figure.dataset.middle, type: "line", data: data.middle, showSymbol: false, lineStyle: { color: css("--ink-3"), width: 1, type: "dashed" }, itemStyle: { color: css("--ink-3") } },
      { name: figure.dataset.own, type: "line", data: data.own, showSymbol: false, lineStyle: { color: css("--c-electricity"), width: 1.8 }, itemStyle: { color: css("--c-electricity") } },
    ],
  };
});
