/** Change the text only when it differs, so that nothing is laid out in vain, or said twice. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
