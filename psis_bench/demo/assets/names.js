// What the components leave out for those who use the keyboard or a screen reader.
new MutationObserver((_changes, watcher) => {
  const file = document.querySelector("#upload input[type=file]");
  const choosers = document.querySelectorAll(".dash-dropdown-focus-target");
  if (!file || choosers.length < 2) return;
  file.setAttribute("aria-label", "Upload a picture: JPEG, PNG or WebP");
  // A hidden field takes the focus and hands it on to the button of the list: let the button have it at once.
  for (const field of choosers) {
    field.inert = true;
    field.nextElementSibling.tabIndex = 0;
  }
  watcher.disconnect();
}).observe(document.documentElement, { childList: true, subtree: true });
