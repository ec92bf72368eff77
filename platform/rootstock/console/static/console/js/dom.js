// htmx hands over the very element that it put in: that one counts too, beside what lies within it.
export function within(root, selector) {
  return [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
}

// What a request that changes something carries: the form's token, and the organisation that the page was rendered for.
export function pageHeaders(root = document) {
  return {
    Accept: "application/json",
    "X-CSRFToken": root.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "",
    "X-Organisation": document.body.dataset.organisation ?? "",
  };
}
