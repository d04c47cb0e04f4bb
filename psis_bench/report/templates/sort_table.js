// Sorts a table by the heading that is clicked; a second click turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    const numeric = heading.classList.contains("num");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const previous = heading.getAttribute("aria-sort");
      const direction = previous ? (previous === "ascending" ? -1 : 1) : numeric ? -1 : 1;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      // A cell may say what it is sorted by, where its text is more than a number.
      const key = ({ cells }) => cells[column].dataset.value ?? cells[column].textContent.trim();
      const order = (a, b) => {
        if (!numeric) return direction * key(a).localeCompare(key(b));
        const [x, y] = [parseFloat(key(a)), parseFloat(key(b))];
        if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y); // classes without a value stay at the end
        return direction * (x - y);
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}
