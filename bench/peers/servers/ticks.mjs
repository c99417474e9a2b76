// What the servers in JavaScript share: ticks by line on a TCP port, and the newest of each
// symbol. A line is the symbol, a space and the message.
//
// With PEER_TIMER_MS in the environment, ticks are published by a timer: all that came since the
// last turn, in one turn of the loop, and `published` is called behind them.
import net from "node:net";

export const timer = Number(process.env.PEER_TIMER_MS ?? 0);
export const last = new Map();

export function snapshot(symbol) {
  return last.get(symbol)?.replace('"update"', '"snapshot"');
}

export function readTicks(port, publish, published = () => {}) {
  let due = [];
  if (timer) {
    setInterval(() => {
      const came = due;
      due = [];
      for (const [symbol, message] of came) publish(symbol, message);
      published();
    }, timer);
  }
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
        if (timer) due.push([symbol, message]);
        else publish(symbol, message);
      }
    });
  }).listen(port, "127.0.0.1");
}
