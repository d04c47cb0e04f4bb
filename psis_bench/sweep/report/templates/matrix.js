// The transfer matrix: its order, what its cells show, and the numbers behind a cell by pointer, finger and keyboard.
{
  const tip = document.getElementById("tip");
  const hundred = (value, digits = 1) => (100 * value).toFixed(digits);

  function place(cell) {
    const at = cell.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), innerWidth - own.width - 8);
    const below = at.bottom + 8 + own.height <= innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - own.height - 8)}px`;
  }

  for (const matrix of document.querySelectorAll(".matrix")) {
    const data = JSON.parse(document.getElementById(matrix.dataset.numbers).textContent);
    const table = matrix.querySelector("table");
    const [head, body] = [table.tHead.rows[0], table.tBodies[0]];
    const form = matrix.querySelector("form");
    const chosen = (name, other) => form.elements[name]?.value ?? other;
    const metric = () => data.metrics[chosen("metric", 0)];
    const ratio = () => chosen("shown", "score") === "ratio";
    const size = [data.sources.length, data.targets.length];
    let active = null;

    function value(r, c) {
      const { mean, reference } = metric();
      if (!ratio()) return mean[r][c];
      return mean[r][c] === null || !reference[c] ? null : mean[r][c] / reference[c];
    }

    function scale() {
      if (!ratio()) return metric().scale;
      const known = data.sources.flatMap((_, r) => data.targets.map((_, c) => value(r, c)).filter((v) => v !== null));
      const low = known.reduce((a, b) => Math.min(a, b), 1);
      return [Math.min(0.95, Math.floor(low * 20) / 20), 1];
    }

    function paint() {
      const [low, high] = scale();
      for (const row of body.rows) {
        for (const cell of row.querySelectorAll("td")) {
          const [r, c] = [+row.dataset.r, +cell.dataset.c];
          const v = value(r, c);
          const step = v === null ? 0 : Math.floor(((v - low) / (high - low)) * (data.levels - 1) + 0.5);
          cell.textContent = v === null ? "" : hundred(v, 0);
          cell.className = v === null ? "hole" : `c${Math.min(Math.max(step, 0), data.levels - 1)}`;
          cell.classList.toggle("own", Boolean(data.seen[r][c]));
        }
      }
      table.caption.textContent = `${metric().name}${ratio() ? ", % of that with all masks" : " × 100"} of ${size[1]} targets for ${size[0]} ${data.rows}`;
      matrix.querySelector(".heat-scale .low").textContent = hundred(low, 0);
      matrix.querySelector(".heat-scale .high").textContent = ratio() ? "100 % or more" : hundred(high, 0);
    }

    function orders() {
      const wanted = chosen("order", "alike");
      if (wanted === "alike") return data.alike;
      const places = (names) => names.map((_, place) => place);
      if (wanted === "name") {
        return [data.sources, data.targets].map((names) => places(names).sort((a, b) => names[a].localeCompare(names[b])));
      }
      const mean = (values) => {
        const known = values.filter((v) => v !== null);
        return known.length ? known.reduce((a, b) => a + b, 0) / known.length : -1;
      };
      const rows = data.sources.map((_, r) => mean(data.targets.map((_, c) => value(r, c))));
      const columns = data.targets.map((_, c) => mean(data.sources.map((_, r) => value(r, c))));
      return [rows, columns].map((means) => places(means).sort((a, b) => means[b] - means[a]));
    }

    function arrange() {
      const [rows, columns] = orders();
      for (const row of [head, ...body.rows]) {
        const cells = new Map([...row.querySelectorAll("[data-c]")].map((cell) => [+cell.dataset.c, cell]));
        row.append(...columns.map((column) => cells.get(column)));
      }
      const lines = new Map([...body.rows].map((row) => [+row.dataset.r, row]));
      body.append(...rows.map((row) => lines.get(row)));
      reach(body.rows[0].cells[1]);
    }

    // One cell at a time can be reached by Tab; the arrow keys go on from there.
    function reach(cell) {
      body.querySelectorAll("td[tabindex]").forEach((other) => other.removeAttribute("tabindex"));
      cell.tabIndex = 0;
    }

    function lines(r, c) {
      const { name, mean, low, high, count, reference, runs } = metric();
      const told = [];
      if (mean[r][c] === null) {
        told.push("no score: nothing was measured here");
        if (data.instances[c] === 0) told.push("the scored data has no instance of the target");
        else if (data.jobs[r]) told.push(data.jobs[r]);
      } else {
        told.push(`${name} ${hundred(mean[r][c])}`);
        const seeds = `${count[r][c]} of ${data.seeds} seed${data.seeds === 1 ? "" : "s"}`;
        told.push(
          low[r][c] === null ? `${seeds}, so no interval` : `95 % interval ${hundred(low[r][c])} to ${hundred(high[r][c])}, ${seeds}`,
        );
        if (reference[c]) {
          const part = hundred(mean[r][c] / reference[c]);
          told.push(`${part} % of ${hundred(reference[c])}, the mean of ${runs} run${runs === 1 ? "" : "s"} with all masks`);
        }
      }
      if (data.instances[c] !== null) told.push(`${data.instances[c]} instance${data.instances[c] === 1 ? "" : "s"} scored`);
      if (data.seen[r][c]) told.push("masks of the target itself were in training");
      return told;
    }

    function hide() {
      if (!active) return;
      active.classList.remove("on");
      active.removeAttribute("aria-describedby");
      table.querySelectorAll("th.on").forEach((heading) => heading.classList.remove("on"));
      active = null;
      tip.hidden = true;
    }

    function show(cell) {
      if (cell === active) return;
      hide();
      active = cell;
      const [r, c] = [+cell.parentElement.dataset.r, +cell.dataset.c];
      const title = document.createElement("b");
      title.textContent = `${data.sources[r]} → ${data.targets[c]}`;
      tip.replaceChildren(
        title,
        ...lines(r, c).map((text) => Object.assign(document.createElement("div"), { textContent: text })),
      );
      tip.hidden = false;
      cell.classList.add("on");
      cell.setAttribute("aria-describedby", "tip");
      cell.parentElement.cells[0].classList.add("on");
      head.cells[cell.cellIndex].classList.add("on");
      place(cell);
    }

    const cellAt = (target) => target.closest?.("tbody td[data-c]");
    body.addEventListener("pointerover", (event) => (cellAt(event.target) ? show(cellAt(event.target)) : hide()));
    table.addEventListener("pointerleave", () => {
      hide();
      if (body.contains(document.activeElement)) show(document.activeElement);
    });
    body.addEventListener("click", (event) => {
      const cell = cellAt(event.target);
      if (cell) reach(cell), cell.focus({ preventScroll: true }), show(cell);
    });
    body.addEventListener("focusin", (event) => cellAt(event.target) && show(cellAt(event.target)));
    body.addEventListener("focusout", hide);
    matrix.querySelector(".scroll").addEventListener("scroll", () => active && place(active));
    addEventListener("scroll", () => active && place(active), { passive: true });
    addEventListener("keydown", (event) => event.key === "Escape" && hide());
    table.addEventListener("keydown", (event) => {
      const cell = cellAt(event.target);
      if (!cell) return;
      let [r, c] = [cell.parentElement.sectionRowIndex, cell.cellIndex];
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      if (moves[event.key]) [r, c] = [r + moves[event.key][0], c + moves[event.key][1]];
      else if (event.key === "Home") [r, c] = [event.ctrlKey ? 0 : r, 1];
      else if (event.key === "End") [r, c] = [event.ctrlKey ? size[0] - 1 : r, size[1]];
      else return;
      event.preventDefault();
      const next = body.rows[Math.min(Math.max(r, 0), size[0] - 1)].cells[Math.min(Math.max(c, 1), size[1])];
      reach(next);
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
      place(next);
    });

    form.hidden = false;
    form.addEventListener("change", (event) => {
      if (event.target.name !== "order") paint();
      if (event.target.name === "order" || chosen("order", "alike") === "mean") arrange();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    table.setAttribute("role", "grid");
    form.reset();
    reach(body.rows[0].cells[1]);
  }
}
