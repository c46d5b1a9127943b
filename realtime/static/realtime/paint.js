// How values get onto the page: at most once a frame, only where they differ, and by what costs a browser least.

const [BRIGHT_MS, LIT_MS, REST_MS, DIM_MS] = [250, 700, 900, 125];

/** Whether people asked for as little motion as can be. */
export const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Runs `draw` before the next frame that is painted, however often it is asked to. */
export function onFrame(draw) {
  let wanted = false;
  return () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      draw();
    });
  };
}

/** The words of an element that has no other content. A text node that is kept needs no new style and no new box. */
export function write(target, words, title) {
  const text = target.firstChild;
  if (text?.nodeType !== Node.TEXT_NODE || text.nextSibling) target.textContent = words;
  else if (text.data !== words) text.data = words;
  if (title !== undefined && target.title !== title) target.title = title;
}

/** How much of a bar is filled, 0 to 1: a background's size moves nothing and needs no layer. */
export function fill(bar, share) {
  const size = `${Math.round(share * 200) / 2}% 100%`;
  if (bar.style.backgroundSize !== size) bar.style.backgroundSize = size;
}

const lit = new Map();
let dimming;

/** Lets a value that rose or fell light up, at most about once a second. Each step of it is painted once: an animation
 * would cost a layer, and every frame. */
export function flash(target, direction) {
  if (stillness.matches || document.hidden || lit.has(target)) return;
  lit.set(target, performance.now());
  target.classList.add(direction > 0 ? "rose" : "fell");
  dimming ??= setInterval(dim, DIM_MS);
}

function dim() {
  const now = performance.now();
  for (const [target, since] of lit) {
    if (now - since > REST_MS) lit.delete(target);
    else if (now - since > LIT_MS) target.classList.remove("rose", "fell", "fading");
    else if (now - since > BRIGHT_MS) target.classList.add("fading");
  }
  if (lit.size === 0) dimming = clearInterval(dimming);
}
