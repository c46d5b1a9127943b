// What the archive knows of a token. The page goes on without it.

import { Chart } from "./chart.js";

const element = (id) => document.getElementById(id);

export class History {
  #chart = new Chart(element("chart"));
  #hasCandles = false;

  constructor(tokenId) {
    this.tokenId = tokenId;
    this.#chart.showLine();
    element("chart-note").textContent = "The archive does not answer; the line is the price since you opened this page.";
  }

  /** Notes the live price. */
  point(value, milliseconds) {
    if (value) this.#chart.point(Number(value), milliseconds, !this.#hasCandles);
  }
}
