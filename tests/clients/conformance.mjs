// What the TypeScript client makes of each dialogue: `node conformance.mjs DIST DIALOGUE...` prints the
// outcomes of the steps of each as a line of JSON.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [dist, ...files] = process.argv.slice(2);
const { Dialogue } = await import(pathToFileURL(`${dist}/index.js`));

function outcome(dialogue, step) {
  const commands = (texts) => ({ commands: texts.map((text) => JSON.parse(text)) });
  try {
    if (step.subscribe) {
      const { symbols, ...topic } = step.subscribe;
      return commands(dialogue.subscribe(topic, symbols));
    }
    if (step.unsubscribe) {
      const { symbols, ...topic } = step.unsubscribe;
      return commands(dialogue.unsubscribe(topic, symbols));
    }
    if (step.feed) return {};
    if ("opened" in step) {
      dialogue.opened(step.opened);
      return {};
    }
    if ("closed" in step) return { pause: dialogue.closed(step.closed, step.chance) };
    const received = dialogue.received(step.received, step.now);
    const unknown = [...dialogue.unknown].map(([channel, names]) => [channel, [...names].sort()]);
    return {
      events: received.events, ...commands(received.commands), deadline: dialogue.deadline,
      unknown: Object.fromEntries(unknown),
    };
  } catch (error) {
    return { error: error.name };
  }
}

for (const file of files) {
  const dialogue = new Dialogue();
  const { steps } = JSON.parse(readFileSync(file, "utf8"));
  console.log(JSON.stringify(steps.map((step) => outcome(dialogue, step))));
}
