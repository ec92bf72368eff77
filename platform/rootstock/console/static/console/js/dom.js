// htmx hands over the very element that it put in: that one counts too, beside what lies within it.
export function within(root, selector) {
  return [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
}
