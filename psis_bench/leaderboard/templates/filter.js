// Shows only the rows that have every word of the search and a chosen tier; without scripts all rows are shown.
const form = document.querySelector("form.filter");
if (form) {
  const rows = [...document.querySelectorAll(".board tbody tr")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const dots = [...document.querySelectorAll(".scatter .dot")];
  const words = form.querySelector("#words");
  const update = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const tiers = new Set([...form.querySelectorAll("[name=tier]:checked")].map((box) => box.value));
    const pages = new Set();
    for (const row of rows) {
      row.hidden = !tiers.has(row.dataset.tier) || !wanted.every((word) => texts.get(row).includes(word));
      if (!row.hidden) pages.add(row.querySelector("th a").getAttribute("href"));
    }
    for (const dot of dots) dot.classList.toggle("dim", !pages.has(dot.dataset.page));
    form.querySelector("#shown").textContent = `${pages.size} of ${rows.length} rows`;
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const dot of dots) dot.addEventListener("click", () => (location.href = dot.dataset.page));
  form.hidden = false;
  update();
}
