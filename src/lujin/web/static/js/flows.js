// Sankey of a carrier. data: { unit, carrier, nodes: [{ name, label, role, node }], links: [{ source, target, value, kind }] }
"use strict";

Lujin.chart("sankey", (data, { css, carrier, number }, figure, chart) => {
  const labels = Object.fromEntries(data.nodes.map((n) => [n.name, n.label]));
  const colours = { loss: css("--suspect"), gap: css("--suspect"), stock: css("--estimated"), unknown: css("--missing"), use: css("--c-other"), pv: css("--c-solar"), others: css("--c-other") };
  const main = carrier(data.carrier);
  const narrow = chart.getWidth() < 560;
  const base = figure.dataset.href;
  if (base) {
    chart.off("click");
    chart.on("click", (event) => {
      const node = event.dataType === "node" && event.data.node;
      if (node) window.location = base + (base.includes("?") ? "&" : "?") + "node=" + encodeURIComponent(node) + "#node";
    });
  }
  return {
    tooltip: {
      trigger: "item",
      formatter: (p) => (p.dataType === "edge"
        ? `${labels[p.data.source]} → ${labels[p.data.target]}\n${number(p.data.value)} ${data.unit}`
        : `${labels[p.name]}\n${number(p.value)} ${data.unit}`),
    },
    xAxis: { show: false }, yAxis: { show: false },
    series: [{
      type: "sankey", left: 4, right: narrow ? 90 : 170, top: 8, bottom: 8, nodeGap: narrow ? 6 : 9, nodeWidth: 14, draggable: false, nodeAlign: "justify",
      emphasis: { focus: "adjacency" },
      labelLayout: { hideOverlap: true },
      label: { color: css("--ink"), fontSize: narrow ? 10 : 12, width: narrow ? 84 : 160, overflow: "truncate", formatter: (p) => labels[p.name] },
      lineStyle: { color: "source", opacity: 0.35, curveness: 0.5 },
      data: data.nodes.map((n) => ({ name: n.name, node: n.node, itemStyle: { color: colours[n.role] || main, borderWidth: 0 } })),
      links: data.links.map((l) => ({ ...l, lineStyle: colours[l.kind] ? { color: colours[l.kind], opacity: 0.5 } : {} })),
    }],
  };
});
