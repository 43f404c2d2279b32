// The report's behaviour: sorting and filtering of tables, choosing models, saving pictures.
"use strict";

(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const hidden = new Set();  // models that are not shown
  const modelOf = new Map(data.labels.map((item) => [item.label, item.model]));

  // Sorting: a click on a head sorts by it, a second click reverses; rows without a number stay
  // last, and the kinds of rows (measured, baselines, published) stay together.
  document.querySelectorAll("table").forEach((table) => {
    const body = table.tBodies[0];
    const kinds = ["measured", "baseline", "published"];
    const kindOf = (row) => Math.max(0, kinds.findIndex((kind) => row.classList.contains(kind)));
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.tabIndex = 0;
      const sort = () => {
        const sorted = head.getAttribute("aria-sort") ?? "none";
        const bestFirst = !head.classList.contains("text") && !head.textContent.includes("↓");
        const descending = sorted === "none" ? bestFirst : sorted === "ascending";
        [...table.tHead.rows[0].cells].forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const value = (row) => {
          const cell = row.cells[column];
          if (head.classList.contains("text")) return cell.textContent.toLowerCase();
          return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
        };
        const rows = [...body.rows].sort((a, b) => {
          if (kindOf(a) !== kindOf(b)) return kindOf(a) - kindOf(b);
          const [x, y] = [value(a), value(b)];
          if (x === null || y === null) return (x === null) - (y === null);
          return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
        });
        rows.forEach((row, i) => {
          row.classList.toggle("group", i > 0 && kindOf(row) !== kindOf(rows[i - 1]));
          body.append(row);
        });
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  });

  const search = document.getElementById("search");
  const showBaselines = document.getElementById("show-baselines");
  const showPublished = document.getElementById("show-published");
  const labelOf = (row) => row.cells[0].firstChild.textContent;
  function filterRows() {
    const words = search.value.toLowerCase().split(/\s+/).filter((word) => word);
    document.querySelectorAll("table.filtered > tbody > tr").forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word)) ||
        (row.classList.contains("baseline") && !showBaselines.checked) ||
        (row.classList.contains("published") && !showPublished.checked) || hidden.has(modelOf.get(labelOf(row)));
    });
  }

  function save(name, type, content) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], {type}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  function savePng(name, svg) {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 2 * image.width;
      canvas.height = 2 * image.height;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(name, "image/png", blob));
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
  }

  const pictures = typeof d3 === "undefined" ? [] : lraPictures(d3, data);
  pictures.forEach((picture) => {
    const figure = document.createElement("figure");
    figure.id = picture.name;
    picture.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    figure.append(picture.svg);
    const caption = document.createElement("figcaption");
    caption.append(picture.caption + " ");
    const text = () => new XMLSerializer().serializeToString(picture.svg);
    [["SVG", () => save(picture.name + ".svg", "image/svg+xml", text())],
      ["PNG", () => savePng(picture.name + ".png", text())]].forEach(([title, action]) => {
      const button = document.createElement("button");
      button.textContent = title;
      button.addEventListener("click", action);
      caption.append(button, " ");
    });
    figure.append(caption);
    document.getElementById(picture.section).append(figure);
  });
  document.querySelectorAll(".pictures").forEach((section) => {
    if (!section.querySelector("figure")) section.hidden = true;
  });
  function draw() {
    pictures.forEach((picture) => {
      picture.svg.replaceChildren();
      picture.draw(d3.select(picture.svg), hidden);
    });
  }

  [...modelOf.values()].filter((model, i, all) => all.indexOf(model) === i).forEach((model) => {
    const choice = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(model); else hidden.add(model);
      filterRows();
      draw();
    });
    choice.append(box, " " + model);
    document.getElementById("models").append(choice);
  });
  [search, showBaselines, showPublished].forEach((input) => input.addEventListener("input", filterRows));
  draw();
})();
