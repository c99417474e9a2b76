// Socket.IO: a room per symbol, io.to(room).emit, which encodes once for all in the room.
//
// Settings, after socket.io/docs/v4 "Performance tuning" and "Memory usage": `bufferutil` is
// installed; the first HTTP request of each connection is let go; only the WebSocket transport,
// perMessageDeflate off as by default. The event carries the tick as an object, parsed once. The
// WebSocket engine is the default one, ws; others ("Use another WebSocket server implementation")
// are not tried. One process, since there is one core.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { last, readTicks, snapshot } from "./ticks.mjs";

const [port, tickPort] = process.argv.slice(2).map(Number);
const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });
io.engine.on("connection", (raw) => { raw.request = null; });
io.on("connection", (socket) => {
  socket.on("subscribe", (symbols) => {
    for (const symbol of symbols) {
      if (last.has(symbol)) socket.emit("price", JSON.parse(snapshot(symbol)));
      socket.join(symbol);
    }
  });
});
http.listen({ host: "127.0.0.1", port, backlog: 4096 });
readTicks(tickPort, (symbol, message) => io.to(symbol).emit("price", JSON.parse(message)));
