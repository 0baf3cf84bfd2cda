// Draws the plots of a load run: options come as JSON, functions and colours of the scheme are put in here.
(() => {
  "use strict";
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const CHARACTER = 6.6; // px of one at 11 px, for what fits into a band
  const MARGINS = 80; // px beside the drawing area

  const number = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e7)) return Number(value).toExponential(2).replace(/\.?0+e/, "e");
    return Number(value).toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? 7 : 4 });
  };
  const clock = (at) => {
    const pad = (part) => String(part).padStart(2, "0");
    const tenths = Math.round(at * 10);
    const [hours, minutes, seconds] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, Math.floor(tenths / 10) % 60];
    const fraction = tenths % 10 ? `.${tenths % 10}` : "";
    return hours ? `${hours}:${pad(minutes)}:${pad(seconds)}${fraction}` : `${minutes}:${pad(seconds)}${fraction}`;
  };
  const quantile = (place) => {
    const known = { 0: "p0", 0.301: "p50" };
    const rounded = Math.round(place * 1000) / 1000;
    if (known[rounded]) return known[rounded];
    const nines = Math.max(0, Math.ceil(place) - 2) + 1;
    const share = 100 * (1 - 10 ** -place);
    return `p${Number(share.toFixed(place < 1 ? 0 : nines))}`;
  };
  const escape = (text) => echarts.format.encodeHTML(String(text));
  const pair = (each) => (Array.isArray(each.value) ? each.value : each.value.value);

  const FORMATTERS = {
    "@number": () => number,
    "@clock": () => clock,
    "@quantile": () => quantile,
    "@pointer-clock": () => ({ value }) => clock(value),
    "@pointer-quantile": () => ({ value }) => quantile(value),
    "@value": (unit) => (value) => `${number(Array.isArray(value) ? value[1] : value)} ${unit}`,
    "@interval": (unit) => (each) => `${escape(each.seriesName)}: ${number(pair(each)[0])} ${escape(unit)}`,
    "@point": (units) => (each) => {
      const [across, up] = units.split(" | ");
      const [x, y] = pair(each);
      return `${escape(each.seriesName)}<br>${number(x)} ${escape(across)}, ${number(y)} ${escape(up)}`;
    },
  };

  const style = () => getComputedStyle(document.documentElement);
  const dressed = (value, key, css) => {
    if (Array.isArray(value)) return value.map((each) => dressed(each, key, css));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, dressed(each, name, css)]));
    }
    if (typeof value !== "string") return value;
    if (/color$/i.test(key) && value.startsWith("--")) return css.getPropertyValue(value).trim();
    if (/formatter$/i.test(key) && value.startsWith("@")) {
      const [name, ...rest] = value.split(" ");
      return FORMATTERS[name](rest.join(" "));
    }
    return value;
  };

  const theme = (css) => {
    const colour = (name) => css.getPropertyValue(`--${name}`).trim();
    const axis = {
      axisLine: { show: true, lineStyle: { color: colour("line") } },
      axisTick: { show: true, lineStyle: { color: colour("line") } },
      axisLabel: { color: colour("muted"), fontSize: 11 },
      nameTextStyle: { color: colour("muted"), fontSize: 11 },
      splitLine: { lineStyle: { color: colour("line"), opacity: 0.6 } },
    };
    return {
      color: [1, 2, 3, 4, 5, 6, 7, 8].map((place) => colour(`series-${place}`)),
      backgroundColor: "transparent",
      textStyle: { fontFamily: css.fontFamily, color: colour("text") },
      legend: {
        textStyle: { color: colour("text"), fontSize: 11 }, inactiveColor: colour("line"),
        pageTextStyle: { color: colour("muted") }, pageIconColor: colour("accent"), pageIconInactiveColor: colour("line"),
      },
      tooltip: {
        backgroundColor: colour("raised"), borderColor: colour("line"),
        textStyle: { color: colour("text"), fontSize: 12 },
        axisPointer: { lineStyle: { color: colour("muted") }, label: { backgroundColor: colour("raised"), color: colour("text") } },
      },
      valueAxis: axis, categoryAxis: axis, logAxis: axis,
    };
  };

  // The name of a phase is shown where its band is wide enough for it.
  const fitted = (option, width) => {
    const span = option.xAxis.max;
    for (const each of option.series) {
      for (const [band, end] of each.markArea?.data ?? []) {
        const room = ((end.xAxis - band.xAxis) / span) * (width - MARGINS);
        const names = [band.name + band.aside, band.name];
        const name = names.find((text) => text.length * CHARACTER < room);
        band.name = name ?? "";
        band.label = { show: name !== undefined };
      }
    }
    return option;
  };

  const drawn = new Map();
  const draw = (id) => {
    const element = document.getElementById(`plot-${id}`);
    const css = style();
    const { height, unit, ...option } = plots[id];
    if (height) element.style.height = `${height}px`;
    drawn.get(id)?.dispose();
    const chart = echarts.init(element, theme(css), { renderer: "svg" });
    chart.setOption(fitted(dressed(option, "", css), element.clientWidth));
    drawn.set(id, chart);
  };
  const drawAll = () => { for (const id of Object.keys(plots)) draw(id); };

  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // Paper is light and has a width of its own.
  matchMedia("print").addEventListener("change", drawAll);

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    requestAnimationFrame(drawAll);
  });
})();
