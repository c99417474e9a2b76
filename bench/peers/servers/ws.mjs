// ws (npm): a set of sockets per symbol, one send for each.
//
// Settings, after its README: `bufferutil` is installed ("Opt-in for performance");
// perMessageDeflate is off, as by default ("WebSocket compression": "adds a significant overhead
// in terms of performance and memory consumption"); the message is a Buffer made once for all
// subscribers ("Server broadcast"). One process, since there is one core. By a timer (ticks.mjs), the
// messages of a turn leave each socket together: net.Socket's cork and uncork (nodejs.org, "Stream").
import { WebSocketServer } from "ws";
import { readTicks, snapshot, timer } from "./ticks.mjs";

const [port, tickPort] = process.argv.slice(2).map(Number);
const subscribers = new Map();
const text = { binary: false, compress: false };

function subscribe(symbol, socket) {
  if (!subscribers.has(symbol)) subscribers.set(symbol, new Set());
  subscribers.get(symbol).add(socket);
}

const server = new WebSocketServer({
  host: "127.0.0.1", port, path: "/stream", perMessageDeflate: false, backlog: 4096,
});
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    for (const symbol of JSON.parse(data).symbols) {
      const price = snapshot(symbol);
      if (price !== undefined) socket.send(price);
      subscribe(symbol, socket);
    }
  });
  socket.on("close", () => subscribers.forEach((each) => each.delete(socket)));
});
const corked = new Set();

function send(socket, data) {
  if (timer && !corked.has(socket)) {
    corked.add(socket);
    socket._socket.cork();
  }
  socket.send(data, text);
}

function uncork() {
  corked.forEach((socket) => socket._socket?.uncork());
  corked.clear();
}

readTicks(tickPort, (symbol, message) => {
  const data = Buffer.from(message, "latin1");
  subscribers.get(symbol)?.forEach((socket) => send(socket, data));
}, uncork);
