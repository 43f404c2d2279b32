// The report's pictures. lraPictures(d3, data) returns [{name, section, caption, draw(svg, hidden)}]:
// `draw` fills an empty <svg> (a D3 selection) and leaves out the models in the Set `hidden`. It
// touches nothing but that element, so that the same code draws in a browser and in node.
"use strict";

function lraPictures(d3, data) {
  const WIDTH = 760;
  // A model (an attention) has a colour; its labels in one picture (options, precisions, ...) have
  // line patterns.
  const models = [...new Set(data.labels.map((item) => item.model))];
  const color = (p) => d3.schemeTableau10[(p.color ?? models.indexOf(p.model)) % 10];
  const dash = (p, drawn) => {
    const own = drawn.filter((item) => item.model === p.model).map((item) => item.label);
    return ["none", "6 3", "2 3", "8 3 2 3"][own.indexOf(p.label) % 4];
  };
  const short = (text, length) => (text.length <= length ? text : text.slice(0, length - 1) + "…");
  const shownNumber = d3.format(".3~s");
  // SI prefixes for large numbers only: 0.8 is no "800m".
  const tickNumber = (value) => (Math.abs(value) < 1e4 ? d3.format(",.4~r") : shownNumber)(value);
  const scale = (kind, domain, range) => d3[`scale${kind}`]().domain(domain).range(range);

  function frame(svg, height, margin, x, y, options) {
    svg.attr("viewBox", `0 0 ${WIDTH} ${height}`).attr("width", WIDTH).attr("height", height)
      .attr("font-family", "sans-serif").attr("font-size", 12);
    svg.append("rect").attr("width", WIDTH).attr("height", height).attr("fill", "white");
    const xAxis = d3.axisBottom(x).tickSizeOuter(0);
    const yAxis = d3.axisLeft(y).tickSizeOuter(0);
    if (options.xTicks) xAxis.tickValues(options.xTicks);
    if (options.yTicks) yAxis.tickValues(options.yTicks);
    if (options.xFormat) xAxis.tickFormat(options.xFormat);
    if (options.yFormat) yAxis.tickFormat(options.yFormat);
    if (!options.xTicks) xAxis.ticks(6);
    const [left, right] = x.range();
    const [bottom, top] = y.range();
    const axes = [svg.append("g").attr("transform", `translate(0,${bottom})`).call(xAxis),
      svg.append("g").attr("transform", `translate(${left},0)`).call(yAxis)];
    axes.forEach((axis) => axis.attr("font-family", "sans-serif").attr("font-size", 11));
    svg.append("text").attr("x", (left + right) / 2).attr("y", bottom + 36)
      .attr("text-anchor", "middle").text(options.xTitle);
    svg.append("text").attr("transform", `translate(${left - 46},${(top + bottom) / 2}) rotate(-90)`)
      .attr("text-anchor", "middle").text(options.yTitle);
    svg.append("text").attr("x", left).attr("y", margin - 10).attr("font-weight", "bold")
      .text(options.title);
  }

  // Moves label positions apart, at least `gap` between neighbours, keeping their order.
  function spread(items, gap) {
    items.sort((a, b) => a.y - b.y);
    for (let i = 1; i < items.length; ++i) {
      items[i].y = Math.max(items[i].y, items[i - 1].y + gap);
    }
    return items;
  }

  // Both ends of a point's interval, or the point where it has none.
  const ends = (p, value) => [p.low ?? value, p.high ?? value];
  const interval = (p, digits) => (p.low === null || p.low === undefined ? ""
    : ` (95 %: ${p.low.toFixed(digits)} to ${p.high.toFixed(digits)})`);
  const seeds = (p) => (p.n > 0 ? `, ${p.n} seed${p.n === 1 ? "" : "s"}` : "");

  // At least `least` wide, so that noise does not fill a picture.
  const padded = (values, share, least) => {
    const [low, high] = d3.extent(values);
    const pad = Math.max(share * (high - low), (least - (high - low)) / 2);
    return [low - pad, high + pad];
  };
  // Of shares in percent: there is nothing below 0 or above 100.
  const paddedShares = (values, share, least) => {
    const [low, high] = padded(values, share, least);
    return [Math.max(low, 0), Math.min(high, 100)];
  };
  const paddedLog = (values, factor) => {
    const [low, high] = d3.extent(values);
    return [low / factor, high * factor];
  };
  // 1, 2, 5 of each decade within a log scale, or powers of two.
  const logTicks = (x) => x.ticks(10).filter((tick) => /^[125]/.test(String(tick.toExponential())));

  // LRA's figure: accuracy over speed, memory as area.
  function bubble(svg, points, title, references) {
    if (points.length === 0) return empty(svg, title);
    const x = scale("Log", paddedLog(points.map((p) => p.speed), 1.5), [70, WIDTH - 190]);
    const bottom = 405;
    // The axis holds every interval whole: a difference looks no larger than what is known of it.
    const heights = points.flatMap((p) => ends(p, p.accuracy));
    const y = scale("Linear", paddedShares(heights, 0.12, 6), [bottom, 40]).nice();
    const [low, high] = y.domain();
    const near = references.filter((r) => r.accuracy > low && r.accuracy < high);
    const height = bottom + 55 + 14 * near.length;
    const memory = d3.max(points, (p) => p.memory);
    const radius = scale("Sqrt", [0, memory], [0, 36]);
    frame(svg, height, 40, x, y, {
      title, xTitle: "training tokens a second (without padding), log scale →",
      yTitle: "test accuracy (%) →", xTicks: logTicks(x), xFormat: shownNumber});
    near.forEach((r, i) => {
      // Beneath the picture, where no bubble or label lies.
      svg.append("text").attr("x", 74).attr("y", bottom + 58 + 14 * i).attr("font-size", 10)
        .attr("fill", "#555").text(`dotted line: ${r.title} ${r.accuracy.toFixed(1)}`);
      svg.append("line").attr("x1", 70).attr("x2", WIDTH - 190).attr("y1", y(r.accuracy))
        .attr("y2", y(r.accuracy)).attr("stroke", "#999").attr("stroke-dasharray", "2 3");
    });
    // Large bubbles first, so that small ones stay visible.
    [...points].sort((a, b) => b.memory - a.memory).forEach((p) => {
      svg.append("circle").attr("cx", x(p.speed)).attr("cy", y(p.accuracy))
        .attr("r", radius(p.memory)).attr("fill", color(p)).attr("fill-opacity", 0.55)
        .attr("stroke", color(p)).attr("stroke-width", 1.5)
        .attr("stroke-dasharray", p.standIn ? "4 3" : "none")
        .append("title").text(`${p.label}: ${p.accuracy.toFixed(2)} %${interval(p, 2)}${seeds(p)}, ` +
          `${shownNumber(p.speed)} tokens/s, ${p.memory.toFixed(0)} MB` +
          (p.standIn ? ", stand-in data" : "") + (p.shared ? ", timed beside other runs" : ""));
    });
    points.filter((p) => p.low !== null).forEach((p) => {
      bar(svg, x(p.speed), y(p.low), y(p.high), color(p));
    });
    spread(points.map((p) => ({p, y: y(p.accuracy)})), 14).forEach(({p, y: at}) => {
      const edge = x(p.speed) + radius(p.memory);  // where its label begins
      svg.append("line").attr("x1", edge + 1).attr("x2", edge + 7).attr("y1", y(p.accuracy))
        .attr("y2", at).attr("stroke", "#888");
      halo(svg.append("text").attr("x", edge + 9).attr("y", at + 4)
        .text(short(p.label, 36) + (p.freeForAll ? " †" : "")));
    });
    const one = radius(memory);
    svg.append("circle").attr("cx", WIDTH - 60).attr("cy", 50).attr("r", one)
      .attr("fill", "none").attr("stroke", "#555");
    svg.append("text").attr("x", WIDTH - 60).attr("y", 54).attr("text-anchor", "middle")
      .text(`${memory.toFixed(0)} MB`);
    const notes = ["area: peak tensors", "bars: 95 % intervals", "dashed: stand-in data",
      "†: free-for-all"];
    notes.forEach((line, i) => {
      svg.append("text").attr("x", WIDTH - 60).attr("y", 102 + 13 * i)
        .attr("text-anchor", "middle").attr("font-size", 10).attr("fill", "#555").text(line);
    });
  }

  // A point's interval: a vertical line with short ends.
  function bar(svg, x, low, high, stroke) {
    svg.append("path").attr("d", `M${x - 4},${low}h8M${x - 4},${high}h8M${x},${low}V${high}`)
      .attr("fill", "none").attr("stroke", stroke).attr("stroke-width", 1.5);
  }

  const halo = (text) => text.attr("stroke", "white").attr("stroke-width", 3)
    .attr("paint-order", "stroke").attr("stroke-linejoin", "round");

  function empty(svg, title) {
    svg.attr("viewBox", `0 0 ${WIDTH} 60`).attr("width", WIDTH).attr("height", 60)
      .attr("font-family", "sans-serif").attr("font-size", 12);
    svg.append("text").attr("x", 20).attr("y", 34).text(`${title}: nothing is selected`);
  }

  // Accuracy of one task with 95 % intervals; chance and trivial predictors as lines.
  function dots(svg, points, title, references) {
    if (points.length === 0) return empty(svg, title);
    const sorted = [...points].sort((a, b) => b.accuracy - a.accuracy);
    const bottom = 62 + 22 * sorted.length;
    const values = sorted.flatMap((p) => ends(p, p.accuracy));
    const label = (p) => short(p.label, p.standIn ? 45 : 56) + (p.standIn ? " (stand-in)" : "") +
      (p.freeForAll ? " †" : "");
    const left = 20 + 6.2 * Math.max(30, d3.max(sorted, (p) => label(p).length));  // room for them
    const x = scale("Linear",
      paddedShares([...values, ...references.map((r) => r.accuracy)], 0.06, 6), [left, WIDTH - 60]);
    const y = scale("Point", sorted.map((p) => p.label), [62, bottom]).padding(0.6);
    const predictors = [...references].sort((a, b) => a.accuracy - b.accuracy);
    frame(svg, bottom + 52 + 13 * predictors.length, 30, x, y.copy().range([bottom, 40]), {
      title, xTitle: "test accuracy (%), 95 % interval", yTitle: "", yTicks: []});
    predictors.forEach((r, i) => {
      const words = `${r.title} ${r.accuracy.toFixed(1)}`;
      svg.append("line").attr("x1", x(r.accuracy)).attr("x2", x(r.accuracy)).attr("y1", 40)
        .attr("y2", bottom).attr("stroke", "#999").attr("stroke-dasharray", "2 3")
        .append("title").text(words);
      // Numbers of lines that fall together stand below one another.
      const above = predictors.slice(0, i).filter((other) => Math.abs(x(other.accuracy) - x(r.accuracy)) < 8);
      svg.append("text").attr("x", x(r.accuracy) + 3).attr("y", 49 + 10 * above.length).attr("font-size", 9)
        .attr("fill", "#777").text(i + 1);
      svg.append("text").attr("x", 20).attr("y", bottom + 56 + 13 * i).attr("font-size", 10)
        .attr("fill", "#555").text(`dotted line ${i + 1}: ${words}`);
    });
    sorted.forEach((p) => {
      const at = y(p.label);
      svg.append("text").attr("x", left - 8).attr("y", at + 4).attr("text-anchor", "end").text(label(p));
      if (p.low !== null) {
        svg.append("line").attr("x1", x(p.low)).attr("x2", x(p.high)).attr("y1", at)
          .attr("y2", at).attr("stroke", color(p)).attr("stroke-width", 2);
      }
      svg.append("circle").attr("cx", x(p.accuracy)).attr("cy", at).attr("r", 5)
        .attr("fill", p.standIn ? "white" : color(p)).attr("stroke", color(p))
        .append("title").text(`${p.label}: ${p.accuracy.toFixed(2)} %${interval(p, 2)}${seeds(p)}`);
      svg.append("text").attr("x", x(p.high ?? p.accuracy) + 8).attr("y", at + 4)
        .attr("font-size", 10).text(p.accuracy.toFixed(2));
    });
  }

  // A label too long for its line goes on below, as a legend's entries stand apart by lines.
  const wrapped = (text, length) => {
    const cut = text.length <= length ? -1 : text.lastIndexOf(" ", length);
    return cut <= 0 ? [short(text, length)]
      : [text.slice(0, cut), short(text.slice(cut + 1), length - 2)];
  };
  const legendLines = (entries) => d3.sum(entries, (entry) => wrapped(entry.label, 32).length);

  function legend(svg, entries, left, top) {
    let line = 0;
    entries.forEach((entry) => {
      const at = top + 16 * line;
      const texts = wrapped(entry.label, 32);
      line += texts.length;
      svg.append("line").attr("x1", left).attr("x2", left + 22).attr("y1", at).attr("y2", at)
        .attr("stroke", color(entry)).attr("stroke-width", 2.5).attr("stroke-dasharray", dash(entry, entries));
      texts.forEach((text, i) => {
        svg.append("text").attr("x", left + 28 + 8 * i).attr("y", at + 4 + 14 * i).attr("font-size", 11)
          .text(text + (i + 1 < texts.length ? "" : entry.detail ?? ""));
      });
    });
  }

  // Lines over a shared x: [{model, label, detail, points: [{x, y, low, high, tip}]}]. `color`, a
  // number, stands in for that of the model. options.least is the least height of the y axis in percent;
  // without it, y is no share.
  function lines(svg, series, options) {
    const drawn = series.filter((s) => s.points.length > 0);
    if (drawn.length === 0) return empty(svg, options.title);
    const entries = [...new Map(drawn.map((s) => [s.label, s])).values()];
    const height = Math.max(360, 90 + 16 * legendLines(entries));
    const xs = drawn.flatMap((s) => s.points.map((p) => p.x));
    const ys = drawn.flatMap((s) => s.points.flatMap((p) => [p.y, ...ends(p, p.y)]));
    const right = WIDTH - 260;
    const x = options.logX ? scale("Log", paddedLog(xs, 1.15), [70, right])
      : scale("Linear", [Math.min(0, d3.min(xs)), d3.max(xs)], [70, right]);
    const y = options.logY ? scale("Log", paddedLog(ys, 1.3), [height - 55, 40])
      : scale("Linear", options.least ? paddedShares(ys, 0.08, options.least) : padded(ys, 0.08, 0),
        [height - 55, 40]).nice();
    frame(svg, height, 40, x, y, {
      ...options, xTicks: options.logX ? [...new Set(xs)].sort((a, b) => a - b) : undefined,
      yTicks: options.logY ? logTicks(y) : undefined,
      xFormat: options.logX ? d3.format(",") : shownNumber, yFormat: tickNumber});
    const path = d3.line().x((p) => x(p.x)).y((p) => y(p.y));
    drawn.forEach((s) => {
      svg.append("path").attr("d", path(s.points)).attr("fill", "none")
        .attr("stroke", color(s)).attr("stroke-width", 2).attr("stroke-opacity", 0.85)
        .attr("stroke-dasharray", dash(s, entries));
      s.points.forEach((p) => {
        const [low, high] = ends(p, p.y);
        if (low !== high) bar(svg, x(p.x), y(low), y(high), color(s));
        svg.append("circle").attr("cx", x(p.x)).attr("cy", y(p.y)).attr("r", options.logX ? 3.5 : 2)
          .attr("fill", color(s)).append("title").text(p.tip);
      });
    });
    legend(svg, entries, right + 24, 50);
  }

  const pictures = [];
  const add = (name, section, caption, draw) => pictures.push({name, section, caption, draw});
  data.tasks.forEach(({task, title}) => {
    const of = (hidden) => data.points.filter((p) => p.task === task && !hidden.has(p.model));
    const references = data.references.filter((r) => r.task === task);
    const averageNote = task === "average"
      ? " Speed: geometric mean over the tasks; memory: the largest." : "";
    if (data.points.some((p) => p.task === task && p.speed !== null && p.memory !== null)) {
      add(`bubble-${task}`, "bubbles",
        `${title}: accuracy over training speed; the area of a bubble is its memory.${averageNote}`,
        (svg, hidden) => bubble(svg,
          of(hidden).filter((p) => p.speed !== null && p.memory !== null), title, references));
    }
    if (data.points.some((p) => p.task === task)) {
      add(`accuracy-${task}`, "accuracy", `${title}: test accuracy.`,
        (svg, hidden) => dots(svg, of(hidden), title, references));
    }
  });
  data.tasks.filter(({task}) => data.lengths.some((c) => c.task === task)).forEach(({task, title}) => {
    const series = (hidden) => data.lengths.filter((c) => c.task === task && !hidden.has(c.model))
      .map((c) => ({model: c.model, label: c.label, points: c.points.map((p) => ({x: p.n, y: p.accuracy,
        low: p.low, high: p.high,
        tip: `${c.label}, seed ${c.seed}, length ${p.n}: ${p.accuracy.toFixed(1)} %${interval(p, 1)}`}))}));
    add(`length-${task}`, "lengths",
      `${title}: test accuracy over the length of the sequences, a line for each seed.`,
      (svg, hidden) => lines(svg, series(hidden), {title, logX: true, least: 6,
        xTitle: "length of the sequences (log scale)", yTitle: "test accuracy (%)"}));
  });
  data.tasks.filter(({task}) => data.searches.some((s) => s.task === task)).forEach(({task, title}) => {
    const series = (hidden) => data.searches.filter((s) => s.task === task && !hidden.has(s.model))
      .map((s) => ({model: s.model, label: s.label, points: s.points.map((p) => ({x: p.k, y: p.accuracy,
        tip: `${s.label}, best of ${p.k} (${s.text}): ${p.accuracy.toFixed(2)} %`}))}));
    const steps = [...new Set(data.searches.filter((s) => s.task === task).map((s) => s.steps))];
    add(`search-${task}`, "searches",
      `${title}: expected best validation accuracy of k trials of ${steps.join(" or ")} steps, by ` +
      "Σ vᵢ ((i/n)ᵏ − ((i−1)/n)ᵏ) over the n sorted accuracies of all trials (Dodge et al. 2019); a trial " +
      "that diverged or failed counts as 0.",
      (svg, hidden) => lines(svg, series(hidden), {title, least: 6,
        xTitle: "k, trials", yTitle: "expected best validation accuracy (%)"}));
  });
  data.tasks.filter(({task}) => data.curves.some((c) => c.task === task)).forEach(({task, title}) => {
    const series = (split, key, hidden) => data.curves
      .filter((c) => c.task === task && !hidden.has(c.model))
      .map((c) => ({model: c.model, label: c.label,
        points: c.points.filter((p) => p.split === split && p[key] !== null)
          .map((p) => ({x: p.step, y: p[key],
            tip: `${c.label}, seed ${c.seed} (${c.status}), step ${p.step}: ${p[key]}`}))}));
    add(`curve-accuracy-${task}`, "curves", `${title}: validation accuracy, a line for each seed.`,
      (svg, hidden) => lines(svg, series("val", "accuracy", hidden),
        {title, least: 6, xTitle: "step", yTitle: "validation accuracy (%)"}));
    add(`curve-loss-${task}`, "curves", `${title}: training loss, a line for each seed.`,
      (svg, hidden) => lines(svg, series("train", "loss", hidden),
        {title, xTitle: "step", yTitle: "training loss"}));
  });
  data.scaling.forEach((group) => {
    const series = (key, exponent, unit, hidden) => group.lines
      .filter((line) => !hidden.has(line.model))
      .map((line) => ({model: line.model, label: line.label,
        detail: (line[exponent] === null ? "" : `  ~ n^${line[exponent].toFixed(2)}`) +
          (line.shared ? " (shared)" : ""),
        points: line.points.filter((p) => p[key] !== null).map((p) => ({x: p.n, y: p[key],
          low: key === "ms" ? p.p10 : null, high: key === "ms" ? p.p90 : null,
          tip: `${line.label}, n = ${p.n}: ${p[key].toPrecision(4)} ${unit}`}))}));
    const title = `${group.mode}, ${group.preset}, ${group.precision}, batch ${group.batch}`;
    add(`scaling-time-${group.id}`, "scaling", `Time of a step over the sequence length: ${group.title}.`,
      (svg, hidden) => lines(svg, series("ms", "timeExponent", "ms", hidden),
        {title, logX: true, logY: true, xTitle: "sequence length n (log scale)",
          yTitle: "median step (ms, log scale), bars: p10 to p90"}));
    add(`scaling-memory-${group.id}`, "scaling",
      `Peak tensor memory over the sequence length: ${group.title}.`,
      (svg, hidden) => lines(svg, series("memory", "memoryExponent", "MB", hidden),
        {title, logX: true, logY: true, xTitle: "sequence length n (log scale)",
          yTitle: "peak tensors (MB, log scale)"}));
  });
  data.studies.forEach((study, i) => {
    const xs = study.lines.flatMap((line) => line.points.map((p) => p.x));
    const logX = d3.min(xs) > 0 && d3.max(xs) >= 8 * d3.min(xs);
    const shown = (value) => (value === null ? "?" : value.toFixed(3));
    const series = (key, ending) => study.lines.map((line, at) => ({model: line.kernel, color: at,
      label: line.kernel + ending, points: line.points.filter((p) => p[key] !== null)
        .map((p) => ({x: p.x, y: p[key], low: ending ? null : p.low, high: ending ? null : p.high,
          tip: `${line.kernel}${ending}, ${study.swept} = ${p.x}: ` +
          shown(p[key]) + (ending ? "" : ` (${shown(p.low)} to ${shown(p.high)})`)}))}));
    add(`study-${i + 1}-${study.mode}`, "studies",
      `${study.quantity} over ${study.swept}, mode ${study.mode}` +
        (study.lines.some((line) => line.points.some((p) => p.reference !== null))
          ? "; dashed: what the kernel's family can reach." : "."),
      (svg) => lines(svg, [...series("value", ""), ...series("reference", ", reference")],
        {title: `Separation: ${study.mode}`, logX, yTitle: study.quantity,
          xTitle: study.swept + (logX ? " (log scale)" : "")}));
  });
  return pictures;
}
