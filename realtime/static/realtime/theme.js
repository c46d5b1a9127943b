// Runs before anything is painted: a theme once chosen is kept, otherwise the system's is followed.
(() => {
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is forbidden here; the system's theme it is.
  }
})();
