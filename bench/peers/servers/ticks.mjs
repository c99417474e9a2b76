// What the servers in JavaScript share: ticks by line on a TCP port, and the newest of each
// symbol. A line is the symbol, a space and the message.
import net from "node:net";

export const last = new Map();

export function snapshot(symbol) {
  return last.get(symbol)?.replace('"update"', '"snapshot"');
}

export function readTicks(port, publish) {
  net.createServer((socket) => {
    let rest = "";
    socket.setEncoding("latin1");
    socket.on("data", (got) => {
      const lines = (rest + got).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const space = line.indexOf(" ");
        const symbol = line.slice(0, space);
        const message = line.slice(space + 1);
        last.set(symbol, message);
        publish(symbol, message);
      }
    });
  }).listen(port, "127.0.0.1");
}
