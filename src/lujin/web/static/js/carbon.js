// Carbon intensity of every hour of a month.
"use strict";

// data: { unit, x: local hours, values }
Lujin.chart("intensity", (data, { carrier, number }, figure) => ({
  tooltip: { trigger: "axis", valueFormatter: (v) => number(v, 1) + " " + data.unit },
  legend: { show: false },
  grid: { bottom: 44, top: 28 },
  dataZoom: [{ type: "inside" }, { type: "slider", height: 18, bottom: 4 }],
  xAxis: { type: "category", data: data.x },
  yAxis: { type: "value", name: data.unit, scale: true },
  series: [{
    name: figure.dataset.name, type: "line", data: data.values, showSymbol: false, connectNulls: false,
    lineStyle: { width: 1.4, color: carrier(figure.dataset.carrier) }, itemStyle: { color: carrier(figure.dataset.carrier) },
  }],
}));
