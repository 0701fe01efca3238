// Before anything is painted, so that a chosen dark never flashes light.
const chosen = localStorage.getItem("orderly.theme");
if (chosen) document.documentElement.dataset.theme = chosen;
