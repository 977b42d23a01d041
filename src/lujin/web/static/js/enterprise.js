// Charts of the pages of an enterprise and of explanations.
"use strict";

// data: { unit, x, own: { name, values }, others: { name, lower, median, upper } }: own line over a band.
Lujin.chart("band", (data, { css, number, text }) => {
  const { lower, median, upper } = data.others;
  const gap = upper.map((v, i) => (v === null || lower[i] === null ? null : v - lower[i]));
  const quartiles = text("四分位", "quartiles");
  return {
    tooltip: {
      formatter: (points) => {
        const i = points[0].dataIndex;
        return [data.x[i], `${data.own.name}: ${number(data.own.values[i], 2)} ${data.unit}`,
          `${data.others.name}: ${number(median[i], 2)} (${number(lower[i], 2)} – ${number(upper[i], 2)}) ${data.unit}`].join("\n");
      },
    },
    legend: { data: [data.own.name, data.others.name] },
    xAxis: { type: "category", data: data.x, boundaryGap: false },
    yAxis: { type: "value", name: data.unit, scale: true },
    series: [
      { name: quartiles, type: "line", stack: "band", data: lower, lineStyle: { opacity: 0 }, symbol: "none", silent: true },
      { name: quartiles, type: "line", stack: "band", data: gap, lineStyle: { opacity: 0 }, symbol: "none", areaStyle: { color: css("--missing"), opacity: 0.35 }, silent: true },
      { name: data.others.name, type: "line", data: median, symbol: "none", lineStyle: { color: css("--ink-3"), type: "dashed" }, itemStyle: { color: css("--ink-3") } },
      { name: data.own.name, type: "line", data: data.own.values, symbolSize: 6, lineStyle: { color: css("--brand"), width: 2.5 }, itemStyle: { color: css("--brand") } },
    ],
  };
});

// data: { unit, x, values, marks: [{ name, from, to, colour }] , readings: [[x, value, standing] …] }: quarter hours of a day.
Lujin.chart("day", (data, { css, number, text }) => ({
  tooltip: {
    formatter: (points) => {
      const p = points[0];
      const flags = data.flags[p.dataIndex];
      return `${data.x[p.dataIndex]}  ${number(p.value, data.digits)} ${data.unit}` + (flags ? `\n${flags}` : "");
    },
  },
  xAxis: { type: "category", data: data.x },
  yAxis: { type: "value", name: data.unit },
  legend: { show: false },
  grid: { top: 32 },
  series: [{
    type: "bar", barCategoryGap: "10%", name: data.name,
    data: data.values.map((value, i) => ({ value, itemStyle: { color: css(data.flags[i] ? "--estimated" : "--measured") } })),
  }],
}));
